//! answer/metrics: what is counted of targets for those who gather figures of many machines.

use super::{stalls::EventLoop, top::Top};
use crate::{
    aggregate::{Loss, ThreadTotals, Window},
    event::{BUCKETS, CLASS_COUNT},
    quantity::Nanos,
};

/// What was counted of a target since its figures are gathered. Where the measurement was sampled,
/// what was seen stands for all of the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Seconds on a CPU.
    pub cpu: f64,
    /// Blocks by class, indexed as [`crate::event::BlockClass`].
    pub blocks: [f64; CLASS_COUNT],
    /// Seconds blocked, by class.
    pub blocked: [f64; CLASS_COUNT],
    /// Seconds in which threads could run and had no CPU.
    pub run_delay: f64,
    pub calls: f64,
    /// Switches to wait.
    pub voluntary: f64,
    /// Preemptions.
    pub involuntary: f64,
    /// Wake-ups of a thread by another one of its process.
    pub hand_offs: f64,
    /// What its event loops did, where that was asked for.
    pub turns: Turns,
}

/// Turns of event loops, from the return of one event wait to the call of the next. What was seen
/// is not scaled: a pause of a sampled measurement cuts turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Turns {
    /// Seconds in which loops were watched, summed over them.
    pub watched: f64,
    /// Seconds of their turns.
    pub away: f64,
    /// How many were how long, log2 histogram of ns.
    pub buckets: [u64; BUCKETS],
    /// Turns that were too long.
    pub stalls: u64,
    /// Seconds of these.
    pub stood: f64,
}

impl Default for Turns {
    fn default() -> Self {
        Self { watched: 0.0, away: 0.0, buckets: [0; BUCKETS], stalls: 0, stood: 0.0 }
    }
}

impl Turns {
    /// Adds what a loop did since `before`.
    pub(crate) fn add(&mut self, now: &EventLoop, before: Option<&EventLoop>) {
        let since = |of: fn(&EventLoop) -> Nanos| of(now).saturating_sub(before.map_or(Nanos::ZERO, of)).as_secs_f64();
        self.watched += since(|of| of.watched);
        self.away += since(|of| of.away);
        self.stood += since(|of| of.stood);
        self.stalls += now.stalls.saturating_sub(before.map_or(0, |of| of.stalls));
        for (bucket, sum) in self.buckets.iter_mut().enumerate() {
            *sum += u64::from(now.buckets[bucket].saturating_sub(before.map_or(0, |of| of.buckets[bucket])));
        }
    }

    /// How many turns there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            cpu: 0.0,
            blocks: [0.0; CLASS_COUNT],
            blocked: [0.0; CLASS_COUNT],
            run_delay: 0.0,
            calls: 0.0,
            voluntary: 0.0,
            involuntary: 0.0,
            hand_offs: 0.0,
            turns: Turns::default(),
        }
    }
}

impl Tally {
    /// Adds a window, which stands for `scale` times what was measured in it.
    pub(crate) fn add(&mut self, window: &Window, scale: f64) {
        let sums = window.sums();
        let seconds = |ns: u64| ns as f64 / 1e9 * scale;
        let pooled = Nanos::from_nanos(window.pooled.user + window.pooled.kernel);
        let cpu = window.threads.iter().map(ThreadTotals::cpu).sum::<Nanos>() + pooled;
        self.cpu += cpu.as_secs_f64() * scale;
        for ((blocks, blocked), class) in self.blocks.iter_mut().zip(&mut self.blocked).zip(&sums.classes) {
            *blocks += class.blocks as f64 * scale;
            *blocked += seconds(class.blocked);
            self.run_delay += seconds(class.run_delay);
        }
        self.run_delay += seconds(sums.preempted) + seconds(sums.born_delay);
        self.calls += sums.calls as f64 * scale;
        self.voluntary += sums.voluntary as f64 * scale;
        self.involuntary += sums.involuntary as f64 * scale;
        self.hand_offs += sums.woken_by_self as f64 * scale;
    }
}

/// Figures of targets, as far as they have come.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// The targets at a glance, in the last stretch: the first rows of it.
    pub top: Top,
    /// What was counted of each of these rows.
    pub tallies: Vec<Tally>,
    /// What was counted of all targets, those without a row too.
    pub whole: Tally,
    /// How many targets there are, with and without a row.
    pub targets: u64,
    /// What was lost.
    pub lost: Vec<(u64, Loss)>,
    /// Time since the first measurement began.
    pub wall: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// CPU that the programs took from the targets; `None` where that is not known.
    pub programs: Option<Nanos>,
    /// CPU of this process, since it began.
    pub own_cpu: Nanos,
}
