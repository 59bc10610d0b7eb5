//! answer/top: the processes of a machine, or groups of them, ranked by what blocking costs them.

use std::cmp::Ordering;

use super::{
    inputs::{Inputs, WindowFacts},
    note::Note,
    report::Report,
    verdict::Verdict,
};
use crate::{
    aggregate::{Quality, RoleLine, ThreadTotals, Window},
    event::{BlockClass, Family, Sums},
    predict::WhatIf,
    quantity::{Estimate, Figure, Nanos, listed},
};

listed! {
    /// What a row stands for.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum By {
        #[default]
        Process,
        /// The processes of one container; those outside of any are one row.
        Container,
        /// The processes of one control group.
        Cgroup,
    }
}

/// A process of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its PID in the initial namespace.
    pub pid: u32,
    /// The command's name; empty where it was gone before it could be read.
    pub name: String,
    pub command: String,
}

/// Processes that are told together.
#[derive(Clone, Debug, PartialEq)]
pub struct TopRow {
    /// What it stands for.
    pub by: By,
    /// Its processes, the one with the most CPU first.
    pub members: Vec<Member>,
    /// The container that they are in, where the row has one.
    pub container: Option<String>,
    /// The control group that the first one is in; empty where that is not known.
    pub cgroup: String,
    pub threads: u64,
    /// CPUs in use (CPU-seconds a second).
    pub cpu: f64,
    /// Blocks a second, of all classes.
    pub blocks: f64,
    /// Of them: blocking IO.
    pub io: f64,
    /// What most of the blocks are on.
    pub mostly: Option<BlockClass>,
    /// Direct cost of its blocking IO in CPUs.
    pub cost: Figure<f64, Note>,
    /// What its threads are; `None` where it did too little.
    pub role: Option<RoleLine>,
    /// What async would give back, as a share of its CPU, in the way that the verdict names.
    pub saving: Option<Estimate>,
    /// `None` where it did too little to be asked.
    pub verdict: Option<Verdict>,
}

/// What a report says of a row, or of all processes of one family.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub verdict: Verdict,
    role: Option<RoleLine>,
    /// Direct cost of a block on IO, ns.
    per_block: Figure<f64, Note>,
}

impl Told {
    /// Blocks below which there is nothing to tell.
    const FEW: u64 = 200;
    /// CPUs in use below which there is nothing either.
    const IDLE: f64 = 0.01;

    /// Whether they did enough.
    pub(crate) fn can_be_asked(window: &Window) -> bool {
        let sums = window.sums();
        sums.voluntary >= Self::FEW || cpu_of(window) / window.measured.as_secs_f64().max(1e-9) >= Self::IDLE
    }

    /// What the report says, and the prediction that it was made with: `known` where there is one.
    pub(crate) fn new(window: &Window, inputs: Inputs, known: Option<WhatIf>) -> (Self, WhatIf) {
        let report = match known {
            Some(known) => Report::around(window, inputs, known),
            None => Report::new(window, inputs),
        };
        let blocks = blocks_on_io(&window.sums());
        let at_sites = window.sites.iter().filter(|site| site.place.class.family() == Family::BlockingIo);
        let at_sites: u64 = at_sites.map(|site| site.site.blocks).sum();
        // Where there was no room for its places, nothing says what its blocks cost. The last call
        // of a thread has not returned yet.
        let missing = blocks.saturating_sub(at_sites);
        let open = window.threads.len() as f64;
        let per_block = match missing as f64 <= UNPLACED * blocks as f64 + open {
            true => report.cpu.blocking_io.map(|ns| ns / blocks.max(1) as f64),
            false => Figure::unavailable(Note::NoBase(missing)),
        };
        let told = Self { verdict: report.verdict, role: report.roles.first().copied(), per_block };
        (told, report.what_if)
    }
}

/// Of the blocks on IO, the share at unknown places up to which a block has a cost.
const UNPLACED: f64 = 0.2;

/// Seconds on a CPU.
fn cpu_of(window: &Window) -> f64 {
    window.threads.iter().map(ThreadTotals::cpu).sum::<Nanos>().as_secs_f64()
}

