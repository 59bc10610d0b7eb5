//! `cargo xtask pairs`: the yardstick. A pair is public software in its blocking form and in an
//! async one. `check` sees only the blocking form and says what async would give back; then both
//! are measured.
//!
//! [`rows`] says what is compared: [`servers`], programs that read and write [`disks`], and
//! [`controls`]. Each is a [`pair`]. [`needs`] brings it onto the machine, [`program`] starts it.
//! The [`harness`](crate::harness) predicts, measures and judges. [`results`] keeps the last runs,
//! [`document`] shows them, and [`readme`] one report. [`smoke`] is the smallest form, for CI.

mod controls;
mod disks;
mod document;
pub(crate) mod needs;
mod pair;
mod program;
mod readme;
mod results;
mod rows;
mod servers;
pub(crate) mod smoke;

use std::{path::Path, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::Args;
use fastrand::Rng;

use crate::{
    harness::{
        flags::Flags,
        forecast::{self, Mode},
        measure::Effort,
        missed::{self, Residuals, Suite},
        plot,
        results::{Settings, Status},
        row::Group,
        run::Run,
    },
    host::{
        child, machine, markdown,
        package::{self, LAB},
    },
    say::say,
};
use needs::{Need, Place};
use pair::{Load, Pair};
use results::{Kept, Results};
use rows::SUITE;
use smoke::Outcome;

const TURNS: (u32, Duration) = (12, Duration::from_millis(200));
const QUICK_TURNS: (u32, Duration) = (6, Duration::from_millis(150));

/// Public programs, blocking and async: what is predicted from the one, and what both measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The first load of each pair, shorter runs.
    #[arg(long)]
    quick: bool,
    /// Predicts from three seconds of `check --exact` in place of its default of ten sampled ones.
    #[arg(long)]
    exact: bool,
    /// Times that each prediction is taken; the median counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    checks: u32,
    #[command(flatten)]
    flags: Flags,
    /// Installs nothing: what is missing is not run.
    #[arg(long)]
    no_install: bool,
    /// Adds the run to docs/pairs/results.json, where the last three are kept, and draws it.
    #[arg(long)]
    write: bool,
    /// Writes docs/pairs anew from results.json, and runs nothing.
    #[arg(long, conflicts_with_all = ["write", "only", "quick"])]
    table: bool,
    /// Writes the report that README shows, of the last run's recordings, and runs nothing.
    #[arg(long, conflicts_with_all = ["write", "only", "quick", "table"])]
    report: bool,
    /// One row with very short turns: asserts what must hold, and writes no documents.
    /// `cargo xtask test` runs it.
    #[arg(long, conflicts_with_all = ["write", "only", "quick", "table", "report", "list", "checks", "repeats", "seed"])]
    smoke: bool,
    /// Lists the rows, and runs nothing.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let documents = root.join("docs").join("pairs");
    let chosen = rows::chosen(options.quick, options.flags.only.as_deref())?;
    if options.list {
        return chosen.iter().try_for_each(|(pair, load)| say(&pair.line(load)));
    }
    if options.table {
        return publish(root, &Kept::read(&documents)?, &documents);
    }
    child::catch_interrupts()?;
    let programs = package::Pair::find(root, LAB, options.flags.binaries.as_deref())?;
    if options.smoke {
        return match smoke::run(root, programs, !options.no_install)? {
            Outcome::Good(answer) => say(&format!("the row ran, and what must hold does: {answer}")),
            Outcome::NotRun(why) => bail!("the row was not run: {why}"),
        };
    }
    let place = Place::new(root, SUITE, programs.workload)?;
    if options.report {
        return readme::write(root, &programs.tool, &place.folder);
    }
    let effort = options.effort();
    let run = Run {
        suite: SUITE,
        tool: &programs.tool,
        folder: &place.folder,
        checks: options.checks,
        calibrate: true,
        rounds: options.flags.repeats,
        effort,
        mode: options.mode(),
        patience: options.flags.patience(),
    };
    let groups = rows::groups(&place, &chosen, options.flags.only.as_deref(), !options.no_install)?;
    calibrate(&programs.tool, &place, &chosen, &groups)?;
    let mut found = Results::new(&machine::facts(root)?, options.settings(effort));
    run.all(groups, &mut Rng::with_seed(options.flags.seed), |so_far| {
        found.settings.first_twin_unix_ns = so_far.first_twin_unix_ns;
        found.cells = so_far.cells;
        found.write(&place.folder.join("results.json"))
    })?;
    say(&document::tables(&found, &Residuals::among(root, SUITE, &found.cells)?))?;
    if options.write {
        let kept = Kept::read_or_empty(&documents)?.with(found.clone());
        kept.write(&documents)?;
        publish(root, &kept, &documents)?;
    }
    let failed = found.cells.iter().filter(|cell| cell.status == Status::Failed).count();
    ensure!(failed == 0, "{failed} of {} rows failed", found.cells.len());
    Ok(())
}

/// Has what `check` takes prices of measured, for the rows that need it: it measures neither an
/// interpreter nor a file system by itself.
fn calibrate(tool: &Path, place: &Place, chosen: &[(&Pair, Load)], groups: &[Group]) -> Result<()> {
    let needs = |wanted: fn(&Need) -> bool| chosen.iter().any(|(pair, _)| pair.needs.iter().any(wanted));
    let python = place.python();
    if python.exists() && needs(|need| matches!(need, Need::Python(_))) {
        forecast::calibrate_runtime(tool, &python)?;
    }
    if let Some(jvm) = groups.iter().find(|group| group.obstacle.is_none() && rows::runs_java(group)) {
        forecast::calibrate_runtime_of(tool, jvm)?;
    }
    if needs(|need| matches!(need, Need::Scratch)) {
        forecast::calibrate_files(tool, &place.folder)?;
    }
    Ok(())
}

impl Options {
    fn effort(&self) -> Effort {
        let (turns, length) = if self.quick { QUICK_TURNS } else { TURNS };
        Effort { turns, length }
    }

    fn mode(&self) -> Mode {
        if self.exact { Mode::EXACT } else { Mode::DEFAULT }
    }

    fn settings(&self, effort: Effort) -> Settings {
        self.flags.settings(self.quick, self.checks, effort, self.mode())
    }
}

/// Writes results.md and the plots of the newest run.
fn publish(root: &Path, kept: &Kept, documents: &Path) -> Result<()> {
    let newest = kept.newest()?;
    let missed = Residuals::among(root, SUITE, &newest.cells)?;
    let others: Vec<Suite> = missed::kept(root)?.into_iter().filter(|suite| suite.name != SUITE).collect();
    let path = documents.join("results.md");
    markdown::write(&path, &document::document(kept, &missed, &others)?)?;
    let mut written = vec![path];
    written.extend(plot::draw(&plot::points(&newest.cells, &missed)?, documents)?);
    written.iter().try_for_each(|path| say(&format!("written: {}", path.display())))
}
