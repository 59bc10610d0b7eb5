//! Instructions per cycle over the time since a block: the place for the curve, and what is known without one.

use crate::{
    model::{Effect, Figure, Snapshot},
    tui::{
        app::App,
        page::Page,
        text::{clean, count, figure, origin, span},
        theme::Ink,
    },
};

pub(super) fn write(page: &mut Page, app: &App, snapshot: &Snapshot) {
    page.title("IPC over the time since a block");
    match &app.title.ipc_reason {
        Some(why) => {
            page.wrapped(2, "no PMU", Ink::Bold);
            page.wrapped(2, &clean(why), Ink::Plain);
        }
        None => page.wrapped(2, "n/a: no cycles and instructions were counted in this measurement", Ink::Plain),
    }
    page.title("Without it: what runs slower after a block, by windows of time");
    let indirect = &snapshot.whole.indirect;
    effect(page, "user mode", &indirect.user);
    effect(page, "kernel", &indirect.kernel);
    page.blank();
    page.wrapped(
        2,
        "The same site, after a block against after none: caches, TLB and branch predictors gone cold, as far as the \
         program does the same thing in both cases.",
        Ink::Dim,
    );
}

fn effect(page: &mut Page, name: &str, effect: &Figure<Effect>) {
    let words = |e: &Effect| {
        format!(
            "{} per block, {} in all ({} to {}, 90 %), over {} blocks",
            span(e.per_block),
            span(e.total),
            span(e.interval.low),
            span(e.interval.high),
            count(e.matched)
        )
    };
    let text = match effect.value() {
        Some(_) => format!("{}; {}", figure(effect, words), origin(effect)),
        None => origin(effect),
    };
    page.entry(name, &text, Ink::Plain);
}
