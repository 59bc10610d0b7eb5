//! What an answer is made from, beside the window: facts of target and machine, names, baselines,
//! prices.

use std::{collections::HashMap, sync::Arc};

use crate::{
    aggregate::{Clients, LoadTimes},
    cost::Reference,
    event::Place,
    machine::{PriceList, Runtime},
    predict::{Baseline, Files},
    quantity::{Nanos, Tid},
};

/// A process of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessFacts {
    /// Its PID in the initial namespace.
    pub tgid: u32,
    /// Its PIDs from the outermost namespace to its own.
    pub ns_pids: Vec<u32>,
    pub name: String,
    pub command: String,
    /// The container that it runs in, where that can be seen.
    pub container: Option<String>,
}

/// A cgroup with a quota of CPU (CFS bandwidth) that the target is in, or that is above its own.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quota {
    /// Its path in the hierarchy.
    pub group: String,
    /// CPUs that all of its processes together may use; `None` where the quota was taken away.
    pub cpus: Option<f64>,
    /// The same when the measurement began.
    pub cpus_at_start: Option<f64>,
    /// Periods of the quota in which something ran.
    pub periods: u64,
    /// Those of them in which the quota was used up.
    pub throttled_periods: u64,
    /// How long its processes were held back, every CPU counted for itself.
    pub throttled: Nanos,
    /// The time in which that was counted.
    pub over: Nanos,
}

impl Quota {
    /// Whether it kept its processes from running.
    pub fn held_back(&self) -> bool {
        self.throttled > Nanos::ZERO || self.throttled_periods > 0
    }
}

/// What is known of target and machine.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// The processes at the start.
    pub processes: Vec<ProcessFacts>,
    /// How the target was chosen: things to know, one line each.
    pub notes: Vec<String>,
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    pub cpus: u32,
    /// CPUs that the target's threads may use.
    pub allowed_cpus: u32,
    /// How the programs are attached.
    pub form: String,
    /// When the measurement began, seconds since the epoch.
    pub began_at: u64,
    /// What its first process runs in, where that is not machine code.
    #[serde(default)]
    pub runtime: Option<Runtime>,
    /// CPUs that the quotas of its cgroups leave to it; `None` where it may use any number.
    #[serde(default)]
    pub quota_cpus: Option<f64>,
    /// Those cgroups, the one that was held back longest first.
    #[serde(default)]
    pub quotas: Vec<Quota>,
}

impl Facts {
    /// CPUs that its affinity and its quotas leave to it.
    pub(crate) fn room(&self) -> f64 {
        f64::from(self.allowed_cpus.max(1)).min(self.quota_cpus.unwrap_or(f64::INFINITY))
    }

    /// The cgroups whose quota held it back.
    pub fn held_back(&self) -> impl Iterator<Item = &Quota> {
        self.quotas.iter().filter(|quota| quota.held_back())
    }
}

/// What a hook costs whom it watches: the programs and the kernel's way into them, calibrated on
/// threads of the profiler's own on one processor.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Toll {
    /// A syscall that returns, ns.
    pub call: f64,
    /// A block, with its wake-up and both switches, ns.
    pub switch: f64,
}

impl Toll {
    /// What so many calls and switches cost, ns.
    pub fn of(self, calls: u64, switches: u64) -> f64 {
        self.call * calls as f64 + self.switch * switches as f64
    }
}

/// What all other threads of the machine did while the programs were attached, and what each of
/// their calls and switches paid for it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bystanders {
    /// System calls a second; `None` where the kernel keeps no statistics of programs for us.
    pub calls: Option<f64>,
    /// Switches a second.
    pub switches: f64,
    /// What a hook costs whom it does not watch.
    pub toll: Toll,
    /// CPUs of the machine.
    pub cpus: u32,
}

impl Bystanders {
    /// What they pay, in CPUs (CPU-seconds a second).
    pub fn cpus(&self) -> f64 {
        (self.toll.call * self.calls.unwrap_or(0.0) + self.toll.switch * self.switches) * 1e-9
    }

    /// The same as a share of the machine.
    pub fn machine(&self) -> f64 {
        self.cpus() / f64::from(self.cpus.max(1))
    }
}

/// How a measurement ended. Recordings keep it in the words that users read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Ended {
    /// The time that was asked for was over.
    #[serde(rename = "duration over")]
    DurationOver,
    /// The target was gone.
    #[serde(rename = "target exited")]
    TargetExited,
    /// It has not ended yet: a snapshot in mid-measurement.
    #[serde(rename = "measuring")]
    Measuring,
    /// The user stopped it.
    #[serde(rename = "interrupted")]
    Interrupted,
    /// The recording does not say, or in words that this version does not know.
    #[default]
    #[serde(rename = "", other)]
    Unknown,
}

/// When the measurement ran, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WindowFacts {
    /// From the first to the last moment.
    pub wall: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// Windows, where the measurement was sampled; 1 otherwise.
    pub windows: u32,
    pub ended: Ended,
}

impl WindowFacts {
    /// A measurement that is not sampled is a few milliseconds shorter than the time around it.
    const WHOLE: f64 = 0.99;

    /// Whether the programs were attached for a part of the time only.
    pub fn is_sampled(&self) -> bool {
        self.windows > 1 || self.measured.as_secs_f64() < Self::WHOLE * self.wall.as_secs_f64()
    }
}

/// The processes below the target, where they were not measured with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChildrenFacts {
    /// How many there were at the end.
    pub count: u64,
    /// CPU that they used meanwhile, by the kernel's account.
    pub cpu: Nanos,
}

