//! What a calibration finds: types without behaviour, kept in the cache file and printed as JSON.

use serde::{Deserialize, Serialize};

use crate::{
    event::BlockClass,
    machine::{Medium, Queue},
    quantity::{Repeats, listed},
};

/// What a server pays per message, if `events` of its many connections have one at once: ns of the
/// server thread's CPU. Every way reads the message and writes the reply; they differ in how the
/// server learns of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Connections that have a message.
    pub events: u32,
    /// Without asking: read and write on sockets that are known to be ready.
    pub ready: Repeats,
    /// One level-triggered `epoll_wait` for all, then read and write.
    pub level: Repeats,
    /// The same, and each connection is read once more, until `EAGAIN`.
    pub again: Repeats,
    /// A tokio current-thread runtime, a task per connection.
    pub runtime: Option<Repeats>,
    /// io_uring: receives armed beforehand; replies and next receives go with the enter that waits.
    pub uring: Option<Repeats>,
    /// What they cost beyond `ready`.
    pub beyond: Beyond,
}

/// Differences from [`StepRow::ready`], taken repeat by repeat, so that what the machine does
/// meanwhile is in both and drops out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beyond {
    /// ns of CPU of [`StepRow::level`] less those of `ready`.
    pub level: Repeats,
    /// ns of CPU of [`StepRow::again`] less those of `ready`.
    pub again: Repeats,
    /// ns of CPU of [`StepRow::runtime`] less those of `ready`.
    pub runtime: Option<Repeats>,
    /// ns of CPU of [`StepRow::uring`] less those of `ready`.
    pub uring: Option<Repeats>,
}

/// An idle time that ends before the next timer tick, ns.
pub const SHORT_IDLE: u64 = 40_000;
/// An idle time in which the tick is stopped, ns (a tick takes at most 4 ms in the kernels of
/// distributions). To leave it, the thread that is woken pays for the restart of the tick.
pub const LONG_IDLE: u64 = 5_000_000;

/// What one block costs: CPU of leaving the CPU and coming back, beyond the same reads and writes
/// with the data ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRow {
    /// What the thread blocks on.
    pub medium: Medium,
    /// Whether the CPU went idle in between. Otherwise two threads share it, and it switches from
    /// one to the other.
    pub via_idle: bool,
    /// How long the CPU was idle before the wake-up, ns: [`SHORT_IDLE`], [`LONG_IDLE`], or 0 if it
    /// was not idle.
    pub idle: u64,
    /// What the blocked thread pays for leaving and coming back, ns of CPU.
    pub cost: Repeats,
    /// What the waker pays for the wake-up, ns of CPU.
    pub wake: Repeats,
}

/// What a message costs one of many threads that take turns on one CPU, and what it costs one loop.
///
/// In the crowd it is the answer right after the read (a little work in user mode and a write of 64
/// bytes to a TCP socket), ns of wall time. In the relay it is all from one block to the next, ns
/// of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrowdRow {
    /// Threads, and connections: each thread has one.
    pub threads: u32,
    /// By a thread per connection, each of which blocked for its message.
    pub threaded: Repeats,
    /// By one loop that never blocks.
    pub looped: Repeats,
    /// The difference, taken turn by turn.
    pub colder: Repeats,
}

/// What a job costs that one thread gives to another which waits for it, and the answer back: two
/// blocks, two wake-ups and the calls that make them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandOverRow {
    /// What both wait for: `futex`, `eventfd` or `pipe`.
    pub class: BlockClass,
    /// Whether each has a CPU of its own, which is idle while it waits. Otherwise they share one.
    pub via_idle: bool,
    /// CPU of both, ns.
    pub cost: Repeats,
}

/// What a read costs whose data is there, ns of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadRow {
    /// What is read from.
    pub medium: Medium,
    /// Bytes that are read.
    pub bytes: u32,
    /// CPU of the read, ns.
    pub cost: Repeats,
}

/// What a cached 4 KiB read costs, ns of CPU over all threads, by how many there are at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRow {
    /// Reads that are in flight at once.
    pub depth: u32,
    /// `pread` by one thread, one after the other.
    pub pread: Repeats,
    /// `pread` on a runtime's blocking pool, all on one CPU (tokio's `spawn_blocking`, awaited).
    /// This is the least that it can cost.
    pub pool: Option<Repeats>,
    /// The same on all CPUs that may be used. It includes interrupts between CPUs, and leaving
    /// idle.
    pub pool_across: Option<Repeats>,
    /// Linux AIO, one `io_submit` for all.
    pub aio: Option<Repeats>,
    /// io_uring, one enter for all.
    pub uring: Option<Repeats>,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Name of the row that is missing.
    pub what: String,
    /// The reason, and what to do about it if anything helps.
    pub why: String,
}

/// What predictions need to know of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Essentials {
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// CPU model and number of CPUs.
    pub machine: String,
    /// When it was measured, in seconds since 1970.
    pub taken_at: u64,
    /// The pace at which costs are given: ns of the yardstick. Costs that were measured at another
    /// pace were converted to this one.
    pub pace: f64,
    /// An empty syscall (`getppid`), ns of CPU.
    pub syscall: Repeats,
    /// A receive on an empty non-blocking TCP socket, ns of CPU.
    pub again: Repeats,
    /// Server steps, by number of ready events, ascending.
    pub steps: Vec<StepRow>,
    /// Reads whose data is there, by medium and size.
    pub reads: Vec<ReadRow>,
    /// Blocks, by medium and placement.
    pub blocks: Vec<BlockRow>,
    /// The answer to a message right after its read, by threads, ascending.
    pub crowd: Vec<CrowdRow>,
    /// A message that is handed on through a pipe to a thread that waits for it, by threads,
    /// ascending.
    pub relay: Vec<CrowdRow>,
    /// A job given to a thread that waits for it, and the answer back.
    pub hand_overs: Vec<HandOverRow>,
    /// Cached reads, by depth, ascending.
    pub file: Vec<FileRow>,
    /// Share of the machine's CPU time that others used meanwhile, 0 to 1. Above a few per cent,
    /// repeats scatter.
    pub others: f64,
    /// What could not be measured here.
    pub missing: Vec<Missing>,
}

