//! The view of threads.

use crate::{
    text::numbers::NA,
    tui::{app::App, pen::Pen, sheets::threads::SHEET, theme::Ink},
    words,
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    if let Some(report) = app.report() {
        if report.threads.is_empty() {
            pen.text(0, 0, &format!("{NA}: {}", words::NO_THREAD), Ink::Dim);
            return;
        }
        app.threads.draw(pen, &SHEET, &report.threads, &app.searched());
    }
}
