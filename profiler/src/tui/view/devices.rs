//! The view of block devices.

use crate::{
    text::{fit::cut, numbers::NA},
    tui::{app::App, pen::Pen, sheets::devices::SHEET, theme::Ink},
    words,
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    let Some(report) = app.report() else { return };
    let (height, width) = (pen.height(), pen.width());
    let room = usize::from(width);
    if report.devices.is_empty() {
        pen.text(0, 0, &cut(&format!("{NA}: {}", words::NO_DEVICE), room), Ink::Dim);
        return;
    }
    app.devices.draw(&mut pen.part(0, 0, height.saturating_sub(2), width), &SHEET, &report.devices, &app.searched());
    let text = report.device_time();
    pen.text(height.saturating_sub(2), 0, &cut(&text, room), Ink::Plain);
    pen.text(height.saturating_sub(1), 0, &cut(words::DEVICE_COLUMNS, room), Ink::Dim);
}
