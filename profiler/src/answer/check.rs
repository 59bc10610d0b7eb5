//! The check against the kernel's own counters over the same interval.

use crate::quantity::Nanos;
use crate::{aggregate::Window, event::Sums};

/// One quantity, counted by us and by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// As the kernel programs counted it.
    pub ours: u64,
    /// As the kernel counted it.
    pub kernel: u64,
}

impl Counted {
    /// Ours less the kernel's.
    pub fn difference(self) -> i64 {
        self.ours.wrapping_sub(self.kernel) as i64
    }

    /// The difference as a share of the kernel's figure; `None` where that is zero.
    pub fn ratio(self) -> Option<f64> {
        (self.kernel > 0).then(|| self.difference() as f64 / self.kernel as f64)
    }
}

/// What was counted by us and by the kernel, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Voluntary switches, against `task_struct.nvcsw` (what `/proc/PID/task/TID/status` prints),
    /// read at the same switch.
    pub voluntary: Counted,
    /// Involuntary switches, against `nivcsw`.
    pub involuntary: Counted,
    /// Blocks of all classes, against voluntary switches: that no switch is without a class.
    pub blocks: Counted,
    /// CPU between the first and the last switch-out of each thread: by the tracepoints, against
    /// `se.sum_exec_runtime` (what schedstat prints).
    pub cpu: Counted,
    /// The same with what the kernel charges for the way out of idle (see the CPU ledger) taken as
    /// ours.
    pub charge: i64,
    /// CPU of the whole window, against the process's CPU clock at its start and end; `None` where
    /// that was not to be had (processes that came or went).
    pub process_cpu: Option<Counted>,
    /// Threads whose counts differ.
    pub threads_that_differ: Vec<u32>,
}

impl Check {
    pub(crate) fn new(window: &Window, sums: &Sums, total_cpu: Nanos, process_cpu: Option<Nanos>) -> Self {
        let differs = |s: &Sums| s.voluntary != s.kernel_voluntary || s.involuntary != s.kernel_involuntary;
        Self {
            voluntary: Counted { ours: sums.voluntary, kernel: sums.kernel_voluntary },
            involuntary: Counted { ours: sums.involuntary, kernel: sums.kernel_involuntary },
            blocks: Counted { ours: sums.classes.iter().map(|c| c.blocks).sum(), kernel: sums.kernel_voluntary },
            cpu: Counted { ours: sums.checked_cpu, kernel: sums.kernel_runtime },
            charge: sums.charge(),
            process_cpu: process_cpu.map(|kernel| Counted { ours: total_cpu.as_nanos(), kernel: kernel.as_nanos() }),
            threads_that_differ: window.threads.iter().filter(|t| differs(&t.sums)).map(|t| t.tid.as_raw()).collect(),
        }
    }

    /// Whether the counts agree exactly.
    pub fn counts_agree(&self) -> bool {
        self.voluntary.difference() == 0
            && self.involuntary.difference() == 0
            && self.blocks.difference() == 0
            && self.threads_that_differ.is_empty()
    }
}
