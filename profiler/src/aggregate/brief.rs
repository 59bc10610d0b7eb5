//! Threads that are born for one connection or request each, serve it and end.

use super::{totals::ThreadTotals, window::Window};
use crate::event::{BlockClass, Family, SiteRecord};

/// A thread that is there for more than this share of the measurement is not there for one
/// connection.
const BRIEF: f64 = 0.25;

/// The threads of a window that were born for one connection each and ended with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BriefServers {
    /// How many there are; 0 where nothing accepts as many connections.
    pub threads: u64,
    /// How many threads were born and ended in the window, whatever they did.
    pub born: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Kernel CPU of these threads, ns.
    pub kernel: u64,
    /// Their share of all waits for locks.
    pub locks: f64,
    /// Their share of the CPU of all threads.
    pub cpu: f64,
}

impl BriefServers {
    pub fn new(window: &Window) -> Self {
        let accepted: u64 = window.sites.iter().map(SiteRecord::accepted).sum();
        let ones = || window.threads.iter().filter(|t| is_brief(t, window));
        let threads = ones().count() as u64;
        let born = window.threads.iter().filter(|t| t.born_inside && t.dead).count() as u64;
        // Programs that build something, or run a thread for each task, accept no connections.
        if threads == 0 || 2 * accepted < threads {
            return Self { born, accepted, ..Self::default() };
        }
        let all = |of: fn(&ThreadTotals) -> u64| window.threads.iter().map(of).sum::<u64>().max(1) as f64;
        let locks = |t: &ThreadTotals| t.sums.blocks_in(Family::Lock);
        let cpu = |t: &ThreadTotals| t.cpu().as_nanos();
        Self {
            threads,
            born,
            accepted,
            kernel: ones().map(|t| t.sums.kernel).sum(),
            locks: ones().map(locks).sum::<u64>() as f64 / all(locks),
            cpu: ones().map(cpu).sum::<u64>() as f64 / all(cpu),
        }
    }

    /// Whether a thread of the window is one of them.
    pub fn has(&self, thread: &ThreadTotals, window: &Window) -> bool {
        self.threads > 0 && is_brief(thread, window)
    }
}

fn is_brief(thread: &ThreadTotals, window: &Window) -> bool {
    let there = thread.wall.as_nanos() as f64;
    thread.born_inside
        && thread.dead
        && thread.sums.io_calls > 0
        && thread.sums.classes[BlockClass::Accept as usize].blocks == 0
        && there <= BRIEF * window.measured.as_nanos() as f64
}
