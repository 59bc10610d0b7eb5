//! answer/capacity: how many times today's load the target's CPUs carry, now and in another way,
//! and how many workers its pool keeps busy.

use crate::{
    aggregate::{Role, Roles, Scheduling, Window},
    event::{BlockClass, Family},
    machine::Way,
    predict::{Kind, WhatIf},
    quantity::Estimate,
};

use super::inputs::Inputs;

/// CPUs in use below which nothing is said: a factor of hundreds is of no use to anybody.
const IDLE: f64 = 0.01;
/// A target that uses so much of what it can has no room left.
const FULL: f64 = 0.95;
/// A pool of so few workers is none.
const FEWEST: u64 = 2;

/// How far the target's CPUs carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// CPUs that it uses.
    pub used: f64,
    /// CPUs that it can fill as it is.
    pub cpus: f64,
    /// What keeps it from more.
    pub limit: Limit,
    /// Whether it is mostly on files: what its disks carry is not known.
    pub on_files: bool,
    /// What it would come to in other ways, in the order of the scenarios; none for files, where
    /// the device sets the pace.
    pub ways: Vec<InWay>,
    /// The pools of its threads.
    pub workers: Option<Workers>,
}

/// What keeps a target from filling more CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The machine, or its affinity.
    Cpus,
    /// A quota of its cgroups.
    Quota,
    /// Its interpreter lets one thread of a process run at a time.
    OneLock,
    /// It has no more threads that work.
    Threads,
}

/// What a way of waiting would carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InWay {
    pub way: Way,
    /// Times today's load at which its CPUs would be full, with its 90 % interval.
    pub times: Estimate,
}

/// Threads that are handed work, and how many of them are busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workers {
    pub threads: u64,
    /// Busy in the mean: on a CPU, waiting for one, or blocked on what is not the next piece of
    /// work. By Little's law the rate of work times the time that each piece takes.
    pub busy: f64,
}

impl Capacity {
    /// `cpu` is that of the target in this window without the hooks, ns: a prediction may be of an
    /// earlier one. `None` where the target hardly runs.
    pub(crate) fn new(
        (window, cpu): (&Window, f64),
        inputs: &Inputs,
        roles: &Roles,
        scheduling: Scheduling,
        what_if: &WhatIf,
    ) -> Option<Self> {
        let seconds = window.measured.as_secs_f64();
        let used = cpu / 1e9 / seconds.max(1e-9);
        if used < IDLE {
            return None;
        }
        let processes = window.threads.iter().map(|thread| thread.tgid).collect::<std::collections::BTreeSet<_>>();
        let one_lock = (scheduling == Scheduling::OneAtATime).then_some(processes.len() as f64);
        let (cpus, limit) = room(inputs, one_lock, working(roles) as f64);
        // What is in use fits by definition: measuring is not that exact.
        let cpus = cpus.max(used);
        let (in_other_ways, _) = room(inputs, one_lock, f64::INFINITY);
        let times = |share: f64| in_other_ways.max(used) / (used * (1.0 - share).max(1e-3));
        let in_way = |way, full: Estimate| InWay {
            way,
            times: Estimate { low: times(full.low), value: times(full.value), high: times(full.high) },
        };
        let on_files = what_if.scenarios.iter().any(|scenario| scenario.kind == Kind::Files);
        let others = what_if.scenarios.iter().filter(|_| !on_files);
        Some(Self {
            used,
            cpus,
            limit,
            on_files,
            ways: others.map(|scenario| in_way(scenario.way, scenario.full)).collect(),
            workers: Workers::new(window, roles),
        })
    }

    /// Times today's load at which the CPUs that it can fill are full, if a request costs what it
    /// costs today. On an emptier CPU a request is dearer, so that it is mostly more.
    pub fn times(&self) -> f64 {
        self.cpus / self.used
    }

    /// Whether it has no room left.
    pub fn is_full(&self) -> bool {
        self.used >= FULL * self.cpus
    }
}

/// CPUs that a target can fill, and what keeps it from more.
fn room(inputs: &Inputs, one_lock: Option<f64>, threads: f64) -> (f64, Limit) {
    let facts = &inputs.facts;
    let of_machine = (f64::from(facts.allowed_cpus.max(1)), Limit::Cpus);
    let others = [(facts.quota_cpus, Limit::Quota), (one_lock, Limit::OneLock), (Some(threads), Limit::Threads)];
    let narrower = others.into_iter().filter_map(|(cpus, limit)| Some((cpus?, limit)));
    narrower.fold(of_machine, |least, other| if other.0 < least.0 { other } else { least })
}

/// Threads that would take on more work.
fn working(roles: &Roles) -> u64 {
    let works = |role: Role| !matches!(role, Role::Idle | Role::Timer | Role::Acceptor | Role::RingPoller);
    roles.lines.iter().filter(|line| works(line.role)).map(|line| line.threads).sum::<u64>().max(1)
}

impl Workers {
    /// The threads that are handed their work. What a worker waits for between two pieces of work
    /// is a lock, or a descriptor that is a waker.
    fn new(window: &Window, roles: &Roles) -> Option<Self> {
        let between = |class: BlockClass| class.family() == Family::Lock || class == BlockClass::EventFd;
        let (mut threads, mut busy) = (0, 0.0);
        for (thread, role) in window.threads.iter().zip(roles.of_threads()) {
            if role.role == Role::PoolWorker && !thread.dead && thread.wall.as_nanos() > 0 {
                let waits = BlockClass::ALL.into_iter().filter(|&class| between(class));
                let free: u64 = waits.map(|class| thread.sums.classes[class as usize].blocked).sum();
                threads += 1;
                busy += (1.0 - free as f64 / thread.wall.as_nanos() as f64).max(0.0);
            }
        }
        (threads >= FEWEST).then_some(Self { threads, busy })
    }

    /// Times today's load at which all of them are busy, so that work waits in the queue.
    pub fn times(&self) -> f64 {
        self.threads as f64 / self.busy.max(1e-3)
    }

    /// Whether work waits for them as it is.
    pub fn are_all_busy(&self) -> bool {
        self.busy >= FULL * self.threads as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Facts;

    #[test]
    fn what_is_narrowest_limits() {
        let inputs = |allowed_cpus, quota_cpus| Inputs {
            facts: Facts { allowed_cpus, quota_cpus, ..Facts::default() },
            ..Inputs::default()
        };
        assert_eq!(room(&inputs(4, None), None, 64.0), (4.0, Limit::Cpus));
        assert_eq!(room(&inputs(4, Some(0.5)), None, 64.0), (0.5, Limit::Quota));
        assert_eq!(room(&inputs(4, None), Some(1.0), 64.0), (1.0, Limit::OneLock));
        assert_eq!(room(&inputs(4, None), None, 2.0), (2.0, Limit::Threads));
    }

    #[test]
    fn full_is_told_from_room() {
        let capacity =
            |used| Capacity { used, cpus: 2.0, limit: Limit::Cpus, on_files: false, ways: Vec::new(), workers: None };
        assert!(!capacity(0.5).is_full() && (capacity(0.5).times() - 4.0).abs() < 1e-12);
        assert!(capacity(1.95).is_full());
        let workers = |busy| Workers { threads: 8, busy };
        assert!(!workers(4.0).are_all_busy() && (workers(4.0).times() - 2.0).abs() < 1e-12);
        assert!(workers(7.9).are_all_busy());
    }
}