/// What `/proc/loadavg` said meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LoadAverages {
    /// The average of one minute, when the measurement began and when it ended; `None` where it
    /// cannot be read.
    pub minute: Option<(f64, f64)>,
    /// How often the kernel updated it in between: every five seconds.
    pub updates: u32,
}

/// Stacks of the target's threads, and what the kernel keeps for each, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ThreadMemory {
    /// Threads of the processes that were looked at.
    pub threads: u64,
    /// Those whose stacks were found; what follows is of them.
    pub found: u64,
    pub reserved: u64,
    /// Of the reserved addresses in memory.
    pub resident: u64,
    pub swapped: u64,
    /// A thread's stack in the kernel.
    pub kernel_stack: Option<u64>,
    /// A `task_struct`.
    pub task: Option<u64>,
    /// Memory of the machine.
    pub machine: Option<u64>,
}

/// What a descriptor is that a thread waited on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConnectionFacts {
    pub tid: Tid,
    pub fd: i32,
    /// Whether it was accepted: a client's connection.
    pub client: bool,
    /// For a client's the address that it came to, else where it leads.
    pub name: String,
}

/// What an answer needs beside the window.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Inputs {
    pub facts: Facts,
    pub window: WindowFacts,
    /// What the descriptor of a place's last call was, while it was open.
    pub descriptors: HashMap<Place, String>,
    /// Places whose descriptor was opened with `O_DIRECT`.
    #[serde(default)]
    pub direct_files: Vec<Place>,
    /// Places whose buffered writes `io_uring` would hand to workers of the kernel.
    #[serde(default)]
    pub by_workers: Vec<Place>,
    pub thread_names: HashMap<Tid, String>,
    /// What its threads' descriptors were while block ends were streamed; `None` in recordings from
    /// before they were looked up.
    #[serde(default)]
    pub connections: Option<Vec<ConnectionFacts>>,
    /// Names of devices, by major and minor.
    pub device_names: HashMap<(u32, u32), String>,
    pub reference: Option<Reference>,
    /// The target while no program was attached: between the windows and after the measurement, in
    /// recordings from before 2026-11-30 before and after it.
    pub baselines: Vec<Baseline>,
    /// The target while they were attached, by the same clock.
    #[serde(default)]
    pub watched: Vec<Baseline>,
    /// What a hook costs whom it watches.
    #[serde(default)]
    pub toll: Option<Toll>,
    /// What others paid while the programs were attached.
    #[serde(default)]
    pub bystanders: Option<Bystanders>,
    /// The pace of the target's CPUs in the measured interval: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
    /// What waiting in other ways costs on this machine.
    pub calibration: Option<PriceList>,
    /// Why there is no calibration; `None` where there is one, or where it may still come.
    #[serde(default)]
    pub no_calibration: Option<String>,
    /// Why no hardware counters ran, where none did.
    #[serde(default)]
    pub no_counters: Option<String>,
    /// CPU of the target's processes over the window, by their CPU clocks.
    pub process_cpu: Option<Nanos>,
    /// The processes below the target; `None` where they are measured with it.
    #[serde(default)]
    pub children: Option<ChildrenFacts>,
    /// What the kernel pays to get into and out of a hook, beside the program itself, ns; 0 where
    /// not measured.
    pub hook_entry: f64,
    /// CPU of the profiler's own process.
    #[serde(rename = "daemon_cpu")]
    pub own_cpu: Nanos,
    /// Its largest resident size, bytes.
    #[serde(rename = "daemon_bytes")]
    pub own_bytes: u64,
    /// The machine's load average; `None` in recordings from before sleeps were told apart by
    /// whether they count in it.
    #[serde(default)]
    pub load_averages: Option<LoadAverages>,
    /// What each window adds to it, where the measurement was sampled.
    #[serde(default)]
    pub loads: Vec<LoadTimes>,
    /// What the threads take of memory; `None` where nobody could look, and in recordings from
    /// before it was looked at.
    #[serde(default)]
    pub memory: Option<ThreadMemory>,
    /// Direct share of each window, where the measurement was sampled: what its interval is made
    /// of.
    pub shares: Vec<f64>,
    /// What the sites had counted every 250 ms, or more rarely where that came to be too many: what
    /// the interval is made of where the measurement was not sampled.
    #[serde(with = "shared")]
    pub slices: Vec<Arc<Slice>>,
    /// From what share of the target's CPU on a rewrite would be worth it; `None`: nobody said.
    #[serde(skip)]
    pub worth: Option<f64>,
}

impl Inputs {
    /// What is known of the files of its places.
    pub(crate) fn files(&self) -> Files<'_> {
        Files { direct: &self.direct_files, by_workers: &self.by_workers }
    }

    /// The connections of clients.
    pub(crate) fn clients(&self) -> Clients {
        self.connections.iter().flatten().filter(|of| of.client).map(|of| (of.tid, of.fd)).collect()
    }

    /// Takes the price list, or why there is none. `None`: it may still come.
    pub(crate) fn price(&mut self, priced: Option<Result<PriceList, String>>) {
        match priced {
            Some(Ok(calibration)) => self.calibration = Some(calibration),
            Some(Err(why)) => self.no_calibration = Some(why),
            None => {}
        }
    }
}

/// What had been counted at one moment, since the measurement began.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    /// CPU of the target's processes.
    pub cpu: Nanos,
    /// Calls that blocked and their kernel CPU, by place.
    pub blocked: Vec<(Place, u64, Nanos)>,
}

/// Slices in a recording: a screen's snapshots share them, and a file has each once.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Slice;

    pub(super) fn serialize<S: Serializer>(value: &[Arc<Slice>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(value.iter().map(Arc::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Slice>>, D::Error> {
        Ok(Vec::<Slice>::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}
