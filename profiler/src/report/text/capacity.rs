//! How far the target's CPUs carry.

use super::page::{Ink, Page};
use crate::answer::{Capacity, Report};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("CAPACITY", Capacity::TITLE);
    for line in Capacity::lines(report.capacity.as_ref()) {
        page.wrapped_at(Ink::Plain, "  ", 4, &line);
    }
}
