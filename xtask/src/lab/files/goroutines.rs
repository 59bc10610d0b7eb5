//! The part of files.md about Go: what its goroutines cost against threads and a ring, and what
//! follows for its scheduler.

use super::{
    cell::{Access, Place},
    compare::{Against, Difference},
    program::{Kind, Reader, WHERE},
    results::{Results, Row},
    tables,
};
use crate::{
    harness::statistics::Interval,
    host::{
        markdown::table,
        numbers::{NA, count, decimal, signed, with_range},
    },
};

/// Reads at once of the readers.
pub(super) const NUMBERS: [u32; 4] = [1, 8, 64, 512];

/// A place and a kind of access, and how many read at once.
#[derive(Clone, Copy)]
struct At {
    place: Place,
    access: Access,
    at_once: u32,
}

impl At {
    fn all() -> impl Iterator<Item = Self> {
        WHERE.into_iter().flat_map(|(place, access)| NUMBERS.map(|at_once| Self { place, access, at_once }))
    }

    fn row(self, results: &Results, kind: Kind) -> Option<&Row> {
        let Self { place, access, at_once } = self;
        results.reader(Reader { place, access, at_once, kind })
    }

    /// Goroutines against another program.
    fn go_against(self, results: &Results, other: Kind) -> Option<Against> {
        Against::new(self.row(results, Kind::Go)?, self.row(results, other)?)
    }

    /// By how many ns of CPU a goroutine's read is dearer; `None` inside the spread.
    fn dearer(self, results: &Results, other: Kind) -> Option<Option<f64>> {
        let (go, other) = (self.row(results, Kind::Go)?.cpu()?, self.row(results, other)?.cpu()?);
        Some((!go.overlaps(&other)).then_some(go.value - other.value))
    }

    fn name(self) -> String {
        format!("{}, {}, {} at once", self.place.title(), self.access.title(), self.at_once)
    }
}

pub(super) fn section(results: &Results) -> String {
    let each = WHERE.map(|(place, access)| {
        format!(
            "### Programs of ours: {}, {}\n\n{}",
            place.title(),
            access.title(),
            tables::readers(results, place, access)
        )
    });
    format!(
        "## Goroutines\n\n{INTRODUCTION}\n\n\
         ![Reads a second by programs of ours](files-go.svg)\n\n{}\n\n{}\n{}\n\n{}",
        handing_over(results),
        against(results),
        suggestion(results),
        each.join("\n")
    )
}

const INTRODUCTION: &str = "A P is Go's right to run goroutines; there are as many as CPUs. A goroutine that makes a call keeps its \
                            P at first. If the call lasts, a thread of the runtime (`sysmon`) takes the P away and gives it to \
                            another thread, which is started if none is idle. `sysmon` looks every 20 µs while it finds something \
                            to do, and less and less often, down to every 10 ms, while it does not. When the call returns, the \
                            goroutine needs a P again, and waits for one if none is free.\n\n\
                            The same loop was written four times: goroutines with `os.File.ReadAt`; goroutines whose call the \
                            scheduler does not see, so that no P is handed over; threads with `pread`; and one thread with a \
                            ring, which asks for all reads that are to be renewed in one call.";

/// The cost of telling the scheduler where nothing waits, and of handing over where something does.
fn handing_over(results: &Results) -> String {
    let cached = At { place: Place::Disk, access: Access::Cached, at_once: 1 };
    let telling = match cached.dearer(results, Kind::GoRaw) {
        Some(Some(ns)) => format!("{} ns", signed(ns, 0)),
        Some(None) => "no difference".to_owned(),
        None => NA.to_owned(),
    };
    let cpu = |at: At, kind| {
        let found = at.row(results, kind).and_then(Row::cpu);
        found.map_or_else(|| NA.to_owned(), |cpu| format!("{} µs", with_range(cpu.ends(), tables::micros)))
    };
    let threads = |at: At| {
        let found = at.row(results, Kind::Go).and_then(|row| row.figure(|run| run.threads));
        found.map_or_else(|| NA.to_owned(), |found| with_range(found.ends(), count))
    };
    let many = At { place: Place::Slower, access: Access::Direct, at_once: 512 };
    let disk = At { place: Place::Disk, access: Access::Direct, at_once: 512 };
    format!(
        "- **Telling the scheduler of a call** that does not wait, with all that `os.File` does around it, costs a cached read: \
         {telling} ({} against {}).\n\
         - **OS threads**: of 512 goroutines at once, {} OS threads were there at the end on the disk (direct), and {} on the \
         device of 5 ms.\n\
         - **Handing over a P**, with the thread that takes it: a read of the device of 5 ms, 512 at once, takes {} of CPU in Go, {} \
         in threads and {} in a ring.",
        cpu(cached, Kind::Go),
        cpu(cached, Kind::GoRaw),
        threads(disk),
        threads(many),
        cpu(many, Kind::Go),
        cpu(many, Kind::Threads),
        cpu(many, Kind::Ring),
    )
}

