//! files.md: what was asked, what was found, what it means, and every row.

use super::{
    cell::{Access, BLOCK, Cell, DEPTH, Place, Way},
    compare::Difference,
    goroutines, orders,
    program::{By, Hand},
    results::{Results, Row, Subject},
    tables,
};
use crate::{
    harness::statistics::{Interval, median},
    host::numbers::{NA, cores, count, decimal, with_range},
};

/// The whole document.
pub(super) fn document(results: &Results) -> String {
    let parts = [
        asked(),
        method(results),
        ways(results),
        order(results),
        sizes(results),
        switches(results),
        goroutines::section(results),
        meaning(results),
        unknown(),
        format!("## Rows that did not run\n\n{}", tables::not_run(results)),
        format!("## Every row of fio\n\n{EVERY}\n\n{}", tables::all(results)),
    ];
    format!("# Reading files: threads, AIO, rings and goroutines\n\n{}", parts.join("\n"))
}

const EVERY: &str = "Medians, with their spread. CPU and switches are for one read. \"From storage\" is the share of the bytes that came \
                     from storage while we looked, by the process's own counter; it is above 1 or below where the rate was not \
                     steady.";

fn asked() -> String {
    "Made by `cargo xtask lab files --write`.\n\n\
     ## What was asked\n\n\
     - **Ways to read.** A program that has many reads of files under way can give each a thread, or hand them to POSIX AIO, \
     Linux AIO or io_uring. What does a read cost in each way, from the page cache, past it, and through it where it has \
     nothing?\n\
     - **The order of 2007.** Syslets were proposed for Linux then: a call that would wait is finished by another thread of \
     the kernel. They were measured with fio against Linux AIO (KAIO), and threads that had been made async were ahead of it. \
     Does this order hold today? The closest thing that Linux has now is io_uring with `IOSQE_ASYNC`, by which every request \
     goes to a worker.\n\
     - **Switches.** How many switches between threads does this machine do in a second, and is it over a million?\n\
     - **Go.** What do goroutines that read files cost, and should Go's scheduler use async IO for them?\n"
        .to_owned()
}

fn method(results: &Results) -> String {
    let facts: Vec<String> = results.facts.iter().map(|(name, value)| format!("- {name}: {value}")).collect();
    let runs: Vec<f64> = results.rows.iter().flat_map(|row| &row.runs).map(|run| run.others).collect();
    let others = median(&runs).map_or_else(|| NA.to_owned(), cores);
    let numbers = || results.rows.iter().map(|row| row.runs.len()).filter(|&n| n > 0);
    let (fewest, most) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
    format!(
        "## How it was measured\n\n\
         fio reads blocks at random places of a file, with `psync` for threads and one thread for all other ways. It asks for \
         one read in each call, as it does by itself. The CPU time is that of its whole process, by the process's CPU clock, \
         with the workers and the polling thread of a ring, which are threads of the process. Interrupts, the threads of \
         loop devices and the program behind a slow device are not in it. Switches are the kernel's counts for all its \
         threads.\n\n\
         *Cached*: the file was read before. *Direct*: `O_DIRECT`. *Through an empty cache*: the file is dropped from the page \
         cache first, every block is read once, and nothing is read ahead. The slow devices are loop devices over a file of a \
         FUSE program of ours, whose every read waits for 0.2 or 5 ms; up to 128 wait at once.\n\n\
         Each run counts for {} ms, in random order; a row has {fewest} to {most} runs, the more the further apart they are. **The \
         machine is shared**: other programs used {others} of its 2 cores in the median run, and the disk stood still at times \
         when they wrote to it. A figure is the median of a row's runs. Behind it are the ends of the half in the middle, or of \
         all runs where there are fewer than five. Two rows whose spreads overlap have no difference (\"none\"). Reads a second \
         are what the neighbours left; CPU for a read is disturbed less.\n\n\
         {}\n",
        results.window_ms,
        facts.join("\n"),
    )
}

/// What a read costs in each way, and in words which way is cheapest.
fn ways(results: &Results) -> String {
    let said: Vec<String> = [Access::Cached, Access::Direct, Access::Cold]
        .into_iter()
        .filter_map(|access| Some(format!("- {}", cheapest(results, access)?)))
        .collect();
    format!(
        "## What a read costs\n\n\
         4 KiB from ext4 on the disk, {DEPTH} at once:\n\n{}\n\n\
         ![CPU of a read over the number at once](files-cpu.svg)\n\n\
         ![Reads a second over the number at once](files-rate.svg)\n\n\
         {DEPTH} at once, everywhere:\n\n{}",
        said.join("\n"),
        tables::ways(results, DEPTH)
    )
}

