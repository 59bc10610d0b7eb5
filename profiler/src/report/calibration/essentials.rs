//! The essentials: a table for each kind of thing that the model needs.

use super::{
    figure::{cost, maybe},
    page::Page,
};
use crate::{
    calibrate::{BlockRow, CrowdRow, Essentials, FileRow, Full, HandOverRow, LONG_IDLE, ReadRow, SHORT_IDLE, StepRow},
    quantity::Repeats,
    text::numbers::count,
};

/// Each part is named here: a new part does not compile before it has a place.
pub(super) fn render(page: &mut Page, essentials: &Essentials, full: Option<&Full>) {
    let Essentials {
        syscall,
        again,
        steps: by_events,
        reads,
        blocks: by_medium,
        crowd,
        relay,
        hand_overs: jobs,
        file,
        kernel: _,
        machine: _,
        taken_at: _,
        pace: _,
        others: _,
        missing: _,
    } = essentials;
    calls(page, [syscall, again], reads, full);
    steps(page, by_events);
    blocks(page, by_medium);
    page.title("crowd: the answer to a message right after its read, with many connections taking turns, wall time");
    crowds(page, "connections", crowd);
    page.title("relay: a message that is read and handed on through a pipe to a thread that waits for it, CPU in all");
    crowds(page, "in the ring", relay);
    hand_overs(page, jobs);
    files(page, file);
}

fn calls(page: &mut Page, [syscall, again]: [&Repeats; 2], reads: &[ReadRow], full: Option<&Full>) {
    page.title("calls");
    let mut rows = vec![
        vec!["empty syscall (getppid)".into(), cost(syscall)],
        vec!["receive on an empty TCP socket (EAGAIN)".into(), cost(again)],
    ];
    for read in reads {
        let what = format!("read of {} bytes that are there, {}", read.bytes, read.medium.name());
        rows.push(vec![what, cost(&read.cost)]);
    }
    if let Some(full) = full {
        for (what, figure) in [
            ("read of an empty pipe (EAGAIN)", &full.pipe_again),
            ("open and close", &full.open_close),
            ("thread created and joined", &full.thread),
            ("local timer interrupt", &full.interrupts.timer),
            ("block device interrupt", &full.interrupts.block),
        ] {
            let cell = page.cell(what, figure);
            rows.push(vec![what.into(), cell]);
        }
    }
    page.table(&["", "CPU"], &rows);
}

fn steps(page: &mut Page, steps: &[StepRow]) {
    page.title("server step: read and write 64 bytes, per message, by connections that have one at once");
    let row = |step: &StepRow| {
        let (runtime, uring) = (maybe(step.runtime.as_ref()), maybe(step.uring.as_ref()));
        vec![count(step.events.into()), cost(&step.ready), cost(&step.level), cost(&step.again), runtime, uring]
    };
    let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
    page.table(&["ready", "not asked", "epoll", "epoll+EAGAIN", "tokio", "io_uring"], &rows);
}

fn blocks(page: &mut Page, blocks: &[BlockRow]) {
    page.title("block: leaving the CPU and coming back, and what the waker pays");
    let row = |block: &BlockRow| {
        let place = match block.idle {
            0 => "thread to thread, one CPU",
            SHORT_IDLE => "through idle, short",
            LONG_IDLE => "through idle, the tick stopped",
            _ => "through idle",
        };
        vec![format!("{}, {place}", block.medium.name()), cost(&block.cost), cost(&block.wake)]
    };
    let rows: Vec<Vec<String>> = blocks.iter().map(row).collect();
    page.table(&["", "blocked thread", "waker"], &rows);
}

/// Threads and loop side by side, by their number.
fn crowds(page: &mut Page, number: &str, rows: &[CrowdRow]) {
    let row = |row: &CrowdRow| vec![count(row.threads.into()), cost(&row.threaded), cost(&row.looped)];
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    page.table(&[number, "a thread each, blocking", "one loop"], &rows);
}

fn hand_overs(page: &mut Page, rows: &[HandOverRow]) {
    page.title("hand-over: a job for a thread that waits for it, and the answer back, CPU of both");
    let row = |row: &HandOverRow| {
        let place = if row.via_idle { "each on an idle CPU" } else { "thread to thread, one CPU" };
        vec![format!("{}, {place}", row.class.name()), cost(&row.cost)]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    page.table(&["", "there and back"], &rows);
}

fn files(page: &mut Page, files: &[FileRow]) {
    page.title("cached 4 KiB read, per read");
    let row = |file: &FileRow| {
        let rest = [&file.pool, &file.pool_across, &file.aio, &file.uring].map(|cost| maybe(cost.as_ref()));
        [count(file.depth.into()), cost(&file.pread)].into_iter().chain(rest).collect()
    };
    let rows: Vec<Vec<String>> = files.iter().map(row).collect();
    page.table(&["at once", "pread", "tokio pool, one CPU", "all CPUs", "Linux AIO", "io_uring"], &rows);
}
