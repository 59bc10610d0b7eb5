//! The report: everything that is printed, drawn or exported of one measurement.

use std::collections::HashMap;

use super::{
    advice,
    check::Check,
    ledger::{CpuLedger, WallLedger},
    score::Score,
    verdict::{Answerable, Verdict},
    view::{DeviceView, SiteView, ThreadView, Wakeups},
};
use crate::quantity::{Nanos, Tid};
use crate::{
    aggregate::{Quality, Window},
    cost::{Bases, Estimators, Indirect, Pools, Reference, ipc::Ipc},
    event::{Family, Place},
    machine::Calibration,
    predict::{Alone, Baseline, Given, Prices, WhatIf},
    quantity::Figure,
};

/// A process of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// The processes at the start.
    pub processes: Vec<ProcessFacts>,
    /// How the target was chosen: things to know, one line each.
    pub notes: Vec<String>,
    /// Kernel release.
    pub kernel: String,
    /// CPUs online.
    pub cpus: u32,
    /// CPUs that the target's threads may use.
    pub allowed_cpus: u32,
    /// How the programs are attached.
    pub form: String,
    /// When the measurement began, seconds since the epoch.
    pub began_at: u64,
}

/// The measured interval.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
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

/// What the model needs beside the window.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Inputs {
    /// Target and machine.
    pub facts: Facts,
    /// The interval.
    pub window: WindowFacts,
    /// What the descriptor of a place's last call was, while it was open.
    pub descriptors: HashMap<Place, String>,
    /// Places whose descriptor was opened with `O_DIRECT`.
    #[serde(default)]
    pub direct_files: Vec<Place>,
    /// Names of threads.
    pub thread_names: HashMap<Tid, String>,
    /// Names of devices, by major and minor.
    pub device_names: HashMap<(u32, u32), String>,
    /// The reference block.
    pub reference: Option<Reference>,
    /// The target without the programs, before and after.
    pub baselines: Vec<Baseline>,
    /// The pace of the target's CPUs in the measured interval: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
    /// What waiting in other ways costs on this machine.
    pub calibration: Option<Calibration>,
    /// Why that is not known, where it will not be.
    #[serde(default)]
    pub no_calibration: Option<String>,
    /// Why no hardware counters ran, where none did.
    #[serde(default)]
    pub no_counters: Option<String>,
    /// CPU of the target's processes over the window, by their CPU clocks.
    pub process_cpu: Option<Nanos>,
    /// What the kernel pays to get into and out of a hook, beside the program itself, ns; 0 where not measured.
    pub hook_entry: f64,
    /// CPU of the profiler's own process.
    pub daemon_cpu: Nanos,
    /// Its largest resident size, bytes.
    pub daemon_bytes: u64,
    /// Direct share of each window, where the measurement was sampled: what its interval is made of.
    pub shares: Vec<f64>,
    /// Looks at the sites while the measurement ran: what its interval is made of where it was not sampled.
    pub slices: Vec<Slice>,
    /// The what-if of an earlier look, to be kept: a replay is too dear for every look of a live screen.
    #[serde(skip)]
    pub known_what_if: Option<WhatIf>,
}

impl Inputs {
    /// With what waiting in other ways costs, or why that is not known; neither where it may still be.
    pub(crate) fn price(&mut self, priced: Option<Result<Calibration, String>>) {
        match priced {
            Some(Ok(calibration)) => self.calibration = Some(calibration),
            Some(Err(why)) => self.no_calibration = Some(why),
            None => {}
        }
    }
}

