//! The pace: how fast this CPU gets work done right now, by a yardstick: a fixed piece of work in
//! user mode that keeps many execution units busy.
//!
//! A virtual CPU shares its core with whatever else the host runs on the sibling thread, and gets
//! up to twice as much done in one tenth of a second as in the next. No clock of the guest shows
//! it: it is not stolen time. Prices of one moment and counts of another fit together only when
//! both are brought to one pace. What the yardstick needs per unit of work rises and falls with
//! what the kernel's code needs (docs/calibrate.md has the figures); a chain of dependent
//! instructions would not: it leaves most of a core to its sibling.

use std::{hint::black_box, time::Duration};

use super::clock;
use crate::quantity::median;

/// Rounds of the work: some 8 µs.
const ROUNDS: u64 = 5_000;
/// Yardsticks that make out the pace at which costs are given, and how far apart they are taken.
const BASE: usize = 64;
const APART: Duration = Duration::from_millis(1);

/// How long the calling thread's CPU takes for the work, ns: the better of two, because interrupts
/// are not its pace.
pub(crate) fn yardstick() -> f64 {
    once().min(once())
}

fn once() -> f64 {
    let begun = clock::thread_cpu();
    black_box(work(black_box(1)));
    (clock::thread_cpu() - begun).max(1) as f64
}

/// Four chains of operations with little to wait for in each other.
fn work(seed: u64) -> u64 {
    let (mut a, mut b, mut c, mut d) = (seed, seed + 1, seed + 2, seed + 3);
    for round in 0..ROUNDS {
        a = a.wrapping_mul(5).wrapping_add(1);
        b = b.wrapping_add(a ^ (b << 7));
        c = (c ^ (c >> 3)).wrapping_add(round);
        d = d.wrapping_add(c);
    }
    a ^ b ^ c ^ d
}

/// CPU of the calling thread, ns: the yardstick's clock.
pub(crate) fn thread_cpu() -> f64 {
    clock::thread_cpu() as f64
}

/// CPUs that the calling thread may be put on: they exist and are on.
pub(crate) fn reachable() -> Vec<usize> {
    clock::allowed().unwrap_or_default()
}

/// Puts the calling thread on a CPU whose pace it is to tell: it preempts nobody there.
pub(crate) fn settle_on(cpu: usize) -> std::io::Result<()> {
    clock::never_preempt();
    clock::pin(&[cpu])
}

/// Brings what was measured at one moment to the pace of the whole calibration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    base: f64,
    last: f64,
}

impl Pacer {
    /// With the pace of about a tenth of a second as the one that costs are given at.
    pub(crate) fn new() -> Self {
        let all: Vec<f64> = (0..BASE)
            .map(|_| {
                std::thread::sleep(APART);
                yardstick()
            })
            .collect();
        Self::at(median(&all))
    }

    /// With a pace that is known: the yardstick's ns.
    pub(crate) fn at(base: f64) -> Self {
        Self { base, last: yardstick() }
    }

    /// What the yardstick took at the pace that costs are given at, ns.
    pub(crate) fn base(&self) -> f64 {
        self.base
    }

    /// Something begins that [`Pacer::steady`] will be asked about.
    pub(crate) fn mark(&mut self) {
        self.last = yardstick();
    }

    /// What has just been measured, since the last mark or question, as it would be at the common
    /// pace.
    pub(crate) fn steady(&mut self, spent: f64) -> f64 {
        spent * self.factor()
    }

    /// What brings all that was measured since the last mark or question to the common pace.
    pub(crate) fn factor(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.last, yardstick());
        factor(before, self.last, self.base)
    }
}

/// From the pace around it to the common one.
fn factor(before: f64, after: f64, base: f64) -> f64 {
    base / f64::midpoint(before, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_at_half_the_pace_costs_half() {
        assert_eq!(factor(20.0, 20.0, 10.0), 0.5);
        assert_eq!(factor(5.0, 15.0, 10.0), 1.0);
    }

    #[test]
    fn the_work_takes_time_and_depends_on_what_it_is_given() {
        assert!(yardstick() > 100.0);
        assert_ne!(work(1), work(2));
    }
}
