//! Instructions per cycle over the instructions since a return: the curves, what they say, and what
//! is known without counters.

use super::curve;
use crate::text::{
    clean::clean,
    numbers::{short as count, span, span_range},
};
use crate::words::InWords;
use crate::words::{self, SURVIVORS, reason};
use crate::{
    cost::{Effect, ipc::Ipc},
    feed::Snapshot,
    quantity::Figure,
    tui::{
        app::App,
        page::Page,
        text::{figure, origin},
        theme::Ink,
    },
};

/// Sites whose lines are shown.
const SITES: usize = 10;

pub(super) fn write(page: &mut Page, app: &App, snapshot: &Snapshot) {
    page.title(words::CURVES);
    match snapshot.whole.ipc.value() {
        Some(ipc) => counted(page, ipc),
        None => {
            // The screen's own reason is about this machine; a recording's reason is about the
            // machine where it was made.
            let why = app.title.ipc_reason.as_ref();
            page.wrapped(2, "no hardware counters", Ink::Bold);
            page.wrapped(2, &clean(&why.cloned().unwrap_or_else(|| reason(&snapshot.whole.ipc))), Ink::Plain);
        }
    }
    page.title("Without counters: what runs slower after a block, by windows of time");
    let indirect = &snapshot.whole.indirect;
    effect(page, "user mode", &indirect.user);
    effect(page, "kernel", &indirect.kernel);
    page.blank();
    page.wrapped(
        2,
        "The same site and size, after a block against after none: caches, TLB and branch predictors gone cold, as far as the \
         program does the same thing in both cases.",
        Ink::Dim,
    );
}

fn counted(page: &mut Page, ipc: &Ipc) {
    curve::draw(page, &ipc.curves);
    for curve in &ipc.curves {
        page.entry(&format!("after a {}", curve.before.name()), &curve.words(), Ink::Plain);
    }
    if ipc.curves.is_empty() {
        page.wrapped(2, "no curve: no overflow samples", Ink::Plain);
    } else {
        page.wrapped(2, SURVIVORS, Ink::Dim);
    }
    page.title("Whole windows, by what came before; misses per 1,000 instructions");
    let mut rows = vec![ipc.heading().into_iter().map(str::to_owned).collect()];
    rows.extend(ipc.rows());
    page.table(&rows);
    page.title("Indirect cost of a block in user mode");
    page.entry("all blocking IO", &clean(&ipc.cost_words()), Ink::Plain);
    for site in ipc.sites.iter().filter(|s| s.place.is_some()).take(SITES) {
        page.entry(&clean(&site.name()), &clean(&site.words()), Ink::Plain);
    }
    page.blank();
    page.wrapped(2, &ipc.coverage(), Ink::Dim);
}

fn effect<N: InWords>(page: &mut Page, name: &str, effect: &Figure<Effect, N>) {
    let words = |e: &Effect| {
        format!(
            "{} per block, {} in all ({}, 90 %), over {} blocks",
            span(e.per_block),
            span(e.total.value),
            span_range(e.total),
            count(e.matched)
        )
    };
    let text = match effect.value() {
        Some(_) => format!("{}; {}", figure(effect, words), origin(effect)),
        None => origin(effect),
    };
    page.entry(name, &text, Ink::Plain);
}
