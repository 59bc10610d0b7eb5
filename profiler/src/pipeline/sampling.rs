//! Keeps the programs' cost under the budget: measures it live, and above it lets them be attached
//! for windows only.

use std::collections::{BTreeSet, HashMap};

use super::{baseline::Stretches, others::Others, toll};
use crate::{
    answer::{Bystanders, Toll},
    calibrate::pace::{thread_cpu, yardstick},
    kernel::{LoadError, Passed, Session, Statistics},
    predict::Paid,
    process::{self, Target},
    quantity::{Nanos, Tgid, Uncertain, median},
};

/// The shortest window of a measurement that is sampled.
const WINDOW: Nanos = Nanos::from_millis(200);
/// The longest window: what costs hardly more than the budget is left alone now and then all the
/// same.
const LONGEST_WINDOW: Nanos = Nanos::from_millis(4_000);
/// The longest pause between two windows. A longer one could miss a rare burst every time.
const LONGEST_PAUSE: Nanos = Nanos::from_millis(3_800);
/// The shortest one: in less, the target is not seen alone.
const SHORTEST_PAUSE: Nanos = Nanos::from_millis(100);
/// A pause is up to this share of it shorter or longer, so that windows do not fall in step with
/// what the target does periodically.
const RANDOM: f64 = 0.5;
/// To end a window and to open the next one takes CPU of our own, most of it where thousands of
/// threads are looked up: at most one in so many of a core.
const TURN_SHARE: u64 = 25;
/// But a screen shows something new so often, and a measurement has so many windows.
const LONGEST_CYCLE: Nanos = Nanos::from_millis(20_000);
const CYCLES: u64 = 4;
/// What the programs cost is first looked at after this time of a window, and then once in a
/// [`PERIOD`].
const FIRST: Nanos = Nanos::from_millis(100);
const PERIOD: Nanos = Nanos::from_millis(1_000);
/// The kernel keeps statistics for this long in each [`PERIOD`]. Keeping them costs two clock reads
/// for each run of a program.
const STATISTICS: Nanos = Nanos::from_millis(20);
/// CPU of the target, below which nothing is said of shares of it.
const MIN_CPU: Nanos = Nanos::from_millis(1);
/// A target that hardly runs is measured whole: what costs less of one CPU than this part of the
/// budget is no load to anybody, however much it is of the target's own. By default a thousandth.
const SMALL: f64 = 1.0 / 30.0;
/// The toll was calibrated on one processor with warm caches: its standard error, as a share of it,
/// until the target itself has been compared.
const TOLL_ERROR: f64 = 0.5;
/// Hardware counters are read after one in so many returns at least, and a step changes that by
/// this factor at most.
const RAREST: f64 = 4_096.0;
const STEEPEST: f64 = 16.0;
/// Calls in a series of the calibration of the hook, and series.
const CALLS: u32 = 2_000;
const SERIES: u32 = 10;

/// Watches what measuring costs, and says when a window has to end.
pub(super) struct Governor {
    budget: Option<f64>,
    /// What a hook costs whom it watches; `None` until it is calibrated, and where that failed.
    toll: Option<Toll>,
    /// What the kernel pays to get into and out of a hook, beside the program itself, ns.
    hook: f64,
    /// The pace at which `hook` was measured: ns of the yardstick.
    paced: f64,
    statistics: Keeping,
    from: Option<From>,
    /// What the target pays by the toll, as a share of its CPU, last looked at.
    share: Option<f64>,
    /// The same by its own clock.
    paid: Option<Uncertain>,
    others: Others,
    /// CPU of our own that the last pause took, with the window's end before and the opening after.
    turn: Nanos,
    /// The longest cycle.
    longest: Nanos,
}

/// The kernel's statistics: on now and then.
#[derive(Default)]
struct Keeping {
    on: Option<Statistics>,
    /// When they were last switched on.
    since: Option<Nanos>,
}

