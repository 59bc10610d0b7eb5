//! How long the target's clients wait, of the block ends that a snapshot has: in a busy target the
//! newest ones.

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
