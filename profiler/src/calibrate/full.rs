//! The rest of a calibration, beyond the essentials: by size, by depth, by working set, by interface. Part by part, each
//! within a time of its own.

mod calls;
mod descriptors;
mod disk;
mod interrupts;
mod posix;
mod sizes;
mod working_set;

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    CalibrateError, Essentials, Medium, clock, essentials,
    pace::Pacer,
    scratch::{self, Files},
    stats::Cost,
};

/// A cost, or the reason why there is none. Never 0 for want of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Measured.
    Measured(Cost),
    /// Not to be had here.
    Unavailable {
        /// The reason.
        why: String,
    },
}

impl Figure {
    /// From repeats; without any, for this reason.
    pub fn of(repeats: &[f64], why: &str) -> Self {
        Cost::of(repeats).map_or_else(|| Self::unavailable(why), Self::Measured)
    }

    /// For this reason.
    pub fn unavailable(why: &str) -> Self {
        let why = if why.is_empty() { "it was not measured" } else { why };
        Self::Unavailable { why: why.to_owned() }
    }

    /// The cost, where there is one.
    pub const fn cost(&self) -> Option<&Cost> {
        match self {
            Self::Measured(cost) => Some(cost),
            Self::Unavailable { .. } => None,
        }
    }
}

/// A read and a write of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeRow {
    /// Bytes.
    pub bytes: u64,
    /// From the page cache, ns of CPU.
    pub cached_read: Figure,
    /// Into the page cache, ns of CPU.
    pub cached_write: Figure,
    /// `O_DIRECT`, ns of the calling thread's CPU.
    pub direct_read: Figure,
    /// `O_DIRECT`, ns of the calling thread's CPU.
    pub direct_write: Figure,
    /// How long such a direct read takes, ns of wall time.
    pub direct_read_latency: Figure,
    /// How long such a direct write takes, ns of wall time.
    pub direct_write_latency: Figure,
}

/// One block, with a working set on either side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkingSetRow {
    /// Through what.
    pub medium: Medium,
    /// Whether the CPU went idle in between.
    pub via_idle: bool,
    /// Bytes that each side touches between blocks.
    pub bytes: u64,
    /// CPU of a block, the dearer touching after it included, ns.
    pub block: Figure,
    /// From the write to the reader's return, ns of wall time; without working set only.
    pub latency: Option<Figure>,
}

/// One `epoll_wait` that finds so many events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpollRow {
    /// Events found.
    pub events: u32,
    /// ns of CPU per call.
    pub call: Figure,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileInterface {
    /// `pread`, as many threads as reads at once.
    Threads,
    /// `aio_read` and `aio_suspend`: threads of the C library.
    PosixAio,
    /// `lio_listio`, one call for all.
    PosixList,
    /// `io_submit` and `io_getevents`.
    LinuxAio,
    /// One enter for all.
    Uring,
    /// A kernel thread takes the requests: no enter at all.
    UringSqpoll,
}

impl FileInterface {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Threads, Self::PosixAio, Self::PosixList, Self::LinuxAio, Self::Uring, Self::UringSqpoll];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::PosixAio => "aio_read",
            Self::PosixList => "lio_listio",
            Self::LinuxAio => "Linux AIO",
            Self::Uring => "io_uring",
            Self::UringSqpoll => "SQPOLL",
        }
    }
}

/// Random 4 KiB reads through one interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskRow {
    /// Through what.
    pub interface: FileInterface,
    /// `O_DIRECT`; otherwise from the page cache.
    pub direct: bool,
    /// Reads at once.
    pub depth: u32,
    /// ns of CPU per read, over all threads of the process and the kernel's for its rings.
    pub cpu: Figure,
    /// ns of wall time from a read's start to its end, on average.
    pub latency: Figure,
}

/// How a thread learns that descriptors are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyInterface {
    /// A thread per descriptor, blocked in `read`.
    Threads,
    /// Level-triggered.
    Epoll,
    /// Over all descriptors.
    Poll,
    /// Over all descriptors.
    Select,
    /// Reads armed beforehand.
    Uring,
}

impl ReadyInterface {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Threads, Self::Epoll, Self::Poll, Self::Select, Self::Uring];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Epoll => "epoll",
            Self::Poll => "poll",
            Self::Select => "select",
            Self::Uring => "io_uring",
        }
    }
}

/// Messages on some of 64 open descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadyRow {
    /// Of what kind.
    pub medium: Medium,
    /// Through what.
    pub interface: ReadyInterface,
    /// Descriptors that have a message at once.
    pub ready: u32,
    /// ns of CPU per message: learning of it and reading it.
    pub cpu: Figure,
}

