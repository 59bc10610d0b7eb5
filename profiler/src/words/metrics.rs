//! Names and meanings of the figures that `serve` gives to Prometheus.

use crate::{
    aggregate::Loss,
    answer::{Answer, TopRow},
};

/// How a figure behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the target or the server begins anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by length, their sum and their number; each of them a counter.
    Histogram,
    /// It is always 1; its labels say something.
    Info,
}

impl Kind {
    /// What the names of its figures end with.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge | Self::Histogram => "",
            Self::Info => "_info",
        }
    }

    /// As the formats call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// Figures that differ in their labels alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Without the ending that counters and infos have.
    pub name: &'static str,
    pub kind: Kind,
    /// The base unit that its name ends with, where it has one.
    pub unit: Option<&'static str>,
    pub help: &'static str,
}

const fn counter(name: &'static str, unit: Option<&'static str>, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help }
}

const fn gauge(name: &'static str, unit: Option<&'static str>, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help }
}

impl Metric {
    /// What its figures are called.
    pub fn sample(&self) -> String {
        self.name.to_owned() + self.kind.ending()
    }

    pub const CPU: Self = counter("should_i_async_cpu_seconds", Some("seconds"), "CPU time of the target's threads.");
    pub const BLOCKED: Self = counter(
        "should_i_async_blocked_seconds",
        Some("seconds"),
        "Time that threads were blocked, from switch-out to wake-up, summed over threads, by what they waited for.",
    );
    pub const BLOCKS: Self = counter(
        "should_i_async_blocks",
        None,
        "Blocks: how often a thread was switched out to wait, by what it waited for.",
    );
    pub const RUN_DELAY: Self = counter(
        "should_i_async_run_delay_seconds",
        Some("seconds"),
        "Time that threads could run and had no CPU: after a wake-up, a preemption or their birth.",
    );
    pub const SWITCHES: Self = counter(
        "should_i_async_context_switches",
        None,
        "Context switches: voluntary to wait, involuntary by preemption.",
    );
    pub const CALLS: Self = counter("should_i_async_syscalls", None, "System calls that returned.");
    pub const HAND_OFFS: Self =
        counter("should_i_async_hand_offs", None, "Wake-ups of a thread by another thread of its own process.");
    pub const THREADS: Self = gauge("should_i_async_threads", None, "Threads of the target.");
    pub const COST: Self = gauge(
        "should_i_async_blocking_cost_cpus",
        Some("cpus"),
        "CPUs that it costs to block on IO and to come back (direct cost), over the last 15 to 30 s; none in the first 15 s.",
    );
    pub const SAVING: Self = gauge(
        "should_i_async_saving_ratio",
        Some("ratio"),
        "Share of its CPU that async would give back, in the way that the answer names.",
    );
    pub const SAVING_LOW: Self = gauge(
        "should_i_async_saving_low_ratio",
        Some("ratio"),
        "Lower end of the 90 % interval of should_i_async_saving_ratio.",
    );
    pub const SAVING_HIGH: Self = gauge(
        "should_i_async_saving_high_ratio",
        Some("ratio"),
        "Upper end of the 90 % interval of should_i_async_saving_ratio.",
    );
    pub const ANSWER: Self = gauge(
        "should_i_async_answer",
        None,
        "1 for the answer that `check` would give now. None where the target did too little to be asked.",
    );
    pub const TURNS: Self = Self {
        name: "should_i_async_loop_turn_seconds",
        kind: Kind::Histogram,
        unit: Some("seconds"),
        help: "Turns of event loops, from the return of one event wait to the call of the next. With --stalls.",
    };
    pub const STALLS: Self = counter(
        "should_i_async_loop_stalls",
        None,
        "Turns of event loops that lasted for as long as --stalls says, or longer.",
    );
    pub const STOOD: Self =
        counter("should_i_async_loop_stalled_seconds", Some("seconds"), "Time of these turns: loops stood still.");
    pub const WATCHED: Self = counter(
        "should_i_async_loop_watched_seconds",
        Some("seconds"),
        "Time in which event loops were watched, summed over loops. With --stalls.",
    );
    pub const TARGETS: Self = gauge("should_i_async_targets", None, "Targets, with and without figures of their own.");
    pub const UNLISTED: Self = gauge(
        "should_i_async_targets_unlisted",
        None,
        "Targets without figures of their own: blocking costs more in as many others as --top says.",
    );
    pub const LEFT_OUT: Self =
        gauge("should_i_async_processes_left_out", None, "Processes that cannot be measured and are in no figure.");
    pub const ALL_CPU: Self = counter(
        "should_i_async_all_cpu_seconds",
        Some("seconds"),
        "CPU time of all targets, those that are unlisted or have gone too.",
    );
    pub const ALL_BLOCKED: Self = counter(
        "should_i_async_all_blocked_seconds",
        Some("seconds"),
        "Blocked time of all targets, those that are unlisted or have gone too.",
    );
    pub const ALL_BLOCKS: Self =
        counter("should_i_async_all_blocks", None, "Blocks of all targets, those that are unlisted or have gone too.");
    pub const WALL: Self =
        counter("should_i_async_observed_seconds", Some("seconds"), "Time over which targets were measured.");
    pub const MEASURED: Self = counter(
        "should_i_async_measured_seconds",
        Some("seconds"),
        "The part of should_i_async_observed_seconds in which events counted. Counters are scaled to all of it.",
    );
    pub const LOST: Self = counter(
        "should_i_async_lost",
        None,
        "What found no room: threads, requests, devices, stalls and runs of the programs are in no figure; calls without a site and ended threads without a row are in the sums.",
    );
    pub const PROGRAMS: Self = counter(
        "should_i_async_programs_cpu_seconds",
        Some("seconds"),
        "CPU time that the kernel programs took from the targets: so many runs at the cost calibrated at the start.",
    );
    pub const OWN: Self =
        counter("should_i_async_own_cpu_seconds", Some("seconds"), "CPU time of the profiler itself, since it began.");
    pub const OWN_PEAK: Self = gauge(
        "should_i_async_own_memory_peak_bytes",
        Some("bytes"),
        "The largest resident size of the profiler itself.",
    );
    pub const BUILD: Self =
        Self { name: "should_i_async_build", kind: Kind::Info, unit: None, help: "Version of the profiler." };

