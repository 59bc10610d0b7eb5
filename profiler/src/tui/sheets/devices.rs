//! The table of block devices: the target's own requests.

use crate::text::{
    clean::clean,
    numbers::{bytes, maybe, mean, short as count},
};
use crate::{
    answer::DeviceView,
    quantity::Nanos,
    tui::table::{Column, Sheet, by_name},
};

fn per_request(time: Nanos, device: &DeviceView) -> u64 {
    time.as_nanos() / device.record.target.requests.max(1)
}

/// The columns of the table of devices.
pub(in crate::tui) static SHEET: Sheet<DeviceView> = Sheet {
    columns: &[
        Column {
            name: "device",
            width: 0,
            right: false,
            rank: 0,
            largest_first: false,
            text: |d| clean(&d.name),
            order: |a, b| by_name(&a.name, &b.name),
        },
        Column::number(
            "requests",
            10,
            0,
            |d| count(d.record.target.requests),
            |a, b| a.record.target.requests.cmp(&b.record.target.requests),
        ),
        Column::number(
            "served",
            9,
            1,
            |d| mean(d.record.target.service_time, d.record.target.requests),
            |a, b| per_request(a.record.target.service_time, a).cmp(&per_request(b.record.target.service_time, b)),
        ),
        Column::number("p50", 9, 4, |d| maybe(d.service_p50), |a, b| a.service_p50.cmp(&b.service_p50)),
        Column::number("p99", 9, 2, |d| maybe(d.service_p99), |a, b| a.service_p99.cmp(&b.service_p99)),
        Column::number(
            "queued",
            9,
            3,
            |d| mean(d.record.target.queue_time, d.record.target.requests),
            |a, b| per_request(a.record.target.queue_time, a).cmp(&per_request(b.record.target.queue_time, b)),
        ),
        Column::number(
            "reads",
            10,
            6,
            |d| count(d.record.target.reads),
            |a, b| a.record.target.reads.cmp(&b.record.target.reads),
        ),
        Column::number(
            "bytes",
            10,
            5,
            |d| bytes(d.record.target.bytes),
            |a, b| a.record.target.bytes.cmp(&b.record.target.bytes),
        ),
        Column::number(
            "others'",
            10,
            7,
            |d| count(d.record.others.requests),
            |a, b| a.record.others.requests.cmp(&b.record.others.requests),
        ),
    ],
    sorted_by: "requests",
    least: 12,
    id: |d| u64::from(d.record.major) << 32 | u64::from(d.record.minor),
    words: |d| clean(&d.name),
};
