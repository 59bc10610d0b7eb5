//! aggregate/load: what a window's threads add to the load average: the time that each ran, could
//! have run, or slept in a way that the kernel counts.

use super::window::Window;
use crate::quantity::Nanos;

/// Times of all threads of a window together. Over the time that was measured each is a mean number
/// of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadTimes {
    /// Time in which events counted.
    pub measured: Nanos,
    /// Time on a CPU.
    pub on_cpu: Nanos,
    /// Time in a run queue.
    pub runnable: Nanos,
    /// Time asleep for a disk, uninterruptible.
    pub disk: Nanos,
    /// Time in other sleeps that count (state D: a parent in `vfork`, a lock in the kernel).
    pub other: Nanos,
}

impl LoadTimes {
    /// Of a window.
    pub fn new(window: &Window) -> Self {
        let mut times = Self { measured: window.measured, ..Self::default() };
        for thread in &window.threads {
            times.on_cpu += thread.cpu();
            times.runnable += thread.run_delay();
            let disk = Nanos::from_nanos(thread.sums.loading_disk);
            times.disk += disk;
            times.other += Nanos::from_nanos(thread.sums.loading).saturating_sub(disk);
        }
        times
    }
}
