//! What async would give back, and what is cheaper.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::{
    clean::clean,
    numbers::{cpus, decimal, percent, range},
};
use crate::{answer::Report, predict::WhatIf, words::InWords};

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
    let right = |name| (name, Side::Right);
    let mut table = Table::new(
        [
            ("", Side::Left),
            right("saving"),
            right("90 %"),
            right("CPU s/s"),
            right("sleeps/block"),
            right("events/wait"),
            ("", Side::Left),
        ],
        6,
    );
    for s in &what_if.scenarios {
        table.row([
            s.way.name().to_owned(),
            percent(s.saving.value),
            range(s.saving),
            cpus(s.cpu_per_second.value),
            decimal(s.sleeps_per_block, 2),
            decimal(s.events_per_wait, 1),
            s.way.words().to_owned(),
        ]);
    }
    page.table(&table.lines(2, page.width()));
    let basis = clean(&what_if.basis(what_if.loops));
    page.wrapped_at(Ink::Dim, "  ", 4, &format!("{basis}; --explain shows the sums"));
}
