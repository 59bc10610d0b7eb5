//! A calibration as text: a table for each part, the sweet spots in words, and why something is missing.

use std::fmt::Write as _;

use super::{
    cache::Calibration,
    result::{CrowdRow, Essentials, Figure, FileInterface, Full, LONG_IDLE, ReadyInterface, SHORT_IDLE},
    sweet_spots::{Choice, SweetSpots},
};
use crate::{
    machine::Medium,
    quantity::{Nanos, Repeats},
};

/// Columns of a page.
const WIDTH: usize = 100;
/// Above this share of the CPUs for others, the text warns.
const NOISY: f64 = 0.05;
/// What stands where there is no figure.
const UNAVAILABLE: &str = "unavailable";

/// The page for people, in 100 columns.
pub fn text(calibration: &Calibration) -> String {
    let mut page = Page { out: String::new(), missing: Vec::new() };
    let essentials = &calibration.essentials;
    page.line(&format!("calibration of {}, kernel {}", essentials.machine, essentials.kernel));
    page.wrapped(
        "",
        "CPU per operation: the median of the repeats, ± half the distance from the 5th to the 95th percentile (of fewer than \
         20 repeats: from the smallest to the largest). docs/calibrate.md says what each figure includes.",
    );
    if essentials.others > NOISY {
        page.line(&format!(
            "Others used {:.0} % of the CPUs meanwhile: on a quiet machine the spreads are smaller.",
            essentials.others * 100.0
        ));
    }
    page.essentials(essentials, calibration.full.as_ref());
    if let Some(full) = &calibration.full {
        page.full(full);
        page.sweet(&SweetSpots::new(full));
    }
    page.finish(essentials)
}

struct Page {
    out: String,
    /// What is unavailable, with its reason, each once.
    missing: Vec<(String, String)>,
}

fn cost(cost: &Repeats) -> String {
    let half = (cost.high - cost.low) / 2.0;
    let share = if cost.median > 0.0 { format!(" ±{:.0}%", half / cost.median * 100.0) } else { String::new() };
    format!("{}{share}", span(cost.median))
}

/// Signed: a difference of two costs may come out below nothing.
/// Threads and loop side by side, by their number.
fn crowds(rows: &[CrowdRow]) -> Vec<Vec<String>> {
    rows.iter().map(|c| vec![c.threads.to_string(), cost(&c.threaded), cost(&c.looped)]).collect()
}

fn span(ns: f64) -> String {
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() }
}