fn blocks_on_io(sums: &Sums) -> u64 {
    let io = BlockClass::ALL.into_iter().filter(|class| class.family() == Family::BlockingIo);
    io.map(|class| sums.classes[class as usize].blocks).sum()
}

impl TopRow {
    /// What was measured of these processes. `told` is what a report says of them, or of the family
    /// that they are of; `None` where they did too little for one.
    pub(crate) fn new(
        (by, members): (By, Vec<Member>),
        container: Option<String>,
        cgroup: String,
        window: &Window,
        told: Option<&Told>,
    ) -> Self {
        let sums = window.sums();
        let seconds = window.measured.as_secs_f64().max(1e-9);
        let blocks_of = |class: BlockClass| sums.classes[class as usize].blocks;
        let io = blocks_on_io(&sums);
        let cost = match told {
            // Before any block on IO there is nothing to cost.
            _ if io == 0 => Figure::measured(0.0),
            Some(told) => told.per_block.map(|ns| ns * io as f64 / 1e9 / seconds),
            None => Figure::unavailable(Note::NotCounted),
        };
        // Of a family, those that did next to nothing are not what the others are.
        let own = told.filter(|_| Told::can_be_asked(window));
        let blocked = BlockClass::ALL.into_iter().filter(|&class| blocks_of(class) > 0);
        Self {
            by,
            members,
            container,
            cgroup,
            threads: window.threads.iter().filter(|thread| !thread.dead).count() as u64,
            cpu: cpu_of(window) / seconds,
            blocks: sums.classes.iter().map(|class| class.blocks).sum::<u64>() as f64 / seconds,
            io: io as f64 / seconds,
            mostly: blocked.max_by_key(|&class| blocks_of(class)),
            cost,
            role: own.and_then(|told| told.role),
            saving: own.and_then(|told| told.verdict.gain()).map(|gain| gain.saving),
            verdict: own.map(|told| told.verdict.clone()),
        }
    }

    /// Its cost as a share of its own CPU.
    pub fn cost_ratio(&self) -> Option<f64> {
        self.cost.value().filter(|_| self.cpu > 0.0).map(|&cost| cost / self.cpu)
    }

    /// By what blocking costs; without a cost, or with the same one, by CPU and then by blocks.
    pub fn by_cost(&self, other: &Self) -> Ordering {
        let cost = |row: &Self| row.cost.value().copied().unwrap_or(0.0).max(0.0);
        let by_cost = cost(self).total_cmp(&cost(other));
        by_cost.then(self.cpu.total_cmp(&other.cpu)).then(self.blocks.total_cmp(&other.blocks))
    }

    /// Its PID, where it is one process.
    pub fn pid(&self) -> Option<u32> {
        match self.members.as_slice() {
            [one] => Some(one.pid),
            _ => None,
        }
    }
}

/// What looking at the machine cost it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overhead {
    /// What the programs cost all processes, in CPUs, over all the time from the start to the end;
    /// `None` where that is not known.
    pub programs: Option<f64>,
    /// CPUs that the profiler itself used.
    pub own: f64,
    /// Its largest resident size, bytes.
    pub own_bytes: u64,
}

/// A machine at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    pub by: By,
    /// The one whose blocking costs most first; those without a cost by their CPU.
    pub rows: Vec<TopRow>,
    pub window: WindowFacts,
    /// CPUs of the machine.
    pub cpus: u32,
    /// Why processes cannot be measured, one line each.
    pub left_out: Vec<String>,
    pub overhead: Overhead,
    /// What was lost.
    pub quality: Quality,
}

impl Top {
    /// With its rows in order.
    #[cfg(test)]
    pub(crate) fn ranked(mut self) -> Self {
        self.rows.sort_by(|a, b| b.by_cost(a));
        self
    }

    /// CPUs that all rows use together.
    pub fn cpu(&self) -> f64 {
        self.rows.iter().map(|row| row.cpu).sum()
    }

    /// CPUs that blocking IO costs all rows together, where it is known.
    pub fn cost(&self) -> f64 {
        self.rows.iter().filter_map(|row| row.cost.value()).sum()
    }
}
