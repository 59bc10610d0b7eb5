//! How long the target's clients wait, since the start.

use crate::{
    answer::Latency,
    feed::Snapshot,
    text::clean::clean,
    tui::{page::Page, theme::Ink},
    words,
};

pub(super) fn write(page: &mut Page, snapshot: &Snapshot) {
    page.title(&words::title(Latency::TITLE));
    for line in Latency::lines(&snapshot.whole.latency) {
        page.wrapped(2, &clean(&line), Ink::Plain);
    }
}
