//! `cargo xtask bench overhead`: rounds of every configuration in random order, then the limits, then the verdicts.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use clap::Args;

use super::{
    figures::{Bar, Spread, increase, mebibytes, millis, nanos, percent},
    limits::{self, RunTime},
    load::{self, Sample},
    machine::{self, Binaries, Tracefs},
    observer::Observer,
    render,
};
use crate::{
    host::{child, machine::await_quiet},
    say,
};

/// Rounds of what is not compared, at most.
const LIMIT_ROUNDS: u32 = 5;
/// Switches per second at which the daemon is judged.
const SWITCHES: f64 = 100_000.0;

/// CPU per request of the demo's server under check, its floor and its peers, and the limits of the daemon.
#[derive(Args)]
pub(super) struct Options {
    /// Rounds; each measures every configuration once, in random order.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of load per measurement.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these configurations; without a profiler is always measured.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Observer>,
    /// Leaves out the limits: run time of the programs, the daemon's CPU and memory, time to start.
    #[arg(long)]
    no_limits: bool,
    /// Seconds to wait for other programs to be done, before each measurement.
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// Writes docs/performance.md.
    #[arg(long)]
    write: bool,
}

impl Options {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

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

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let binaries = Binaries::build(root)?;
    let _tracefs = Tracefs::mount()?;
    let facts = machine::facts(root)?;
    let mut found = Findings {
        rounds: options.rounds,
        seconds: options.seconds,
        samples: BTreeMap::new(),
        absent: BTreeMap::new(),
        repeated: 0,
        limits_disturbed: false,
        check_runs: RunTime::default(),
        empty_runs: RunTime::default(),
        limits: None,
    };
    compare(&binaries, options, &mut found)?;
    if !options.no_limits {
        let rounds = options.rounds.min(LIMIT_ROUNDS);
        progress("run time of the programs")?;
        for _ in 0..rounds {
            found.limits_disturbed |= !await_quiet(options.patience())?;
            limits::run_time(&binaries.own, Observer::Check, options.seconds, &mut found.check_runs)?;
            limits::run_time(&binaries.own, Observer::Empty, options.seconds, &mut found.empty_runs)?;
        }
        progress("the daemon at many switches")?;
        found.limits_disturbed |= !await_quiet(options.patience())?;
        let daemon = limits::daemon(&binaries.own, &binaries.truth, rounds, options.seconds)?;
        progress("a target of many threads")?;
        found.limits_disturbed |= !await_quiet(options.patience())?;
        let large = limits::large(&binaries.own, &binaries.truth, rounds)?;
        let start = limits::starts(&binaries.own, rounds)?;
        found.limits = Some(Limits { daemon, large, start });
    }
    let bars = bars(&found);
    let tables = render::tables(&found, &bars);
    say(&tables)?;
    if options.write {
        let path = root.join("docs").join("performance.md");
        std::fs::write(&path, render::document(&facts, &found, &tables))
            .with_context(|| format!("writing {}", path.display()))?;
        say(&format!("written: {}", path.display()))?;
    }
    let missed = bars.iter().filter(|bar| bar.found.is_ok() && !bar.holds()).count();
    anyhow::ensure!(missed == 0, "{missed} of {} bars not met", bars.len());
    Ok(())
}

fn compare(binaries: &Binaries, options: &Options, found: &mut Findings) -> Result<()> {
    let mut random = Random::new();
    for round in 0..options.rounds {
        let mut order: Vec<Observer> = clap::ValueEnum::value_variants().to_vec();
        order.retain(|o| *o == Observer::None || options.only.is_empty() || options.only.contains(o));
        random.shuffle(&mut order);
        for observer in order {
            if found.absent.contains_key(&observer) {
                continue;
            }
            match load::measure(&binaries.own, observer, options.seconds, options.patience()) {
                Ok((sample, again)) => {
                    progress(&format!(
                        "round {}/{}: {}: {:.0} ns per request, {:.0} requests/s",
                        round + 1,
                        options.rounds,
                        observer.title(),
                        sample.cpu_per_request,
                        sample.rate
                    ))?;
                    found.samples.entry(observer).or_default().push((round, sample));
                    found.repeated += again;
                }
                Err(error) if observer.is_ours() => return Err(error.context(observer.title())),
                Err(error) => {
                    // A Ctrl-C is no fault of the peer.
                    child::pause(Duration::ZERO)?;
                    progress(&format!("{}: not available: {error:#}", observer.title()))?;
                    found.absent.insert(observer, one_line(&format!("{error:#}")));
                    found.samples.remove(&observer);
                }
            }
        }
    }
    Ok(())
}

impl Findings {
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

    /// Of each round: `f` of the configuration and of the one without a profiler.
    pub(super) fn against_none(&self, observer: Observer, f: impl Fn(&Sample, &Sample) -> f64) -> Option<Spread> {
        let rounds = self.rounds_of([observer, Observer::None]);
        Spread::of(rounds.into_iter().map(|[sample, none]| f(sample, none)))
    }

    /// Of each undisturbed round of the configuration alone.
    pub(super) fn own(&self, observer: Observer, f: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.rounds_of([observer]).into_iter().map(|[sample]| f(sample)))
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
        Spread::of(rounds.into_iter().map(|[check, peers, none]| added(check, none) / added(peers, none)))
    }
}

fn bars(found: &Findings) -> Vec<Bar> {
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
        percent,
    ));
    let run_time = Spread::of(found.check_runs.means.iter().copied()).ok_or_else(no_limits);
    bars.push(Bar::at_most("mean BPF run time per event", 150.0, run_time, nanos));
    let switches = limits.and_then(|l| l.daemon.switches);
    let fast = switches.is_some_and(|s| s.min >= SWITCHES);
    let share = limits.and_then(|l| l.daemon.share).ok_or_else(no_limits);
    let share = share.and_then(|s| if fast { Ok(s) } else { Err("the target switched too slowly here".to_owned()) });
    bars.push(Bar::at_most("daemon, of a core, at 100,000 switches/s and more", 0.02, share, percent));
    let rss = limits.map(|l| l.large.rss).ok_or_else(no_limits);
    bars.push(Bar::at_most("daemon, largest RSS, 10,000 threads in the target", 64.0 * 1_048_576.0, rss, mebibytes));
    for (what, start) in [
        ("from exec until events count, 2 threads", limits.map(|l| l.start)),
        ("from exec until events count, 10,000 threads", limits.map(|l| l.large.start)),
    ] {
        bars.push(Bar::at_most(what, 0.5, start.ok_or_else(no_limits), millis));
    }
    bars
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// On stderr: stdout is for the tables.
fn progress(line: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "bench: {line}").context("writing to stderr")
}

/// Orders without a pattern: xorshift64, Marsaglia 2003.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self((since.as_nanos() as u64) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu_per_request: f64) -> Sample {
        Sample { cpu_per_request, rate: 1e9 / cpu_per_request, observer: 0.0, others: 0.0 }
    }

    fn findings() -> Findings {
        Findings {
            rounds: 2,
            seconds: 1,
            samples: BTreeMap::new(),
            absent: BTreeMap::new(),
            repeated: 0,
            limits_disturbed: false,
            check_runs: RunTime::default(),
            empty_runs: RunTime::default(),
            limits: None,
        }
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

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::new().shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
