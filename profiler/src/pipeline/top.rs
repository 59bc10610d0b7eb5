//! The machine at a glance: a measurement of every process, told by process, container or control
//! group, each with a report of its own.

mod glances;
mod meter;
mod stretch;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

pub use glances::Glances;
pub(in crate::pipeline) use meter::Measured;
pub use meter::{Meter, Plan};

use super::{facts, runtimes::Runtimes};
use crate::{
    aggregate::Window,
    answer::{By, Facts, Inputs, Member, Overhead, Told, Top, TopRow},
    event::{Place, Sums},
    predict::WhatIf,
    process::{self, Note, Process, QuotaWatch, Target},
    quantity::{Nanos, Tgid, Tid},
};

/// A replay is made anew after so long.
const REPLAY_EVERY: Nanos = Nanos::from_millis(10_000);

/// What is known of the machine's processes. It is kept from screen to screen.
#[derive(Default)]
pub struct Roster {
    known: HashMap<Tgid, Known>,
    /// The last prediction of each row, and the end of its window: a replay takes long.
    predicted: HashMap<Key, (Nanos, WhatIf)>,
    /// Why processes cannot be measured.
    left_out: Vec<String>,
}

struct Known {
    process: Process,
    /// Asked only where a report needs it.
    runtimes: Runtimes,
}

/// What is told in one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// Its PID, and when it began: the number may be another one's later.
    Process(Tgid, u64),
    /// A container or a control group.
    Named(String),
    /// Processes outside of any container.
    Outside,
    /// Processes that were gone before their names could be read.
    Gone,
}

