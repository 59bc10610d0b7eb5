//! The two ledgers as they are drawn at a glance: CPU stacked over time or as one bar, wall as
//! bars.

use crate::answer::Note;
use crate::text::{
    fit::{cut, fit, width, wrap},
    numbers::{NA, cpus, percent, share},
};
use crate::{
    answer::{Report, WallLedger},
    event::Family,
    feed::{Snapshot, State},
    quantity::{Figure, Nanos},
    tui::{
        app::{App, Scope},
        history::{Entry, PARTS, column},
        pen::Pen,
        text::{figure, origin},
        theme::Ink,
    },
};

/// From this width on the legend stands beside the chart.
pub(super) const WIDE: u16 = 76;
/// Columns of the legend where it stands beside the chart.
const LEGEND: u16 = 40;

/// What a part of the ledger is of the whole.
fn part_of(report: &Report, part: usize) -> String {
    let total = report.cpu.whole();
    match report.cpu.parts().get(part) {
        Some(f) if total > Nanos::ZERO => figure(f, |&ns| percent(ns / total.as_nanos() as f64)),
        _ => NA.to_owned(),
    }
}

/// Whether a line of the ledger says anything here: softirqs have their own only where they are
/// hooked.
fn shown(report: &Report, part: usize) -> bool {
    match part {
        4 => report.cpu.uncharged_line().is_some(),
        5 => report.cpu.softirq.value().is_some(),
        6 => report.cpu.rings > Nanos::ZERO,
        _ => true,
    }
}

/// `CPU  0.810 now, top 0.840, column 1.00 s`
fn cpu_title(pen: &mut Pen<'_>, snapshot: &Snapshot, most: f64) {
    let column = pen.text(0, 0, "CPU", Ink::Bold);
    let now = snapshot.last.cpu.total.as_secs_f64() / snapshot.interval.as_secs_f64().max(1e-9);
    let mut text = format!("  {} now", cpus(now));
    if most > 0.0 {
        text.push_str(&format!(", top {}, column {}", cpus(most), snapshot.interval));
    }
    let room = usize::from(pen.width().saturating_sub(column));
    pen.text(0, column, &cut(&text, room), Ink::Dim);
}

/// The ledger over time: a column per interval, the newest on the right.
pub(super) fn cpu_chart(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let wide = pen.width() >= WIDE;
    let chart = if wide { pen.width() - LEGEND } else { pen.width() };
    let below = if wide { Vec::new() } else { legend_lines(app, snapshot, pen.width()) };
    let rows = pen.height().saturating_sub(2 + below.len() as u16);
    let entries = app.history.until(snapshot.at, chart.into());
    let sum = |e: &&Entry| e.cpus.iter().flatten().sum::<f64>();
    let most = entries.iter().map(sum).fold(0.0, f64::max);
    cpu_title(&mut pen.part(0, 0, 1, chart), snapshot, most);
    let from = chart - entries.len() as u16;
    for (x, entry) in entries.iter().enumerate() {
        for (y, cell) in column(&entry.cpus, most, rows.into()).iter().enumerate() {
            if let Some(part) = *cell {
                let glyph = PARTS.get(part).map_or(" ", |(_, _, glyph)| glyph);
                pen.text(rows - y as u16, from + x as u16, glyph, Ink::Part(part));
            }
        }
    }
    if wide {
        let height = pen.height();
        legend_beside(&mut pen.part(0, chart + 1, height, LEGEND - 1), snapshot);
    }
    for (row, line) in below.iter().enumerate() {
        draw_legend(pen, rows + 1 + row as u16, line);
    }
}

/// Names, glyphs, shares now and of the whole; and why one is missing.
fn legend_beside(pen: &mut Pen<'_>, snapshot: &Snapshot) {
    let line = |name: &str, now: &str, whole: &str| {
        format!("{}{}{}", fit(name, 21, false), fit(now, 8, true), fit(whole, 9, true))
    };
    pen.text(0, 0, &line("", "now", "whole"), Ink::Dim);
    let mut row = 1;
    for (i, (name, _, glyph)) in PARTS.iter().enumerate().filter(|&(i, _)| shown(&snapshot.whole, i)) {
        let text = line(&format!("{glyph} {name}"), &part_of(&snapshot.last, i), &part_of(&snapshot.whole, i));
        pen.text(row, 0, &text, Ink::Part(i));
        row += 1;
    }
    let missing = snapshot.whole.cpu.parts().into_iter().enumerate().find(|(i, f)| *i < 4 && f.value().is_none());
    let note = missing.map_or_else(|| "~ modelled".to_owned(), |(_, f)| origin(&f));
    for line in wrap(&note, pen.width().into()) {
        pen.text(row, 0, &line, Ink::Dim);
        row += 1;
    }
}

/// The same in lines: `█ user 32.0 %  ▒ calls 40.1 %`.
pub(super) fn legend_lines(app: &App, snapshot: &Snapshot, columns: u16) -> Vec<Vec<(usize, String)>> {
    let report = scoped(app, snapshot);
    let mut lines: Vec<Vec<(usize, String)>> = vec![Vec::new()];
    let mut used = 0;
    for (i, (_, name, glyph)) in PARTS.iter().enumerate().filter(|&(i, _)| shown(report, i)) {
        let text = format!("{glyph} {name} {}  ", part_of(report, i));
        let needs = width(&text);
        if used + needs > usize::from(columns) && used > 0 {
            lines.push(Vec::new());
            used = 0;
        }
        used += needs;
        if let Some(line) = lines.last_mut() {
            line.push((i, text));
        }
    }
    lines
}

