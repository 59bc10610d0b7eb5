//! The report: everything that is printed, drawn or exported of one measurement.

use super::{
    advice::{self, Advice},
    capacity::Capacity,
    check::Check,
    decide::{Answerable, Born, Calls},
    gain::WORTH,
    inputs::{Bystanders, Facts, Inputs, WindowFacts},
    latency::Latency,
    ledger::{CpuLedger, WallLedger},
    load::Load,
    memory::Memory,
    note::Note,
    score::Score,
    verdict::Verdict,
    view::{DeviceView, SiteView, ThreadView, Wakeups},
};
use crate::{
    aggregate::{Clients, Quality, RoleLine, Roles, Scheduling, Window},
    cost::{self, Bases, Births, Estimators, HandOvers, Indirect, Pools, Reference, ipc, ipc::Ipc},
    event::{BlockClass, DeviceRecord, Family, Place, ProgramRecord, SiteRecord, Sums},
    machine::{Language, PriceList},
    predict::{self, Alone, Engine, Given, Paid, Prices, WhatIf},
    quantity::{Figure, Nanos, Tid},
};

/// What the kernel calls a thread that polls for a ring begins with (`io_sq_thread`,
/// io_uring/sqpoll.c); it calls the workers `iou-wrk`.
const POLLS_FOR_A_RING: &str = "iou-sqp-";

/// What measuring one process cost all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OthersPay {
    /// In CPUs (CPU-seconds a second), over all the time from the start to the end.
    pub cpus: f64,
    /// As a share of all CPUs of the machine.
    pub machine: f64,
    /// While the programs were attached.
    pub watched: Nanos,
    /// What they did then.
    pub did: Bystanders,
}

/// What measuring cost the target and this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfCost {
    /// Events of the target that a program ran for: syscall starts and ends, switches, wake-ups.
    pub events: u64,
    /// Mean run time of a program, ns, from the kernel's statistics.
    pub per_event: Figure<f64, Note>,
    /// Share of the target's CPU that the programs used.
    pub share: Figure<f64, Note>,
    /// What the target paid, by its own clock.
    pub paid: Figure<Paid, Note>,
    /// Share of the target's CPU that the program on the CPU clock used.
    pub sampler: Figure<f64, Note>,
    /// What all others of the machine paid while the programs were attached.
    pub bystanders: Figure<OthersPay, Note>,
    /// CPU that the profiler's own process used.
    pub own_cpu: Nanos,
    /// Its largest resident size, bytes.
    pub own_bytes: u64,
}

/// Everything of one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub facts: Facts,
    pub window: WindowFacts,
    pub verdict: Verdict,
    pub score: Score,
    /// The estimators of the direct cost.
    pub estimators: Estimators,
    /// What runs slower after blocks.
    pub indirect: Indirect,
    /// What hardware counters tell of the instructions after returns.
    pub ipc: Figure<Ipc, ipc::Note>,
    /// What async would give back.
    pub what_if: WhatIf,
    pub cpu: CpuLedger,
    pub wall: WallLedger,
    /// What it adds to the machine's load average.
    pub load: Figure<Load, Note>,
    /// How far its CPUs carry; `None` where it hardly ran.
    pub capacity: Option<Capacity>,
    /// How long its clients wait.
    pub latency: Figure<Latency, Note>,
    /// What its threads take of memory.
    pub memory: Figure<Memory, Note>,
    /// Sites, the one with the most blocked time first.
    pub sites: Vec<SiteView>,
    /// Threads, the busiest first.
    pub threads: Vec<ThreadView>,
    /// What they are in their program, the role with the most CPU first.
    pub roles: Vec<RoleLine>,
    pub devices: Vec<DeviceView>,
    /// Blocked time on files and pages while a request of the waiting thread was at the device.
    pub device_wait: Nanos,
    pub wakeups: Wakeups,
    /// What was lost or left open.
    pub quality: Quality,
    pub self_cost: SelfCost,
    pub reference: Option<Reference>,
    /// Against the kernel's own counters.
    pub check: Check,
}

impl Report {
    /// The report of a window.
    pub fn new(window: &Window, inputs: Inputs) -> Self {
        Self::with_engine(window, inputs).0
    }

    /// The report of a window, and the engine behind its prediction, which can be asked again with
    /// other loops; `None` where there is none.
    pub fn with_engine(window: &Window, inputs: Inputs) -> (Self, Option<Engine>) {
        Self::build(window, inputs, |sums, given| WhatIf::new(window, sums, given))
    }

