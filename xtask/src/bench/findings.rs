//! What the rounds and the limits gave, and the bars that it is judged by.

use std::collections::BTreeMap;

use super::{
    figures::{Bar, Spread},
    limits::{self, RunTime},
    load::Sample,
    observer::Observer,
};
use crate::host::numbers::{bytes, increase, millis, nanos, residual};

/// Switches per second at which the daemon is judged.
const SWITCHES: f64 = 100_000.0;

/// Everything that was found.
pub(super) struct Findings {
    pub(super) rounds: u32,
    pub(super) seconds: u64,
    /// Rounds of each configuration; a round without it was not measured.
    pub(super) samples: BTreeMap<Observer, Vec<(u32, Sample)>>,
    /// Peers that could not be measured, and why.
    pub(super) absent: BTreeMap<Observer, String>,
    /// Measurements made once more because other programs ran.
    pub(super) repeated: u32,
    /// Whether other programs ran when the limits were measured.
    pub(super) limits_disturbed: bool,
    pub(super) check_runs: RunTime,
    pub(super) empty_runs: RunTime,
    pub(super) limits: Option<Limits>,
}

pub(super) struct Limits {
    pub(super) daemon: limits::Daemon,
    pub(super) large: limits::Large,
    pub(super) start: Spread,
}

impl Findings {
    pub(super) fn new(rounds: u32, seconds: u64) -> Self {
        Self {
            rounds,
            seconds,
            samples: BTreeMap::new(),
            absent: BTreeMap::new(),
            repeated: 0,
            limits_disturbed: false,
            check_runs: RunTime::default(),
            empty_runs: RunTime::default(),
            limits: None,
        }
    }

    /// Rounds in which none of these configurations was disturbed.
    fn rounds_of<const N: usize>(&self, observers: [Observer; N]) -> Vec<[&Sample; N]> {
        let sample = |observer, round| {
            let (_, sample) = self.samples.get(&observer)?.iter().find(|(r, _)| *r == round)?;
            sample.is_quiet().then_some(sample)
        };
        let together = |round| -> Option<[&Sample; N]> {
            let samples: Vec<&Sample> = observers.iter().map_while(|&o| sample(o, round)).collect();
            samples.try_into().ok()
        };
        (0..self.rounds).filter_map(together).collect()
    }

    /// Applies `f`, round by round, to the configuration and to the one without a profiler.
    pub(super) fn against_none(&self, observer: Observer, f: impl Fn(&Sample, &Sample) -> f64) -> Option<Spread> {
        let rounds = self.rounds_of([observer, Observer::None]);
        Spread::from_values(rounds.into_iter().map(|[sample, none]| f(sample, none)))
    }

    /// Applies `f` to each undisturbed round of the configuration.
    pub(super) fn own(&self, observer: Observer, f: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::from_values(self.rounds_of([observer]).into_iter().map(|[sample]| f(sample)))
    }

    /// CPU per request over that without a profiler.
    pub(super) fn cost(&self, observer: Observer) -> Option<Spread> {
        self.against_none(observer, |sample, none| sample.cpu_per_request / none.cpu_per_request)
    }

    fn why_not(&self, observer: Observer) -> String {
        if let Some(why) = self.absent.get(&observer) {
            return why.clone();
        }
        let measured = self.samples.contains_key(&observer);
        if measured { "other programs disturbed every round" } else { "not measured in this run" }.to_owned()
    }

    /// What `check` adds over what the three peers add, round by round.
    fn against_peers(&self) -> Option<Spread> {
        let rounds = self.rounds_of([Observer::Check, Observer::Peers, Observer::None]);
        let added = |sample: &Sample, none: &Sample| sample.cpu_per_request - none.cpu_per_request;
        Spread::from_values(rounds.into_iter().map(|[check, peers, none]| added(check, none) / added(peers, none)))
    }
}

