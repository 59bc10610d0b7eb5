//! The block devices, where the target had requests.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::{
    clean::clean,
    numbers::{bytes, maybe, mean, short},
};
use crate::{
    answer::{DeviceView, Report},
    quantity::Nanos,
    words,
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let used: Vec<&DeviceView> = report.devices.iter().filter(|d| d.record.target.requests > 0).collect();
    if used.is_empty() && report.device_wait == Nanos::ZERO {
        return;
    }
    page.title("DEVICES", words::OWN_REQUESTS);
    if !used.is_empty() {
        let mut table = Table::new(
            [
                ("device", Side::Left),
                ("requests", Side::Right),
                ("reads", Side::Right),
                ("bytes", Side::Right),
                ("queued", Side::Right),
                ("served", Side::Right),
                ("p50", Side::Right),
                ("p99", Side::Right),
                ("others'", Side::Right),
            ],
            0,
        );
        for device in used {
            let own = &device.record.target;
            table.row([
                clean(&device.name),
                short(own.requests),
                short(own.reads),
                bytes(own.bytes),
                mean(own.queue_time, own.requests),
                mean(own.service_time, own.requests),
                maybe(device.service_p50),
                maybe(device.service_p99),
                short(device.record.others.requests),
            ]);
        }
        page.table(&table.lines(2, page.width()));
    }
    page.wrapped_at(Ink::Plain, "  ", 4, &report.device_time());
    page.wrapped_at(Ink::Dim, "  ", 4, words::DEVICE_COLUMNS);
}
