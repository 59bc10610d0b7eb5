//! The target's own clock: its CPU and its voluntary switches, stretch by stretch. In some the
//! programs are attached, in others nothing is. Hooks slow their target down, and a slower target
//! meets its peers at other moments: what that changed can be seen only by comparing the target
//! with itself.
//!
//! A measurement in windows has stretches of both kinds by turns. One that is not sampled has one
//! long stretch, and is followed by a few without the programs. Nothing is watched before it: the
//! verifier keeps a CPU busy then.

use std::time::{Duration, Instant};

use super::{
    facts::process_cpu,
    measurement::Request,
    pace::{PaceWatch, Taken},
};
use crate::{
    kernel,
    predict::Baseline,
    process::{self, Target},
    quantity::Nanos,
};

/// Length of a stretch after the end, in ns. The spread of several says how steady the target is.
const LENGTH: u64 = 125_000_000;
/// The stretches after a measurement take one in `SHARE` of its time. There are at least `FEWEST`
/// and at most `MOST`.
const SHARE: u64 = 8;
const FEWEST: u64 = 2;
const MOST: u64 = 8;
/// Stretches between windows that are as good as those after the end.
const ENOUGH: usize = 4;
/// What waited while the programs were attached is worked off in this time, or in a quarter of the
/// pause where that is shorter.
pub(super) const SETTLE: Nanos = Nanos::from_millis(30);
/// Reading the counters of more threads than this would itself be a load.
const MOST_THREADS: usize = 2_000;
/// Between two windows, reading them may take so much of the pause.
const READING: f64 = 0.01;

/// The counters at one moment.
struct Reading {
    cpu: Nanos,
    voluntary: u64,
    at: Instant,
    /// How long reading them took.
    took: Duration,
    taken: Option<Taken>,
}

impl Reading {
    /// `None` where the target has too many threads or is gone.
    fn take(target: &Target, pace: Option<&PaceWatch>) -> Option<Self> {
        let begun = Instant::now();
        let threads: Vec<_> =
            target.tgids().flat_map(|tgid| process::threads(tgid).into_iter().map(move |t| (tgid, t))).collect();
        if threads.len() > MOST_THREADS {
            return None;
        }
        // Reading the switches of hundreds of threads takes a while, and longer the first time. The
        // CPU is taken at the middle of that time, so that both are of one interval.
        let before = process_cpu(target)?;
        let voluntary = threads.iter().filter_map(|&(tgid, tid)| Some(process::counters(tgid, tid)?.voluntary)).sum();
        let meanwhile = process_cpu(target)?.saturating_sub(before);
        Some(Self {
            cpu: before + Nanos::from_nanos(meanwhile.as_nanos() / 2),
            voluntary,
            at: begun,
            took: begun.elapsed(),
            taken: pace.map(PaceWatch::so_far),
        })
    }

    /// The stretch from `earlier` until this moment.
    fn since(&self, earlier: &Self) -> Baseline {
        Baseline {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            wall: Nanos::from(self.at - earlier.at),
            pace: self.taken.zip(earlier.taken).and_then(|(now, then)| now.less(then).pace()),
            ..Baseline::default()
        }
    }
}

/// The stretches of a measurement so far.
#[derive(Default)]
pub(super) struct Stretches {
    /// Whether the target can be watched: its clock and its switches are of whole processes, and a
    /// command that has not been started has neither.
    whole: bool,
    /// Where the open stretch began; `None` where none is watched.
    begun: Option<Reading>,
    /// With the programs: attached, or coming and going.
    pub(super) watched: Vec<Baseline>,
    /// Between two windows.
    pub(super) between: Vec<Baseline>,
}

impl Stretches {
    /// The programs are attached.
    pub(super) fn begin(request: &Request, pace: Option<&PaceWatch>) -> Self {
        let whole = request.price && !request.follow && request.target.threads_only.is_none();
        Self { whole, begun: whole.then(|| Reading::take(&request.target, pace)).flatten(), ..Self::default() }
    }

    /// The measurement is over: so is the stretch, if the programs are still attached.
    pub(super) fn end(&mut self, target: &Target, pace: Option<&PaceWatch>) {
        let part = self.next(target, pace);
        self.watched.extend(part);
        self.begun = None;
    }

    /// The programs have left for `length`; waits so long by `wait`, which returns whether the
    /// measurement is over meanwhile.
    pub(super) fn pause(
        &mut self,
        target: &Target,
        pace: Option<&PaceWatch>,
        length: Nanos,
        mut wait: impl FnMut(Nanos) -> bool,
    ) -> bool {
        let until = kernel::now() + length;
        let left = || until.saturating_sub(kernel::now());
        let dear = self.begun.as_ref().is_some_and(|b| b.took.as_secs_f64() > READING * length.as_secs_f64());
        if self.begun.is_none() || dear {
            self.begun = None;
            return wait(left());
        }
        let over = wait(SETTLE.min(Nanos::from_nanos(length.as_nanos() / 4)));
        let part = self.next(target, pace);
        self.watched.extend(part);
        let over = over || wait(left());
        let alone = self.next(target, pace);
        self.between.extend(alone.map(|part| Baseline { between: true, ..part }));
        over
    }

    /// Ends the open stretch and begins the next.
    fn next(&mut self, target: &Target, pace: Option<&PaceWatch>) -> Option<Baseline> {
        let now = self.begun.is_some().then(|| Reading::take(target, pace)).flatten();
        let begun = std::mem::replace(&mut self.begun, now)?;
        Some(self.begun.as_ref()?.since(&begun))
    }

    /// Watches the target after the measurement, for a while that depends on its length. Returns
    /// nothing where it was not watched, was seen alone often enough, or ends meanwhile.
    pub(super) fn after(&self, request: &Request, pace: Option<&PaceWatch>) -> Vec<Baseline> {
        let target = &request.target;
        let count = request.duration.map_or(FEWEST, |d| d.as_nanos() / SHARE / LENGTH).clamp(FEWEST, MOST);
        if !self.whole || self.between.len() >= ENOUGH {
            return Vec::new();
        }
        let mut stretches = Self { begun: Reading::take(target, pace), ..Self::default() };
        let mut parts = Vec::with_capacity(count as usize);
        for _ in 0..count {
            std::thread::sleep(Duration::from_nanos(LENGTH));
            let Some(part) = stretches.next(target, pace) else { return Vec::new() };
            parts.push(Baseline { after: true, ..part });
        }
        parts
    }
}