/// The bars, each with what was measured.
pub(super) fn bars(found: &Findings) -> Vec<Bar> {
    let no_limits = || "not measured in this run".to_owned();
    let or = |spread: Option<Spread>, observer| spread.ok_or_else(|| found.why_not(observer));
    let limits = found.limits.as_ref();
    let mut bars: Vec<Bar> = [Observer::Check, Observer::CheckBudget]
        .into_iter()
        .map(|observer| {
            let what = format!("CPU per request under {}", observer.title());
            Bar::at_most(&what, 1.10, or(found.cost(observer), observer), increase)
        })
        .collect();
    bars.push(Bar::at_most(
        "what `check --exact` adds, of what offcputime, syscount and runqlat together add",
        1.0 / 3.0,
        or(found.against_peers(), Observer::Peers),
        residual,
    ));
    let run_time = Spread::from_values(found.check_runs.means.iter().copied()).ok_or_else(no_limits);
    bars.push(Bar::at_most("mean BPF run time per event", 150.0, run_time, nanos));
    let switches = limits.and_then(|l| l.daemon.switches);
    let fast = switches.is_some_and(|s| s.min >= SWITCHES);
    let share = limits.and_then(|l| l.daemon.share).ok_or_else(no_limits);
    let share = share.and_then(|s| if fast { Ok(s) } else { Err("the target switched too slowly here".to_owned()) });
    bars.push(Bar::at_most("daemon, of a core, at 100,000 switches/s and more", 0.02, share, residual));
    let rss = limits.map(|l| l.large.rss).ok_or_else(no_limits);
    bars.push(Bar::at_most("daemon, largest RSS, 10,000 threads in the target", 64.0 * 1_048_576.0, rss, bytes));
    for (what, start) in [
        ("from exec until events count, 2 threads", limits.map(|l| l.start)),
        ("from exec until events count, 10,000 threads", limits.map(|l| l.large.start)),
    ] {
        bars.push(Bar::at_most(what, 0.5, start.ok_or_else(no_limits), millis));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu_per_request: f64) -> Sample {
        Sample { cpu_per_request, rate: 1e9 / cpu_per_request, observer: 0.0, others: 0.0, counted: None }
    }

    fn findings() -> Findings {
        Findings::new(2, 1)
    }

    #[test]
    fn a_configuration_is_compared_within_its_round() {
        let rounds = |values: [f64; 2]| values.into_iter().map(sample).zip(0..).map(|(s, r)| (r, s)).collect();
        let mut found = findings();
        found.samples = BTreeMap::from([
            (Observer::None, rounds([100.0, 200.0])),
            (Observer::Check, rounds([110.0, 220.0])),
            (Observer::Peers, rounds([140.0, 280.0])),
        ]);
        let cost = found.cost(Observer::Check).unwrap();
        assert!((cost.min - 1.1).abs() < 1e-9 && (cost.max - 1.1).abs() < 1e-9);
        assert!((found.against_peers().unwrap().median - 0.25).abs() < 1e-9);
        assert_eq!(found.cost(Observer::Strace), None);
        // What was not measured is no failure and no success.
        assert_eq!(bars(&found).iter().filter(|bar| bar.found.is_ok()).count(), 2);
    }

    #[test]
    fn disturbed_rounds_prove_nothing() {
        let disturbed = |cpu| Sample { others: 1.0, ..sample(cpu) };
        let mut found = findings();
        found.samples.insert(Observer::None, vec![(0, sample(100.0)), (1, disturbed(100.0))]);
        found.samples.insert(Observer::Check, vec![(0, sample(110.0)), (1, sample(300.0))]);
        assert_eq!(found.cost(Observer::Check).map(|s| s.rounds), Some(1));
        found.samples.insert(Observer::None, vec![(0, disturbed(100.0)), (1, disturbed(100.0))]);
        assert_eq!(found.cost(Observer::Check), None);
        assert_eq!(bars(&found).first().map(|bar| bar.found.is_ok()), Some(false));
    }
}
