//! What async would give back: every way of waiting, on as many loops as asked for.

use crate::text::{
    clean::clean,
    fit::{fit, width},
    numbers::{NA, cpus, cpus_range, decimal, per_second, percent, range, span},
};
use crate::words::InWords;
use crate::{
    answer::Report,
    feed::Snapshot,
    predict::{Question, Scenario, WhatIf},
    tui::{
        app::App,
        other_loops::{Found, most},
        page::Page,
        theme::Ink,
    },
};

pub(super) fn write(page: &mut Page, app: &App, snapshot: &Snapshot) {
    let report = &*snapshot.whole;
    question(page, app, snapshot);
    if let Some(refusal) = report.what_if.refusal() {
        page.wrapped(2, &clean(&refusal), Ink::Bold);
    } else {
        found(page, app.other_loops.found(snapshot), report);
    }
    if !report.what_if.caveats.is_empty() || !report.verdict.advice.is_empty() {
        page.title("To know");
    }
    for caveat in &report.what_if.caveats {
        page.wrapped(2, &clean(&caveat.in_words()), Ink::Plain);
    }
    for advice in report.verdict.advice_lines() {
        page.wrapped(2, &format!("{}: {}", WhatIf::CHEAPER, clean(&advice)), Ink::Plain);
    }
}

/// What is asked, and the keys that ask something else.
fn question(page: &mut Page, app: &App, snapshot: &Snapshot) {
    let what_if = &snapshot.whole.what_if;
    let Question { loops, assignment } = app.other_loops.question(snapshot);
    let noun = if loops == 1 { "event loop" } else { "event loops" };
    page.title(&format!("On {loops} {noun}: {}", assignment.in_words()));
    if snapshot.engine.is_some() {
        let most = most(snapshot);
        page.wrapped(0, &format!("← → loops (1–{most})  m usual ({})  o queues", what_if.loops), Ink::Dim);
    } else if what_if.refused.is_none() {
        page.wrapped(0, "too few blocks for other loops to matter", Ink::Dim);
    }
    page.blank();
}

fn found(page: &mut Page, found: Found<'_>, report: &Report) {
    let scenarios = match found {
        Found::NotYet => return page.line(vec![(format!("  {NA}: being worked out"), Ink::Bold)]),
        Found::Now([]) if !report.what_if.scenarios.is_empty() => {
            return page.line(vec![(format!("  {NA}: could not be worked out; the log says why"), Ink::Bold)]);
        }
        Found::Before(before) => {
            page.line(vec![("  of the interval before; the new one is being worked out".to_owned(), Ink::Bold)]);
            before
        }
        Found::Now(now) => now,
    };
    table(page, scenarios);
    bars(page, scenarios);
    if let Some(first) = scenarios.first() {
        page.blank();
        page.wrapped(2, &clean(&report.what_if.basis(first.loops)), Ink::Dim);
    }
    scenarios.iter().for_each(|scenario| terms(page, scenario));
}

fn table(page: &mut Page, scenarios: &[Scenario]) {
    let heading = ["", "saving", "90 %", "sleeps/block", "events/wait", "CPU s/s", "open loop"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for s in scenarios {
        rows.push(vec![
            s.way.name().to_owned(),
            format!("~{}", percent(s.saving.value)),
            range(s.saving),
            decimal(s.sleeps_per_block, 2),
            decimal(s.events_per_wait, 1),
            cpus(s.cpu_per_second.value),
            percent(s.open),
        ]);
    }
    page.table(&rows);
}

/// Each saving with its interval on one scale, zero included: `├──●──┤`.
fn bars(page: &mut Page, scenarios: &[Scenario]) {
    let names = scenarios.iter().map(|s| width(s.way.name())).max().unwrap_or(0) + 3;
    let room = page.width().saturating_sub(names + 1);
    let low = scenarios.iter().map(|s| s.saving.low).fold(0.0, f64::min);
    let high = scenarios.iter().map(|s| s.saving.high).fold(0.0, f64::max);
    if room < 10 || high - low <= 0.0 || !(high - low).is_finite() {
        return;
    }
    page.blank();
    let at = |x: f64| (((x - low) / (high - low) * (room - 1) as f64).round() as usize).min(room - 1);
    for s in scenarios {
        let (from, to, middle, zero) = (at(s.saving.low), at(s.saving.high), at(s.saving.value), at(0.0));
        let glyph = |x: usize| match x {
            x if x == middle => '●',
            x if x == from => '├',
            x if x == to => '┤',
            x if x > from && x < to => '─',
            x if x == zero => '│',
            _ => ' ',
        };
        let bar: String = (0..room).map(glyph).collect();
        let name = format!("  {:<1$}", s.way.name(), names - 2);
        let ink = if s.saving.low > 0.0 { Ink::Good } else { Ink::Plain };
        page.line(vec![(name, Ink::Plain), (bar.trim_end().to_owned(), ink)]);
    }
    let (left, right) = (percent(low), percent(high));
    let gap = room.saturating_sub(width(&left) + width(&right));
    page.line(vec![(format!("{}{left}{}{right}", " ".repeat(names), " ".repeat(gap)), Ink::Dim)]);
}

/// The sum behind a figure.
fn terms(page: &mut Page, scenario: &Scenario) {
    page.title(&format!("{}: {}", scenario.way.name(), scenario.way.words()));
    for term in &scenario.terms {
        let text = format!("{} ({})", clean(&term.what()), clean(&term.how()));
        page.columns((&fit(&span(term.ns), 8, true), Ink::Plain), &text, Ink::Plain);
    }
    let load = &scenario.cpu_per_second;
    let text = format!(
        "{} of the target's CPU, {} CPU-seconds a second ({}); sleeps remain at {}",
        percent(scenario.saving.value),
        cpus(load.value),
        cpus_range(*load),
        per_second(scenario.sleeps_per_second.max(0.0))
    );
    page.columns((&fit("=", 8, true), Ink::Plain), &text, Ink::Plain);
}
