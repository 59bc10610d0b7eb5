//! IPC after returns: the recovery curve, the windows by kind, what a block costs by site.

use super::{
    super::markup::{Cell, Markup, Table},
    words::provenance,
};
use crate::text::numbers::{NA, span};
use crate::words::note;
use crate::{
    answer::Report,
    cost::ipc::{Ipc, SiteFit},
    export::recovery,
};

/// Sites in the table.
const SITES: usize = 100;

pub(super) fn render(page: &mut Markup, report: &Report) {
    page.raw("<section id=\"ipc\"><h2>IPC after returns</h2>\n");
    match report.ipc.value() {
        Some(ipc) => counted(page, report, ipc),
        None => {
            page.raw("<p>").raw(NA).raw(": ").name(&note(&report.ipc)).raw("</p>\n");
        }
    }
    page.raw("</section>\n");
}

fn counted(page: &mut Markup, report: &Report, ipc: &Ipc) {
    if !recovery::draw(page, ipc, "IPC over the instructions since a return", "", "") {
        page.raw("<p>No curve: too few overflow samples.</p>\n");
    }
    page.raw("<dl>\n");
    for curve in &ipc.curves {
        page.raw("<dt>after a ").raw(curve.before.name()).raw("</dt><dd>").text(&curve.words()).raw("</dd>\n");
    }
    page.raw("<dt>indirect cost of a block, user mode</dt><dd>").name(&ipc.cost_words()).raw("</dd>\n");
    let by_time = &report.indirect.user;
    page.raw("<dt>the same by windows of time</dt><dd>");
    match by_time.value() {
        Some(effect) => page.text(&format!("{} each; ", span(effect.per_block))).name(&provenance(by_time)),
        None => page.name(&provenance(by_time)),
    };
    page.raw("</dd>\n</dl>\n");
    kinds(page, ipc);
    sites(page, ipc);
    page.raw("<p class=\"note\">").text(&ipc.coverage()).raw("</p>\n");
}

fn kinds(page: &mut Markup, ipc: &Ipc) {
    page.raw(
        "<div class=\"scroll\" tabindex=\"0\"><table><caption>Whole windows; misses per 1000 instructions, user mode",
    );
    page.raw("</caption><thead><tr>");
    for (i, head) in ipc.heading().into_iter().enumerate() {
        page.raw(if i == 0 { "<th scope=\"col\">" } else { "<th scope=\"col\" class=\"n\">" }).raw(head).raw("</th>");
    }
    page.raw("</tr></thead><tbody>\n");
    for row in ipc.rows() {
        page.raw("<tr>");
        for (i, cell) in row.iter().enumerate() {
            page.raw(if i == 0 { "<td>" } else { "<td class=\"n\">" }).text(cell).raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

fn sites(page: &mut Markup, ipc: &Ipc) {
    let mut table = Table::new(&[
        ("site", "call and class"),
        ("cycles per block", "what a block adds to the window after it, user mode, with its 90 % interval"),
        ("told by", "what was compared, and the lines cycles = a + b · instructions"),
    ]);
    for site in ipc.sites.iter().filter(|s| s.place.is_some()).take(SITES) {
        table.row(vec![Cell::word(site.name()), cycles(site), Cell::word(site.words())]);
    }
    table.render(page, "By site");
}

fn cycles(site: &SiteFit) -> Cell {
    match site.cost.value() {
        Some(cost) => Cell::figure(cost.cycles.whole(), cost.cycles.value),
        None => Cell::none(NA, &note(&site.cost)),
    }
}
