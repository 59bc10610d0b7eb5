//! The ledgers in words: the names of their lines, and what a total is made of.

use crate::{
    answer::{CpuLedger, WallLedger},
    quantity::Nanos,
    text::numbers::span,
};

impl CpuLedger {
    /// The line of what the kernel did not charge.
    pub const UNCHARGED: &str = "stolen or interrupted: not charged";

    /// What its total is made of.
    pub fn composition(&self) -> String {
        let charge = span(self.charge.unsigned_abs() as f64);
        match self.charge {
            0 => "total: all of it seen by the tracepoints".to_owned(),
            1.. => {
                format!(
                    "total: {} by the tracepoints + {charge} that the kernel charged more, on the way out of idle",
                    self.on_cpu
                )
            }
            _ => format!("total: {} by the tracepoints - {charge} that the kernel did not charge", self.on_cpu),
        }
    }

    /// What its rest is.
    pub fn of_rest(&self) -> &'static str {
        match (self.blocking_io.value(), self.other_switches.value()) {
            (Some(_), Some(_)) => "total less the lines above",
            _ => "what was charged at switch-in is in it",
        }
    }
}

impl WallLedger {
    /// The lines above those of what was waited for.
    pub const fn ran_or_ready(&self) -> [(&'static str, Nanos); 4] {
        [
            ("on a CPU", self.on_cpu),
            ("run-queue delay: after wake-ups", self.run_delay),
            ("run-queue delay: after preemptions", self.preempted),
            ("run-queue delay: before first runs", self.born),
        ]
    }
}
