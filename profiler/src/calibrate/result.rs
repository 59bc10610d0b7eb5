//! What a calibration finds: types without behaviour, kept in the cache file and printed as JSON.

use serde::{Deserialize, Serialize};

use crate::{machine::Medium, quantity::Repeats};

/// What a server pays per event, when `events` of its many connections have a message at once: ns
/// of the server thread's CPU per message. All of them read the message and write the reply; they
/// differ in how they learn of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Connections that have a message.
    pub events: u32,
    /// Nobody asks: read and write on sockets that are known to be ready.
    pub ready: Repeats,
    /// One level-triggered `epoll_wait` for all, then read and write.
    pub level: Repeats,
    /// The same, and each is read once more, until `EAGAIN`.
    pub again: Repeats,
    /// A tokio current-thread runtime, a task per connection.
    pub runtime: Option<Repeats>,
    /// io_uring: receives armed beforehand; replies and next receives go with the enter that waits.
    pub uring: Option<Repeats>,
    /// What they cost beyond `ready`.
    pub beyond: Beyond,
}

/// Differences from [`StepRow::ready`], repeat by repeat: what the machine does meanwhile is in
/// both, and goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beyond {
    /// Of [`StepRow::level`].
    pub level: Repeats,
    /// Of [`StepRow::again`].
    pub again: Repeats,
    /// Of [`StepRow::runtime`].
    pub runtime: Option<Repeats>,
    /// Of [`StepRow::uring`].
    pub uring: Option<Repeats>,
}

/// An idle that ends before the next timer tick, ns.
pub const SHORT_IDLE: u64 = 40_000;
/// An idle in which the tick is stopped, ns (a tick is 4 ms at most on what distributions ship).
/// Its way out restarts the tick, at the expense of the thread that is woken.
pub const LONG_IDLE: u64 = 5_000_000;

/// What one block costs: CPU of leaving the CPU and coming back, over the same reads and writes
/// with the data ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRow {
    /// Through what.
    pub medium: Medium,
    /// Whether the CPU went idle in between; otherwise two threads share it and it switches from
    /// one to the other.
    pub via_idle: bool,
    /// For how long it was left idle before the wake-up, ns: [`SHORT_IDLE`] or [`LONG_IDLE`]; 0
    /// where it was not.
    pub idle: u64,
    /// Leaving and coming back, ns of the blocked thread's CPU, without what the waker pays.
    pub cost: Repeats,
    /// What the waker pays for the wake-up, ns of CPU.
    pub wake: Repeats,
}

/// A message by one of many threads that take turns on one CPU, and by one loop. In the crowd the
/// answer to it (a little work in user mode and a write of 64 bytes to a TCP socket), right after
/// the read that brought it: ns of wall time. In the relay all of it, from one block to the next:
/// ns of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrowdRow {
    /// Connections.
    pub threads: u32,
    /// By threads of their own, each of which blocked for its message.
    pub threaded: Repeats,
    /// By one loop that never blocks.
    pub looped: Repeats,
    /// The difference, turn by turn.
    pub colder: Repeats,
}

/// What a read costs whose data is there, ns of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadRow {
    /// From what.
    pub medium: Medium,
    /// Bytes of it.
    pub bytes: u32,
    /// The cost.
    pub cost: Repeats,
}

/// What a cached 4 KiB read costs, ns of CPU per read over all threads, at a number of reads at
/// once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRow {
    /// Reads at once.
    pub depth: u32,
    /// `pread` by one thread, one after the other: what the others compare with.
    pub pread: Repeats,
    /// `pread` on a runtime's blocking pool, all on one CPU: tokio's `spawn_blocking`, awaited. The
    /// least that it can cost.
    pub pool: Option<Repeats>,
    /// The same with every CPU that may be used: with interrupts between CPUs and the ways out of
    /// idle, where they are idle.
    pub pool_across: Option<Repeats>,
    /// Linux AIO, one `io_submit` for all.
    pub aio: Option<Repeats>,
    /// io_uring, one enter for all.
    pub uring: Option<Repeats>,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// The reason, and the mend where there is one.
    pub why: String,
}

/// What the model needs to know of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Essentials {
    /// The kernel's release.
    pub kernel: String,
    /// CPU model and number of CPUs.
    pub machine: String,
    /// When, in seconds since 1970.
    pub taken_at: u64,
    /// The pace at which costs are given: what the yardstick took, ns. Costs that were measured at
    /// another one were brought to it.
    pub pace: f64,
    /// An empty syscall (`getppid`), ns of CPU.
    pub syscall: Repeats,
    /// A receive on an empty non-blocking TCP socket, ns of CPU.
    pub again: Repeats,
    /// By number of ready events, ascending.
    pub steps: Vec<StepRow>,
    /// By medium and size.
    pub reads: Vec<ReadRow>,
    /// By medium and placement.
    pub blocks: Vec<BlockRow>,
    /// By threads, ascending.
    pub crowd: Vec<CrowdRow>,
    /// What a message takes that is handed on through a pipe to a thread that waits for it, by
    /// threads, ascending: ns of CPU.
    pub relay: Vec<CrowdRow>,
    /// By depth, ascending.
    pub file: Vec<FileRow>,
    /// Share of the machine's CPU time that others used meanwhile, 0 to 1: above a few per cent,
    /// repeats scatter.
    pub others: f64,
    /// What could not be had here.
    pub missing: Vec<Missing>,
}

/// A cost, or the reason why there is none. Never 0 for want of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Measured.
    Measured(Repeats),
    /// Not to be had here.
    Unavailable {
        /// The reason.
        why: String,
    },
}

impl Figure {
    /// From repeats; without any, for this reason.
    pub fn from_repeats(repeats: &[f64], why: &str) -> Self {
        Repeats::new(repeats).map_or_else(|| Self::unavailable(why), Self::Measured)
    }

    /// For this reason.
    pub fn unavailable(why: &str) -> Self {
        let why = if why.is_empty() { "it was not measured" } else { why };
        Self::Unavailable { why: why.to_owned() }
    }

    /// The cost, where there is one.
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
