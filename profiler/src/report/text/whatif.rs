//! What async would give back, and what is cheaper.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::{
    clean::clean,
    numbers::{NA, decimal, percent, range},
};
use crate::{
    answer::Report,
    predict::WhatIf,
    words::{self, InWords},
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let what_if = &report.what_if;
    page.title("WHAT IF", "what async would give back, in % of the target's CPU");
    if let Some(why) = &what_if.refused {
        page.wrapped(Ink::Plain, "  ", &format!("no figure: {}", clean(&why.in_words())));
    } else {
        table(page, what_if);
    }
    for caveat in &what_if.caveats {
        page.wrapped_at(Ink::Plain, "  ", 4, &clean(&caveat.in_words()));
    }
    for advice in report.verdict.advice_lines() {
        page.wrapped_at(Ink::Plain, "  cheaper first: ", 4, &clean(&advice));
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
            decimal(s.cpu_per_second.value, 3),
            decimal(s.sleeps_per_block, 2),
            decimal(s.events_per_wait, 1),
            s.way.words().to_owned(),
        ]);
    }
    page.table(&table.lines(2, page.width()));
    let loops = match what_if.loops {
        1 => "one event loop".to_owned(),
        n => format!("{n} event loops"),
    };
    let ground = what_if.ground.sleeps();
    let missed = what_if.scenarios.first().map_or_else(String::new, |s| words::missed(s.kind));
    let source = what_if.priced.as_ref().map_or_else(|| NA.to_owned(), |p| words::prices(&p.source));
    page.wrapped_at(
        Ink::Dim,
        "  ",
        4,
        &format!(
            "modelled: {loops} on {} CPUs; {ground}; prices {}; intervals: {missed}; --explain shows the sums",
            what_if.allowed_cpus,
            clean(&source)
        ),
    );
}
