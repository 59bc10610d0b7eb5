//! Keeps the programs' cost under the budget: measures it live, and above it lets them be attached
//! for windows only.

use super::facts::process_cpu;
use crate::{
    calibrate::pace::{thread_cpu, yardstick},
    kernel::{LoadError, ProgramCost, Session, Statistics},
    process::Target,
    quantity::{Nanos, median},
};

/// Length of a window, where the measurement is sampled.
const WINDOW: Nanos = Nanos::from_millis(200);
/// The longest pause between two windows. A longer one could miss a rare burst every time.
const LONGEST_PAUSE: Nanos = Nanos::from_millis(3_800);
/// The kernel keeps statistics for this long in each [`PERIOD`]. Keeping them costs two clock reads
/// for each run of a program.
const STATISTICS: Nanos = Nanos::from_millis(100);
/// How often statistics are kept.
const PERIOD: Nanos = Nanos::from_millis(1_000);
/// Hardware counters are read after one in so many returns at least, and a step changes that by
/// this factor at most.
const RAREST: f64 = 4_096.0;
const STEEPEST: f64 = 16.0;
/// Calls in a series of the calibration of the hook, and series.
const CALLS: u32 = 2_000;
const SERIES: u32 = 10;

/// Watches what the programs cost, and says when a window has to end.
pub(super) struct Governor {
    budget: Option<f64>,
    /// What the kernel pays to get into and out of a hook, beside the program itself, ns.
    hook: f64,
    /// The pace at which `hook` was measured: ns of the yardstick.
    paced: f64,
    on: Option<From>,
    last: Option<Nanos>,
    /// The programs' share of the target's CPU, last measured.
    share: Option<f64>,
}

/// Counters when the statistics were switched on.
struct From {
    _on: Statistics,
    runs: u64,
    time: Nanos,
    events: u64,
    cpu: Nanos,
    at: Nanos,
}

fn runs_and_time(costs: &[ProgramCost]) -> (u64, Nanos) {
    (costs.iter().map(|c| c.runs).sum(), costs.iter().map(|c| c.time).sum())
}

impl Governor {
    pub(super) fn new(budget: Option<f64>) -> Self {
        Self { budget, hook: 0.0, paced: 0.0, on: None, last: None, share: None }
    }

    /// Attaches the programs, and times a system call of our own before and after. This process is
    /// no target: what the hook costs it is what the kernel pays for the hook itself.
    pub(super) fn calibrate(&mut self, session: &mut Session) -> Result<(), LoadError> {
        let (before, _) = time_calls();
        session.attach()?;
        let (after, pace) = time_calls();
        self.paced = pace;
        // sys_enter and sys_exit.
        self.hook = ((after - before) / 2.0 * pace).max(0.0);
        Ok(())
    }

    /// What the kernel pays to get into and out of a hook, ns: at this pace, where one is known.
    pub(super) fn hook(&self, pace: Option<f64>) -> f64 {
        match pace {
            Some(pace) if self.paced > 0.0 => self.hook * pace / self.paced,
            _ => self.hook,
        }
    }

    /// Whether this window has to end, because the programs cost more than the budget. To be called
    /// at every tick.
    pub(super) fn over(&mut self, session: &Session, target: &Target, elapsed: Nanos) -> bool {
        match self.on.take() {
            None if self.last.is_none_or(|last| elapsed.saturating_sub(last) >= PERIOD) => {
                if let (Some(on), Some(cpu)) = (Statistics::enable(), process_cpu(target)) {
                    let (runs, time) = runs_and_time(&session.costs());
                    self.on = Some(From { _on: on, runs, time, events: session.events(), cpu, at: elapsed });
                }
                self.last = Some(elapsed);
            }
            None => {}
            Some(from) if elapsed.saturating_sub(from.at) < STATISTICS => self.on = Some(from),
            Some(from) => {
                self.share = self.share_since(&from, session, target).or(self.share);
                if let (Some(budget), Some(share)) = (self.budget, self.share) {
                    session.set_ipc_every(thinned(session.ipc_every(), share, budget));
                }
            }
        }
        match (self.budget, self.share) {
            (Some(budget), Some(share)) => share > budget && elapsed >= WINDOW && self.on.is_none(),
            _ => false,
        }
    }

    /// The programs run for the whole machine; the target's part are its own events, at the mean
    /// cost of a run.
    fn share_since(&self, from: &From, session: &Session, target: &Target) -> Option<f64> {
        let (runs, time) = runs_and_time(&session.costs());
        let runs = runs.checked_sub(from.runs).filter(|&n| n > 0)?;
        let mean = time.saturating_sub(from.time).as_nanos() as f64 / runs as f64;
        let events = session.events().saturating_sub(from.events) as f64;
        let used = process_cpu(target)?.saturating_sub(from.cpu);
        (used > Nanos::from_millis(1)).then(|| events * (mean + self.hook) / used.as_nanos() as f64)
    }

    /// How long to leave the target alone after a window.
    pub(super) fn pause(&self) -> Nanos {
        match (self.budget, self.share) {
            (Some(budget), Some(share)) if share > budget => {
                let window = WINDOW.as_nanos() as f64;
                Nanos::from_nanos((window * (share / budget.max(1e-6) - 1.0)) as u64).min(LONGEST_PAUSE)
            }
            _ => Nanos::ZERO,
        }
    }

    /// The next window has begun.
    pub(super) fn resumed(&mut self) {
        self.on = None;
        self.last = None;
    }
}

/// How often hardware counters are to be read: at one in so many returns; 0 means never. It starts
/// from today's `every` and the programs' `share` of the target's CPU. Counters get half of the
/// budget, so that they alone never make a measurement a sampled one.
fn thinned(every: u32, share: f64, budget: f64) -> u32 {
    let half = budget.max(1e-6) / 2.0;
    if every == 0 {
        0
    } else if share > half {
        let factor = (share / half).ceil().clamp(2.0, STEEPEST);
        (f64::from(every) * factor).min(RAREST) as u32
    } else if share < half / 2.0 {
        (every / 2).max(1)
    } else {
        every
    }
}

/// CPU of a system call that does nothing, in yardsticks, and the yardstick's ns: medians of
/// several series, each at the pace before it.
fn time_calls() -> (f64, f64) {
    let series = || {
        let pace = yardstick();
        let begun = thread_cpu();
        for _ in 0..CALLS {
            std::hint::black_box(rustix::process::getppid());
        }
        ((thread_cpu() - begun) / f64::from(CALLS) / pace, pace)
    };
    let (calls, paces): (Vec<f64>, Vec<f64>) = (0..SERIES).map(|_| series()).unzip();
    (median(&calls), median(&paces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_as_often_as_half_the_budget_allows() {
        // Cheap: every return, and never more often than that.
        assert_eq!(thinned(1, 0.001, 0.03), 1);
        // Between a quarter and a half: as it is.
        assert_eq!(thinned(8, 0.01, 0.03), 8);
        // Above, more rarely at once; far below, more often step by step.
        assert_eq!(thinned(1, 0.02, 0.03), 2);
        assert_eq!(thinned(1, 0.09, 0.03), 6);
        assert_eq!(thinned(1, 9.0, 0.03), 16);
        assert_eq!(thinned(4_000, 9.0, 0.03), 4_096);
        assert_eq!(thinned(6, 0.001, 0.03), 3);
        // None are read, and none will be.
        assert_eq!(thinned(0, 9.0, 0.03), 0);
        assert_eq!(thinned(1, 0.0, 0.0), 1);
    }
}