fn maybe(value: Option<&Repeats>) -> String {
    value.map_or_else(|| UNAVAILABLE.to_owned(), cost)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.out.push('\n');
        self.line(title);
    }

    /// A cell; the reason for an empty one goes to the end of the page.
    fn cell(&mut self, what: &str, figure: &Figure) -> String {
        match figure {
            Figure::Measured(value) => cost(value),
            Figure::Unavailable { why } => {
                if !self.missing.iter().any(|(w, y)| w == what && y == why) {
                    self.missing.push((what.to_owned(), why.clone()));
                }
                UNAVAILABLE.to_owned()
            }
        }
    }

    /// Columns as wide as their contents: words on the left, figures on the right.
    fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let own = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> =
            header.iter().enumerate().map(|(i, name)| own(i).unwrap_or(0).max(name.chars().count())).collect();
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&header).chain(rows) {
            let mut line = String::from(" ");
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = if i == 0 { write!(line, " {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
            }
            let line = line.trim_end().to_owned();
            self.line(&line);
        }
    }

    fn essentials(&mut self, essentials: &Essentials, full: Option<&Full>) {
        self.title("calls");
        let mut rows = vec![
            vec!["empty syscall (getppid)".into(), cost(&essentials.syscall)],
            vec!["receive on an empty TCP socket (EAGAIN)".into(), cost(&essentials.again)],
        ];
        for read in &essentials.reads {
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
                let cell = self.cell(what, figure);
                rows.push(vec![what.into(), cell]);
            }
        }
        self.table(&["", "CPU"], &rows);
        self.title("server step: read and write 64 bytes, per message, by connections that have one at once");
        let steps: Vec<Vec<String>> = essentials
            .steps
            .iter()
            .map(|s| {
                let (runtime, uring) = (maybe(s.runtime.as_ref()), maybe(s.uring.as_ref()));
                vec![s.events.to_string(), cost(&s.ready), cost(&s.level), cost(&s.again), runtime, uring]
            })
            .collect();
        self.table(&["ready", "not asked", "epoll", "epoll+EAGAIN", "tokio", "io_uring"], &steps);
        self.title("block: leaving the CPU and coming back, and what the waker pays");
        let blocks: Vec<Vec<String>> = essentials
            .blocks
            .iter()
            .map(|b| {
                let place = match b.idle {
                    0 => "thread to thread, one CPU",
                    SHORT_IDLE => "through idle, short",
                    LONG_IDLE => "through idle, the tick stopped",
                    _ => "through idle",
                };
                vec![format!("{}, {place}", b.medium.name()), cost(&b.cost), cost(&b.wake)]
            })
            .collect();
        self.table(&["", "blocked thread", "waker"], &blocks);
        self.title(
            "crowd: the answer to a message right after its read, with many connections taking turns, wall time",
        );
        self.table(&["connections", "a thread each, blocking", "one loop"], &crowds(&essentials.crowd));
        self.title("relay: a message that is read and handed on through a pipe to whom waits for it, CPU in all");
        self.table(&["in the ring", "a thread each, blocking", "one loop"], &crowds(&essentials.relay));
        self.title("cached 4 KiB read, per read");
        let file: Vec<Vec<String>> = essentials
            .file
            .iter()
            .map(|f| {
                let rest = [&f.pool, &f.pool_across, &f.aio, &f.uring].map(|cost| maybe(cost.as_ref()));
                [f.depth.to_string(), cost(&f.pread)].into_iter().chain(rest).collect()
            })
            .collect();
        self.table(&["at once", "pread", "tokio pool, one CPU", "all CPUs", "Linux AIO", "io_uring"], &file);
    }

    fn full(&mut self, full: &Full) {
        self.title(&format!("reads and writes by size ({}); direct: O_DIRECT, with its latency", full.file_system));
        let mut rows = Vec::new();
        for row in &full.sizes {
            let mut line = vec![size(row.bytes)];
            for figure in [&row.cached_read, &row.cached_write] {
                line.push(self.cell("cached reads and writes", figure));
            }
            // Below a block there is nothing to explain in every line.
            for (what, figure) in [
                ("direct read", &row.direct_read),
                ("direct read", &row.direct_read_latency),
                ("direct write", &row.direct_write),
                ("direct write", &row.direct_write_latency),
            ] {
                line.push(if row.bytes < 4096 { "–".into() } else { self.cell(what, figure) });
            }
            rows.push(line);
        }
        self.table(&["", "read", "write", "direct read", "takes", "direct write", "takes"], &rows);

        self.title("epoll_wait, by events found");
        let rows: Vec<Vec<String>> = full
            .epoll
            .iter()
            .map(|row| {
                let each = row.call.cost().filter(|_| row.events > 0);
                let each = each.map_or_else(|| "–".into(), |c| span(c.median / f64::from(row.events)));
                vec![row.events.to_string(), self.cell("epoll_wait", &row.call), each]
            })
            .collect();
        self.table(&["events", "call", "per event"], &rows);

        self.title("block with a working set on either side, by its size; and from write to return");
        let mut sizes: Vec<u64> = full.working_sets.iter().map(|row| row.bytes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mut rows = Vec::new();
        for via_idle in [false, true] {
            for medium in Medium::ALL {
                let mut line = vec![format!("{}{}", medium.name(), if via_idle { ", idle" } else { "" })];
                let mut latency = String::new();
                let what = if via_idle { "blocks through idle" } else { "blocks on one CPU" };
                for row in full.working_sets.iter().filter(|r| (r.medium, r.via_idle) == (medium, via_idle)) {
                    line.push(self.cell(what, &row.block));
                    if let Some(figure) = &row.latency {
                        latency = self.cell(what, figure);
                    }
                }
                line.push(latency);
                rows.push(line);
            }
        }
        let names: Vec<String> = sizes.into_iter().map(size).collect();
        let mut header: Vec<&str> = vec![""];
        header.extend(names.iter().map(String::as_str));
        header.push("takes");
        self.table(&header, &rows);

        for direct in [false, true] {
            let kind = if direct { "O_DIRECT" } else { "cached" };
            self.title(&format!("random 4 KiB reads, {kind}, per read, by reads at once"));
            let mut header = vec![""];
            header.extend(FileInterface::ALL.map(FileInterface::name));
            let mut rows: Vec<Vec<String>> = Vec::new();
            for row in full.disk.iter().filter(|row| row.direct == direct) {
                let cell = self.cell(&format!("{kind} reads by {}", row.interface.name()), &row.cpu);
                push(&mut rows, row.depth, cell);
            }
            self.table(&header, &rows);
        }
        for medium in [Medium::Pipe, Medium::Tcp] {
            self.title(&format!("64 open {}s, per message, by how many have one at once", medium.name()));
            let mut header = vec![""];
            header.extend(ReadyInterface::ALL.map(ReadyInterface::name));
            let mut rows: Vec<Vec<String>> = Vec::new();
            for row in full.descriptors.iter().filter(|row| row.medium == medium) {
                let what = format!("{}s by {}", medium.name(), row.interface.name());
                let cell = self.cell(&what, &row.cpu);
                push(&mut rows, row.ready, cell);
            }
            self.table(&header, &rows);
        }
    }

    fn sweet(&mut self, spots: &SweetSpots) {
        self.title("sweet spots: the least CPU, and by how much; what is within the noise counts as equal");
        for direct in [false, true] {
            let kind = if direct { "O_DIRECT" } else { "cached" };
            let here = spots.files.iter().filter(|spot| spot.direct == direct);
            let choices: Vec<_> = here.map(|spot| (spot.depth, &spot.choice)).collect();
            self.choices(&choices, FileInterface::name, |depths| format!("{kind}, {depths} at once"));
        }
        for medium in Medium::ALL {
            let here = spots.descriptors.iter().filter(|spot| spot.medium == medium);
            let choices: Vec<_> = here.map(|spot| (spot.ready, &spot.choice)).collect();
            self.choices(&choices, ReadyInterface::name, |ready| format!("{}s, {ready} of 64 ready", medium.name()));
        }
    }

    /// A line for each stretch of neighbours that say the same.
    fn choices<T: Copy + PartialEq>(
        &mut self,
        choices: &[(u32, &Choice<T>)],
        name: fn(T) -> &'static str,
        place: impl Fn(&str) -> String,
    ) {
        let same = |a: &Choice<T>, b: &Choice<T>| {
            let level = a.level.len() == b.level.len() && a.level.iter().all(|x| b.level.contains(x));
            a.clear() == b.clear() && level && (!a.clear() || a.next == b.next)
        };
        for stretch in choices.chunk_by(|(_, a), (_, b)| same(a, b)) {
            let (Some(&(from, first)), Some(&(to, _))) = (stretch.first(), stretch.last()) else { continue };
            let place = place(&if from == to { from.to_string() } else { format!("{from} to {to}") });
            let percent = stretch.iter().map(|(_, choice)| (choice.by * 100.0).round() as i64);
            let (least, most) = (percent.clone().min().unwrap_or(0), percent.max().unwrap_or(0));
            let by = if least == most { format!("{least} %") } else { format!("{least} to {most} %") };
            let best = name(first.best);
            let text = match first.next {
                None => format!("{best}, the only one there is"),
                Some(next) if first.clear() => format!("{best}, {by} below {}", name(next)),
                Some(_) => {
                    let level: Vec<&str> = first.level.iter().map(|&t| name(t)).collect();
                    format!("no difference beyond the noise between {}", level.join(", "))
                }
            };
            self.wrapped(&format!("  {place:<32}  "), &text);
        }
    }

    /// `lead`, and `text` in as many lines as it takes, below one another.
    fn wrapped(&mut self, lead: &str, text: &str) {
        // A long lead must leave room for words beside it.
        let hang = lead.chars().count().min(WIDTH / 2);
        let mut line = lead.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(line.trim_end());
                (line, empty) = (" ".repeat(hang), true);
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(line.trim_end());
    }

    fn finish(mut self, essentials: &Essentials) -> String {
        let of_essentials = essentials.missing.iter().map(|m| (m.what.clone(), m.why.clone()));
        let missing: Vec<(String, String)> = of_essentials.chain(std::mem::take(&mut self.missing)).collect();
        if !missing.is_empty() {
            self.title("unavailable");
            // One reason often stands for many figures.
            let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
            for (what, why) in missing {
                match reasons.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, whats)) => whats.push(what),
                    None => reasons.push((why, vec![what])),
                }
            }
            for (why, whats) in reasons {
                self.wrapped("  ", &format!("{}: {why}", whats.join(", ")));
            }
        }
        self.out
    }
}

/// Adds a cell to the line of `key`, which is the last one or a new one.
fn push(rows: &mut Vec<Vec<String>>, key: u32, cell: String) {
    let key = key.to_string();
    match rows.last_mut().filter(|row| row.first() == Some(&key)) {
        Some(row) => row.push(cell),
        None => rows.push(vec![key, cell]),
    }
}
