//! The wake-ups: from whom, and how many threads were busy already.

use super::page::{Ink, Page};
use crate::{answer::Report, words};

pub(super) fn render(page: &mut Page, report: &Report) {
    let wakeups = &report.wakeups;
    page.title("WAKE-UPS", "");
    let received = wakeups.received().unwrap_or_else(|| words::NO_WAKE_UP.to_owned());
    let lines = wakeups.caused().into_iter().chain([received]).chain(wakeups.among());
    lines.for_each(|line| page.wrapped_at(Ink::Plain, "  ", 4, &line));
    let busy = wakeups.busy();
    if !busy.is_empty() {
        page.wrapped_at(Ink::Plain, "  other threads busy  ", 4, &busy.join(" · "));
    }
}
