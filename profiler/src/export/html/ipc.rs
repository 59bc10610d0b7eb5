//! IPC after returns: the recovery curve, the windows by kind, what a block costs by site.

use maud::{Markup, html};

use super::super::markup::{Cell, Table, name};
use crate::{
    answer::Report,
    cost::ipc::{Ipc, SiteFit},
    export::recovery,
    text::numbers::NA,
    words::{self, note, provenance},
};

/// Sites in the table.
const SITES: usize = 100;

pub(super) fn render(report: &Report) -> Markup {
    html! {
        section id="ipc" {
            h2 { "IPC after returns" }
            "\n"
            @match report.ipc.value() {
                Some(ipc) => (counted(report, ipc)),
                None => p { (NA) ": " (name(&note(&report.ipc))) },
            }
        }
        "\n"
    }
}

fn counted(report: &Report, ipc: &Ipc) -> Markup {
    let by_time = &report.indirect.user;
    html! {
        @match recovery::draw(ipc, words::CURVES, "", None) {
            Some(curves) => (curves),
            None => p { (NA) ": " (ipc.no_curve()) },
        }
        dl {
            "\n"
            @for curve in &ipc.curves {
                dt { "after a " (curve.before.name()) }
                dd { (curve.words()) }
                "\n"
            }
            dt { (words::INDIRECT_COST) }
            dd { (name(&ipc.cost_words())) }
            "\n"
            dt { "the same by windows of time" }
            dd {
                @if let Some(effect) = by_time.value() { (effect.words()) "; " }
                (name(&provenance(by_time)))
            }
            "\n"
        }
        "\n" (kinds(ipc)) (sites(ipc))
        p class="note" { (ipc.coverage()) }
        "\n"
    }
}

fn kinds(ipc: &Ipc) -> Markup {
    let class = |column: usize| (column > 0).then_some("n");
    html! {
        div class="scroll" tabindex="0" {
            table {
                caption { (words::title(words::IPC_WINDOWS)) }
                thead { tr { @for (i, head) in ipc.heading().into_iter().enumerate() {
                    th scope="col" class=[class(i)] { (head) }
                } } }
                tbody {
                    "\n"
                    @for row in ipc.rows() {
                        tr { @for (i, cell) in row.iter().enumerate() { td class=[class(i)] { (cell) } } }
                        "\n"
                    }
                }
            }
        }
        "\n"
    }
}

fn sites(ipc: &Ipc) -> Markup {
    let mut table = Table::new([
        ("site", "call and class"),
        ("cycles per block", "what a block adds to the window after it, user mode, with its 90 % interval"),
        ("told by", "what was compared, and the lines cycles = a + b · instructions"),
    ]);
    for site in ipc.sites.iter().filter(|s| s.place.is_some()).take(SITES) {
        table.row([Cell::word(site.name()), cycles(site), Cell::word(site.words())]);
    }
    table.render("By site")
}

fn cycles(site: &SiteFit) -> Cell {
    match site.cost.value() {
        Some(cost) => Cell::figure(cost.cycles.whole(), cost.cycles.value),
        None => Cell::none(NA, &note(&site.cost)),
    }
}
