//! event/ipc_counts: windows and samples of the hardware counters, counted.

use profiler_common::ipc;

/// What was seen and what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IpcCounts {
    /// Returns at which the counters could have been read.
    pub returns: u64,
    /// Windows that were not left out.
    pub windows: u64,
    /// Windows left out: cut by a switch.
    pub switched: u64,
    /// Windows left out: the counters did not run all the time.
    pub multiplexed: u64,
    /// Windows left out: a counter could not be read.
    pub failed: u64,
    /// Windows left out: 2^32 cycles or instructions and more.
    pub too_long: u64,
    /// Overflow samples that fell into a window of the target.
    pub samples: u64,
    /// Overflow samples of the target outside of any open window.
    pub samples_outside: u64,
    /// Overflow samples left out for the same reasons as windows.
    pub samples_failed: u64,
    /// Overflows that reached the program, whoever was running.
    pub overflows: u64,
}

impl IpcCounts {
    /// Adds what was counted later.
    pub fn merge(&mut self, later: &Self) {
        self.returns += later.returns;
        self.windows += later.windows;
        self.switched += later.switched;
        self.multiplexed += later.multiplexed;
        self.failed += later.failed;
        self.too_long += later.too_long;
        self.samples += later.samples;
        self.samples_outside += later.samples_outside;
        self.samples_failed += later.samples_failed;
        self.overflows += later.overflows;
    }

    /// Takes away what had been counted in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.returns = self.returns.saturating_sub(earlier.returns);
        self.windows = self.windows.saturating_sub(earlier.windows);
        self.switched = self.switched.saturating_sub(earlier.switched);
        self.multiplexed = self.multiplexed.saturating_sub(earlier.multiplexed);
        self.failed = self.failed.saturating_sub(earlier.failed);
        self.too_long = self.too_long.saturating_sub(earlier.too_long);
        self.samples = self.samples.saturating_sub(earlier.samples);
        self.samples_outside = self.samples_outside.saturating_sub(earlier.samples_outside);
        self.samples_failed = self.samples_failed.saturating_sub(earlier.samples_failed);
        self.overflows = self.overflows.saturating_sub(earlier.overflows);
    }
}

impl From<ipc::IpcCounts> for IpcCounts {
    fn from(raw: ipc::IpcCounts) -> Self {
        Self {
            returns: raw.returns,
            windows: raw.windows,
            switched: raw.switched,
            multiplexed: raw.multiplexed,
            failed: raw.failed,
            too_long: raw.too_long,
            samples: raw.samples,
            samples_outside: raw.samples_outside,
            samples_failed: raw.samples_failed,
            overflows: raw.overflows,
        }
    }
}
