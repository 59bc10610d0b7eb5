//! What the target's threads take of memory.

use super::page::{Ink, Page};
use crate::answer::{Memory, Report};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("MEMORY", Memory::TITLE);
    page.wrapped_at(Ink::Plain, "  ", 4, &Memory::line(&report.memory));
}
