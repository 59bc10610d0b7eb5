//! Prices, one type for each kind of thing that is measured.

use crate::{event::BlockClass, quantity::Estimate};

/// A cost with its 90 % interval, ns of CPU.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    /// The value: a median of repeats.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Cost {
    /// Times `by`: at another pace.
    pub(super) fn times(self, by: f64) -> Self {
        Self { median: self.median * by, low: self.low * by, high: self.high * by }
    }

    /// What `self` costs beyond `base`; the spreads add up as those of independent measurements do.
    pub fn beyond(self, base: Self) -> Self {
        let half = ((self.high - self.low).hypot(base.high - base.low)) / 2.0;
        let median = self.median - base.median;
        Self { median, low: median - half, high: median + half }
    }

    /// For what cannot be negative: a negative value becomes 0, and the upper end as far above 0 as
    /// the lower end was below.
    pub(super) fn at_least_nothing(self) -> Self {
        if self.median >= 0.0 { self } else { Self { median: 0.0, low: 0.0, high: -self.low } }
    }

    /// The point that lies `share` of the way from `a` to `b`.
    pub(super) fn between(a: Self, b: Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Self { median: mix(a.median, b.median), low: mix(a.low, b.low), high: mix(a.high, b.high) }
    }
}

impl From<Estimate> for Cost {
    fn from(Estimate { value, low, high }: Estimate) -> Self {
        Self { median: value, low, high }
    }
}

/// CPU of a server per event, if so many descriptors are ready at once: a read and a write, and the
/// way to learn that they are due.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Descriptors that are ready at once.
    pub events: u32,
    /// Without asking: what a blocking thread pays if its data is there.
    pub ready: Cost,
    /// `epoll_wait`, level-triggered.
    pub level: Cost,
    /// `epoll_wait`, and one extra attempt per event that finds nothing.
    pub again: Cost,
    /// An async runtime (tokio, one thread).
    pub runtime: Option<Cost>,
    /// `io_uring`, with receives armed beforehand and one enter per batch.
    pub uring: Option<Cost>,
}

/// CPU of one block: leaving the CPU and coming back.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BlockCost {
    /// What was waited for.
    pub class: BlockClass,
    /// How long the CPU was idle meanwhile, ns. `None`: the CPU went from thread to thread.
    pub idle: Option<f64>,
    /// What the blocked thread pays.
    pub cost: Cost,
    /// What the waker pays.
    pub wake: Cost,
}

/// CPU of a read whose data is there.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReadCost {
    /// What is read from.
    pub class: BlockClass,
    /// Bytes that are read.
    pub bytes: u32,
    /// CPU of the read.
    pub cost: Cost,
}

/// CPU per 4 KiB read of a cached file.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FileCost {
    /// Reads at once.
    pub depth: u32,
    /// `pread` by the thread that wants it.
    pub pread: Cost,
    /// `pread` by the thread pool of a runtime.
    pub pool: Option<Cost>,
    /// `io_uring`.
    pub uring: Option<Cost>,
}

/// CPU of a random 4 KiB read with `O_DIRECT` through `io_uring`, if each enter submits and reaps
/// so many.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DirectRead {
    /// Reads per enter.
    pub batch: u32,
    /// CPU of the process and of the kernel's threads for its ring, with the sleep of each batch.
    /// The interval is the scatter of the repeats and not that of their median, because a device or
    /// a hypervisor behaves differently from one moment to the next.
    pub cost: Cost,
}

/// What is dearer among many threads that take turns than in one loop.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Crowd {
    /// Threads, each with a connection of its own.
    pub threads: u32,
    /// What a message costs a thread that blocked for it, beyond what it costs a loop over as many
    /// connections.
    pub cost: Cost,
}
