//! The rows of a price list: one type for each kind of thing that has a price.

use super::queue::Queue;
use crate::{event::BlockClass, quantity::Estimate};

/// CPU of a server per event, if so many descriptors are ready at once: a read and a write, and the
/// way to learn that they are due.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Descriptors that are ready at once.
    pub events: u32,
    /// Without asking: what a blocking thread pays if its data is there.
    pub ready: Estimate,
    /// With `epoll_wait`, level-triggered.
    pub level: Estimate,
    /// `epoll_wait`, and one extra attempt per event that finds nothing.
    pub again: Estimate,
    /// An async runtime (tokio, one thread).
    pub runtime: Option<Estimate>,
    /// `io_uring`, with receives armed beforehand and one enter per batch.
    pub uring: Option<Estimate>,
}

/// CPU of one block: leaving the CPU and coming back.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BlockCost {
    /// What was waited for.
    pub class: BlockClass,
    /// How long the CPU was idle meanwhile, ns. `None`: the CPU went from thread to thread.
    pub idle: Option<f64>,
    /// What the blocked thread pays.
    pub cost: Estimate,
    /// What the waker pays.
    pub wake: Estimate,
}

/// CPU of two threads for a job that one gives to the other, which waits for it, and for the answer
/// back.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HandOverCost {
    /// What they wait for.
    pub class: BlockClass,
    /// Whether their CPUs were idle meanwhile. Otherwise one CPU went from one to the other.
    pub via_idle: bool,
    /// CPU of both threads together, ns.
    pub cost: Estimate,
}

/// CPU of a read whose data is there.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReadCost {
    /// What is read from.
    pub class: BlockClass,
    /// Bytes that are read.
    pub bytes: u32,
    /// CPU of the read.
    pub cost: Estimate,
}

/// CPU per 4 KiB read of a cached file.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FileCost {
    /// Reads that are in flight at once.
    pub depth: u32,
    /// `pread` by the thread that wants it.
    pub pread: Estimate,
    /// `pread` by the thread pool of a runtime.
    pub pool: Option<Estimate>,
    /// With `io_uring`; `None` where it could not be measured.
    pub uring: Option<Estimate>,
}

/// CPU of a random 4 KiB request with `O_DIRECT` through `io_uring` or Linux AIO, if each call
/// submits and reaps so many.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DirectRead {
    /// Requests that one `io_uring_enter` or `io_submit` submits.
    pub batch: u32,
    /// Requests in flight; `None`: as many as an enter submits.
    #[serde(default)]
    pub depth: Option<u32>,
    /// Whether the requests are writes; otherwise they are reads.
    #[serde(default)]
    pub write: bool,
    /// The queue that the requests waited in.
    #[serde(default)]
    pub queue: Queue,
    /// CPU of the process and of the kernel's threads for its ring, with the sleep of each batch.
    /// The interval is the scatter of the repeats and not that of their median, because a device or
    /// a hypervisor behaves differently from one moment to the next.
    pub cost: Estimate,
}

/// What is dearer among many threads that take turns than in one loop.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Crowd {
    /// Threads, each with a connection of its own.
    pub threads: u32,
    /// What a message costs a thread that blocked for it, beyond what it costs a loop over as many
    /// connections.
    pub cost: Estimate,
}
