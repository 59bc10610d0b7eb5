//! The view of block devices.

use crate::{
    quantity::Nanos,
    text::fit::cut,
    tui::{app::App, pen::Pen, sheets::devices::SHEET, theme::Ink},
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    let Some(report) = app.report() else { return };
    let (height, width) = (pen.height(), pen.width());
    let room = usize::from(width);
    if report.devices.is_empty() {
        pen.text(0, 0, &cut("no request of the target was seen at a block device", room), Ink::Dim);
        return;
    }
    app.devices.draw(&mut pen.part(0, 0, height.saturating_sub(2), width), &SHEET, &report.devices, &app.searched());
    let waited: Nanos = report.wall.classes.iter().filter(|l| l.class.is_at_device()).map(|l| l.blocked).sum();
    let text = format!("{} of the {waited} waited on files and pages was device time", report.device_wait);
    pen.text(height.saturating_sub(2), 0, &cut(&text, room), Ink::Plain);
    let legend = "served, queued: mean per request; p50, p99: served, to a factor of two; others': not the target's";
    pen.text(height.saturating_sub(1), 0, &cut(legend, room), Ink::Dim);
}