impl Keeping {
    /// Whether to switch them on now, or off.
    fn due(&self, now: Nanos, window_goes_on: bool) -> Option<bool> {
        let passed = self.since.map(|since| now.saturating_sub(since));
        let is_new = passed.is_none_or(|passed| passed >= PERIOD);
        match self.on {
            Some(_) => (!window_goes_on || passed >= Some(STATISTICS)).then_some(false),
            None => (window_goes_on && is_new).then_some(true),
        }
    }
}

/// Counters when the last look began.
#[derive(Clone)]
struct From {
    passed: Passed,
    /// CPU of each process that is measured.
    cpu: HashMap<Tgid, Nanos>,
    at: Nanos,
    /// When to look again.
    until: Nanos,
}

impl Governor {
    pub(super) fn new(budget: Option<f64>, duration: Option<Nanos>) -> Self {
        let longest = duration.map_or(LONGEST_CYCLE, |all| Nanos::from_nanos(all.as_nanos() / CYCLES));
        Self {
            budget,
            toll: None,
            hook: 0.0,
            paced: 0.0,
            statistics: Keeping::default(),
            from: None,
            share: None,
            paid: None,
            others: Others::default(),
            turn: Nanos::ZERO,
            longest: longest.min(LONGEST_CYCLE),
        }
    }

    /// Attaches the programs, and times calls and blocks of our own before and after.
    pub(super) fn calibrate(&mut self, session: &mut Session) -> Result<(), LoadError> {
        let (before, _) = time_calls();
        let tolls = toll::measure(session)?;
        self.toll = tolls.map(|tolls| tolls.target);
        self.others = Others::new(tolls.map(|tolls| tolls.others));
        // This thread is no target any more: what the hook costs it now is what the kernel pays for
        // the hook itself.
        let (after, pace) = time_calls();
        self.paced = pace;
        // sys_enter and sys_exit.
        self.hook = ((after - before) / 2.0 * pace).max(0.0);
        log::info!("{tolls:?}, {} ns of a hook are the kernel's", self.hook.round());
        Ok(())
    }

    /// What the kernel pays to get into and out of a hook, ns: at this pace, where one is known.
    pub(super) fn hook(&self, pace: Option<f64>) -> f64 {
        match pace {
            Some(pace) if self.paced > 0.0 => self.hook * pace / self.paced,
            _ => self.hook,
        }
    }

    /// What a hook costs whom it watches.
    pub(super) fn toll(&self) -> Option<Toll> {
        self.toll
    }

    /// A window has begun.
    pub(super) fn begun(&mut self, session: &Session, target: &Target, now: Nanos) {
        self.from = Some(From::now(session, target, now, FIRST));
        self.others.begun(session.passed(), now);
    }

    /// The last window ends.
    pub(super) fn ends(&mut self, session: &mut Session, now: Nanos) {
        self.keep_statistics(session, now, false);
        self.others.look(session.passed(), now);
    }

    /// What all others pay while they are watched.
    pub(super) fn bystanders(&self) -> Option<Bystanders> {
        self.others.pay()
    }

    /// Whether this window has to end, because measuring costs more than the budget. To be called
    /// at every tick, with the time since the window began.
    pub(super) fn over(&mut self, session: &mut Session, target: &Target, now: Nanos, elapsed: Nanos) -> bool {
        self.keep_statistics(session, now, true);
        if let Some(from) = self.from.take_if(|from| now >= from.until) {
            self.look(session, target, now, &from);
        }
        let over = match (self.budget, self.cost()) {
            (Some(budget), Some(cost)) => cost > budget && elapsed >= self.length(cost, budget),
            _ => false,
        };
        if over {
            self.ends(session, now);
        }
        over
    }

    /// Switches the kernel's statistics on and off.
    fn keep_statistics(&mut self, session: &mut Session, now: Nanos, window_goes_on: bool) {
        match self.statistics.due(now, window_goes_on) {
            Some(true) => {
                self.statistics = Keeping { on: Statistics::enable(), since: Some(now) };
                self.others.statistics_on(session, now);
            }
            Some(false) => {
                self.others.statistics_off(session, now);
                self.statistics.on = None;
            }
            None => {}
        }
    }

