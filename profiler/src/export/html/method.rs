//! The method in short, with this measurement's estimators.

use maud::{Markup, html};

use super::{super::markup::name, words::figure};
use crate::{
    answer::Report,
    cost::Note,
    quantity::Figure,
    text::numbers::span,
    words::{self, disagreement, provenance},
};

pub(super) fn render(report: &Report) -> Markup {
    let e = &report.estimators;
    html! {
        section id="method" {
            h2 { "The method in short" }
            "\n"
            ol {
                "\n"
                li {
                    strong { "Count." }
                    " A block is a voluntary switch. It is one on IO where " (words::BLOCKING_IO) ". "
                    "Counts are the kernel's own, thread by thread. Locks, timers, event waits are not blocking IO."
                }
                "\n"
                li {
                    strong { "Price." }
                    " The direct cost of a block is the " (words::CPU_BLOCKED) " less that of such a call that did "
                    "not, at the same site where there are enough of both, else pooled, calibrated, or against a reference. "
                    "What the measuring itself puts in is taken off. Three estimators stand side by side:"
                }
                "\n"
            }
            "\n"
            table {
                tbody {
                    "\n"
                    (estimator("in place", &e.in_place))
                    (estimator("sampled", &e.sampled))
                    (estimator("calibrated", &e.calibrated))
                }
            }
            "\n"
            @if let Some(why) = disagreement(&e.disagreements) {
                p class="note" { (name(&why)) }
                "\n"
            }
            (rest())
        }
        "\n"
    }
}

/// The steps after the estimators.
fn rest() -> Markup {
    html! {
        ol start="3" {
            "\n"
            li {
                strong { "Replay." }
                " Async removes no block if nothing else is ready: the recorded wake-ups and bursts are replayed through event "
                "loops to count the sleeps that remain. Closed loop: arrivals follow replies; open loop: they do not."
            }
            "\n"
            li {
                strong { "Add up." }
                " Saving = direct cost of the blocks that go, wake-ups and preemptions among its own threads, less the sleeps "
                "that remain, less what waiting in another way costs on this machine."
            }
            "\n"
            li {
                strong { "Doubt." }
                " Intervals are 90 %. Every figure is measured, modelled, or n/a with its reason; n/a is never 0."
            }
        }
        "\n"
        p class="note" {
            "In full, with what is assumed and how far it was off: " code { "docs/method.md" } "."
        }
    }
}

fn estimator(what: &str, cost: &Figure<f64, Note>) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            td class="n" { (figure(cost, |&ns| span(ns))) }
            td { small { (name(&provenance(cost))) } }
        }
        "\n"
    }
}
