//! Samples of the CPU clock, counted by where they hit.

use crate::kernel;

/// Samples of the target by where they hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SampleCounts {
    /// Samples of the target, in all.
    pub samples: u64,
    /// Samples in user mode.
    pub user: u64,
    /// In the kernel, below `__schedule`: leaving the CPU and coming back.
    pub schedule: u64,
    /// In the kernel, below `try_to_wake_up`.
    pub wake: u64,
    /// In a program of ours, or in the kernel's way into it.
    pub hooks: u64,
    /// Whose stack could not be read.
    pub unreadable: u64,
    /// How often a CPU came in mid-measurement, for the first time or again: samples of its first
    /// moments are missing.
    #[serde(default)]
    pub late_cpus: u64,
}

impl From<kernel::SampleCounts> for SampleCounts {
    fn from(counted: kernel::SampleCounts) -> Self {
        let kernel::SampleCounts { samples, user, schedule, wake, hooks, unreadable, late_cpus } = counted;
        Self { samples, user, schedule, wake, hooks, unreadable, late_cpus }
    }
}

impl std::ops::AddAssign for SampleCounts {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.user += other.user;
        self.schedule += other.schedule;
        self.wake += other.wake;
        self.hooks += other.hooks;
        self.unreadable += other.unreadable;
        self.late_cpus += other.late_cpus;
    }
}
