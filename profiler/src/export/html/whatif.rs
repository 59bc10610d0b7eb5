//! The what-if: every way of waiting on every number of loops, worked out beforehand; the slider
//! only chooses.

use std::thread;

use serde::Serialize;

use super::markup::Markup;
use crate::text::{
    clean,
    numbers::{NA, count, plural, span},
};
use crate::{
    machine::Way,
    predict::{Engine, Ground, Saving, Scenario, WhatIf, replay::Queues},
};

/// So many loops can be chosen one by one; beyond, each step doubles: replays are what the page
/// takes longest for.
const ONE_BY_ONE: u32 = 8;

const QUEUES: [Queues; 2] = [Queues::Own, Queues::Stealing];

#[derive(Serialize)]
struct Choices {
    loops: Vec<u32>,
    /// Which of them the report took.
    start: usize,
    /// Where nothing saved lies on the bars, %.
    zero: f64,
    /// By queue, loops and way.
    rows: Vec<Vec<Vec<Option<Row>>>>,
}

#[derive(Clone, Serialize)]
struct Row {
    /// Saving, its interval, CPU-seconds per second, the open-loop share, sleeps per block and per
    /// second, events per wait.
    cells: [String; 7],
    /// Low, middle and high on the bars, %.
    bar: [f64; 3],
    /// What, how much, how.
    terms: Vec<[String; 3]>,
}

/// What the bars of all choices are drawn on, so that they can be compared by eye.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over<'a>(all: impl Iterator<Item = &'a Scenario>) -> Self {
        let wide = |axis: Self, s: Saving| Self { low: axis.low.min(s.low), high: axis.high.max(s.high) };
        all.map(|s| s.saving).fold(Self { low: -0.01, high: 0.05 }, wide)
    }

    /// %, to a tenth.
    fn at(self, share: f64) -> f64 {
        let place = (share - self.low) / (self.high - self.low) * 100.0;
        if place.is_finite() { (place.clamp(0.0, 100.0) * 10.0).round() / 10.0 } else { 0.0 }
    }
}

pub(super) fn render(page: &mut Markup, what_if: &WhatIf) {
    page.raw("<section id=\"what-if\"><h2>What if: what async would give back</h2>\n");
    if let Some(why) = &what_if.refused {
        page.raw("<p>").raw(NA).raw(": ").name(why).raw("</p>\n");
    } else {
        let loops = choices(what_if);
        let grid = match &what_if.engine {
            Some(engine) => scenarios(engine, &loops),
            None => Vec::new(),
        };
        let shown = &what_if.scenarios;
        let axis = Axis::over(grid.iter().flatten().flatten().flatten().chain(shown));
        if !grid.is_empty() {
            controls(page, what_if, &loops);
        }
        table(page, shown, axis);
        if !grid.is_empty() {
            let rows = grid
                .iter()
                .map(|queue| {
                    let row = |s: &Option<Scenario>| s.as_ref().map(|s| Row::of(s, axis));
                    queue.iter().map(|ways| ways.iter().map(row).collect()).collect()
                })
                .collect();
            let start = loops.iter().position(|&l| l == what_if.loops).unwrap_or(0);
            page.data("what-if-data", &Choices { loops, start, zero: axis.at(0.0), rows });
        }
        sums(page, shown);
        page.raw("<p class=\"note\">").name(&ground(what_if)).raw("</p>\n");
    }
    for note in &what_if.notes {
        page.raw("<p class=\"note\">").name(note).raw("</p>\n");
    }
    page.raw("</section>\n");
}

/// Numbers of loops that can be chosen: the report's own is among them.
fn choices(what_if: &WhatIf) -> Vec<u32> {
    let most = what_if.allowed_cpus.max(ONE_BY_ONE);
    let doubled = (1..).map_while(|n| ONE_BY_ONE.checked_shl(n)).take_while(|&l| l < most && l > ONE_BY_ONE);
    let mut loops: Vec<u32> = (1..=ONE_BY_ONE).chain(doubled).chain([what_if.loops.max(1), most]).collect();
    loops.sort_unstable();
    loops.dedup();
    loops
}

/// By queue, loops and way.
fn scenarios(engine: &Engine, loops: &[u32]) -> Vec<Vec<Vec<Option<Scenario>>>> {
    let cells: Vec<(Queues, u32)> = QUEUES.iter().flat_map(|&q| loops.iter().map(move |&l| (q, l))).collect();
    let ask = |&(queue, loops): &(Queues, u32)| Way::ALL.map(|way| engine.scenario(way, loops, queue)).to_vec();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(cells.len().max(1));
    let answers: Vec<Vec<Option<Scenario>>> = thread::scope(|scope| {
        let per_worker = cells.len().div_ceil(workers).max(1);
        let parts: Vec<_> = cells
            .chunks(per_worker)
            .map(|part| scope.spawn(move || part.iter().map(ask).collect::<Vec<_>>()))
            .collect();
        // A worker that panicked has said so; its cells are n/a.
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    });
    answers.chunks(loops.len().max(1)).map(<[_]>::to_vec).collect()
}

