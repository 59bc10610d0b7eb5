//! The report: everything that is printed, drawn or exported of one measurement.

use std::collections::HashMap;

use super::{
    Check, CpuLedger, DeviceView, Family, Figure, Interval, Place, Quality, Reference, SiteView, ThreadView, Verdict,
    Wakeups, WallLedger, Window, cost::Pools,
};
use crate::units::{Nanos, Tid};

/// A process of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Its PID in the initial namespace.
    pub tgid: u32,
    /// Its PIDs from the outermost namespace to its own.
    pub ns_pids: Vec<u32>,
    /// Its command name.
    pub name: String,
    /// Its command line.
    pub command: String,
    /// The container it is in, where that shows.
    pub container: Option<String>,
}

/// What is known of target and machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The processes at the start.
    pub processes: Vec<ProcessFacts>,
    /// How the target was chosen: things to know, one line each.
    pub notes: Vec<String>,
    /// Kernel release.
    pub kernel: String,
    /// CPUs online.
    pub cpus: u32,
    /// How the programs are attached.
    pub form: String,
    /// When the measurement began, seconds since the epoch.
    pub began_at: u64,
}

/// The measured interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowFacts {
    /// From the first to the last moment.
    pub wall: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// Windows, where the measurement was sampled; 1 otherwise.
    pub windows: u32,
    /// How it ended: `duration over`, `target exited`, `interrupted`.
    pub ended: String,
}

/// What measuring cost.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfCost {
    /// Events of the target that a program ran for: syscall starts and ends, switches, wake-ups.
    pub events: u64,
    /// Mean run time of a program, ns, from the kernel's statistics.
    pub per_event: Figure<f64>,
    /// Share of the target's CPU that the programs used.
    pub share: Figure<f64>,
    /// CPU that the profiler's own process used.
    pub daemon_cpu: Nanos,
    /// Its largest resident size, bytes.
    pub daemon_bytes: u64,
}

/// The score.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Direct cost of blocking-IO blocks as a share of the target's CPU.
    pub direct: Figure<f64>,
    /// 90 % interval of it.
    pub interval: Option<Interval>,
    /// The indirect part.
    pub indirect: Figure<f64>,
}

/// What the model needs beside the window.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Target and machine.
    pub facts: Facts,
    /// The interval.
    pub window: WindowFacts,
    /// What the descriptor of a place's last call was, while it was open.
    pub descriptors: HashMap<Place, String>,
    /// Names of threads.
    pub thread_names: HashMap<Tid, String>,
    /// Names of devices, by major and minor.
    pub device_names: HashMap<(u32, u32), String>,
    /// The reference block.
    pub reference: Option<Reference>,
    /// CPU of the target's processes over the window, by their CPU clocks.
    pub process_cpu: Option<Nanos>,
    /// CPU of the profiler's own process.
    pub daemon_cpu: Nanos,
    /// Its largest resident size, bytes.
    pub daemon_bytes: u64,
    /// Direct share of each window, where the measurement was sampled: what its interval is made of.
    pub shares: Vec<f64>,
    /// Looks at the sites while the measurement ran: what its interval is made of where it was not sampled.
    pub slices: Vec<Slice>,
}

/// A look in mid-measurement: everything since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slice {
    /// CPU of the target's processes.
    pub cpu: Nanos,
    /// Calls that blocked and their kernel CPU, by place.
    pub blocked: Vec<(Place, u64, Nanos)>,
}

/// Everything of one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Target and machine.
    pub facts: Facts,
    /// The interval.
    pub window: WindowFacts,
    /// The verdict.
    pub verdict: Verdict,
    /// The score.
    pub score: Score,
    /// CPU ledger.
    pub cpu: CpuLedger,
    /// Wall ledger.
    pub wall: WallLedger,
    /// Sites, the one with the most blocked time first.
    pub sites: Vec<SiteView>,
    /// Threads, the busiest first.
    pub threads: Vec<ThreadView>,
    /// Devices.
    pub devices: Vec<DeviceView>,
    /// Blocked time on files and pages while a request of the waiting thread was at the device.
    pub device_wait: Nanos,
    /// Wake-ups.
    pub wakeups: Wakeups,
    /// What was lost or left open.
    pub quality: Quality,
    /// What measuring cost.
    pub self_cost: SelfCost,
    /// The reference block.
    pub reference: Option<Reference>,
    /// Against the kernel's own counters.
    pub check: Check,
}

