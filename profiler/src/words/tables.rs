//! Tables and charts in words: what rows and columns mean, wherever they are shown.

use super::{in_words::InWords, quota::of_a_quota};
use crate::{
    aggregate::OpenEnd,
    answer::{Ended, Facts, Report, WindowFacts},
    cost::Effect,
    event::Family,
    quantity::Nanos,
    text::numbers::{count, plural, span, span_range},
};

/// How sites are ordered, and what their times are.
pub const SITES_ORDER: &str = "the longest blocked first; times are means per call";
/// The columns of sites.
pub const SITE_COLUMNS: &str = concat!(
    "calls: how many returned, and how many of them blocked. mean, p99: blocked time (p99 ",
    to_a_factor_of_two!(),
    "). run-q: mean run-queue delay. CPU blk, not: mean kernel CPU of a call that blocked, and of one that did not. cost: direct \
     cost of a call that blocked, against calls that did not: at the same site, the same call elsewhere, or the reference block."
);
/// The column of a site's longest waits.
pub const BLOCKED_P99: &str = concat!("99th percentile of it, ", to_a_factor_of_two!());
/// The column of a site's calls that blocked, in the kernel.
pub const CPU_BLOCKED: &str = "mean kernel CPU of a call that blocked";
/// The column of a site's calls that did not block, in the kernel.
pub const CPU_NOT_BLOCKED: &str = "mean kernel CPU of a call that did not";
/// The column of a site's cost.
pub const COST_PER_CALL: &str = "direct cost of a call that blocked";
/// The columns of threads.
pub const THREAD_COLUMNS: &str =
    "run-q: run-queue delay. voluntary, invol.: switches. burst: mean CPU from one block to the next.";
/// The column of a thread's bursts.
pub const BURST: &str = "mean CPU from one block to the next";
/// What makes a block one on IO.
pub const BLOCKING_IO: &str = "the thread left the CPU inside a call that waits for one descriptor";
/// What the indirect cost is.
pub const INDIRECT: &str = "what runs slower right after a block";
/// How threads are ordered.
pub const THREADS_ORDER: &str = "the busiest first";
/// Whose requests devices are shown with.
pub const OWN_REQUESTS: &str = "the target's own requests";
/// The columns of devices.
pub const DEVICE_COLUMNS: &str = concat!(
    "queued, served: mean per request; p50, p99: served, ",
    to_a_factor_of_two!(),
    "; others': not the target's, writeback included"
);
/// The columns of a device's quantiles.
pub const SERVED_QUANTILE: &str = concat!("served, ", to_a_factor_of_two!());
/// The windows that hardware counters counted.
pub const IPC_WINDOWS: &str = "whole windows by what came before; misses per 1,000 instructions in user mode";
/// The indirect cost by hardware counters.
pub const INDIRECT_COST: &str = "indirect cost of a blocking-IO block in user mode";

/// The sites below those that are shown.
pub fn more_sites(n: usize, blocked: Nanos) -> String {
    format!("… and {} ({blocked} blocked)", plural(n as u64, "more blocking site", "more blocking sites"))
}

/// The processes beside those that are named.
pub fn more_processes(n: usize) -> String {
    plural(n as u64, "more process", "more processes")
}

/// The threads below those that are shown.
pub fn more_threads(n: usize, cpu: Nanos) -> String {
    format!("… and {} ({cpu} of CPU)", plural(n as u64, "more thread", "more threads"))
}

impl InWords for OpenEnd {
    fn in_words(&self) -> String {
        match self {
            Self::Closed => "gone".to_owned(),
            Self::Running => "running".to_owned(),
            Self::Runnable => "waiting for a CPU".to_owned(),
            Self::Blocked(class) => format!("blocked: {}", class.name()),
        }
    }
}

impl Effect {
    /// What runs slower after a block.
    pub fn words(&self) -> String {
        format!(
            "{} per block, {} in all ({}, 90 %), over {} blocks",
            span(self.per_block),
            span(self.total.value),
            span_range(self.total),
            count(self.matched)
        )
    }
}

impl WindowFacts {
    /// How long was measured, and what ended it.
    pub fn words(&self) -> String {
        let windows = plural(self.windows.into(), "window", "windows");
        let how = if self.is_sampled() {
            format!("sampled: measured {} of {}, in {windows}", self.measured, self.wall)
        } else {
            format!("measured for {}", self.measured)
        };
        match self.ended {
            Ended::Unknown => how,
            ended => format!("{how} ({})", ended.in_words()),
        }
    }
}

impl Facts {
    /// The kernel, the CPUs, and how the programs are attached.
    pub fn machine(&self) -> String {
        let kernel = (!self.kernel.is_empty()).then(|| format!("kernel {}", self.kernel));
        let cpus = format!("{}, {} allowed", plural(self.cpus.into(), "CPU", "CPUs"), count(self.allowed_cpus.into()));
        let quota = self.quota_cpus.map(of_a_quota);
        let form = (!self.form.is_empty()).then(|| format!("attached by {}", self.form));
        kernel.into_iter().chain([cpus]).chain(quota).chain(form).collect::<Vec<_>>().join(" · ")
    }
}

impl Report {
    /// Why the report has nothing on blocking IO; `None` where the target did some.
    pub fn no_io(&self) -> Option<&'static str> {
        if self.wall.blocks_in(Family::BlockingIo) > 0 {
            return None;
        }
        Some(match self.wall.blocked_in(Family::BlockingIo) {
            Nanos::ZERO => "no thread blocked on a descriptor",
            _ => "no block on a descriptor began here; threads were blocked on one all the time",
        })
    }
}