impl Roster {
    /// The processes that are there now.
    pub fn new(target: &Target) -> Self {
        let mut roster = Self::default();
        target.processes.iter().for_each(|process| roster.add(process.clone()));
        let reason = |note: &Note| match note {
            Note::LeftOut { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        roster.left_out = target.notes.iter().filter_map(reason).collect();
        roster
    }

    fn add(&mut self, process: Process) {
        self.known.insert(process.tgid, Known { process, runtimes: Runtimes::default() });
    }

    /// The rows of a measurement of every process.
    pub fn top(&mut self, window: Window, inputs: &Inputs, by: By) -> Top {
        self.keyed(window, inputs, by).1
    }

    /// The same, with what is told in each row.
    fn keyed(&mut self, window: Window, inputs: &Inputs, by: By) -> (Vec<Key>, Top) {
        let tgids = self.meet(&window);
        self.known.retain(|tgid, _| tgids.contains(tgid));
        let end = window.end;
        let quality = window.quality.clone();
        let sums = window.sums();
        let programs = programs_of(&sums, inputs).map(|cpu| {
            let part = inputs.window.measured.ratio_to(inputs.window.wall).min(1.0);
            cpu.as_secs_f64() / window.measured.as_secs_f64().max(1e-9) * part
        });
        let mut rows: Vec<(Key, TopRow)> = if by == By::Process {
            let families = window.families(|tgid| self.known.contains_key(&tgid));
            families.into_iter().flat_map(|family| self.family(family, inputs)).collect()
        } else {
            let groups = window.split(|tgid| self.key(tgid, by)).into_iter();
            let told = |(key, window): (Key, Window)| {
                let told = self.told(&key, &window, inputs);
                let row = self.row(&key, by, &window, told.as_ref());
                (key, row)
            };
            groups.map(told).collect()
        };
        // Who ended while nothing was attached did nothing since, and was not seen to end.
        rows.retain(|(_, row)| {
            row.cpu > 0.0 || row.blocks > 0.0 || row.members.iter().any(|member| self.lives(member))
        });
        self.predicted.retain(|_, (at, _)| end < *at + REPLAY_EVERY);
        let wall = inputs.window.wall.as_secs_f64().max(1e-9);
        let overhead = Overhead { programs, own: inputs.own_cpu.as_secs_f64() / wall, own_bytes: inputs.own_bytes };
        let (cpus, left_out) = (inputs.facts.cpus, self.left_out.clone());
        rows.sort_by(|(_, a), (_, b)| b.by_cost(a));
        let (keys, rows) = rows.into_iter().unzip();
        (keys, Top { by, rows, window: inputs.window.clone(), cpus, left_out, overhead, quality })
    }

    /// Reads what those of this window are that have come since, and returns all of them.
    fn meet(&mut self, window: &Window) -> BTreeSet<Tgid> {
        let tgids: BTreeSet<Tgid> = window.threads.iter().map(|thread| thread.tgid).collect();
        let executed = window.quality.execs > 0;
        let is_another = |known: &Known| {
            let Process { tgid, started, comm, .. } = &known.process;
            process::started(*tgid).is_some_and(|now| now != *started)
                || executed && process::comm(*tgid, Tid::from_raw(tgid.as_raw())).is_some_and(|now| now != *comm)
        };
        for &tgid in &tgids {
            let stale = self.known.get(&tgid).is_none_or(is_another);
            if stale && let Ok(process) = Process::read(tgid) {
                self.add(process);
            }
        }
        tgids
    }

    fn key(&self, tgid: Tgid, by: By) -> Key {
        let Some(Known { process, .. }) = self.known.get(&tgid) else { return Key::Gone };
        match by {
            By::Process => Key::Process(tgid, process.started),
            By::Container => process.container.clone().map_or(Key::Outside, Key::Named),
            By::Cgroup => Key::Named(process.cgroup.clone()),
        }
    }

    /// The rows of processes that share their call places: what a report says of all of them holds
    /// for each.
    fn family(&mut self, family: Window, whole: &Inputs) -> Vec<(Key, TopRow)> {
        let by = By::Process;
        let first = family.threads.first().map_or(Key::Gone, |thread| self.key(thread.tgid, by));
        let told = self.told(&first, &family, whole);
        let parts = family.split(|tgid| self.key(tgid, by));
        let row = |(key, window): (Key, Window)| {
            let row = self.row(&key, by, &window, told.as_ref());
            (key, row)
        };
        parts.into_iter().map(row).collect()
    }

    /// What a report says of these processes.
    fn told(&mut self, key: &Key, window: &Window, whole: &Inputs) -> Option<Told> {
        if !Told::can_be_asked(window) {
            return None;
        }
        let fresh = |(at, known): &&(Nanos, WhatIf)| known.refused.is_none() && window.end < *at + REPLAY_EVERY;
        // Of those that have gone, each look has others.
        let known = self.predicted.get(key).filter(fresh).filter(|_| *key != Key::Gone).map(|(_, known)| known.clone());
        let is_new = known.is_none();
        let inputs = self.inputs(window, whole);
        let (told, what_if) = Told::new(window, inputs, known);
        if is_new {
            self.predicted.insert(key.clone(), (window.end, what_if));
        }
        Some(told)
    }

    fn row(&self, key: &Key, by: By, window: &Window, told: Option<&Told>) -> TopRow {
        let tgids = busiest(window);
        let members = tgids.iter().map(|tgid| self.member(*tgid)).collect();
        let first = tgids.first().and_then(|tgid| self.known.get(tgid)).map(|known| &known.process);
        let container = first.filter(|_| *key != Key::Outside).and_then(|process| process.container.clone());
        let cgroup = first.map_or_else(String::new, |process| process.cgroup.clone());
        TopRow::new((by, members), container, cgroup, window, told)
    }

    /// Whether it is still the process that it was.
    fn lives(&self, member: &Member) -> bool {
        let known = self.known.get(&Tgid::from_raw(member.pid));
        known.is_some_and(|known| process::is_alive(&known.process))
    }

    fn member(&self, tgid: Tgid) -> Member {
        let known = self.known.get(&tgid).map(|known| &known.process);
        Member {
            pid: tgid.as_raw(),
            name: known.map_or_else(String::new, |process| process.comm.clone()),
            command: known.map_or_else(String::new, |process| process.cmdline.join(" ")),
        }
    }

    /// What a report of these processes alone needs. What was seen of all processes together (their
    /// CPU by other clocks, the machine's load) is in none.
    fn inputs(&mut self, window: &Window, whole: &Inputs) -> Inputs {
        let tgids = busiest(window);
        let processes: Vec<Process> =
            tgids.iter().filter_map(|tgid| Some(self.known.get(tgid)?.process.clone())).collect();
        let quotas = QuotaWatch::begin(tgids.iter().copied(), Nanos::ZERO);
        let target = Target { processes, threads_only: None, groups: Vec::new(), notes: Vec::new() };
        let first = tgids.first().and_then(|tgid| self.known.get_mut(tgid));
        let (mut runtime, mut calibration) = (None, whole.calibration.clone());
        if let Some(Known { process, runtimes }) = first {
            runtimes.update(Some(process));
            runtime = runtimes.runtime();
            calibration = calibration.map(|list| runtimes.price(list));
        }
        let place = |place: &Place| window.sites.iter().any(|site| site.place == *place);
        let here = |places: &[Place]| places.iter().filter(|p| place(p)).cloned().collect();
        let name = |tid| Some((tid, whole.thread_names.get(&tid)?.clone()));
        Inputs {
            facts: Facts {
                processes: target.processes.iter().map(facts::process_facts).collect(),
                allowed_cpus: process::allowed_cpus(&target),
                quota_cpus: quotas.limit(),
                runtime,
                ..whole.facts.clone()
            },
            window: whole.window.clone(),
            direct_files: here(&whole.direct_files),
            by_workers: here(&whole.by_workers),
            thread_names: window.threads.iter().filter_map(|thread| name(thread.tid)).collect(),
            reference: whole.reference,
            toll: whole.toll,
            pace: whole.pace,
            calibration,
            no_calibration: whole.no_calibration.clone(),
            no_counters: whole.no_counters.clone(),
            hook_entry: whole.hook_entry,
            worth: whole.worth,
            ..Inputs::default()
        }
    }
}

/// What the programs took from the targets while these sums were counted.
fn programs_of(sums: &Sums, inputs: &Inputs) -> Option<Nanos> {
    let toll = inputs.toll?;
    Some(Nanos::from_nanos(toll.of(sums.calls, sums.voluntary + sums.involuntary) as u64))
}

/// The processes of a window, the one with the most CPU first.
fn busiest(window: &Window) -> Vec<Tgid> {
    let mut cpu: BTreeMap<Tgid, Nanos> = BTreeMap::new();
    for thread in &window.threads {
        *cpu.entry(thread.tgid).or_default() += thread.cpu();
    }
    let mut tgids: Vec<Tgid> = cpu.keys().copied().collect();
    tgids.sort_by_key(|tgid| Reverse(cpu[tgid]));
    tgids
}
