//! Quality, self-cost, and the check against the kernel's own counters.

use maud::{Markup, html};

use super::super::markup::name;
use crate::{
    answer::{Check, Counted, Profile, Report},
    quantity::Nanos,
    text::numbers::{NA, count},
    words::{self, Compared},
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

fn lines(report: &Report) -> [(&'static str, String); 9] {
    let quality = &report.quality;
    [
        ("open intervals", quality.open_intervals()),
        ("switch-ins", quality.switch_ins()),
        ("births and ends", quality.births()),
        ("events", report.events()),
        ("kernel programs", report.programs()),
        ("the target pays", report.paid()),
        ("others pay", report.others_pay()),
        ("the profiler", report.profiler()),
        ("reference block", words::reference(report.reference.as_ref())),
    ]
}

/// Every loss stands on a line of its own, so that nobody overlooks it.
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
fn compared(report: &Report) -> Vec<(Compared, [String; 3])> {
    let check = &report.check;
    let counts = |c: Counted| [count(c.ours), count(c.kernel), words::counts(c)];
    let times = |c: Counted| {
        let [ours, kernel] = [c.ours, c.kernel].map(|ns| Nanos::from_nanos(ns).to_string());
        [ours, kernel, words::times(c)]
    };
    let unknown = || [report.cpu.total.to_string(), format!("{NA}: {}", report.no_clock()), NA.to_owned()];
    let counted = check.counted().into_iter().map(|(name, c)| (name, counts(c)));
    let timed = check.timed().into_iter().map(|(name, c)| (name, times(c)));
    let in_all = (Check::IN_ALL, check.process_cpu.map_or_else(unknown, times));
    counted.chain(timed).chain([in_all]).collect()
}

fn check(report: &Report) -> Markup {
    html! {
        h3 { (words::title(Check::TITLE)) }
        "\n"
        div class="scroll" tabindex="0" {
            table {
                thead {
                    tr { th {} @for head in ["ours", "kernel", "difference"] { th scope="col" class="n" { (head) } } }
                }
                tbody {
                    "\n"
                    @for (what, cells) in compared(report) {
                        tr { th scope="row" { (what.in_full()) } @for cell in cells { td class="n" { (cell) } } }
                        "\n"
                    }
                }
            }
        }
        "\n"
        p class="note" {
            @if let Some(left) = report.left_over() { (left) "." }
            @if let Some(differing) = report.check.differing() { " " strong class="lost" { (differing) "." } }
        }
        "\n"
    }
}
