//! answer/top: the processes of a machine, or groups of them, ranked by what blocking costs them.

use super::{
    inputs::{Inputs, WindowFacts},
    note::Note,
    report::Report,
    verdict::Verdict,
};
use crate::{
    aggregate::{Quality, RoleLine, Window},
    event::{BlockClass, Family},
    predict::WhatIf,
    quantity::{Estimate, Figure, listed},
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

impl TopRow {
    /// Blocks below which a row has no report of its own.
    const FEW: u64 = 200;
    /// CPUs in use below which it has none either.
    const IDLE: f64 = 0.01;

    /// What was measured of these processes, and the prediction that was made for it, if any.
    /// `inputs` is asked for only where they did enough for an answer; with it may come a
    /// prediction that was made before.
    pub(crate) fn new(
        (by, members): (By, Vec<Member>),
        container: Option<String>,
        cgroup: String,
        window: &Window,
        inputs: impl FnOnce() -> (Inputs, Option<WhatIf>),
    ) -> (Self, Option<WhatIf>) {
        let sums = window.sums();
        let seconds = window.measured.as_secs_f64().max(1e-9);
        let blocks_of = |class: BlockClass| sums.classes[class as usize].blocks;
        let io = BlockClass::ALL
            .into_iter()
            .filter(|class| class.family() == Family::BlockingIo)
            .map(blocks_of)
            .sum::<u64>();
        let cpu = (sums.user + sums.kernel) as f64 / 1e9 / seconds;
        let asked = sums.voluntary >= Self::FEW || cpu >= Self::IDLE;
        let report = asked.then(|| match inputs() {
            (inputs, Some(known)) => Report::around(window, inputs, known),
            (inputs, None) => Report::new(window, inputs),
        });
        // Before any block on IO there is nothing to cost.
        let cost = match &report {
            _ if io == 0 => Figure::measured(0.0),
            Some(report) => report.score.direct.map(|share| share * cpu),
            None => Figure::unavailable(Note::NotCounted),
        };
        let row = Self {
            by,
            members,
            container,
            cgroup,
            threads: window.threads.iter().filter(|thread| !thread.dead).count() as u64,
            cpu,
            blocks: sums.classes.iter().map(|class| class.blocks).sum::<u64>() as f64 / seconds,
            io: io as f64 / seconds,
            mostly: BlockClass::ALL
                .into_iter()
                .filter(|&class| blocks_of(class) > 0)
                .max_by_key(|&class| blocks_of(class)),
            cost,
            role: report.as_ref().and_then(|report| report.roles.first().copied()),
            saving: report.as_ref().and_then(|report| report.verdict.gain()).map(|gain| gain.saving),
            verdict: report.as_ref().map(|report| report.verdict.clone()),
        };
        (row, report.map(|report| report.what_if))
    }

    /// Its cost as a share of its own CPU.
    pub fn cost_ratio(&self) -> Option<f64> {
        self.cost.value().filter(|_| self.cpu > 0.0).map(|&cost| cost / self.cpu)
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
    pub(crate) fn ranked(mut self) -> Self {
        let cost = |row: &TopRow| row.cost.value().copied().unwrap_or(0.0).max(0.0);
        self.rows.sort_by(|a, b| {
            let by_cost = cost(b).total_cmp(&cost(a));
            by_cost.then(b.cpu.total_cmp(&a.cpu)).then(b.blocks.total_cmp(&a.blocks))
        });
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
