//! The two ledgers: a bar for the whole, a row with a bar for each line. What is left over is a
//! line too.

use maud::{Markup, html};

use super::super::markup::{Number, name};
use crate::{
    answer::{Capacity, CpuLedger, Latency, Load, Memory, Note, Report, WallLedger, WallLine},
    event::Family,
    quantity::{Figure, Nanos},
    text::numbers::{NA, count, part, share, span},
    words::{self, provenance},
};

/// A line of a ledger.
struct Line {
    name: String,
    /// CSS class that gives the line its colour.
    class: &'static str,
    value: Figure<f64, Note>,
    blocks: Option<u64>,
    delay: Option<Nanos>,
    note: String,
}

impl Line {
    fn new(name: impl Into<String>, class: &'static str, value: Figure<f64, Note>) -> Self {
        let note = provenance(&value);
        Self { name: name.into(), class, value, blocks: None, delay: None, note }
    }
}

/// A width in CSS: a share in percent, to a hundredth.
fn width(share: f64) -> Markup {
    html! { "width:" (Number((share * 100.0).round() / 100.0)) "%" }
}

fn whole(lines: &[Line], total: Nanos) -> Markup {
    let total = total.as_nanos() as f64;
    let share = |line: &Line| line.value.value().map_or(0.0, |ns| ns / total * 100.0);
    html! {
        div class="stack" aria-hidden="true" {
            // What is negative has no width; its number is in the table.
            @for line in lines.iter().filter(|line| share(line) > 0.0) {
                i class=(line.class) style=(width(share(line)).0) title=(line.name) {}
            }
        }
        "\n"
    }
}

fn row(line: &Line, total: Nanos, wall: bool) -> Markup {
    html! {
        tr {
            th scope="row" { i class={ "dot " (line.class) } {} (line.name) }
            @match line.value.value() {
                Some(&ns) => {
                    td class="n" { (span(ns)) }
                    td class="n" { (part(ns, total)) }
                    td class="bar" {
                        i class=(line.class)
                            style=(width((ns / total.as_nanos() as f64 * 100.0).clamp(0.0, 100.0)).0) {}
                    }
                }
                None => { td class="n" { (NA) } td class="n" { (NA) } td {} }
            }
            @if wall {
                td class="n" { (line.blocks.map(count).unwrap_or_default()) }
                td class="n" { (line.delay.map(|delay| delay.to_string()).unwrap_or_default()) }
            } @else {
                td { (name(&line.note)) }
            }
        }
        "\n"
    }
}

/// The heads of the columns, each with whether it is one of numbers.
fn heads(columns: &[(&str, bool)]) -> Markup {
    html! {
        thead {
            tr {
                @for &(column, numeric) in columns {
                    @if column.is_empty() { th {} } @else { th scope="col" class=[numeric.then_some("n")] { (column) } }
                }
            }
        }
    }
}

pub(super) fn cpu(report: &Report) -> Markup {
    let cpu = &report.cpu;
    html! {
        section id="cpu" {
            h2 { "CPU: " (CpuLedger::TITLE) }
            "\n"
            @if cpu.total == Nanos::ZERO { p { (NA) ": " (words::NO_CPU) "." } } @else { (cpu_table(cpu)) }
            @if let Some(refused) = cpu.refused() { p class="note" { (words::title(&refused)) "." } }
        }
        "\n"
    }
}

/// The colour classes of [`CpuLedger::LINES`].
const COLOURS: [&str; 8] = ["user", "calls", "io", "switches", "uncharged", "softirq", "rings", "rest"];

fn cpu_lines(cpu: &CpuLedger) -> Vec<Line> {
    let class = |name: &str| CpuLedger::LINES.iter().position(|line| *line == name).and_then(|i| COLOURS.get(i));
    let mut rest = Line::new("rest", "rest", Figure::measured(cpu.rest.round()));
    cpu.rest_note().clone_into(&mut rest.note);
    let line = |(name, value)| Line::new(name, class(name).copied().unwrap_or("rest"), value);
    cpu.lines().into_iter().map(line).chain([rest]).collect()
}