    /// The report of a window around a prediction that was made before: a replay is too dear for
    /// every snapshot of a live screen.
    pub fn around(window: &Window, inputs: Inputs, what_if: WhatIf) -> Self {
        Self::build(window, inputs, |_, _| (what_if, None)).0
    }

    fn build(
        window: &Window,
        inputs: Inputs,
        predict: impl FnOnce(&Sums, &Given<'_>) -> (WhatIf, Option<Engine>),
    ) -> (Self, Option<Engine>) {
        let sums = window.sums();
        let (reference, calibration) = at_pace(&inputs);
        let pools = Pools::new(&window.sites, Bases::new(window, &sums, reference, calibration.as_ref()));
        let parts = Parts::new(window, &sums, &inputs, &pools);
        let (seconds, roles) = (inputs.window.measured.as_secs_f64(), roles(window, &inputs));
        let clients = inputs.clients();
        let (given, wake) = given((window, &sums, &inputs, &clients), &pools, &parts, calibration.as_ref(), &roles);
        let (what_if, engine) = predict(&sums, &given);
        let Parts { cpu, wall, self_cost, ipc, indirect, score, switches } = parts;
        let (load, memory) = (Load::new(window, &inputs), Memory::new(&inputs));
        let answerable = Answerable {
            roles: &roles,
            lock_cpu: given.locks / given.cpu.max(1.0),
            born: Born::new(&roles, &given),
            calls: calls(window),
            cpu: &cpu,
            wall: &wall,
            what_if: &what_if,
            runtime: inputs.facts.runtime.as_ref(),
            direct: score.direct.value().copied(),
            seconds,
            children: inputs.children,
            load: load.value().copied(),
            quotas: &inputs.facts.quotas,
            worth: inputs.worth.unwrap_or(WORTH),
        };
        let charge = sums.charge_io as f64 / wall.blocks_in(Family::BlockingIo).max(1) as f64;
        let report = Self {
            verdict: answerable.verdict(advised(window, &sums, &given, seconds)),
            capacity: Capacity::new((window, given.cpu), &inputs, &roles, scheduling(&inputs), &what_if),
            latency: Latency::new((window, &sums, &inputs), &clients, given.hooks, &what_if),
            estimators: Estimators::new(&window.sites, &pools, charge, cost::sampled(window, cpu.total, switches)),
            check: check(window, &sums, &inputs, cpu.total),
            sites: site_views(window, &inputs, &pools),
            threads: thread_views(window, &inputs, &roles),
            roles: roles.lines,
            devices: device_views(window, &inputs),
            facts: inputs.facts,
            window: inputs.window,
            score,
            indirect,
            ipc,
            what_if,
            cpu,
            wall,
            load,
            memory,
            device_wait: Nanos::from_nanos(sums.device_wait),
            wakeups: Wakeups::new(&sums, wake),
            quality: window.quality.clone(),
            self_cost,
            reference,
        };
        (report, engine)
    }
}

/// The reference block and the price list. A prediction that was made before was priced at another
/// moment: they are brought to this interval's pace.
fn at_pace(inputs: &Inputs) -> (Option<Reference>, Option<PriceList>) {
    let reference = inputs.reference.map(|block| block.at_pace(inputs.pace));
    (reference, inputs.calibration.as_ref().map(|list| list.at_pace(inputs.pace)))
}

/// Against the kernel's counters. Between windows the clocks of processes run on.
fn check(window: &Window, sums: &Sums, inputs: &Inputs, cpu: Nanos) -> Check {
    Check::new(window, sums, cpu, inputs.process_cpu.filter(|_| inputs.window.windows <= 1))
}

/// What its threads are in their program.
fn roles(window: &Window, inputs: &Inputs) -> Roles {
    let polls = |tid: Tid| inputs.thread_names.get(&tid).is_some_and(|name| name.starts_with(POLLS_FOR_A_RING));
    Roles::new(window, scheduling(inputs), polls)
}

/// What is cheaper than a rewrite.
fn advised(window: &Window, sums: &Sums, given: &Given<'_>, seconds: f64) -> Vec<Advice> {
    let advise = |p| advice::advise(window, sums, p, given.cpu.max(1.0), seconds.max(1e-9));
    given.prices.as_ref().map_or_else(Vec::new, advise)
}

/// What its runtime makes of its threads.
fn scheduling(inputs: &Inputs) -> Scheduling {
    match inputs.facts.runtime.as_ref().map(|runtime| runtime.language) {
        Some(language) if language.parks_its_tasks() => Scheduling::ParksTasks,
        Some(language) if language.has_one_lock() => Scheduling::OneAtATime,
        _ => Scheduling::Free,
    }
}

/// How often it called, and what blocked the calls that only wait for one descriptor.
fn calls(window: &Window) -> Calls {
    let calls_in = |family, counts: &dyn Fn(&SiteRecord) -> bool| {
        let sites = window.sites.iter().filter(|s| s.place.class.family() == family && counts(s));
        sites.fold(0, |sum: u64, s| sum.saturating_add(s.site.calls))
    };
    let polled = |class: Option<BlockClass>| {
        let is_such = |s: &&SiteRecord| s.place.class.family() == Family::BlockingIo && cost::only_waits(&s.place);
        let sites = window.sites.iter().filter(is_such).filter(|s| class.is_none_or(|class| s.place.class == class));
        sites.map(|s| s.site.blocks).sum()
    };
    Calls {
        io: calls_in(Family::BlockingIo, &|s| s.site.bytes > 0 || cost::only_waits(&s.place)),
        events: calls_in(Family::EventWait, &|_| true),
        polled: polled(None),
        polled_pipes: polled(Some(BlockClass::Pipe)),
    }
}

/// Ledgers, score and costs of a window.
struct Parts {
    cpu: CpuLedger,
    wall: WallLedger,
    self_cost: SelfCost,
    ipc: Figure<Ipc, ipc::Note>,
    indirect: Indirect,
    score: Score,
    /// Runs of the switch program.
    switches: u64,
}

impl Parts {
    fn new(window: &Window, sums: &Sums, inputs: &Inputs, pools: &Pools<'_>) -> Self {
        let cpu = CpuLedger::new(window, sums, pools);
        // One run of the switch program may see one thread leave the CPU and the next one get it.
        let switches = (sums.voluntary + sums.involuntary).max(sums.switch_ins);
        let events = 2 * sums.calls + switches + sums.woken_by_self + sums.woken_by_other + sums.woken_by_kernel;
        let ipc = Ipc::new(window, inputs.no_counters.as_deref());
        let counted = match (ipc.value(), ipc.note()) {
            (Some(ipc), _) => ipc.cost.clone(),
            (None, why) => Figure::unavailable(why.cloned().unwrap_or(ipc::Note::NoCounters)),
        };
        let indirect = Indirect::new(&window.sites, counted);
        Self {
            wall: WallLedger::new(window, sums),
            self_cost: self_cost(window, &cpu, sums, events, inputs),
            score: Score::new(window, &cpu, pools, inputs, &indirect),
            cpu,
            ipc,
            indirect,
            switches,
        }
    }
}

/// What a prediction starts from, and what a wake-up of another process costs.
fn given<'a>(
    (window, sums, inputs, clients): (&Window, &Sums, &'a Inputs, &'a Clients),
    pools: &Pools<'_>,
    parts: &Parts,
    calibration: Option<&'a PriceList>,
    roles: &Roles,
) -> (Given<'a>, Figure<f64, predict::Note>) {
    let (total, reference) = (parts.cpu.total, pools.reference());
    let locks = HandOvers::new(&window.sites, pools);
    let (own_cpu, hooks) = Prices::without_hooks(total, parts.self_cost.share.value());
    // What the target takes for as many switches while nothing is attached.
    let alone = Alone::new(&inputs.baselines, inputs.pace, total, sums.voluntary);
    let excess = alone.map_or(0.0, |alone| alone.excess(own_cpu));
    let prices =
        Prices::new(window, sums, pools, calibration, reference, inputs.files()).map(|p| p.less_excess(excess));
    let no_price = || Figure::unavailable(predict::Note::NoBlockPrice);
    let wake = prices.as_ref().map_or_else(no_price, |p| p.other_wake.clone());
    let (seconds, room) = (inputs.window.measured.as_secs_f64(), inputs.facts.room());
    let native = inputs.facts.runtime.as_ref().is_none_or(|runtime| runtime.language == Language::Native);
    let births = Births::new(window, sums, pools, locks, &roles.brief);
    let given = Given {
        clients,
        prices,
        // The births' part of the waits for locks is no hand-over of a pool.
        hand_overs: locks.scaled((1.0 - births.lock_share) * roles.handed_over()),
        births,
        locks: locks.cpu,
        fed: roles.is_fed(),
        bound: !native && calibration.is_none_or(|list| list.runtime.is_none()),
        calibration: calibration.ok_or(inputs.no_calibration.as_deref()),
        cpu: own_cpu - excess,
        hooks: hooks + excess,
        direct_interval: parts.score.interval,
        unsteady: alone.map_or(0.0, |a| a.unsteady),
        drift: alone.and_then(|a| a.drift),
        filled: alone.is_some_and(|a| a.was_filled(total, seconds, room)),
        indirect: parts.indirect.total().value().copied(),
        by_counters: parts.indirect.counted.value().is_some(),
        seconds,
        allowed_cpus: room.ceil().max(1.0) as u32,
        quota: inputs.facts.quota_cpus,
        held_back: inputs.facts.held_back().next().is_some(),
    };
    (given, wake)
}

