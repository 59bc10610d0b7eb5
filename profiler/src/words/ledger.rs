//! The ledgers in words: the names of their lines, and what a total is made of.

use crate::{
    answer::{CpuLedger, Note, WallLedger},
    event::BlockClass,
    quantity::{Figure, Nanos},
    text::numbers::{plural, span},
};

impl CpuLedger {
    /// What it shows.
    pub const TITLE: &str = "where the target's CPU time went";

    const UNCHARGED: &str = "stolen, not charged";
    const RINGS: &str = "io_uring's threads";
    /// Its lines, as [`CpuLedger::parts`] has them.
    pub const LINES: [&str; 8] = [
        "user mode",
        "syscall work",
        "blocking IO, direct",
        "other switches",
        Self::UNCHARGED,
        "softirq",
        Self::RINGS,
        "rest",
    ];

    /// Its lines with their names, but for the rest. What was not charged and what rings took are
    /// there only where there is something in them.
    pub fn lines(&self) -> Vec<(&'static str, Figure<f64, Note>)> {
        let [parts @ .., _] = self.parts();
        let is_shown = |name: &str| match name {
            Self::UNCHARGED => self.uncharged_line().is_some(),
            Self::RINGS => self.rings > Nanos::ZERO,
            _ => true,
        };
        Self::LINES.into_iter().zip(parts).filter(|(name, _)| is_shown(name)).collect()
    }

    /// What its total is made of.
    pub fn composition(&self) -> String {
        let charge = span(self.charge.unsigned_abs() as f64);
        match self.charge {
            0 => "total: all of it seen by the tracepoints".to_owned(),
            1.. => {
                format!(
                    "total: {} seen by the tracepoints + {charge} that the kernel charges for the way out of idle",
                    self.on_cpu
                )
            }
            _ => format!("total: {} seen by the tracepoints - {charge} that the kernel did not charge", self.on_cpu),
        }
    }

    /// What calls that never began took; `None` where there were none.
    pub fn refused(&self) -> Option<String> {
        (self.refused > 0).then(|| {
            format!(
                "{} answered by a seccomp filter, or by a tracer, before {}: {} of user mode at most, with the code \
                 before them",
                plural(self.refused, "call was", "calls were"),
                if self.refused == 1 { "it began" } else { "they began" },
                self.refused_most
            )
        })
    }

    /// What its rest is.
    pub fn rest_note(&self) -> &'static str {
        match (self.blocking_io.value(), self.other_switches.value()) {
            (Some(_), Some(_)) => "total less the lines above",
            _ => "with what the kernel charged at switch-in",
        }
    }
}

impl WallLedger {
    /// What it shows.
    pub fn title(threads: usize) -> String {
        format!("where the time of {} went", plural(threads as u64, "thread", "threads"))
    }

    /// The line of a class.
    pub fn blocked_on(class: BlockClass) -> String {
        let family = class.family().name();
        // A class that is all of its family is not named twice.
        match class.name().replace('-', " ") {
            name if name == family => format!("blocked: {family}"),
            _ => format!("blocked: {family} ({})", class.name()),
        }
    }

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
