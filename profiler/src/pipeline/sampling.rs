//! Keeps the programs' cost under the budget: measures it live, and above it lets them be attached for windows only.

use super::facts::process_cpu;
use crate::{
    kernel::{LoadError, ProgramCost, Session, Statistics},
    target::Target,
    units::Nanos,
};

/// Length of a window, where the measurement is sampled.
const WINDOW: Nanos = Nanos::from_millis(200);
/// Windows never leave more than this between them: a rare burst would be missed for ever.
const LONGEST_PAUSE: Nanos = Nanos::from_millis(3_800);
/// The kernel keeps statistics for this long …
const STATISTICS: Nanos = Nanos::from_millis(100);
/// … once in this long. Keeping them costs two clock reads a run.
const PERIOD: Nanos = Nanos::from_millis(1_000);
/// Calls in a series of the calibration of the hook, and series.
const CALLS: u32 = 2_000;
const SERIES: u32 = 10;

/// Watches the cost.
pub(super) struct Governor {
    budget: Option<f64>,
    /// What the kernel pays to get into and out of a hook, beside the program itself, ns.
    hook: f64,
    on: Option<From>,
    last: Option<Nanos>,
    /// The programs' share of the target's CPU, last measured.
    share: Option<f64>,
}

/// Counters at the start of a look.
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
        Self { budget, hook: 0.0, on: None, last: None, share: None }
    }

    /// Attaches the programs, and times a system call of our own before and after: what a hook costs those who are not the
    /// target is what the kernel pays for the hook itself.
    pub(super) fn calibrate(&mut self, session: &mut Session) -> Result<(), LoadError> {
        let before = time_calls();
        session.attach()?;
        let after = time_calls();
        // sys_enter and sys_exit.
        self.hook = ((after - before) / 2.0).max(0.0);
        Ok(())
    }

    /// What the kernel pays to get into and out of a hook, ns.
    pub(super) fn hook(&self) -> f64 {
        self.hook
    }

    /// Whether this window has to end, because the programs cost more than the budget. To be called at every tick.
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
            Some(from) => self.share = self.share_since(&from, session, target).or(self.share),
        }
        match (self.budget, self.share) {
            (Some(budget), Some(share)) => share > budget && elapsed >= WINDOW && self.on.is_none(),
            _ => false,
        }
    }

    /// The programs run for the whole machine; the target's part are its own events, at the mean cost of a run.
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

/// Duration of a system call that does nothing, ns: the best of several series, because others use the CPU too.
fn time_calls() -> f64 {
    let series = || {
        let begun = std::time::Instant::now();
        for _ in 0..CALLS {
            std::hint::black_box(rustix::process::getppid());
        }
        begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..SERIES).map(|_| series()).fold(f64::INFINITY, f64::min)
}