fn draw_legend(pen: &mut Pen<'_>, row: u16, line: &[(usize, String)]) {
    let mut column = 0;
    for (part, text) in line {
        column = pen.text(row, column, text, Ink::Part(*part));
    }
}

pub(super) fn scoped<'a>(app: &App, snapshot: &'a Snapshot) -> &'a Report {
    match app.scope {
        Scope::Whole => &snapshot.whole,
        Scope::Last => &snapshot.last,
    }
}

/// Parts as one bar behind its name: shares of their sum.
fn bar(pen: &mut Pen<'_>, name: &str, parts: &[(f64, &str, Ink)]) {
    let from = pen.text(0, 0, name, Ink::Bold);
    let room = f64::from(pen.width().saturating_sub(from));
    let all: f64 = parts.iter().map(|(part, ..)| part).sum();
    let (mut sum, mut column) = (0.0, from);
    for &(part, glyph, ink) in parts {
        sum += part;
        let end = from + (sum / all.max(1e-9) * room).round() as u16;
        column = pen.text(0, column, &glyph.repeat(usize::from(end.saturating_sub(column))), ink);
    }
}

/// The CPU ledger as one bar, where there is no room for a chart.
pub(super) fn cpu_bar(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let figures = scoped(app, snapshot).cpu.parts();
    let part = |(i, figure): (usize, &Figure<f64, Note>)| {
        let glyph = PARTS.get(i).map_or(" ", |(_, _, glyph)| glyph);
        (figure.value().map_or(0.0, |ns| ns.max(0.0)), glyph, Ink::Part(i))
    };
    let figures: Vec<_> = figures.iter().enumerate().map(part).collect();
    bar(pen, "CPU  ", &figures);
}

/// As many names and figures of the legend as fit into a line.
pub(super) fn cpu_legend(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    if let Some(line) = legend_lines(app, snapshot, pen.width()).first() {
        draw_legend(pen, 0, line);
    }
}

/// The wall ledger as one bar.
pub(super) fn wall_bar(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let lines = wall_lines(app, snapshot);
    let lines: Vec<_> = lines.iter().map(|l| (l.time.as_nanos() as f64, l.glyph, l.ink)).collect();
    bar(pen, "WALL ", &lines);
}

/// A line of the wall ledger.
pub(super) struct WallBar {
    name: String,
    time: Nanos,
    glyph: &'static str,
    ink: Ink,
}

/// Classes of blocks that have a line of their own.
const CLASSES: usize = 4;

pub(super) fn wall_lines(app: &App, snapshot: &Snapshot) -> Vec<WallBar> {
    let wall = &scoped(app, snapshot).wall;
    let bar = |name: String, time, glyph, part| WallBar { name, time, glyph, ink: Ink::Part(part) };
    let delay = wall.run_delay + wall.preempted + wall.born;
    let mut lines = vec![bar("on a CPU".into(), wall.on_cpu, "█", 0), bar("run-queue delay".into(), delay, "▒", 3)];
    for class in wall.classes.iter().take(CLASSES) {
        let io = class.class.family() == Family::BlockingIo;
        let (glyph, part) = if io { ("#", 2) } else { ("░", 6) };
        lines.push(bar(format!("blocked: {}", class.class.name()), class.blocked, glyph, part));
    }
    let others: Nanos = wall.classes.iter().skip(CLASSES).map(|l| l.blocked).sum();
    if others > Nanos::ZERO {
        lines.push(bar("blocked: others".into(), others, "░", 6));
    }
    lines.push(bar("unknown".into(), wall.unknown, "·", 5));
    if wall.excess > Nanos::ZERO {
        lines.push(bar("counted twice".into(), wall.excess, "·", 7));
    }
    lines
}

pub(super) fn wall(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let report = scoped(app, snapshot);
    let scope = match (app.scope, &snapshot.state) {
        (Scope::Last, _) => "in the last interval",
        (Scope::Whole, State::Recorded { .. }) => "up to here",
        (Scope::Whole, _) => "since the start",
    };
    let column = pen.text(0, 0, "WALL", Ink::Bold);
    let room = usize::from(pen.width().saturating_sub(column));
    pen.text(0, column, &cut(&format!("  {}, {scope}", WallLedger::title(report.threads.len())), room), Ink::Dim);
    let total = report.wall.total;
    let names = 18.min(pen.width() / 3);
    for (i, line) in wall_lines(app, snapshot).iter().enumerate() {
        let row = i as u16 + 1;
        let column = pen.text(row, 0, &fit(&line.name, names.into(), false), Ink::Plain);
        let figures = format!("{:>8} {:>8}", share(line.time, total), line.time.to_string());
        let start = pen.right(row, &figures, Ink::Plain);
        let room = f64::from(start.saturating_sub(column + 2));
        let filled = (line.time.ratio_to(total) * room).round() as usize;
        pen.text(row, column + 1, &line.glyph.repeat(filled.min(room as usize)), line.ink);
    }
}