impl Row {
    fn of(s: &Scenario, axis: Axis) -> Self {
        Self {
            cells: [
                format!("{:.1} %", s.saving.value * 100.0),
                format!("{:.1} to {:.1} %", s.saving.low * 100.0, s.saving.high * 100.0),
                format!("{:.3}", s.cpu_per_second.value),
                format!("{:.1} %", s.open * 100.0),
                format!("{:.2}", s.sleeps_per_block),
                count(s.sleeps_per_second.max(0.0).round() as u64),
                format!("{:.1}", s.events_per_wait),
            ],
            bar: [s.saving.low, s.saving.value, s.saving.high].map(|share| axis.at(share)),
            terms: s.terms.iter().map(|t| [clean::line(&t.what), span(t.ns), clean::line(&t.how)]).collect(),
        }
    }
}

fn controls(page: &mut Markup, what_if: &WhatIf, loops: &[u32]) {
    let start = loops.iter().position(|&l| l == what_if.loops).unwrap_or(0);
    page.raw("<div class=\"controls\"><label for=\"loops\">event loops</label> <input type=\"range\" id=\"loops\" min=\"0\" max=\"");
    page.number(loops.len().saturating_sub(1) as f64).raw("\" step=\"1\" value=\"").number(start as f64);
    page.raw("\"> <output id=\"loops-out\" for=\"loops\">").text(&what_if.loops.to_string());
    page.raw(
        "</output>\n<fieldset><legend>connections</legend>\
         <label><input type=\"radio\" name=\"queues\" value=\"0\" checked> belong to one loop each</label> \
         <label><input type=\"radio\" name=\"queues\" value=\"1\"> are taken by whichever loop is free</label></fieldset></div>\n",
    );
}

fn table(page: &mut Markup, shown: &[Scenario], axis: Axis) {
    page.raw(
        "<div class=\"scroll\" tabindex=\"0\"><table id=\"what-if-table\"><thead><tr><th scope=\"col\">way of waiting</th>\
         <th scope=\"col\" class=\"n\">saving</th><th scope=\"col\" class=\"n\">90 %</th><th></th>\
         <th scope=\"col\" class=\"n\">CPU-s per s</th><th scope=\"col\" class=\"n\" title=\"if arrivals do not follow replies\">\
         open loop</th><th scope=\"col\" class=\"n\">sleeps per block</th><th scope=\"col\" class=\"n\">sleeps per s</th>\
         <th scope=\"col\" class=\"n\">events per wait</th></tr></thead><tbody aria-live=\"polite\">\n",
    );
    for way in Way::ALL {
        page.raw("<tr><th scope=\"row\"><strong>").raw(way.name()).raw("</strong><br><small>").raw(way.words());
        page.raw("</small></th>");
        match shown.iter().find(|s| s.way == way) {
            Some(scenario) => {
                let row = Row::of(scenario, axis);
                for (i, cell) in row.cells.iter().enumerate() {
                    if i == 2 {
                        bar(page, row.bar, axis);
                    }
                    page.raw("<td class=\"n\" data-cell>").text(cell).raw("</td>");
                }
            }
            None => {
                page.raw("<td colspan=\"8\">").raw(NA).raw(": this machine has no price for it</td>");
            }
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n<p class=\"note\">In % of the CPU that it uses when nobody looks; negative: it would take more. \
              The ways are never mixed.</p>\n");
}

fn bar(page: &mut Markup, [low, value, high]: [f64; 3], axis: Axis) {
    let width = ((high - low).max(0.5) * 10.0).round() / 10.0;
    page.raw("<td class=\"range\"><span><b style=\"left:").number(axis.at(0.0));
    page.raw("%\"></b><i style=\"left:").number(low).raw("%;width:").number(width);
    page.raw("%\"></i><u style=\"left:").number(value).raw("%\"></u></span></td>");
}

/// How each figure adds up.
fn sums(page: &mut Markup, shown: &[Scenario]) {
    page.raw("<details id=\"what-if-sums\"><summary>How each of them adds up</summary>\n");
    for way in Way::ALL {
        page.raw("<h3>").raw(way.name()).raw("</h3><table><tbody>");
        for term in shown.iter().filter(|s| s.way == way).flat_map(|s| &s.terms) {
            page.raw("<tr><td class=\"n\">").text(&span(term.ns)).raw("</td><td>").name(&term.what);
            page.raw("</td><td><small>").name(&term.how).raw("</small></td></tr>");
        }
        page.raw("</tbody></table>\n");
    }
    page.raw("</details>\n");
}

fn ground(what_if: &WhatIf) -> String {
    let ground = match what_if.ground {
        Ground::Replay { events, spans } => format!(
            "sleeps are counted by a replay of {} in {}",
            plural(events as u64, "recorded block", "recorded blocks"),
            plural(spans as u64, "span", "spans")
        ),
        Ground::Histogram => "sleeps are coarse, from how many threads could run at each wake-up".to_owned(),
    };
    let prices = what_if.engine.as_ref().map_or_else(String::new, |e| format!("; prices: {}", e.calibration().source));
    format!(
        "Modelled. The report takes {} on {}; {ground}{prices}.",
        plural(what_if.loops.into(), "event loop", "event loops"),
        plural(what_if.allowed_cpus.into(), "CPU", "CPUs")
    )
}