    fn look(&mut self, session: &Session, target: &Target, now: Nanos, from: &From) {
        let to = From::now(session, target, now, PERIOD);
        let used = to.cpu_since(from);
        if let Some(toll) = self.toll.filter(|_| used > MIN_CPU) {
            let calls = to.passed.calls.saturating_sub(from.passed.calls);
            let switches = to.passed.switches.saturating_sub(from.passed.switches);
            let cost = toll.of(calls, switches);
            let wall = now.saturating_sub(from.at).as_nanos() as f64;
            let small = cost < SMALL * self.budget.unwrap_or(0.0) * wall;
            self.share = (!small).then(|| cost / used.as_nanos() as f64);
        }
        self.others.look(to.passed, now);
        if let (Some(budget), Some(share)) = (self.budget, self.share) {
            session.set_ipc_every(thinned(session.ipc_every(), share, budget));
        }
        self.from = Some(to);
    }

    /// What the target pays while it is watched, as a share of the CPU that it would take: by the
    /// toll, and by its own clock as far as that is sure.
    fn targets_cost(&self) -> Option<f64> {
        let share = self.share?;
        let by_toll = Uncertain::with_standard_error(share, (TOLL_ERROR * share).max(1e-6));
        Some(self.paid.map_or(by_toll, |paid| by_toll.pooled(paid)).value.max(0.0))
    }

    /// What the budget is for, while the programs are attached: the target's share of its CPU, and
    /// all others' of the machine.
    fn cost(&self) -> Option<f64> {
        let others = self.others.pay().map(|pay| pay.machine());
        match (self.targets_cost(), others) {
            (None, None) => None,
            (target, others) => Some(target.unwrap_or(0.0) + others.unwrap_or(0.0)),
        }
    }

    /// How long a window lasts: so long that the pause after it is no shorter than
    /// [`SHORTEST_PAUSE`], and that what both take of our own CPU is a small part of them.
    fn length(&self, cost: f64, budget: f64) -> Nanos {
        let ours = self.cycle().as_nanos() as f64 * budget / cost;
        length(cost, budget).max(Nanos::from_nanos(ours as u64))
    }

    /// The shortest window and pause together.
    fn cycle(&self) -> Nanos {
        Nanos::from_nanos(self.turn.as_nanos().saturating_mul(TURN_SHARE)).min(self.longest)
    }

    /// What a window's end and the opening of the next one took of our own CPU.
    pub(super) fn turned(&mut self, took: Nanos) {
        self.turn = took;
    }

    /// How long to leave the target alone after it was watched for so long.
    ///
    /// A measurement begins with a window and may end with one: the `first` pause makes up for
    /// those before and after it, or short measurements would cost more than long ones.
    pub(super) fn pause(&self, window: Nanos, first: bool) -> Nanos {
        match (self.budget, self.cost()) {
            (Some(budget), Some(cost)) if cost > budget => {
                let mean = window.as_nanos() as f64 * (cost / budget.max(1e-6) - 1.0);
                let random = 1.0 + RANDOM * (2.0 * fastrand::f64() - 1.0);
                let pause = mean * random;
                // Not so long that a measurement of a few seconds has one window only.
                let owed = (2.0 * pause).min(LONGEST_PAUSE.as_nanos() as f64 / 2.0);
                let pause = if first { pause.max(owed) } else { pause };
                Nanos::from_nanos(pause as u64).clamp(SHORTEST_PAUSE, LONGEST_PAUSE.max(self.cycle()))
            }
            _ => Nanos::ZERO,
        }
    }

    /// Compares the target with itself, after a pause.
    pub(super) fn compare(&mut self, stretches: &Stretches) {
        let paid = Paid::new(&stretches.watched, &stretches.between, Nanos::ZERO);
        self.paid = paid.map(|paid| Uncertain::from(paid.watched)).or(self.paid);
    }
}