fn cheapest(results: &Results, access: Access) -> Option<String> {
    let row = |way| results.load(Cell { place: Place::Disk, access, block: BLOCK, depth: DEPTH, way });
    let found = |way: Way| Some((way, row(way)?.cpu()?));
    let mut all: Vec<(Way, Interval)> = Way::ALL.into_iter().filter_map(found).collect();
    all.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let (least, cpu) = *all.first()?;
    let same: Vec<&str> =
        all.iter().skip(1).filter(|(_, other)| other.overlaps(&cpu)).map(|(way, _)| way.title()).collect();
    let same = if same.is_empty() { String::new() } else { format!(" (no difference to {})", same.join(", ")) };
    let each: Vec<String> =
        all.iter().map(|(way, cpu)| format!("{} {}", way.title(), with_range(cpu.ends(), tables::micros))).collect();
    Some(format!(
        "**{}**: the least CPU is that of {}{same}. In µs: {}.",
        access.title(),
        least.title(),
        each.join("; ")
    ))
}

fn order(results: &Results) -> String {
    format!(
        "## Does the order of 2007 hold?\n\n\
         Threads, workers of a ring, and a ring that waits by itself, each against Linux AIO, wherever reads of 4 KiB were \
         measured. \"Ahead\" counts settings (place and number at once) in which it reads more a second, \"cheaper\" those in \
         which a read takes less CPU; the settings without a difference are in neither.\n\n{}\n{}\n\
         The same for each setting, as a multiple of Linux AIO:\n\n{}",
        orders::tallies(results),
        orders::answer(results),
        tables::order(results)
    )
}

fn sizes(results: &Results) -> String {
    format!(
        "## Sizes\n\n\
         ext4 on the disk, {DEPTH} at once, CPU of a read in µs. The larger a read, the more of it is copying, which is the \
         same in every way. But a thread of fio reads into one buffer again and again, which stays in the CPU's caches, where \
         a queue of {DEPTH} has {DEPTH} buffers. That may be why threads stay cheaper with 64 KiB; it was not measured by \
         itself.\n\n{}",
        tables::sizes(results)
    )
}

/// A rate that was worked out, in whole thousands.
fn thousands(rate: f64) -> String {
    count((rate / 1e3).round() * 1e3)
}

fn switches(results: &Results) -> String {
    let row = |by, cpu| {
        let wanted = Subject::Hand(Hand { by, cpu });
        results.rows.iter().find(|row| row.subject == wanted && !row.runs.is_empty())
    };
    let rate = |row: Option<&Row>| row.and_then(Row::rate).map_or(f64::NAN, |rate| rate.value);
    // What so many CPUs would do if nobody else ran on them.
    let alone = |row: Option<&Row>, cpus: f64| row.and_then(Row::cpu).map_or(f64::NAN, |cpu| cpus * 1e9 / cpu.value);
    let over = |rate: f64| if rate > 1e6 { "over" } else { "not over" };
    let said = By::ALL.into_iter().map(|by| {
        let both = [Some(0), Some(1)].map(|cpu| row(by, cpu));
        let one = both.into_iter().max_by(|a, b| rate(*a).total_cmp(&rate(*b))).flatten();
        let all = row(by, None);
        format!(
            "- by {}: {} a second on one CPU (about {} if it were alone there: {} a million); {} on both together (about {} alone: {} a \
             million)",
            by.title(),
            count(rate(one)),
            thousands(alone(one, 1.0)),
            over(alone(one, 1.0)),
            count(rate(all)),
            thousands(alone(all, 2.0)),
            over(alone(all, 2.0))
        )
    });
    format!(
        "## Switches a second\n\n\
         Two threads on one CPU hand it over to each other: by a futex, by a byte in a pipe, or by `sched_yield`, which is the \
         bare switch without sleep and wake-up. Then such a pair on each CPU at once. Neighbours take their part of a CPU, so \
         fewer switches are counted than on an idle machine. What a switch takes of CPU is disturbed less, and says what the \
         CPU would do alone. Of the two CPUs, the better one:\n\n\
         {}\n\n{}\n\
         A switch that a futex or a pipe asks for has the sleep of one thread and the wake-up of the other in it.\n",
        said.collect::<Vec<_>>().join("\n"),
        tables::switches(results)
    )
}

