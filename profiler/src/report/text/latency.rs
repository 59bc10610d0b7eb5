//! How long the target's clients wait.

use super::page::{Ink, Page};
use crate::answer::{Latency, Report};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("LATENCY", Latency::TITLE);
    for line in Latency::lines(&report.latency) {
        page.wrapped_at(Ink::Plain, "  ", 4, &line);
    }
}