/// So long that the pause after it is no shorter than [`SHORTEST_PAUSE`].
fn length(cost: f64, budget: f64) -> Nanos {
    let for_pause = SHORTEST_PAUSE.as_nanos() as f64 / (cost / budget.max(1e-6) - 1.0).max(1e-6);
    Nanos::from_nanos(for_pause as u64).clamp(WINDOW, LONGEST_WINDOW)
}

impl From {
    fn now(session: &Session, target: &Target, at: Nanos, length: Nanos) -> Self {
        let measured: BTreeSet<Tgid> = session.live_processes().chain(target.tgids()).collect();
        let cpu = measured.into_iter().filter_map(|tgid| Some((tgid, process::cpu_time(tgid)?))).collect();
        Self { passed: session.passed(), cpu, at, until: at + length }
    }

    /// CPU of those that were there then and are there now: processes come and go.
    fn cpu_since(&self, before: &Self) -> Nanos {
        let used = |(tgid, now): (&Tgid, &Nanos)| Some(now.saturating_sub(*before.cpu.get(tgid)?));
        self.cpu.iter().filter_map(used).sum()
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
    fn windows_are_so_long_that_the_target_is_seen_alone_between_them() {
        // Far above the budget: as short as they may be.
        assert_eq!(length(0.15, 0.03), WINDOW);
        // A third above: 300 ms for a pause of 100 ms.
        assert!((length(0.04, 0.03).as_secs_f64() - 0.3).abs() < 1e-6);
        assert_eq!(length(0.030_001, 0.03), LONGEST_WINDOW);
    }

    #[test]
    fn what_takes_long_to_open_is_opened_rarely() {
        let mut governor = Governor::new(Some(0.03), None);
        assert_eq!(governor.length(0.12, 0.03), WINDOW);
        governor.turned(Nanos::from_millis(8));
        assert_eq!(governor.length(0.12, 0.03), WINDOW, "a small target as before");
        governor.turned(Nanos::from_millis(1_000));
        // A quarter of 20 s.
        assert_eq!(governor.length(0.12, 0.03), Nanos::from_millis(5_000));
        governor.share = Some(0.12);
        let pause = governor.pause(Nanos::from_millis(5_000), false);
        assert!(pause > Nanos::from_millis(7_000) && pause <= Nanos::from_millis(20_000), "{pause}");
        let mut short = Governor::new(Some(0.03), Some(Nanos::from_millis(5_000)));
        short.turned(Nanos::from_millis(1_000));
        assert_eq!(short.length(0.12, 0.03), Nanos::from_micros(312_500), "a quarter of a quarter");
    }

    #[test]
    fn what_the_targets_clock_says_counts_as_far_as_it_is_sure() {
        let cost =
            |paid: Option<Uncertain>| Governor { share: Some(0.1), paid, ..Governor::new(Some(0.03), None) }.cost();
        assert_eq!(cost(None), Some(0.1));
        let sure = cost(Some(Uncertain::with_standard_error(0.2, 0.005))).unwrap();
        let unsure = cost(Some(Uncertain::with_standard_error(0.2, 0.2))).unwrap();
        assert!((sure - 0.2).abs() < 0.005 && (unsure - 0.1).abs() < 0.02, "{sure} and {unsure}");
        let pauses = |window: u64| {
            let governor = Governor { share: Some(0.12), ..Governor::new(Some(0.03), None) };
            let pauses =
                (0..200).map(|_| governor.pause(Nanos::from_millis(window), false).as_secs_f64()).collect::<Vec<_>>();
            (pauses.iter().sum::<f64>() / 200.0, pauses.iter().copied().fold(0.0, f64::max))
        };
        let (mean, longest) = pauses(200);
        assert!((mean - 0.6).abs() < 0.06 && longest <= 0.9, "{mean} and {longest}");
    }

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