/// Goroutines against threads and against a ring, everywhere.
fn against(results: &Results) -> String {
    let dearer = |found: Option<Option<f64>>| match found {
        Some(Some(ns)) => format!("{} µs", signed(ns / 1e3, 2)),
        Some(None) => "none".to_owned(),
        None => NA.to_owned(),
    };
    let rate = |found: Option<Against>| found.map_or_else(|| NA.to_owned(), |against| against.rate.text());
    let line = |at: At| {
        let threads = at.row(results, Kind::Go).and_then(|row| row.figure(|run| run.threads));
        vec![
            at.place.title().to_owned(),
            at.access.title().to_owned(),
            at.at_once.to_string(),
            rate(at.go_against(results, Kind::Threads)),
            rate(at.go_against(results, Kind::Ring)),
            dearer(at.dearer(results, Kind::Threads)),
            dearer(at.dearer(results, Kind::Ring)),
            threads.map_or_else(|| NA.to_owned(), |found: Interval| with_range(found.ends(), count)),
        ]
    };
    let head = [
        "Place",
        "Access",
        "At once",
        "Reads, of threads'",
        "Reads, of the ring's",
        "CPU, over threads",
        "CPU, over the ring",
        "OS threads of Go",
    ];
    table(&head, At::all().map(line).collect())
}

/// Where a ring is ahead of goroutines, and what follows.
fn suggestion(results: &Results) -> String {
    let waits = |at: &At| at.access != Access::Cached;
    let compared = |of: fn(&At) -> bool| -> Vec<(At, Against)> {
        At::all().filter(of).filter_map(|at| Some((at, at.go_against(results, Kind::Ring)?))).collect()
    };
    let ahead = |found: &[(At, Against)]| -> Vec<(At, f64)> {
        let times = |(at, against): &(At, Against)| match against.rate {
            Difference::Times(times) if times < 1.0 => Some((*at, 1.0 / times)),
            _ => None,
        };
        found.iter().filter_map(times).collect()
    };
    let cheaper = |found: &[(At, Against)]| {
        found.iter().filter(|(_, against)| matches!(against.cpu, Difference::Times(times) if times > 1.0)).count()
    };
    let (cached, waiting) = (compared(|at| at.access == Access::Cached), compared(|at| at.access != Access::Cached));
    let (more, most) = (ahead(&waiting), ahead(&waiting).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)));
    let most =
        most.map_or_else(String::new, |(at, times)| format!(", the most (× {}) on {}", decimal(times, 1), at.name()));
    let first = At::all()
        .filter(waits)
        .filter(|at| more.iter().any(|(found, _)| found.place == at.place && found.at_once == at.at_once))
        .map(|at| at.at_once)
        .min();
    let from = first.map_or_else(String::new, |n| format!(" The smallest number at once with that is {n}."));
    format!(
        "### Should Go's scheduler use async IO for files?\n\n\
         Where reads wait, one ring reads more a second than goroutines in {} of {} settings{most}, and takes less CPU in {}.{from} Where \
         the page cache answers, it reads more in {} of {} and takes less CPU in {}.\n\n{ADVICE}",
        more.len(),
        waiting.len(),
        cheaper(&waiting),
        ahead(&cached).len(),
        cached.len(),
        cheaper(&cached),
    )
}

const ADVICE: &str = "So: yes for reads that wait, no for those that the page cache answers. A scheduler cannot tell beforehand \
                      which is which, but a ring can: it tries the read without waiting, and only what would wait comes back \
                      later. The sweet spot is where many goroutines read at once past the cache, or miss it, from storage whose \
                      answer takes about as long as `sysmon` takes to notice, or longer. There a ring in place of threads lets \
                      all reads wait at once, where Go has as many under way as it has threads by then. With one read at a time, \
                      or with cached files, there is nothing to gain.";