fn site_views(window: &Window, inputs: &Inputs, pools: &Pools<'_>) -> Vec<SiteView> {
    let descriptor = |place: &Place| inputs.descriptors.get(place).cloned().unwrap_or_default();
    window.sites.iter().map(|site| SiteView::new(site, pools, descriptor(&site.place))).collect()
}

fn thread_views(window: &Window, inputs: &Inputs, roles: &Roles) -> Vec<ThreadView> {
    let name = |tid: &Tid| inputs.thread_names.get(tid).cloned().unwrap_or_default();
    let threads = window.threads.iter().zip(roles.of_threads());
    threads.map(|(thread, role)| ThreadView::new(thread, role, name(&thread.tid))).collect()
}

fn device_views(window: &Window, inputs: &Inputs) -> Vec<DeviceView> {
    let name = |device: &DeviceRecord| {
        let known = inputs.device_names.get(&(device.major, device.minor)).cloned();
        known.unwrap_or_else(|| device.number())
    };
    window.devices.iter().map(|device| DeviceView::new(device, name(device))).collect()
}

fn self_cost(window: &Window, cpu: &CpuLedger, sums: &Sums, events: u64, inputs: &Inputs) -> SelfCost {
    let (samplers, hooks): (Vec<_>, Vec<_>) = window.programs.iter().partition(|p| p.is_sampler());
    let mean = |programs: &[&ProgramRecord]| {
        let runs: u64 = programs.iter().map(|p| p.runs).sum();
        let time: Nanos = programs.iter().map(|p| p.time).sum();
        (runs > 0).then(|| time.as_nanos() as f64 / runs as f64)
    };
    let total = cpu.total.as_nanos() as f64;
    let share_of = |ns: f64, note| {
        if total > 0.0 { Figure::modelled(ns / total, note) } else { Figure::unavailable(Note::NoCpu) }
    };
    let per_event = mean(&hooks);
    let share = match (per_event, inputs.toll) {
        (Some(each), _) => share_of((each + inputs.hook_entry) * events as f64, Note::MeanRunTime),
        (None, Some(toll)) => share_of(toll.of(sums.calls, sums.voluntary + sums.involuntary), Note::Toll),
        (None, None) => Figure::unavailable(Note::NoStatistics),
    };
    let between = inputs.baselines.iter().filter(|b| b.between).map(|b| b.wall).sum();
    SelfCost {
        events,
        per_event: per_event.map_or_else(|| Figure::unavailable(Note::NoStatistics), Figure::measured),
        share,
        paid: Paid::new(&inputs.watched, &inputs.baselines, between)
            .map_or_else(|| Figure::unavailable(Note::NotSeenAlone), Figure::measured),
        sampler: mean(&samplers).map_or_else(
            || Figure::unavailable(Note::NoStatistics),
            |each| share_of(each * window.samples.samples as f64, Note::MeanRunTime),
        ),
        bystanders: others_pay(inputs),
        own_cpu: inputs.own_cpu,
        own_bytes: inputs.own_bytes,
    }
}

fn others_pay(inputs: &Inputs) -> Figure<OthersPay, Note> {
    let Some(did) = inputs.bystanders else { return Figure::unavailable(Note::NotCounted) };
    let part = inputs.window.measured.ratio_to(inputs.window.wall).min(1.0);
    let note = if did.calls.is_some() { Note::OthersToll } else { Note::OthersSwitches };
    Figure::modelled(
        OthersPay { cpus: did.cpus() * part, machine: did.machine() * part, watched: inputs.window.measured, did },
        note,
    )
}
