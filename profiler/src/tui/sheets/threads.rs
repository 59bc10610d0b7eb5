//! The table of threads.

use crate::text::{
    clean::clean,
    numbers::{NA, maybe, rate, share},
};
use crate::words::{self, InWords as _};
use crate::{
    answer::ThreadView,
    quantity::Nanos,
    tui::table::{Column, Sheet, by_name},
};

fn name(thread: &ThreadView) -> String {
    // It was gone before its name could be read.
    if thread.name.is_empty() { words::NO_NAME.to_owned() } else { clean(&thread.name) }
}

fn per_second(n: u64, thread: &ThreadView) -> f64 {
    n as f64 / thread.wall.as_secs_f64().max(1e-9)
}

fn part(time: Nanos, thread: &ThreadView) -> f64 {
    time.ratio_to(thread.wall)
}

fn mostly(thread: &ThreadView) -> &'static str {
    thread.mostly.map_or(NA, |class| class.name())
}

fn role(thread: &ThreadView) -> &'static str {
    thread.role.role.name()
}

/// What it was at when the interval ended.
fn state(thread: &ThreadView) -> String {
    thread.open_end.in_words()
}

/// The table. Shares are of the thread's own wall time.
pub(in crate::tui) static SHEET: Sheet<ThreadView> = Sheet {
    columns: &[
        Column {
            name: "thread",
            width: 0,
            right: false,
            rank: 0,
            largest_first: false,
            text: name,
            order: |a, b| by_name(&a.name, &b.name),
        },
        Column::number("tid", 8, 1, |t| t.tid.to_string(), |a, b| a.tid.cmp(&b.tid)),
        Column::number("CPU", 8, 0, |t| share(t.cpu, t.wall), |a, b| part(a.cpu, a).total_cmp(&part(b.cpu, b))),
        Column {
            name: "role",
            width: 11,
            right: false,
            rank: 4,
            largest_first: false,
            text: |t| role(t).to_owned(),
            order: |a, b| role(a).cmp(role(b)),
        },
        Column::number(
            "blocked",
            8,
            2,
            |t| share(t.blocked, t.wall),
            |a, b| part(a.blocked, a).total_cmp(&part(b.blocked, b)),
        ),
        Column {
            name: "mostly on",
            width: 10,
            right: false,
            rank: 5,
            largest_first: false,
            text: |t| mostly(t).to_owned(),
            order: |a, b| mostly(a).cmp(mostly(b)),
        },
        Column::number(
            "vol",
            9,
            3,
            |t| rate(t.voluntary, t.wall.as_secs_f64()),
            |a, b| per_second(a.voluntary, a).total_cmp(&per_second(b.voluntary, b)),
        ),
        Column::number(
            "run-q",
            8,
            5,
            |t| share(t.run_delay, t.wall),
            |a, b| part(a.run_delay, a).total_cmp(&part(b.run_delay, b)),
        ),
        Column::number(
            "invol",
            9,
            7,
            |t| rate(t.involuntary, t.wall.as_secs_f64()),
            |a, b| per_second(a.involuntary, a).total_cmp(&per_second(b.involuntary, b)),
        ),
        Column::number("user", 8, 6, |t| share(t.user, t.wall), |a, b| part(a.user, a).total_cmp(&part(b.user, b))),
        Column::number(
            "calls",
            9,
            8,
            |t| rate(t.calls, t.wall.as_secs_f64()),
            |a, b| per_second(a.calls, a).total_cmp(&per_second(b.calls, b)),
        ),
        Column::number("burst", 9, 9, |t| maybe(t.burst_mean), |a, b| a.burst_mean.cmp(&b.burst_mean)),
        Column {
            name: "at the end",
            width: 18,
            right: false,
            rank: 10,
            largest_first: false,
            text: state,
            order: |a, b| state(a).cmp(&state(b)),
        },
        Column {
            name: words::TOLD_FROM,
            width: 40,
            right: false,
            rank: 12,
            largest_first: false,
            text: |t| t.role.basis.in_words(),
            order: |a, b| a.role.basis.in_words().cmp(&b.role.basis.in_words()),
        },
        Column::number("process", 8, 11, |t| t.tgid.to_string(), |a, b| a.tgid.cmp(&b.tgid)),
    ],
    sorted_by: "CPU",
    least: 16,
    // A tid is reused only after the thread is gone.
    id: |t| u64::from(t.tid.as_raw()) << 32 | u64::from(t.tgid.as_raw()),
    words: |t| format!("{} {} {} {} {}", name(t), role(t), t.tid, mostly(t), state(t)),
};
