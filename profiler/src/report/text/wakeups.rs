//! The wake-ups: from whom, and how many threads were busy already.

use super::page::{Ink, Page};
use crate::answer::Report;

pub(super) fn render(page: &mut Page, report: &Report) {
    let wakeups = &report.wakeups;
    page.title("WAKE-UPS", "");
    let lines = wakeups.caused().into_iter().chain([wakeups.received()]).chain(wakeups.among());
    lines.for_each(|line| page.wrapped_at(Ink::Plain, "  ", 4, &line));
    let busy = wakeups.busy();
    if !busy.is_empty() {
        page.wrapped_at(Ink::Plain, "  other threads busy  ", 4, &busy.join(" · "));
    }
}