impl Report {
    /// Makes the report of a window.
    pub fn of(window: &Window, inputs: Inputs) -> Self {
        let pools = Pools::new(&window.sites, inputs.reference);
        let cpu = CpuLedger::of(window, &pools);
        let wall = WallLedger::of(window);
        let sums = window.sums();
        let score = score(window, &cpu, &pools, &inputs);
        let verdict = Verdict::of(&cpu, &wall, &score.direct, inputs.window.measured.as_secs_f64());
        let sites = window
            .sites
            .iter()
            .map(|site| {
                let name = inputs.descriptors.get(&site.place).cloned().unwrap_or_default();
                SiteView::of(site, &pools, name)
            })
            .collect();
        let threads = window
            .threads
            .iter()
            .map(|t| ThreadView::of(t, inputs.thread_names.get(&t.tid).cloned().unwrap_or_default()))
            .collect();
        let devices = window
            .devices
            .iter()
            .map(|d| {
                let name = inputs.device_names.get(&(d.major, d.minor)).cloned();
                DeviceView::of(d, name.unwrap_or_else(|| format!("{}:{}", d.major, d.minor)))
            })
            .collect();
        // One run of the switch program may see one thread of the target off and the next one on.
        let switches = (sums.voluntary + sums.involuntary).max(sums.switch_ins);
        let events = 2 * sums.calls + switches + sums.woken_by_self + sums.woken_by_other + sums.woken_by_kernel;
        let self_cost = self_cost(window, &cpu, events, inputs.daemon_cpu, inputs.daemon_bytes);
        Self {
            check: Check::of(window, cpu.total, inputs.process_cpu),
            facts: inputs.facts,
            window: inputs.window,
            verdict,
            score,
            cpu,
            wall,
            sites,
            threads,
            devices,
            device_wait: Nanos::from_nanos(sums.device_wait),
            wakeups: Wakeups::of(&sums),
            quality: window.quality.clone(),
            self_cost,
            reference: inputs.reference,
        }
    }
}

/// Looks below which their spread says nothing.
const MIN_SLICES: usize = 5;

/// Direct share of the CPU between each two looks.
fn slice_shares(window: &Window, pools: &Pools<'_>, slices: &[Slice]) -> Vec<f64> {
    // What a call would cost without its block, by place: the same for all slices, so that only time varies.
    let base: HashMap<&Place, f64> = window
        .sites
        .iter()
        .filter(|s| s.place.class.family() == Family::BlockingIo)
        .filter_map(|s| {
            let blocked = &s.site.cpu_blocked;
            Some((&s.place, blocked.sum as f64 / blocked.count as f64 - pools.direct(s)?.per_call))
        })
        .collect();
    let cost = |slice: &Slice| -> f64 {
        let of = |(place, calls, cpu): &(Place, u64, Nanos)| {
            base.get(place).map_or(0.0, |base| cpu.as_nanos() as f64 - base * *calls as f64)
        };
        slice.blocked.iter().map(of).sum()
    };
    slices
        .windows(2)
        .filter_map(|pair| {
            let cpu = pair[1].cpu.saturating_sub(pair[0].cpu).as_nanos() as f64;
            (cpu > 0.0).then(|| (cost(&pair[1]) - cost(&pair[0])) / cpu)
        })
        .collect()
}

/// Around the value, from the spread of parts of the measurement.
fn spread(value: f64, shares: &[f64]) -> Interval {
    let n = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / n;
    let variance = shares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Interval::around(value, (variance / n).sqrt())
}

fn score(window: &Window, cpu: &CpuLedger, pools: &Pools<'_>, inputs: &Inputs) -> Score {
    let total = cpu.total.as_nanos() as f64;
    let indirect = Figure::unavailable("not estimated yet: caches going cold after a block are not in this score");
    if cpu.total == Nanos::ZERO {
        let direct = Figure::unavailable("the target used no CPU");
        return Score { direct, interval: None, indirect };
    }
    let direct = cpu.blocking_io.map(|ns| ns / total);
    let slices = slice_shares(window, pools, &inputs.slices);
    let interval = if inputs.shares.len() > 1 {
        // Sampled: the spread of the windows says how well they stand for the whole.
        direct.value().map(|&d| spread(d, &inputs.shares))
    } else {
        let half: f64 = window
            .sites
            .iter()
            .filter(|s| s.place.class.family() == Family::BlockingIo)
            .filter_map(|s| pools.direct(s))
            .map(|c| ((c.interval.high - c.interval.low) / 2.0).powi(2))
            .sum::<f64>()
            .sqrt();
        let means = direct.value().map(|&d| Interval { low: d - half / total, high: d + half / total });
        // The spread over time holds what the means' errors do not: that the machine and the load change.
        let over_time = direct.value().filter(|_| slices.len() >= MIN_SLICES).map(|&d| spread(d, &slices));
        means.zip(over_time).map(|(a, b)| if b.high - b.low > a.high - a.low { b } else { a }).or(means)
    };
    Score { direct, interval, indirect }
}

fn self_cost(window: &Window, cpu: &CpuLedger, events: u64, daemon_cpu: Nanos, daemon_bytes: u64) -> SelfCost {
    let runs: u64 = window.programs.iter().map(|p| p.runs).sum();
    let time: Nanos = window.programs.iter().map(|p| p.time).sum();
    let (per_event, share) = if runs == 0 {
        let why = "the kernel's BPF statistics need CAP_SYS_ADMIN";
        (Figure::unavailable(why), Figure::unavailable(why))
    } else {
        let per_event = time.as_nanos() as f64 / runs as f64;
        let share = if cpu.total == Nanos::ZERO {
            Figure::unavailable("the target used no CPU")
        } else {
            Figure::modelled(
                per_event * events as f64 / cpu.total.as_nanos() as f64,
                "mean run time of a program × the target's events; the kernel's own entry into the hooks is not in it",
            )
        };
        (Figure::measured(per_event), share)
    };
    SelfCost { events, per_event, share, daemon_cpu, daemon_bytes }
}
