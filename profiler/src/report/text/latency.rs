//! How long the target's clients wait.

use super::page::{Ink, Page};
use crate::{
    answer::{Latency, Report},
    text::clean::clean,
};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("LATENCY", Latency::TITLE);
    for line in Latency::lines(&report.latency) {
        // Names of sockets are what their owner chose.
        page.wrapped_at(Ink::Plain, "  ", 4, &clean(&line));
    }
}