/// A cost, or the reason why there is none. It is never 0 because a figure is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    Measured(Repeats),
    /// It could not be measured here.
    Unavailable {
        /// Why it could not be measured.
        why: String,
    },
}

impl Figure {
    /// The cost from repeats. Without any it is unavailable for the reason `why`, which is empty if
    /// nothing failed.
    pub fn from_repeats(repeats: &[f64], why: &str) -> Self {
        Repeats::new(repeats).map_or_else(|| Self::unavailable(why), Self::Measured)
    }

    /// An unavailable figure with its reason.
    pub fn unavailable(why: &str) -> Self {
        let why = if why.is_empty() { "no repeat ended within its time" } else { why };
        Self::Unavailable { why: why.to_owned() }
    }

    /// The cost, if it was measured.
    pub const fn cost(&self) -> Option<&Repeats> {
        match self {
            Self::Measured(cost) => Some(cost),
            Self::Unavailable { .. } => None,
        }
    }
}

/// A read and a write of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeRow {
    /// Bytes of one call.
    pub bytes: u64,
    /// Read from the page cache, ns of CPU.
    pub cached_read: Figure,
    /// Written to the page cache, ns of CPU.
    pub cached_write: Figure,
    /// Read with `O_DIRECT`, ns of the calling thread's CPU.
    pub direct_read: Figure,
    /// Written with `O_DIRECT`, ns of the calling thread's CPU.
    pub direct_write: Figure,
    /// How long such a direct read takes, ns of wall time.
    pub direct_read_latency: Figure,
    /// How long such a direct write takes, ns of wall time.
    pub direct_write_latency: Figure,
}

/// One block, with a working set on either side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkingSetRow {
    /// What the thread blocks on.
    pub medium: Medium,
    /// Whether the CPU went idle in between.
    pub via_idle: bool,
    /// Bytes that each side touches between blocks.
    pub bytes: u64,
    /// CPU of a block, ns. It includes what touching the working set costs more after it.
    pub block: Figure,
    /// From the write to the reader's return, ns of wall time. Only without a working set.
    pub latency: Option<Figure>,
}

/// One `epoll_wait` that finds so many events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpollRow {
    /// Events that one call returns.
    pub events: u32,
    /// ns of CPU per call.
    pub call: Figure,
}

listed! {
    /// How a file is read.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum FileInterface {
        /// `pread` by as many threads as there are reads at once.
        Threads,
        /// `aio_read` and `aio_suspend`, which the C library does with threads.
        PosixAio,
        /// `lio_listio`, one call for all reads.
        PosixList,
        /// Linux AIO: `io_submit` and `io_getevents`.
        LinuxAio,
        /// `io_uring`, one enter for all reads.
        Uring,
        /// `io_uring` with a kernel thread that polls for requests, so that no enter is needed.
        UringSqpoll,
    }
}

impl FileInterface {
    /// Its name in tables.
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
    /// How it is read.
    pub interface: FileInterface,
    /// Whether with `O_DIRECT`, past the page cache.
    pub direct: bool,
    /// Reads that are in flight at once.
    pub depth: u32,
    /// ns of CPU per read, over all threads of the process and the kernel's threads for its rings.
    pub cpu: Figure,
    /// ns of wall time from a read's start to its end, on average.
    pub latency: Figure,
}

/// Random 4 KiB requests with `O_DIRECT`, of which so many are kept in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyRow {
    /// Where they wait.
    #[serde(default)]
    pub queue: Queue,
    /// Whether they are writes, else reads.
    pub write: bool,
    /// Requests that are in flight at once.
    pub depth: u32,
    /// Requests that a call submits.
    pub batch: u32,
    /// ns of CPU per request, over all threads of the process and the kernel's threads for its
    /// rings.
    pub cpu: Figure,
}

listed! {
    /// How a thread learns that descriptors are ready.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ReadyInterface {
        /// A thread per descriptor, blocked in `read`.
        Threads,
        /// `epoll_wait` over all descriptors, level-triggered.
        Epoll,
        /// `poll` over all descriptors.
        Poll,
        /// `select` over all descriptors.
        Select,
        /// `io_uring` with reads armed beforehand.
        Uring,
    }
}

impl ReadyInterface {
    /// Its name in tables.
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
    /// What the descriptors are.
    pub medium: Medium,
    /// How the thread learns of messages.
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
    /// Timer interrupts per second on a busy CPU.
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
    /// Reads and writes, by size, ascending.
    pub sizes: Vec<SizeRow>,
    /// Blocks, by medium, placement and working set.
    pub working_sets: Vec<WorkingSetRow>,
    /// `epoll_wait`, by events, ascending.
    pub epoll: Vec<EpollRow>,
    /// Random reads, by cached or direct, depth and interface.
    pub disk: Vec<DiskRow>,
    /// Random requests past the page cache, by requests in flight and submitted together.
    #[serde(default)]
    pub steady: Vec<SteadyRow>,
    /// Messages, by medium, ready descriptors and interface.
    pub descriptors: Vec<ReadyRow>,
    pub interrupts: Interrupts,
    /// How long all of it took, ns of wall time.
    pub took: u64,
}