/// A look in mid-measurement: everything since its start.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// The estimators of the direct cost.
    pub estimators: Estimators,
    /// What runs slower after blocks.
    pub indirect: Indirect,
    /// What hardware counters tell of the instructions after returns.
    pub ipc: Figure<Ipc>,
    /// What async would give back.
    pub what_if: WhatIf,
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
        let sums = window.sums();
        // Prices of another moment, at the pace of this interval.
        let reference = inputs.reference.map(|r| r.at_pace(inputs.pace));
        let calibration = inputs.calibration.as_ref().map(|c| c.at_pace(inputs.pace));
        let bases = Bases {
            reference,
            calibration: calibration.as_ref(),
            hook: hook(window, "switch"),
            hook_enter: hook(window, "enter"),
            hook_wake: hook(window, "waking"),
            charge: sums.charge_away as i64 as f64 / sums.away_io.max(1) as f64,
            charged: 1.0 - (sums.uncharged as f64 / sums.checked_cpu.max(1) as f64).min(1.0),
        };
        let pools = Pools::new(&window.sites, bases);
        let cpu = CpuLedger::of(window, &pools);
        let wall = WallLedger::of(window);
        let seconds = inputs.window.measured.as_secs_f64();
        // One run of the switch program may see one thread of the target off and the next one on.
        let switches = (sums.voluntary + sums.involuntary).max(sums.switch_ins);
        let events = 2 * sums.calls + switches + sums.woken_by_self + sums.woken_by_other + sums.woken_by_kernel;
        let self_cost = self_cost(window, &cpu, events, &inputs);
        let ipc = Ipc::of(window, inputs.no_counters.as_deref());
        let counted = match ipc.value() {
            Some(ipc) => ipc.cost.clone(),
            None => Figure::unavailable(ipc.note()),
        };
        let indirect = Indirect::of(&window.sites, counted);
        let score = Score::of(window, &cpu, &pools, &inputs, &indirect);
        let (own_cpu, hooks) = Prices::without_hooks(&cpu, &self_cost.share);
        // What the target takes when nobody looks, for as many switches.
        let alone = Alone::of(&inputs.baselines, inputs.pace, cpu.total, sums.voluntary);
        let excess = alone.map_or(0.0, |alone| alone.excess(own_cpu));
        let prices = Prices::of(window, &pools, calibration.as_ref(), reference, &inputs.direct_files)
            .map(|p| p.less_excess(excess));
        let (own_cpu, hooks) = (own_cpu - excess, hooks + excess);
        let advice =
            prices.as_ref().map_or_else(|_| Vec::new(), |p| advice::of(window, p, own_cpu.max(1.0), seconds.max(1e-9)));
        let wake = prices.as_ref().map_or_else(|why| Figure::unavailable(why.as_str()), |p| p.other_wake.clone());
        let io_blocks = wall.blocks_in(Family::BlockingIo).max(1) as f64;
        let estimators = Estimators::of(
            &window.sites,
            &pools,
            sums.charge_io as i64 as f64 / io_blocks,
            sampled(window, &cpu, switches),
        );
        let given = Given {
            prices,
            calibration: calibration.as_ref().ok_or(inputs.no_calibration.as_deref()),
            cpu: own_cpu,
            hooks,
            direct_interval: score.interval,
            unsteady: alone.map_or(0.0, |a| a.unsteady),
            filled: alone.is_some_and(|a| a.was_filled(&cpu, seconds, inputs.facts.allowed_cpus)),
            indirect: indirect.total().value().copied(),
            indirect_how: if indirect.counted.value().is_some() {
                "same sites and sizes, after a block against after none; user mode by hardware counters"
            } else {
                "same sites and sizes, after a block against after none"
            },
            seconds,
            allowed_cpus: inputs.facts.allowed_cpus.max(1),
        };
        let what_if = inputs.known_what_if.unwrap_or_else(|| WhatIf::of(window, &sums, &given));
        let answerable =
            Answerable { cpu: &cpu, wall: &wall, what_if: &what_if, direct: score.direct.value().copied(), seconds };
        let verdict = Verdict::of(&answerable, advice);
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
        Self {
            check: Check::of(window, cpu.total, inputs.process_cpu),
            facts: inputs.facts,
            window: inputs.window,
            verdict,
            score,
            estimators,
            indirect,
            ipc,
            what_if,
            cpu,
            wall,
            sites,
            threads,
            devices,
            device_wait: Nanos::from_nanos(sums.device_wait),
            wakeups: Wakeups::of(&sums, wake),
            quality: window.quality.clone(),
            self_cost,
            reference,
        }
    }
}

/// Mean run of the program whose name contains this, ns; 0 where the kernel kept no statistics.
fn hook(window: &Window, name: &str) -> f64 {
    let program = window.programs.iter().filter(|p| p.name.contains(name) && p.runs > 0);
    program.map(|p| p.time.as_nanos() as f64 / p.runs as f64).next().unwrap_or(0.0)
}

/// Samples below which nothing is said.
const MIN_SAMPLES: u64 = 100;

/// Estimator (b): CPU in the schedule path per switch, ns. Samples in the hooks are nobody's cost of blocking.
fn sampled(window: &Window, cpu: &CpuLedger, switches: u64) -> Figure<f64> {
    let s = window.samples;
    match s.samples {
        0 => Figure::unavailable("no CPU-clock samples: see `doctor`, or the log with -v"),
        n if n < MIN_SAMPLES || switches == 0 => {
            Figure::unavailable(format!("only {n} CPU-clock samples: measure longer, or under load"))
        }
        n => Figure::modelled(
            s.schedule as f64 / n as f64 * cpu.total.as_nanos() as f64 / switches as f64,
            format!(
                "{} of {n} CPU-clock samples are below __schedule; over all switches, not only those of blocking IO",
                s.schedule
            ),
        ),
    }
}

fn self_cost(window: &Window, cpu: &CpuLedger, events: u64, inputs: &Inputs) -> SelfCost {
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
                (per_event + inputs.hook_entry) * events as f64 / cpu.total.as_nanos() as f64,
                "mean run time of a program and of the kernel's way into it, × the target's events",
            )
        };
        (Figure::measured(per_event), share)
    };
    SelfCost { events, per_event, share, daemon_cpu: inputs.daemon_cpu, daemon_bytes: inputs.daemon_bytes }
}
