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
pub(crate) mod pair;
mod program;
mod readme;
mod results;
mod rows;
mod servers;
pub(crate) mod smoke;

use std::{path::Path, time::Duration};

use anyhow::{Result, bail};
use clap::Args;
use fastrand::Rng;

use crate::{
    harness::{
        forecast::{self, Mode},
        measure::Effort,
        missed::{self, Residuals, Suite},
        options::SuiteOptions,
        plot,
        results::{Settings, none_failed},
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

/// Times that a prediction is taken.
const CHECKS: u32 = 1;
/// Turns of a round, and how long one is.
const TURNS: (u32, Duration) = (12, Duration::from_millis(200));
const QUICK_TURNS: (u32, Duration) = (6, Duration::from_millis(150));

/// Public programs, blocking and async: what is predicted from the one, and what both measure.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    suite: SuiteOptions,
    /// Predicts from three seconds of `check --exact` in place of its default of ten sampled ones.
    #[arg(long)]
    exact: bool,
    /// Installs nothing: what is missing is not run.
    #[arg(long)]
    no_install: bool,
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
    let chosen = rows::chosen(options.suite.quick, options.suite.only.as_deref())?;
    if options.list {
        return chosen.iter().try_for_each(|(pair, load)| say(&pair.line(load)));
    }
    if options.table {
        return publish(root, &Kept::read(&documents)?, &documents);
    }
    child::catch_interrupts()?;
    let programs = package::Pair::find(root, LAB, options.suite.binaries.as_deref())?;
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
        checks: options.checks(),
        calibrate: true,
        rounds: options.suite.repeats,
        effort,
        mode: options.mode(),
        patience: options.suite.patience(),
    };
    let groups = rows::groups(&place, &chosen, options.suite.only.as_deref(), !options.no_install)?;
    calibrate(&programs.tool, &place, &chosen, &groups)?;
    let mut found = Results::new(&machine::facts(root)?, options.settings(effort));
    run.predict_and_measure(groups, &mut Rng::with_seed(options.suite.seed), |so_far| {
        found.settings.first_twin_unix_ns = so_far.first_twin_unix_ns;
        found.cells = so_far.cells;
        found.write(&place.folder.join("results.json"))
    })?;
    say(&document::tables(&found, &Residuals::with_other_suites(root, SUITE, &found.cells)?))?;
    if options.suite.write {
        let kept = Kept::read_or_empty(&documents)?.with_run(found.clone());
        kept.write(&documents)?;
        publish(root, &kept, &documents)?;
    }
    none_failed(&found.cells)
}

/// Measures the prices of interpreters and file systems, for the rows that need them: `check` does
/// not do so by itself.
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
    fn checks(&self) -> u32 {
        self.suite.checks(CHECKS)
    }

    fn effort(&self) -> Effort {
        let (turns, length) = if self.suite.quick { QUICK_TURNS } else { TURNS };
        Effort { turns, length }
    }

    fn mode(&self) -> Mode {
        if self.exact { Mode::EXACT } else { Mode::DEFAULT }
    }

    fn settings(&self, effort: Effort) -> Settings {
        self.suite.settings(self.checks(), effort, self.mode())
    }
}

/// Writes results.md and the plots of the newest run.
fn publish(root: &Path, kept: &Kept, documents: &Path) -> Result<()> {
    let newest = kept.newest()?;
    let missed = Residuals::with_other_suites(root, SUITE, &newest.cells)?;
    let others: Vec<Suite> = missed::kept(root)?.into_iter().filter(|suite| suite.name != SUITE).collect();
    let path = documents.join("results.md");
    markdown::write(&path, &document::document(kept, &missed, &others)?)?;
    let mut written = vec![path];
    written.extend(plot::draw(&plot::points(&newest.cells, &missed)?, documents)?);
    written.iter().try_for_each(|path| say(&format!("written: {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::assert_kept;

    #[test]
    fn the_documents_are_those_of_the_kept_results() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let documents = root.join("docs").join("pairs");
        let kept = Kept::read(&documents).unwrap();
        assert_kept(&documents, "pairs --table", |folder| publish(root, &kept, folder).unwrap());
    }
}
