//! The rest of a calibration: tables by size, by events, by working set, by interface.

use super::{figure::maybe, page::Page};
use crate::{
    calibrate::{
        DiskRow, EpollRow, Figure, FileInterface, Full, ReadyInterface, ReadyRow, SizeRow, SteadyRow, WorkingSetRow,
    },
    machine::{Medium, Queue},
    text::numbers::{bytes, count},
    words,
};

/// Bytes of the smallest direct read.
const BLOCK: u64 = 4096;

/// Each part is named here: a new part does not compile before it has a place.
pub(super) fn render(page: &mut Page, full: &Full) {
    let Full {
        file_system,
        sizes: by_size,
        working_sets: blocks,
        epoll: waits,
        disk,
        steady: in_flight,
        descriptors: ready,
        open_close: _,
        pipe_again: _,
        thread: _,
        interrupts: _,
        took: _,
    } = full;
    page.title(&format!("reads and writes by size ({file_system}); direct: O_DIRECT, with its latency"));
    sizes(page, by_size);
    epoll(page, waits);
    working_sets(page, blocks);
    for direct in [false, true] {
        let kind = if direct { "O_DIRECT" } else { "cached" };
        page.title(&format!("random 4 KiB reads, {kind}, per read, by reads at once"));
        files(page, kind, disk.iter().filter(|row| row.direct == direct));
    }
    if !in_flight.is_empty() {
        page.title("random 4 KiB requests past the page cache through io_uring, by requests in flight");
        steady(page, in_flight, Queue::Ring);
    }
    for medium in [Medium::Pipe, Medium::Tcp] {
        page.title(&format!("64 open {}s, per message, by how many have one at once", medium.name()));
        descriptors(page, ready.iter().filter(|row| row.medium == medium));
    }
}

fn sizes(page: &mut Page, sizes: &[SizeRow]) {
    let mut rows = Vec::new();
    for row in sizes {
        let mut line = vec![bytes(row.bytes)];
        for figure in [&row.cached_read, &row.cached_write] {
            line.push(page.cell("cached reads and writes", figure));
        }
        for (what, figure) in [
            ("direct read", &row.direct_read),
            ("direct read", &row.direct_read_latency),
            ("direct write", &row.direct_write),
            ("direct write", &row.direct_write_latency),
        ] {
            let none = Figure::unavailable("a request past the page cache has 4 KiB at least");
            line.push(page.cell(what, if row.bytes < BLOCK { &none } else { figure }));
        }
        rows.push(line);
    }
    page.table(&["", "read", "write", "direct read", "takes", "direct write", "takes"], &rows);
}

fn epoll(page: &mut Page, calls: &[EpollRow]) {
    page.title("epoll_wait, by events found");
    let mut rows = Vec::new();
    for row in calls {
        let each = row.call.cost().filter(|_| row.events > 0).map(|call| call.shared_by(row.events));
        rows.push(vec![count(row.events.into()), page.cell("epoll_wait", &row.call), maybe(each.as_ref())]);
    }
    page.table(&["events", "call", "per event"], &rows);
}

fn working_sets(page: &mut Page, blocks: &[WorkingSetRow]) {
    page.title("block with a working set on either side, by its size; and from write to return");
    let mut rows = Vec::new();
    for via_idle in [false, true] {
        let (what, place) = if via_idle { ("blocks through idle", ", idle") } else { ("blocks on one CPU", "") };
        for medium in Medium::ALL {
            let mut line = vec![format!("{}{place}", medium.name())];
            let mut latency = String::new();
            for row in blocks.iter().filter(|row| (row.medium, row.via_idle) == (medium, via_idle)) {
                line.push(page.cell(what, &row.block));
                if let Some(figure) = &row.latency {
                    latency = page.cell(what, figure);
                }
            }
            line.push(latency);
            rows.push(line);
        }
    }
    let mut sizes: Vec<u64> = blocks.iter().map(|row| row.bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let names: Vec<String> = sizes.into_iter().map(bytes).collect();
    let mut header: Vec<&str> = vec![""];
    header.extend(names.iter().map(String::as_str));
    header.push("takes");
    page.table(&header, &rows);
}

fn files<'a>(page: &mut Page, kind: &str, reads: impl Iterator<Item = &'a DiskRow>) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in reads {
        let cell = page.cell(&format!("{kind} reads by {}", row.interface.name()), &row.cpu);
        push(&mut rows, row.depth, cell);
    }
    let mut header = vec![""];
    header.extend(FileInterface::ALL.map(FileInterface::name));
    page.table(&header, &rows);
}

/// Requests through one queue by how many are in flight, and one by one or all at once.
pub(super) fn steady(page: &mut Page, requests: &[SteadyRow], queue: Queue) {
    let requests: Vec<&SteadyRow> = requests.iter().filter(|row| row.queue == queue).collect();
    let mut depths: Vec<u32> = requests.iter().map(|row| row.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let mut rows = Vec::new();
    for depth in depths {
        let mut line = vec![depth.to_string()];
        for (write, batch) in [(false, 1), (false, depth), (true, 1), (true, depth)] {
            let found = requests.iter().find(|row| (row.write, row.depth, row.batch) == (write, depth, batch));
            let none = Figure::unavailable(words::NOT_MEASURED);
            line.push(page.cell("requests in flight", found.map_or(&none, |row| &row.cpu)));
        }
        rows.push(line);
    }
    let header = ["in flight", "reads one by one", "reads at once", "writes one by one", "writes at once"];
    page.table(&header, &rows);
}

fn descriptors<'a>(page: &mut Page, messages: impl Iterator<Item = &'a ReadyRow>) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in messages {
        let cell = page.cell(&format!("{}s by {}", row.medium.name(), row.interface.name()), &row.cpu);
        push(&mut rows, row.ready, cell);
    }
    let mut header = vec![""];
    header.extend(ReadyInterface::ALL.map(ReadyInterface::name));
    page.table(&header, &rows);
}

/// Adds a cell to the line of `key`, which is the last one or a new one.
fn push(rows: &mut Vec<Vec<String>>, key: u32, cell: String) {
    let key = key.to_string();
    match rows.last_mut().filter(|row| row.first() == Some(&key)) {
        Some(row) => row.push(cell),
        None => rows.push(vec![key, cell]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Repeats;

    #[test]
    fn a_block_among_large_working_sets_may_be_noise_and_never_a_bare_negative_cost() {
        let block = |median, low, high| Figure::Measured(Repeats { median, low, high, repeats: 9 });
        let row = |bytes, block| {
            let latency = (bytes == 0).then(|| Figure::unavailable("no time"));
            WorkingSetRow { medium: Medium::Pipe, via_idle: true, bytes, block, latency }
        };
        let blocks = [row(0, block(700.0, 680.0, 730.0)), row(8 << 20, block(-18_300.0, -40_000.0, 12_000.0))];
        let mut page = Page::new(&[]);
        working_sets(&mut page, &blocks);
        let text = page.finish();
        let line = text.lines().find(|line| line.contains("pipe, idle")).unwrap();
        assert_eq!(line, "  pipe, idle         700 ns ±4 %  noise ±26.0 µs    n/a", "{text}");
        assert!(text.contains("blocks through idle: no time"), "{text}");
    }
}
