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
    let slowest = |at: At, kind| {
        let found = at.row(results, kind).and_then(|row| row.figure(|run| run.latency_ns.map(|both| both[1])));
        found.map_or_else(|| NA.to_owned(), |found| with_range(found.ends(), |ns| decimal(ns / 1e6, 1)))
    };
    let many = At { place: Place::Slower, access: Access::Direct, at_once: 512 };
    let disk = At { place: Place::Disk, access: Access::Direct, at_once: 512 };
    format!(
        "- **Telling the scheduler of a call** that does not wait, with all that `os.File` does around it, costs a cached read: \
         {telling} ({} against {}).\n\
         - **OS threads**: of 512 goroutines at once, {} OS threads were there at the end on the disk (direct), and {} on the \
         device of 5 ms.\n\
         - **Handing over a P**, with the thread that takes it: a read of the device of 5 ms, 512 at once, takes {} of CPU in Go, {} \
         in threads and {} in a ring.\n\
         - **Waiting for a P**: of 512 reads at once on the disk (direct), one in a hundred takes {} ms or longer in Go, {} ms in \
         threads and {} ms in a ring. A goroutine whose read is done may stand behind others for its P.",
        cpu(cached, Kind::Go),
        cpu(cached, Kind::GoRaw),
        threads(disk),
        threads(many),
        cpu(many, Kind::Go),
        cpu(many, Kind::Threads),
        cpu(many, Kind::Ring),
        slowest(disk, Kind::Go),
        slowest(disk, Kind::Threads),
        slowest(disk, Kind::Ring),
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
    let line = |at: At| {
        let against = Against::new(at.row(results, Kind::Ring)?, at.row(results, Kind::Go)?)?;
        let reads = match against.rate {
            Difference::None => "no difference in reads a second".to_owned(),
            Difference::Times(times) => format!("the ring reads × {}", decimal(times, 2)),
        };
        let cpu = match against.cpu {
            Difference::None => "none in CPU".to_owned(),
            Difference::Times(times) => format!("× {} of the CPU for a read", decimal(times, 2)),
        };
        Some(format!("- {}: {reads}, {cpu}", at.name()))
    };
    let lines: Vec<String> = At::all().filter(|at| at.at_once > 1).filter_map(line).collect();
    let waiting: Vec<(At, Against)> = At::all()
        .filter(|at| at.access != Access::Cached && at.at_once > 1)
        .filter_map(|at| Some((at, Against::new(at.row(results, Kind::Ring)?, at.row(results, Kind::Go)?)?)))
        .collect();
    let more = |against: &Against| times(against.rate).filter(|times| *times > 1.0);
    let less = |against: &Against| times(against.cpu).filter(|times| *times < 1.0).map(|times| 1.0 / times);
    format!(
        "### Should Go's scheduler use async IO for files?\n\n\
         One ring in place of goroutines with threads, where more than one read is under way:\n\n{}\n\n\
         So where reads wait, the ring reads more a second in {} of {} settings, most of all ({}), and takes less CPU in {}, \
         least of all ({}).\n\n{ADVICE}\n",
        lines.join("\n"),
        waiting.iter().filter(|(_, against)| more(against).is_some()).count(),
        waiting.len(),
        most(&waiting, more),
        waiting.iter().filter(|(_, against)| less(against).is_some()).count(),
        most(&waiting, less),
    )
}

fn times(found: Difference) -> Option<f64> {
    match found {
        Difference::Times(times) => Some(times),
        Difference::None => None,
    }
}

/// The setting in which a figure is largest.
fn most(found: &[(At, Against)], figure: impl Fn(&Against) -> Option<f64>) -> String {
    let found = found.iter().filter_map(|(at, against)| Some((at, figure(against)?)));
    let most = found.max_by(|a, b| a.1.total_cmp(&b.1));
    most.map_or_else(|| NA.to_owned(), |(at, times)| format!("{}: a factor of {}", at.name(), decimal(times, 1)))
}

const ADVICE: &str = "The suggestion:\n\n\
                      - **Not for what the page cache answers.** A call is a cheap way to get bytes that are there. A ring is no \
                      faster, and with one read at a time it costs more than the call.\n\
                      - **Yes for reads that wait**, where several goroutines read at once. What a ring gives back is CPU, on \
                      each of these devices: no thread for each read, hardly a switch, and no P to be taken away and to be got \
                      back.\n\
                      - **The sweet spot** is dozens to hundreds of goroutines that read past the cache, from storage that \
                      answers as fast as this disk: a read alone takes less than 0.1 ms. There Go has fewer reads under way than \
                      goroutines that want one, since only `sysmon` makes room for more threads; a ring has all of them, so that \
                      it also reads more a second, and the slowest reads wait less. From slower devices (0.2 and 5 ms) there is a \
                      thread for nearly each goroutine before long: all reads are under way, and what is left to gain is CPU and \
                      the threads themselves.\n\
                      - **How a scheduler could tell**: it does not know beforehand whether a read will wait. It could try the \
                      read without waiting (`preadv2` with `RWF_NOWAIT`) and give only what would wait to a ring. That was not \
                      measured here, and neither were writes.\n\n\
                      Where the ring reads less, its one thread may have waited for a CPU that neighbours had, while Go has many \
                      threads that ask for one. What stays unknown: a Go of today (this one is Debian's), more than two CPUs, and \
                      what the poller of the scheduler would add to a ring.";