/// What interrupts take from the thread that they hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interrupts {
    /// A local timer interrupt, ns.
    pub timer: Figure,
    /// Of these, per second, on a CPU that is busy.
    pub timer_per_second: Option<f64>,
    /// A block device's interrupt.
    pub block: Figure,
}

/// Everything beyond the essentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Full {
    /// The type of the file system that was read and written, as the kernel names it.
    pub file_system: String,
    /// `open` and `close` of a file, ns of CPU.
    pub open_close: Figure,
    /// A read of an empty non-blocking pipe, ns of CPU.
    pub pipe_again: Figure,
    /// A thread created and joined, ns of CPU of both.
    pub thread: Figure,
    /// By size, ascending.
    pub sizes: Vec<SizeRow>,
    /// By medium, placement and working set.
    pub working_sets: Vec<WorkingSetRow>,
    /// By events, ascending.
    pub epoll: Vec<EpollRow>,
    /// By interface, cached or direct, and depth.
    pub disk: Vec<DiskRow>,
    /// By medium, interface and ready descriptors.
    pub descriptors: Vec<ReadyRow>,
    /// Interrupts.
    pub interrupts: Interrupts,
    /// How long all of it took, ns of wall time.
    pub took: u64,
}

/// Repeats of a part: at least and at most so many, and within a time.
struct Budget {
    least: usize,
    most: usize,
    length: u64,
    begun: u64,
    done: usize,
}

impl Budget {
    fn new(least: usize, most: usize, millis: u64) -> Self {
        Self { least, most, length: millis * 1_000_000, begun: clock::wall(), done: 0 }
    }

    /// The next repeat's number, from 0; none once it is enough. On a busy machine twice the time ends it anyway.
    fn next(&mut self) -> Option<usize> {
        let elapsed = clock::wall() - self.begun;
        let over = self.done >= self.least && elapsed > self.length || elapsed > 2 * self.length;
        if self.done >= self.most || over && self.done > 1 {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }
}

/// Repeats of one cell, and what went wrong last.
#[derive(Default)]
struct Cell {
    repeats: Vec<f64>,
    failure: Option<String>,
}

impl Cell {
    /// The first repeat warms up.
    fn take(&mut self, repeat: usize, result: Result<f64, String>) {
        match result {
            Ok(_) if repeat == 0 => {}
            Ok(value) => self.repeats.push(value),
            Err(why) => self.failure = Some(why),
        }
    }

    /// What is known to be hopeless is not tried again.
    fn hopeless(&self) -> bool {
        self.repeats.is_empty() && self.failure.is_some()
    }

    fn figure(&self) -> Figure {
        Figure::of(&self.repeats, self.failure.as_deref().unwrap_or_default())
    }
}

/// Measures everything, essentials first; `dir` is where the files go, `progress` is told each part.
///
/// # Errors
/// No thread, no file, or essentials that cannot be had.
pub fn measure(
    dir: Option<&Path>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(Essentials, Full), CalibrateError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("calibrate".into())
            .spawn_scoped(scope, || on_this_thread(dir, progress))
            .map_err(CalibrateError::system("no thread for the calibration"))?
            .join()
            .map_err(|_| CalibrateError::Failed("the calibration's thread panicked".into()))?
    })
}

fn on_this_thread(
    dir: Option<&Path>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(Essentials, Full), CalibrateError> {
    let begun = clock::wall();
    let allowed = clock::allowed().map_err(CalibrateError::system("reading the CPUs that may be used"))?;
    let (first, second) = clock::two_cpus(&allowed);
    let pin = |cpus: &[usize]| clock::pin(cpus).map_err(CalibrateError::system("pinning a thread"));
    // Before anything lengthy: a folder that cannot be written is found at once.
    progress("files to read and write");
    let files = Files::make(dir).map_err(CalibrateError::system("making a file to read and write"))?;
    progress("essentials");
    let essentials = essentials::on_this_thread(essentials::Effort::Thorough, Duration::MAX)?;
    pin(&[first])?;
    progress("syscalls, threads, epoll");
    let calls = calls::measure(dir, Pacer::at(essentials.pace));
    progress("reads and writes by size");
    let sizes = sizes::measure(&files);
    progress("timer interrupts");
    let interrupts = interrupts::measure(first);
    progress("descriptors by interface");
    let descriptors = descriptors::measure();
    progress("blocks by working set");
    let working_sets = working_set::measure(first, second);
    pin(&allowed)?;
    clock::preempt_as_usual();
    progress("files by interface");
    let disk = disk::measure(&files);
    let full = Full {
        file_system: scratch::file_system(&files.cached),
        open_close: calls.open_close,
        pipe_again: calls.pipe_again,
        thread: calls.thread,
        sizes,
        working_sets,
        epoll: calls.epoll,
        disk,
        descriptors,
        interrupts,
        took: clock::wall() - begun,
    };
    Ok((essentials, full))
}
