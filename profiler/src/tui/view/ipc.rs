//! Instructions per cycle over the instructions since a return: the curves, what they say, and what
//! is known without counters.

use super::curve;
use crate::text::{clean::clean, numbers::NA};
use crate::words::InWords;
use crate::words::{self, SURVIVORS, note};
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
            let why = why.cloned().unwrap_or_else(|| note(&snapshot.whole.ipc));
            page.wrapped(2, &format!("{NA}: {}", clean(&why)), Ink::Bold);
        }
    }
    page.title(&format!("Without counters: {}, by windows of time", words::INDIRECT));
    let indirect = &snapshot.whole.indirect;
    effect(page, "user mode", &indirect.user);
    effect(page, "kernel", &indirect.kernel);
    page.blank();
    page.wrapped(
        2,
        "Caches, TLB and branch predictors gone cold, as far as the \
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
        page.wrapped(2, &format!("{NA}: {}", ipc.no_curve()), Ink::Plain);
    } else {
        page.wrapped(2, SURVIVORS, Ink::Dim);
    }
    page.title(&words::title(words::IPC_WINDOWS));
    let mut rows = vec![ipc.heading().into_iter().map(str::to_owned).collect()];
    rows.extend(ipc.rows());
    page.table(&rows);
    page.title(&words::title(words::INDIRECT_COST));
    page.entry("all blocking IO", &clean(&ipc.cost_words()), Ink::Plain);
    for site in ipc.sites.iter().filter(|s| s.place.is_some()).take(SITES) {
        page.entry(&clean(&site.name()), &clean(&site.words()), Ink::Plain);
    }
    page.blank();
    page.wrapped(2, &ipc.coverage(), Ink::Dim);
}

fn effect<N: InWords>(page: &mut Page, name: &str, effect: &Figure<Effect, N>) {
    let text = match effect.value() {
        Some(_) => format!("{}; {}", figure(effect, Effect::words), origin(effect)),
        None => origin(effect),
    };
    page.entry(name, &text, Ink::Plain);
}