fn cpu_table(cpu: &CpuLedger) -> Markup {
    let lines = cpu_lines(cpu);
    let columns = [("line", false), ("time", true), ("share", true), ("", false), ("provenance", false)];
    html! {
        (whole(&lines, cpu.whole()))
        div class="scroll" tabindex="0" {
            table {
                (heads(&columns))
                tbody { "\n" @for line in &lines { (row(line, cpu.whole(), false)) } }
                tfoot {
                    tr {
                        th scope="row" { "total" }
                        td class="n" { (cpu.total.to_string()) }
                        td class="n" { (share(cpu.total, cpu.whole())) }
                        td {}
                        td { (cpu.composition()) }
                    }
                }
            }
        }
    }
}

/// A family's colour class.
const fn colour(family: Family) -> &'static str {
    match family {
        Family::BlockingIo => "io",
        Family::EventWait => "events",
        Family::Lock => "lock",
        Family::Timer => "timer",
        Family::Accept => "accept",
        Family::Other => "other",
    }
}

pub(super) fn wall(report: &Report) -> Markup {
    html! {
        section id="wall" {
            h2 { "Wall: " (WallLedger::title(report.threads.len())) }
            "\n"
            @if report.wall.total == Nanos::ZERO {
                p { (NA) ": " (words::NO_THREAD) "." }
            } @else {
                (wall_table(report))
                p class="note" {
                    "Neither blocked time nor run-queue delay is CPU."
                    @if report.facts.held_back().next().is_some() {
                        " " (words::title(words::RUN_DELAY_OF_QUOTA)) "."
                    }
                    @if let Some(none) = report.no_io() { " " (words::title(none)) "." }
                }
                "\n"
                p class="note" { (name(&wakeups(report))) }
                "\n"
                p class="note" { (name(&load(report))) }
                "\n"
                p class="note" { "Capacity: " (name(&Capacity::lines(report.capacity.as_ref()).join("; "))) }
                "\n"
                p class="note" { "Latency: " (name(&Latency::lines(&report.latency).join("; "))) }
                "\n"
                p class="note" { "Memory: " (name(&Memory::line(&report.memory))) }
            }
        }
        "\n"
    }
}

fn plain(name: &str, class: &'static str, time: Nanos) -> Line {
    Line::new(name, class, Figure::measured(time.as_nanos() as f64))
}

fn wall_lines(wall: &WallLedger) -> Vec<Line> {
    let classes = ["user", "delay", "delay", "delay"];
    let above = wall.ran_or_ready().into_iter().zip(classes);
    let mut lines: Vec<Line> = above.map(|((name, time), class)| plain(name, class, time)).collect();
    lines.extend(wall.classes.iter().map(|WallLine { class, blocks, blocked, run_delay }| {
        let name = WallLedger::blocked_on(*class);
        Line { blocks: Some(*blocks), delay: Some(*run_delay), ..plain(&name, colour(class.family()), *blocked) }
    }));
    lines.push(plain("unknown", "rest", wall.unknown));
    lines
}

fn wall_table(report: &Report) -> Markup {
    let wall = &report.wall;
    let mut lines = wall_lines(wall);
    let bar = whole(&lines, wall.total);
    lines.push(plain("counted twice", "rest", wall.excess));
    let columns = [
        ("line", false),
        ("time", true),
        ("share", true),
        ("", false),
        ("blocks", true),
        ("run-queue delay after", true),
    ];
    html! {
        (bar)
        div class="scroll" tabindex="0" {
            table {
                (heads(&columns))
                tbody { "\n" @for line in &lines { (row(line, wall.total, true)) } }
                tfoot {
                    tr {
                        th scope="row" { "total" }
                        td class="n" { (wall.total.to_string()) }
                        td class="n" { (share(wall.total, wall.total)) }
                        td {}
                        td {}
                        td {}
                    }
                }
            }
        }
        "\n"
    }
}

/// What the target adds to the machine's load average.
fn load(report: &Report) -> String {
    let machine = report.load.value().and_then(Load::machine_line);
    let lines: Vec<String> = [Load::line(&report.load)].into_iter().chain(machine).collect();
    format!("Load average: {}", lines.join("; "))
}

fn wakeups(report: &Report) -> String {
    let w = &report.wakeups;
    let lines: Vec<String> = w.caused().into_iter().chain([w.received()]).chain(w.among()).collect();
    lines.join("; ")
}
