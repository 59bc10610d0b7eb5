//! Prices, one type for each kind of thing that is measured.

use crate::{event::BlockClass, quantity::Estimate};

/// A cost with its 90 % interval, ns of CPU.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    /// The median of the repeats.
    pub median: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
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

    /// What cannot be less than nothing: where it seems so, it may as well be as much as it is off.
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

/// CPU of a server's step per event, where so many descriptors are ready at once: a read and a
/// write, found in several ways.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Ready descriptors.
    pub events: u32,
    /// Nothing is asked: what a thread pays whose data is there.
    pub ready: Cost,
    /// `epoll_wait`, level-triggered.
    pub level: Cost,
    /// `epoll_wait`, and one extra attempt per event that finds nothing.
    pub again: Cost,
    /// A runtime on top of that (tokio, one thread).
    pub runtime: Option<Cost>,
    /// `io_uring`, receive armed beforehand, one enter per batch.
    pub uring: Option<Cost>,
}

/// CPU of leaving and coming back, of one block.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BlockCost {
    /// What was waited for.
    pub class: BlockClass,
    /// How long the CPU was idle meanwhile, ns; `None`: from thread to thread.
    pub idle: Option<f64>,
    /// The cost.
    pub cost: Cost,
    /// What the wake-up costs the one who wakes.
    pub wake: Cost,
}

/// CPU of a read whose data is there.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReadCost {
    /// From what.
    pub class: BlockClass,
    /// Bytes of it.
    pub bytes: u32,
    /// The cost.
    pub cost: Cost,
}

/// CPU per 4 KiB read of a cached file.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FileCost {
    /// Reads outstanding.
    pub depth: u32,
    /// `pread` by the thread that wants it.
    pub pread: Cost,
    /// Handed to a runtime's thread pool.
    pub pool: Option<Cost>,
    /// `io_uring`.
    pub uring: Option<Cost>,
}

/// CPU of a random 4 KiB read with `O_DIRECT` through `io_uring`, where each enter submits and
/// reaps so many.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DirectRead {
    /// Reads of an enter.
    pub batch: u32,
    /// CPU of the process and of the kernel's threads for its ring, with the sleep of each batch.
    /// The interval is what the repeats scatter by, not their median's: a device or a hypervisor is
    /// another one in the next moment.
    pub cost: Cost,
}

/// What follows a block costs more among many threads that take turns.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Crowd {
    /// Threads, each with a connection of its own.
    pub threads: u32,
    /// The answer to a message by the thread that blocked for it, beyond the same by one loop over
    /// as many connections.
    pub cost: Cost,
}
