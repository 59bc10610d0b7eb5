//! The roles of a window's threads, and what they come to together.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::{
    bonds::{Bonds, Tie},
    brief::BriefServers,
    role::{Role, RoleLine, Scheduling, ThreadRole},
    signs::{Fed, Signs},
    totals::ThreadTotals,
    window::Window,
};
use crate::quantity::{Nanos, Tid};

/// The roles of all threads of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roles {
    /// In the order of the window's threads.
    in_order: Vec<ThreadRole>,
    handed_over: f64,
    /// Share of the CPU of pool workers that do IO.
    pool_with_io: f64,
    /// Those that are born for one connection each.
    pub brief: BriefServers,
    /// Together, the role with the most CPU first; roles that no thread has are left out.
    pub lines: Vec<RoleLine>,
}

impl Roles {
    /// The roles of a window's threads. `polls`: whether a thread that works for a ring is the one
    /// that polls, by its name.
    pub fn new(window: &Window, scheduling: Scheduling, polls: impl Fn(Tid) -> bool) -> Self {
        let bonds = Bonds::new(window);
        let brief = BriefServers::new(window);
        let sign = |t: &ThreadTotals| {
            let mut signs = Signs::new(t, bonds.bond(t.tid));
            signs.scheduling = scheduling;
            signs.for_ring = t.ring.then(|| if polls(t.tid) { Role::RingPoller } else { Role::RingWorker });
            signs.is_brief = scheduling != Scheduling::ParksTasks && brief.has(t, window);
            signs
        };
        let mut signs: Vec<Signs> = window.threads.iter().map(sign).collect();
        let loops: HashSet<Tid> =
            window.threads.iter().zip(&signs).filter(|(_, s)| s.is_loop()).map(|(t, _)| t.tid).collect();
        // A pool's workers may mostly wake each other, once a loop has woken the first.
        let from_loops = bonds.ended_for(&loops);
        let fed = Fed::new(&signs, bonds.ended_by(&loops));
        for (thread, signs) in window.threads.iter().zip(&mut signs) {
            signs.from_loops = from_loops.get(&thread.tid).copied().unwrap_or(0);
        }
        let mut roles = Self { brief, ..Self::default() };
        let mut sums: HashMap<Role, (u64, Nanos)> = HashMap::new();
        let (mut handed, mut locks, mut pool_with_io) = (0, 0, Nanos::ZERO);
        for (thread, signs) in window.threads.iter().zip(&signs) {
            let found = signs.role(fed);
            locks += signs.locks;
            if found.role == Role::PoolWorker && signs.does_io() && scheduling != Scheduling::ParksTasks {
                pool_with_io += thread.cpu();
            }
            if matches!(found.role, Role::PoolWorker | Role::Dispatcher) || signs.bond.tie == Tie::HandOver {
                handed += signs.locks;
            }
            roles.in_order.push(found);
            let sum = sums.entry(found.role).or_insert((0, Nanos::ZERO));
            *sum = (sum.0 + 1, sum.1 + thread.cpu());
        }
        roles.handed_over = handed as f64 / locks.max(1) as f64;
        let pooled = Nanos::from_nanos(window.pooled.user + window.pooled.kernel);
        if pooled > Nanos::ZERO {
            let sum = sums.entry(Role::Unknown).or_insert((0, Nanos::ZERO));
            *sum = (sum.0 + window.quality.threads_pooled.max(1), sum.1 + pooled);
        }
        let all: Nanos = sums.values().map(|(_, cpu)| *cpu).sum();
        roles.pool_with_io = pool_with_io.ratio_to(all);
        roles.lines = sums
            .into_iter()
            .map(|(role, (threads, cpu))| RoleLine { role, threads, cpu, share: cpu.ratio_to(all) })
            .collect();
        roles.lines.sort_by_key(|line| (Reverse(line.cpu), line.role));
        roles
    }

    /// The role of each of the window's threads, in their order there.
    pub fn of_threads(&self) -> impl Iterator<Item = ThreadRole> {
        self.in_order.iter().copied()
    }

    /// Share of the CPU that threads of these roles took.
    pub fn share(&self, roles: &[Role]) -> f64 {
        self.lines.iter().filter(|line| roles.contains(&line.role)).map(|line| line.share).sum()
    }

    /// Share of the CPU of threads that serve a connection or files by themselves.
    pub fn serving_alone(&self) -> f64 {
        self.share(&[Role::Connection, Role::Files])
    }

    /// Share of the CPU of threads that block where an async version would wait for events. Pool
    /// workers that only compute are none of them.
    pub fn blocking(&self) -> f64 {
        self.serving_alone() + self.pool_with_io
    }

    /// Whether most threads that do IO are handed their work.
    pub fn is_pool(&self) -> bool {
        self.pool_with_io > 0.0 && self.pool_with_io + self.share(&[Role::Dispatcher]) > self.serving_alone()
    }

    /// Whether an event loop waits for all IO and hands what is ready to a pool.
    pub fn is_fed(&self) -> bool {
        self.is_pool() && self.share(&[Role::EventLoop]) > 0.0
    }

    /// Share of all waits for locks that belongs to threads which are handed their work or hand it
    /// on; 0 where IO is not done that way.
    pub fn handed_over(&self) -> f64 {
        if self.is_pool() { self.handed_over } else { 0.0 }
    }

    /// How many threads have a role.
    pub fn threads(&self, role: Role) -> u64 {
        self.lines.iter().filter(|line| line.role == role).map(|line| line.threads).sum()
    }
}
