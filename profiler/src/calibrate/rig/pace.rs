//! The pace: how fast this CPU gets work done right now. The yardstick is a fixed piece of work in
//! user mode that keeps many execution units busy.
//!
//! A virtual CPU shares its core with whatever the host runs on the sibling thread, and gets up to
//! twice as much done in one tenth of a second as in the next. No clock of the guest shows it,
//! because it is not stolen time. Prices of one moment and counts of another fit together only at
//! the same pace. The time of the yardstick rises and falls with that of the kernel's code
//! (docs/calibrate.md has the figures). A chain of dependent instructions would not do: it leaves
//! most of a core to its sibling.

use std::{hint::black_box, time::Duration};

use super::clock;
use crate::quantity::median;

/// Rounds of the work: some 8 µs.
const ROUNDS: u64 = 5_000;
/// How many yardsticks determine the pace at which costs are given, and how far apart they are
/// taken.
const BASE: usize = 64;
const APART: Duration = Duration::from_millis(1);

/// How long the calling thread's CPU takes for the work, ns. It is the better of two tries, because
/// interrupts are not part of the pace.
pub(crate) fn yardstick() -> f64 {
    once().min(once())
}

fn once() -> f64 {
    let begun = clock::thread_cpu();
    black_box(work(black_box(1)));
    (clock::thread_cpu() - begun).max(1) as f64
}

/// Four chains of operations that hardly wait for each other.
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

/// CPUs that exist, are on, and may be used by the calling thread.
pub(crate) fn reachable() -> Vec<usize> {
    clock::allowed().unwrap_or_default()
}

/// Puts the calling thread on a CPU to take its pace. It preempts nobody there.
pub(crate) fn settle_on(cpu: usize) -> std::io::Result<()> {
    clock::never_preempt();
    clock::pin(&[cpu])
}

/// Converts what was measured at one moment to the pace of the whole calibration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    base: f64,
    last: f64,
}

impl Pacer {
    /// Takes the pace over about a tenth of a second. Costs are given at this pace.
    pub(crate) fn new() -> Self {
        let all: Vec<f64> = (0..BASE)
            .map(|_| {
                std::thread::sleep(APART);
                yardstick()
            })
            .collect();
        Self::at(median(&all))
    }

    /// Gives costs at a pace that is known, in ns of the yardstick.
    pub(crate) fn at(base: f64) -> Self {
        Self { base, last: yardstick() }
    }

    /// The pace at which costs are given, in ns of the yardstick.
    pub(crate) fn base(&self) -> f64 {
        self.base
    }

    /// Begins a measurement that [`Pacer::steady`] or [`Pacer::factor`] will convert.
    pub(crate) fn mark(&mut self) {
        self.last = yardstick();
    }

    /// Converts what was measured since the last mark or conversion to the common pace.
    pub(crate) fn steady(&mut self, spent: f64) -> f64 {
        spent * self.factor()
    }

    /// The factor that converts what was measured since the last mark or conversion to the common
    /// pace.
    pub(crate) fn factor(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.last, yardstick());
        factor(before, self.last, self.base)
    }
}

/// The factor from the mean pace before and after a measurement to the common one.
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
