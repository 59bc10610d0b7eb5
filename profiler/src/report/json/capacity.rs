//! How far the target's CPUs carry, in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::figure::Range;
use crate::answer::{self, Limit};

/// How many times today's load its CPUs carry.
#[derive(Serialize, JsonSchema)]
pub(super) struct Capacity {
    /// CPUs that it uses (CPU-seconds a second).
    used_cpus: f64,
    /// CPUs that it can fill as it is.
    room_cpus: f64,
    /// What keeps it from more: `cpus` (the machine, or its affinity), `quota`, `one_lock` (its
    /// interpreter) or `threads`.
    limit: &'static str,
    /// Times today's load at which these are full, if a request costs what it costs today.
    times: f64,
    /// Whether it is mostly on files: its disks may be full before.
    on_files: bool,
    /// What other ways would carry; empty for files, where the device sets the pace.
    ways: Vec<InWay>,
    /// Its pool workers; null where it has none.
    workers: Option<Workers>,
}

/// What a way of waiting would carry.
#[derive(Serialize, JsonSchema)]
struct InWay {
    /// Its name, as in `what_if`.
    name: &'static str,
    /// Times today's load at which the CPUs that are left to it are full.
    times: Range,
}

/// Threads that are handed work.
#[derive(Serialize, JsonSchema)]
struct Workers {
    /// How many there are.
    threads_count: u64,
    /// Busy in the mean.
    busy_threads: f64,
    /// Times today's load at which all are busy.
    times: f64,
}

impl Capacity {
    pub(super) fn new(capacity: &answer::Capacity) -> Self {
        let workers = |workers: &answer::Workers| Workers {
            threads_count: workers.threads,
            busy_threads: workers.busy,
            times: workers.times(),
        };
        Self {
            used_cpus: capacity.used,
            room_cpus: capacity.cpus,
            limit: match capacity.limit {
                Limit::Cpus => "cpus",
                Limit::Quota => "quota",
                Limit::OneLock => "one_lock",
                Limit::Threads => "threads",
            },
            times: capacity.times(),
            on_files: capacity.on_files,
            ways: capacity.ways.iter().map(|way| InWay { name: way.way.name(), times: way.times.into() }).collect(),
            workers: capacity.workers.as_ref().map(workers),
        }
    }
}
