//! The target's part of the machine's load average.

use super::page::{Ink, Page};
use crate::answer::{Load, Report};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("LOAD", Load::TITLE);
    let machine = report.load.value().and_then(Load::machine_line);
    for line in [Load::line(&report.load)].into_iter().chain(machine) {
        page.wrapped_at(Ink::Plain, "  ", 4, &line);
    }
}