/// What follows for someone who would make file IO async. What depends on figures is said by them.
fn meaning(results: &Results) -> String {
    let row = |access, depth, way| results.load(Cell { place: Place::Disk, access, block: BLOCK, depth, way });
    let cpu = |access, depth, way| {
        let cpu = row(access, depth, way).and_then(Row::cpu);
        cpu.map_or_else(|| NA.to_owned(), |cpu| format!("{} µs", with_range(cpu.ends(), tables::micros)))
    };
    let against = |access, depth, way: Way| {
        let (one, other) = (row(access, depth, way)?.cpu()?, row(access, depth, Way::Threads)?.cpu()?);
        Some(Difference::new(one, other))
    };
    let than_threads = |access, depth| match against(access, depth, Way::Ring) {
        Some(Difference::Times(times)) => format!("× {} of a thread's", decimal(times, 2)),
        Some(Difference::None) => "no different from a thread's".to_owned(),
        None => NA.to_owned(),
    };
    format!(
        "## What it means\n\n\
         - **Reads that the page cache answers**: there is nothing to wait for, so nothing to make async. A ring's read takes \
         {} ({}), a thread's {}. A ring handles it at once, within the call that submits it.\n\
         - **Direct reads**: with 256 at once, a ring's read takes {}, a thread's {}: {}. What the ring saves are the switches.\n\
         - **Reads through a cache that has nothing**: Linux AIO waits within `io_submit`, so its requests go one after the \
         other ({} for a read, 16 at once). A ring does not wait there: it is told when the page has come ({}). Workers do the same \
         by waiting in threads ({}).\n\
         - **Workers for everything** (`IOSQE_ASYNC`) pay for the hand-over in both directions. They are for calls that block \
         within the submission, not for all.\n\
         - **SQPOLL** takes a CPU for a thread that looks for work. On two CPUs that others use as well, it waits for its turn \
         together with them; a read takes {} of CPU, 16 at once and direct.\n\
         - **POSIX AIO** of the C library has one read under way for each open file, in a thread. Where reads wait, more at \
         once hardly help.\n",
        cpu(Access::Cached, DEPTH, Way::Ring),
        than_threads(Access::Cached, DEPTH),
        cpu(Access::Cached, DEPTH, Way::Threads),
        cpu(Access::Direct, 256, Way::Ring),
        cpu(Access::Direct, 256, Way::Threads),
        than_threads(Access::Direct, 256),
        cpu(Access::Cold, DEPTH, Way::LinuxAio),
        cpu(Access::Cold, DEPTH, Way::Ring),
        cpu(Access::Cold, DEPTH, Way::RingAsync),
        cpu(Access::Direct, DEPTH, Way::RingPoll),
    )
}

fn unknown() -> String {
    "## What stays unknown on this machine\n\n\
     - It is a virtual machine with two CPUs, a disk behind virtio, and neighbours. What SQPOLL, or a pool of workers, makes \
     of CPUs that are free cannot be seen here, and neither can a disk that is faster than a switch.\n\
     - The CPU that the kernel spends outside of the process (interrupts, threads of loop devices) is not in the figures, in \
     no way of reading. On slow devices the program behind them runs on the same two CPUs.\n\
     - The kernel has neither null_blk nor NBD nor ublk, so the block layer was not measured without a disk.\n\
     - Only reads at random places. Writes wait for other things: journals, write-back, `fsync`.\n\
     - fio hands over one read at a time. A program that hands over many in one call pays less for a ring and for Linux AIO; \
     the ring among the readers of our own does.\n"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::host::markdown;

    #[test]
    fn the_kept_document_has_the_figures_of_the_json_beside_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab");
        let results = Results::read(&folder.join("files.json")).unwrap();
        let kept = std::fs::read_to_string(folder.join("files.md")).unwrap();
        assert_eq!(markdown::reflow(&document(&results)), kept, "run `cargo xtask lab files --table`");
    }

    #[test]
    fn every_row_that_was_asked_for_is_in_the_document() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab");
        let results = Results::read(&folder.join("files.json")).unwrap();
        for row in super::super::run::rows(false).unwrap() {
            // A machine with other CPUs has other pairs.
            let pair = matches!(row.subject, Subject::Hand(_));
            let kept = results.rows.iter().find(|kept| kept.subject == row.subject);
            assert!(pair || kept.is_some(), "{}", row.subject.id());
        }
        let text = document(&results);
        for row in results.rows.iter().filter(|row| row.runs.is_empty()) {
            assert!(text.contains(&row.subject.id()), "{}", row.subject.id());
        }
    }
}