    /// All of them, as they are told.
    pub const ALL: [Self; 30] = [
        Self::CPU,
        Self::BLOCKED,
        Self::BLOCKS,
        Self::RUN_DELAY,
        Self::SWITCHES,
        Self::CALLS,
        Self::HAND_OFFS,
        Self::THREADS,
        Self::COST,
        Self::SAVING,
        Self::SAVING_LOW,
        Self::SAVING_HIGH,
        Self::ANSWER,
        Self::TURNS,
        Self::STALLS,
        Self::STOOD,
        Self::WATCHED,
        Self::TARGETS,
        Self::UNLISTED,
        Self::LEFT_OUT,
        Self::ALL_CPU,
        Self::ALL_BLOCKED,
        Self::ALL_BLOCKS,
        Self::WALL,
        Self::MEASURED,
        Self::LOST,
        Self::PROGRAMS,
        Self::OWN,
        Self::OWN_PEAK,
        Self::BUILD,
    ];
}

impl Loss {
    /// As a label.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Sites => "sites",
            Self::ThreadRows => "thread_rows",
            Self::Requests => "requests",
            Self::Devices => "devices",
            Self::Runs => "runs",
            Self::BlockEnds => "block_ends",
            Self::Samples => "samples",
            Self::LateCpus => "late_cpus",
            Self::Stalls => "stalls",
        }
    }
}

impl TopRow {
    /// The systemd unit of this machine that its control group is of: what is below it, a user or a
    /// container may have named.
    pub fn unit(&self) -> Option<&str> {
        let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
        self.cgroup.split('/').find(is_unit).filter(|part| part.ends_with(".service"))
    }
}

impl Answer {
    /// As a label, and in JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Self::NotEnoughData => "not_enough_data",
            Self::ChildrenWork => "children_work",
            Self::AlreadyAsync => "already_async",
            Self::NoBlockingIo => "no_blocking_io",
            Self::ParkedTasks => "parked_tasks",
            Self::CpuBound => "cpu_bound",
            Self::CostsLittle => "costs_little",
            Self::LowConcurrency => "low_concurrency",
            Self::Locks => "locks",
            Self::HandOver => "hand_over",
            Self::Files => "files",
            Self::YesTuned => "yes_tuned",
            Self::Yes => "yes",
            Self::Unsure => "unsure",
            Self::UnknownProgram => "unknown_program",
            Self::Blocking => "blocking",
        }
    }
}
