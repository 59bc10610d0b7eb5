//! The what-if: every way of waiting on every number of loops; the slider only chooses.

use serde::Serialize;

use super::super::markup::Markup;
use crate::{
    machine::Way,
    predict::{Grid, Ground, Scenario, WhatIf},
    quantity::Estimate,
    text::{
        clean,
        numbers::{NA, count, plural, span},
    },
    words::{self, InWords},
};

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
        let wide = |axis: Self, s: Estimate| Self { low: axis.low.min(s.low), high: axis.high.max(s.high) };
        all.map(|s| s.saving).fold(Self { low: -0.01, high: 0.05 }, wide)
    }

    /// %, to a tenth.
    fn at(self, share: f64) -> f64 {
        let place = (share - self.low) / (self.high - self.low) * 100.0;
        if place.is_finite() { (place.clamp(0.0, 100.0) * 10.0).round() / 10.0 } else { 0.0 }
    }
}

pub(super) fn render(page: &mut Markup, what_if: &WhatIf, grid: Option<&Grid>) {
    page.raw("<section id=\"what-if\"><h2>What if: what async would give back</h2>\n");
    if let Some(why) = &what_if.refused {
        page.raw("<p>").raw(NA).raw(": ").name(&why.in_words()).raw("</p>\n");
    } else {
        scenarios(page, what_if, grid);
    }
    for caveat in &what_if.caveats {
        page.raw("<p class=\"note\">").name(&caveat.in_words()).raw("</p>\n");
    }
    page.raw("</section>\n");
}

fn scenarios(page: &mut Markup, what_if: &WhatIf, grid: Option<&Grid>) {
    let shown = &what_if.scenarios;
    let axis = Axis::over(grid.into_iter().flat_map(Grid::scenarios).chain(shown));
    if let Some(grid) = grid {
        controls(page, what_if, &grid.loops);
    }
    table(page, shown, axis);
    if let Some(grid) = grid {
        let row = |s: &Option<Scenario>| s.as_ref().map(|s| Row::of(s, axis));
        let rows = grid.rows.iter().map(|queue| queue.iter().map(|ways| ways.iter().map(row).collect()).collect());
        let start = start(what_if, &grid.loops);
        let loops = grid.loops.clone();
        page.data("what-if-data", &Choices { loops, start, zero: axis.at(0.0), rows: rows.collect() });
    }
    sums(page, shown);
    page.raw("<p class=\"note\">").name(&ground(what_if)).raw("</p>\n");
}

/// Which of the numbers of loops the report took.
fn start(what_if: &WhatIf, loops: &[u32]) -> usize {
    loops.iter().position(|&l| l == what_if.loops).unwrap_or(0)
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
            terms: s.terms.iter().map(|t| [clean::line(&t.what()), span(t.ns), clean::line(&t.how())]).collect(),
        }
    }
}

fn controls(page: &mut Markup, what_if: &WhatIf, loops: &[u32]) {
    let start = start(what_if, loops);
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
            page.raw("<tr><td class=\"n\">").text(&span(term.ns)).raw("</td><td>").name(&term.what());
            page.raw("</td><td><small>").name(&term.how()).raw("</small></td></tr>");
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
    let prices =
        what_if.priced.as_ref().map_or_else(String::new, |p| format!("; prices: {}", words::prices(&p.source)));
    format!(
        "Modelled. The report takes {} on {}; {ground}{prices}.",
        plural(what_if.loops.into(), "event loop", "event loops"),
        plural(what_if.allowed_cpus.into(), "CPU", "CPUs")
    )
}
