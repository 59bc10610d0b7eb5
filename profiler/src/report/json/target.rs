//! Target and interval in JSON.

use crate::answer;
use crate::words::{self, InWords};
use schemars::JsonSchema;
use serde::Serialize;

use super::figure::Figure;

/// Who was measured, where.
#[derive(Serialize, JsonSchema)]
pub(super) struct Target {
    /// The processes at the start.
    processes: Vec<Process>,
    /// How the target was chosen: things to know.
    notes: Vec<String>,
    /// Release of the kernel, as `uname -r` prints it.
    kernel: String,
    /// CPUs online.
    cpus_count: Figure<u32>,
    /// Quotas of CPU of the cgroups that it is in, the one that was held back longest first.
    quotas: Vec<Quota>,
    /// How the kernel programs are attached.
    attach_form: String,
    /// What its first process runs in, with the version; null for machine code.
    runtime: Option<String>,
}

/// A process of the target.
#[derive(Serialize, JsonSchema)]
struct Process {
    /// Its PID in the initial namespace.
    pid: u32,
    /// Its PIDs from the outermost namespace to its own.
    namespace_pids: Vec<u32>,
    /// Its command name, as it chose it: not made safe for a terminal.
    name: String,
    /// Its command line.
    command: String,
    /// The container that it runs in, as `runtime:id`; null where none can be seen.
    container: Option<String>,
}

/// A cgroup with a quota of CPU (CFS bandwidth).
#[derive(Serialize, JsonSchema)]
struct Quota {
    /// Its path in the hierarchy, as it is: not made safe for a terminal.
    group: String,
    /// CPUs that all of its processes together may use; null where the quota was taken away.
    cpus: Option<f64>,
    /// `cpus` when the measurement began.
    cpus_at_start: Option<f64>,
    /// Periods of the quota in which something ran.
    periods_count: Figure<u64>,
    /// Those of them in which the quota was used up.
    throttled_periods_count: Figure<u64>,
    /// How long its processes were held back, every CPU counted for itself. It is in the run-queue
    /// delay of the wall ledger.
    throttled_ns: Figure<u64>,
    /// The time in which that was counted.
    over_ns: Figure<u64>,
}

/// The measured interval.
#[derive(Serialize, JsonSchema)]
pub(super) struct Window {
    /// When it began, seconds since 1970-01-01 UTC.
    began_at_unix_seconds: u64,
    /// From the first to the last moment.
    wall_ns: Figure<u64>,
    /// Time in which events counted: less than `wall_ns` where the measurement was sampled.
    measured_ns: Figure<u64>,
    /// Windows, where the measurement was sampled; 1 otherwise.
    windows_count: Figure<u32>,
    /// Whether it was sampled: measured in windows, to stay within the overhead's budget.
    sampled: bool,
    /// What ended the measurement, in words; empty where that is not known.
    ended: String,
    /// Threads that were seen in the window.
    threads_count: Figure<u64>,
}

impl Target {
    pub(super) fn new(facts: &answer::Facts) -> Self {
        let process = |p: &answer::ProcessFacts| Process {
            pid: p.tgid,
            namespace_pids: p.ns_pids.clone(),
            name: p.name.clone(),
            command: p.command.clone(),
            container: p.container.clone(),
        };
        Self {
            processes: facts.processes.iter().map(process).collect(),
            notes: facts.notes.clone(),
            kernel: facts.kernel.clone(),
            cpus_count: Figure::measured(facts.cpus),
            quotas: facts.quotas.iter().map(Quota::new).collect(),
            attach_form: facts.form.clone(),
            runtime: facts.runtime.as_ref().map(words::runtime),
        }
    }
}

impl Quota {
    fn new(quota: &answer::Quota) -> Self {
        Self {
            group: quota.group.clone(),
            cpus: quota.cpus,
            cpus_at_start: quota.cpus_at_start,
            periods_count: Figure::measured(quota.periods),
            throttled_periods_count: Figure::measured(quota.throttled_periods),
            throttled_ns: Figure::time(quota.throttled),
            over_ns: Figure::time(quota.over),
        }
    }
}

impl Window {
    pub(super) fn new(report: &answer::Report) -> Self {
        let window = &report.window;
        Self {
            began_at_unix_seconds: report.facts.began_at,
            wall_ns: Figure::time(window.wall),
            measured_ns: Figure::time(window.measured),
            windows_count: Figure::measured(window.windows),
            sampled: window.is_sampled(),
            ended: window.ended.in_words(),
            threads_count: Figure::measured(report.threads.len() as u64),
        }
    }
}
