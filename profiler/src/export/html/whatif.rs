//! The what-if: every way of waiting on every number of loops; the slider only chooses.

use maud::{Markup, html};
use serde::Serialize;

use super::super::markup::{self, Number, name};
use crate::{
    machine::Way,
    predict::{Grid, Scenario, WhatIf, replay::Assignment},
    quantity::Estimate,
    text::{
        clean,
        numbers::{NA, cpus, decimal, per_second, percent, range, span},
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
    /// Indexed by queue, number of loops and way.
    rows: Vec<Vec<Vec<Option<Row>>>>,
}

#[derive(Clone, Serialize)]
struct Row {
    /// Saving, its interval, CPU-seconds per second, the open-loop share, sleeps per block and per
    /// second, events per wait.
    cells: [String; 7],
    /// Low, middle and high on the bars, %.
    bar: [f64; 3],
    /// What it is, how much, and how it came about.
    terms: Vec<[String; 3]>,
}

/// The scale that the bars of all choices share, so that they can be compared by eye.
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

pub(super) fn render(what_if: &WhatIf, grid: Option<&Grid>) -> Markup {
    html! {
        section id="what-if" {
            h2 { "What if: " (WhatIf::TITLE) }
            "\n"
            @match what_if.refusal() {
                Some(refusal) => { p { (name(&refusal)) } "\n" }
                None => (scenarios(what_if, grid)),
            }
            @for caveat in &what_if.caveats { p class="note" { (name(&caveat.in_words())) } "\n" }
        }
        "\n"
    }
}

fn scenarios(what_if: &WhatIf, grid: Option<&Grid>) -> Markup {
    let shown = &what_if.scenarios;
    let axis = Axis::over(grid.into_iter().flat_map(Grid::scenarios).chain(shown));
    html! {
        @if let Some(grid) = grid { (controls(what_if, &grid.loops)) }
        (table(what_if, axis))
        @if let Some(grid) = grid { (markup::data("what-if-data", &choices(what_if, grid, axis))) }
        (sums(what_if))
        p class="note" { (name(&what_if.basis(what_if.loops))) }
        "\n"
    }
}

fn choices(what_if: &WhatIf, grid: &Grid, axis: Axis) -> Choices {
    let row = |s: &Option<Scenario>| s.as_ref().map(|s| Row::new(s, axis));
    let rows = grid.rows.iter().map(|queue| queue.iter().map(|ways| ways.iter().map(row).collect()).collect());
    Choices { loops: grid.loops.clone(), start: start(what_if, &grid.loops), zero: axis.at(0.0), rows: rows.collect() }
}

/// Which of the numbers of loops the report took.
fn start(what_if: &WhatIf, loops: &[u32]) -> usize {
    loops.iter().position(|&l| l == what_if.loops).unwrap_or(0)
}

impl Row {
    fn new(s: &Scenario, axis: Axis) -> Self {
        Self {
            cells: [
                percent(s.saving.value),
                range(s.saving),
                cpus(s.cpu_per_second.value),
                percent(s.open),
                decimal(s.sleeps_per_block, 2),
                per_second(s.sleeps_per_second.max(0.0)),
                decimal(s.events_per_wait, 1),
            ],
            bar: [s.saving.low, s.saving.value, s.saving.high].map(|share| axis.at(share)),
            terms: s.terms.iter().map(|t| [clean::line(&t.what()), span(t.ns), clean::line(&t.how())]).collect(),
        }
    }
}

fn controls(what_if: &WhatIf, loops: &[u32]) -> Markup {
    let (last, start) = (loops.len().saturating_sub(1), start(what_if, loops));
    html! {
        div class="controls" {
            label for="loops" { "event loops" }
            " " input type="range" id="loops" min="0" max=(last) step="1" value=(start);
            " " output id="loops-out" for="loops" { (what_if.loops) }
            "\n"
            fieldset {
                legend { "the loop of a connection" }
                label { input type="radio" name="queues" value="0" checked; " " (Assignment::Fixed.in_words()) }
                " "
                label { input type="radio" name="queues" value="1"; " " (Assignment::Stealing.in_words()) }
            }
        }
        "\n"
    }
}

fn table(what_if: &WhatIf, axis: Axis) -> Markup {
    let shown = &what_if.scenarios;
    html! {
        div class="scroll" tabindex="0" {
            table id="what-if-table" {
                thead {
                    tr {
                        th scope="col" { "way of waiting" }
                        th scope="col" class="n" { "saving" }
                        th scope="col" class="n" { "90 %" }
                        th {}
                        th scope="col" class="n" { "CPU-s per s" }
                        th scope="col" class="n" title="if arrivals do not follow replies" { "open loop" }
                        th scope="col" class="n" { "sleeps per block" }
                        th scope="col" class="n" { "sleeps" }
                        th scope="col" class="n" { "events per wait" }
                    }
                }
                tbody aria-live="polite" {
                    "\n"
                    @for &way in &what_if.offered { (way_row(way, shown.iter().find(|s| s.way == way), axis)) }
                }
            }
        }
        "\n"
        p class="note" {
            "Shares are of the CPU that it uses when it is not measured. Where a saving is negative, it would take more. The ways are never mixed."
        }
        "\n"
    }
}

fn way_row(way: Way, scenario: Option<&Scenario>, axis: Axis) -> Markup {
    let row = scenario.map(|scenario| Row::new(scenario, axis));
    html! {
        tr {
            th scope="row" { strong { (way.name()) } br; small { (way.words()) } }
            @match row {
                Some(row) => {
                    @for (i, cell) in row.cells.iter().enumerate() {
                        @if i == 2 { (bar(row.bar, axis)) }
                        td class="n" data-cell { (cell) }
                    }
                }
                None => td colspan="8" { (NA) ": " (words::no_price(way)) },
            }
        }
        "\n"
    }
}

fn bar([low, value, high]: [f64; 3], axis: Axis) -> Markup {
    let width = ((high - low).max(0.5) * 10.0).round() / 10.0;
    html! {
        td class="range" {
            span {
                b style={ "left:" (Number(axis.at(0.0))) "%" } {}
                i style={ "left:" (Number(low)) "%;width:" (Number(width)) "%" } {}
                u style={ "left:" (Number(value)) "%" } {}
            }
        }
    }
}

/// How each figure adds up.
fn sums(what_if: &WhatIf) -> Markup {
    let shown = &what_if.scenarios;
    html! {
        details id="what-if-sums" {
            summary { "How each of them adds up" }
            "\n"
            @for &way in &what_if.offered {
                h3 { (way.name()) }
                table {
                    tbody {
                        @for term in shown.iter().filter(|s| s.way == way).flat_map(|s| &s.terms) {
                            tr {
                                td class="n" { (span(term.ns)) }
                                td { (name(&term.what())) }
                                td { small { (name(&term.how())) } }
                            }
                        }
                    }
                }
                "\n"
            }
        }
        "\n"
    }
}
