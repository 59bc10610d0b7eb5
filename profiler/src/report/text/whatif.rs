//! What async would give back, and what is cheaper.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::{
    answer::Report,
    predict::{Scenario, WhatIf},
    text::clean::clean,
    words::InWords,
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let what_if = &report.what_if;
    page.title("WHAT IF", WhatIf::TITLE);
    if let Some(refusal) = what_if.refusal() {
        page.wrapped(Ink::Plain, "  ", &clean(&refusal));
    } else {
        table(page, what_if);
    }
    for caveat in &what_if.caveats {
        page.wrapped_at(Ink::Plain, "  ", 4, &clean(&caveat.in_words()));
    }
    for advice in report.verdict.advice_lines() {
        page.wrapped_at(Ink::Plain, &format!("  {}: ", WhatIf::CHEAPER), 4, &clean(&advice));
    }
}

fn table(page: &mut Page, what_if: &WhatIf) {
    let side = |name: &'static str| (name, if name.is_empty() { Side::Left } else { Side::Right });
    let mut table = Table::new(Scenario::COLUMNS.map(side), 6);
    for scenario in &what_if.scenarios {
        table.row(scenario.cells());
    }
    page.table(&table.lines(2, page.width()));
    let basis = clean(&what_if.basis(what_if.loops));
    page.wrapped_at(Ink::Dim, "  ", 4, &format!("{basis}; --explain shows the sums"));
}
