//! Quality, self-cost, and the check against the kernel's own counters.

use maud::{Markup, html};

use super::{super::markup::name, words::told};
use crate::{
    answer::{Counted, Profile, Report},
    quantity::Nanos,
    text::numbers::{self, NA, bytes, count, part, percent, plural, span},
};

pub(super) fn render(report: &Report, profile: &Profile) -> Markup {
    html! {
        section id="quality" {
            h2 { "Quality and self-cost" }
            "\n"
            dl {
                "\n"
                (losses(report, profile))
                @for (what, text) in lines(report) { (line(what, &text)) }
            }
            "\n" (check(report))
        }
        "\n"
    }
}

fn line(what: &str, text: &str) -> Markup {
    html! { dt { (what) } dd { (name(text)) } "\n" }
}

fn lines(report: &Report) -> [(&'static str, String); 7] {
    let (q, own) = (&report.quality, &report.self_cost);
    let open = format!(
        "{} asleep when it began, {} still open at its end, {} without any event",
        plural(q.open_at_start, "thread", "threads"),
        count(q.open_at_end),
        count(q.silent)
    );
    let births = format!(
        "{} born, {} gone, {} executed",
        plural(q.forks, "thread", "threads"),
        count(q.exits),
        plural(q.execs, "program", "programs")
    );
    let reference = match &report.reference {
        Some(r) => format!(
            "{} ± {} of kernel CPU, from {} on a pipe of the profiler's own",
            span(r.per_block),
            span(r.standard_error),
            plural(r.blocks, "block", "blocks")
        ),
        None => format!("{NA}: not measured"),
    };
    let missed = count(q.missed_switch_ins);
    [
        ("open intervals", open),
        ("switch-ins", format!("{missed} of which the kernel did not tell; booked as run-queue delay")),
        ("births and ends", births),
        ("events", format!("{}; each: {}", count(own.events), told(&own.per_event, |&ns| span(ns)))),
        ("kernel programs", told(&own.share, |&r| format!("{} of the target's CPU", percent(r)))),
        ("the profiler", format!("{} of CPU, {} of memory at most", own.daemon_cpu, bytes(own.daemon_bytes))),
        ("reference block", reference),
    ]
}

/// Every loss on a line of its own that cannot be overlooked.
fn losses(report: &Report, profile: &Profile) -> Markup {
    let q = &report.quality;
    let stacks = (profile.quality.lost, "stacks that found no room");
    let all = q.losses().into_iter().chain(q.evidence_losses()).map(|(n, what)| (n, what.words())).chain([stacks]);
    let lost: Vec<_> = all.filter(|&(n, _)| n > 0).collect();
    html! {
        @if lost.is_empty() { (line("losses", "none")) }
        @for (n, what) in lost {
            dt class="lost" { "lost" }
            dd class="lost" { (count(n)) " " (what) }
            "\n"
        }
    }
}

/// What is compared with the kernel's counters: ours, the kernel's, the difference.
fn compared(report: &Report) -> [(&'static str, [String; 3]); 6] {
    let check = &report.check;
    let counts = |c: Counted| [count(c.ours), count(c.kernel), numbers::difference(c.difference())];
    let times = |c: Counted| {
        let [ours, kernel] = [c.ours, c.kernel].map(|ns| Nanos::from_nanos(ns).to_string());
        [ours, kernel, difference(c, |d| c.ratio().map_or_else(|| span(d as f64), percent))]
    };
    let charged = Counted { ours: check.cpu.ours.saturating_add_signed(check.charge), ..check.cpu };
    let unknown = || [report.cpu.total.to_string(), format!("{NA}: processes came or went"), NA.to_owned()];
    [
        ("voluntary switches", counts(check.voluntary)),
        ("involuntary switches", counts(check.involuntary)),
        ("blocks of all classes, against voluntary switches", counts(check.blocks)),
        ("CPU by the tracepoints, against sum_exec_runtime", times(check.cpu)),
        ("the same with what the kernel charges otherwise", times(charged)),
        ("CPU in all, against the process's CPU clock", check.process_cpu.map_or_else(unknown, times)),
    ]
}

fn check(report: &Report) -> Markup {
    let differ = &report.check.threads_that_differ;
    let left = report.wall.unknown + report.wall.excess;
    let left = format!(
        "Left over: {} of the wall time unknown or counted twice, {} of the CPU as rest.",
        part(left.as_nanos() as f64, report.wall.total),
        part(report.cpu.rest.round(), report.cpu.total)
    );
    html! {
        h3 { "Against the kernel's own counters" }
        "\n"
        div class="scroll" tabindex="0" {
            table {
                thead {
                    tr { th {} @for head in ["ours", "kernel", "difference"] { th scope="col" class="n" { (head) } } }
                }
                tbody {
                    "\n"
                    @for (what, cells) in compared(report) {
                        tr { th scope="row" { (what) } @for cell in cells { td class="n" { (cell) } } }
                        "\n"
                    }
                }
            }
        }
        "\n"
        p class="note" {
            (left)
            @if !differ.is_empty() {
                " "
                strong class="lost" { "Counts differ in " (plural(differ.len() as u64, "thread", "threads")) "." }
            }
        }
        "\n"
    }
}

fn difference(counted: Counted, words: impl FnOnce(i64) -> String) -> String {
    match counted.difference() {
        0 => "exact".to_owned(),
        d => words(d),
    }
}
