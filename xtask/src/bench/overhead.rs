//! `cargo xtask bench overhead`: rounds of every configuration in random order, then the limits,
//! then the verdicts.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use clap::Args;

use super::{
    findings::{Findings, Limits, bars},
    limits, load,
    machine::{self, Binaries, SUITE, Tracefs},
    observer::Observer,
    render, scale,
};
use crate::{
    host::{
        child,
        machine::await_quiet,
        markdown,
        numbers::{count, nanos},
    },
    say::{self, say},
};

/// Rounds of what is not compared, at most.
const LIMIT_ROUNDS: u32 = 5;

/// CPU per request of the demo's server under check, its floor and its peers, and the limits of the
/// daemon.
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

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let binaries = Binaries::build(root)?;
    let _tracefs = Tracefs::mount()?;
    let facts = machine::facts(root)?;
    let mut found = Findings::new(options.rounds, options.seconds);
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
        let scale = scale::kept_section(&fs::read_to_string(&path).unwrap_or_default());
        markdown::write(&path, &render::document(&facts, &found, &tables, &scale))?;
        say(&format!("written: {}", path.display()))?;
    }
    let missed = bars.iter().filter(|bar| bar.found.is_ok() && !bar.holds()).count();
    anyhow::ensure!(missed == 0, "{missed} of {} bars not met", bars.len());
    Ok(())
}

fn compare(binaries: &Binaries, options: &Options, found: &mut Findings) -> Result<()> {
    for round in 0..options.rounds {
        let mut order: Vec<Observer> = clap::ValueEnum::value_variants().to_vec();
        order.retain(|o| *o == Observer::None || options.only.is_empty() || options.only.contains(o));
        fastrand::shuffle(&mut order);
        for observer in order {
            if found.absent.contains_key(&observer) {
                continue;
            }
            match load::measure(&binaries.own, observer, options.seconds, options.patience()) {
                Ok((sample, again)) => {
                    progress(&format!(
                        "round {}/{}: {}: {} per request, {} requests/s",
                        round + 1,
                        options.rounds,
                        observer.title(),
                        nanos(sample.cpu_per_request),
                        count(sample.rate)
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn progress(line: &str) -> Result<()> {
    say::progress(SUITE, line)
}
