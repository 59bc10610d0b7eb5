//! The view of threads.

use crate::tui::{app::App, pen::Pen, sheets::threads::SHEET};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    if let Some(report) = app.report() {
        app.threads.draw(pen, &SHEET, &report.threads, &app.searched());
    }
}
