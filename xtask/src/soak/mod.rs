//! `cargo xtask soak`: the profiler for hours, beside a load that changes and processes that are
//! born and killed.
//!
//! [`watched`] are the programs that run all the time: `serve`, `live`, `record`. Beside them
//! [`turns`] come one after the other: what users do, and what goes wrong (SIGKILL, a full disk, a
//! target that dies, a clock that steps). [`load`] is what all of them measure. After each turn
//! nothing may be left in the kernel that nobody holds. [`verdict`] judges.

mod load;
mod turns;
mod verdict;
mod watched;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::{
    host::{
        child,
        file::Scratch,
        package::{Pair, TRUTH},
        programs,
    },
    say::{progress, say},
};
use load::Load;
use turns::{Kind, Place};
use verdict::Tally;
use watched::Watched;

/// The least that shows each turn once.
const LEAST: Duration = Duration::from_secs(120);

/// One recording goes through all of it, beside the start and the last turn.
const MOST_HOURS: f64 = 23.5;

/// Runs check, record, live and serve for hours beside changing load and faults.
#[derive(Args)]
pub(crate) struct Options {
    /// How long, in hours.
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    hours: Option<f64>,
    /// How long, in minutes [default: 3]
    #[arg(long, value_name = "N")]
    minutes: Option<f64>,
    /// Processes that are born and end each second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    births: u32,
    /// Order of the turns, and the moments of SIGKILL.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps the machine's wall clock by two seconds, forth and back, as one of the turns: only
    /// where nobody else needs it.
    #[arg(long)]
    step_clock: bool,
    /// Builds nothing and takes `should-i-async` and `truth` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    ensure!(rustix::process::geteuid().is_root(), "soak needs root: it loads programs and fills a disk of its own");
    let hours = options.hours.unwrap_or(options.minutes.unwrap_or(3.0) / 60.0);
    ensure!(hours <= MOST_HOURS, "give at most {MOST_HOURS} hours: no recording is longer than a day");
    let length = Duration::try_from_secs_f64(hours * 3_600.0).context("give a length in hours or minutes")?;
    ensure!(length >= LEAST, "give at least two minutes: each turn comes once then");
    let programs = Pair::find(root, TRUTH, options.binaries.as_deref())?;
    let scratch = Scratch::new("soak")?;
    let mut tally = soak(&programs, &scratch, length, options)?;
    tally.orphans(&programs::orphans_after_grace()?);
    say(&tally.document(length))?;
    match tally.failures() {
        0 => Ok(()),
        n => bail!("{n} failed: see above"),
    }
}

fn soak(programs: &Pair, scratch: &Path, length: Duration, options: &Options) -> Result<Tally> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut load = Load::start(&programs.tool, options.births)?;
    let mut watched = Watched::start(&programs.tool, load.server(), scratch)?;
    let place = Place { programs, scratch, server: load.server() };
    let mut tally = Tally::default();
    let mut deck = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < length {
        if deck.is_empty() {
            deck.extend(Kind::ALL.into_iter().filter(|kind| *kind != Kind::SteppedClock || options.step_clock));
            rng.shuffle(&mut deck);
        }
        load.change(&mut rng)?;
        let kind = deck.pop().context("an empty deck")?;
        let outcome = kind.play(&place, &mut rng);
        // An interruption is no fault of the turn.
        child::check_interrupt()?;
        let at = begun.elapsed();
        progress("soak", &line(at, kind, &outcome))?;
        tally.turn(kind, outcome);
        tally.orphans(&programs::orphans_after_grace()?);
        tally.watched(at, watched.look(load.server())?);
    }
    tally.ended(watched.end()?, load.end());
    Ok(tally)
}

fn line(at: Duration, kind: Kind, outcome: &Result<()>) -> String {
    let said = outcome.as_ref().map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".to_owned());
    format!("{} s: {}: {said}", at.as_secs(), kind.name())
}
