//! `cargo xtask lab files`: reads of files by threads, by POSIX and Linux AIO and by rings, from
//! the page cache, past it and through it; goroutines that read; and how many switches a second
//! this machine does.
//!
//! [`cell`] and [`program`] list the rows. [`ground`] makes the files, each place with its mounts.
//! [`loaded`] runs one cell with [`fio`], [`reported`] one of our programs, and [`run`] all rows in
//! random order. [`results`] keeps what was found. [`document`] shows it in [`tables`], with what
//! [`compare`] makes of it: [`orders`] and [`goroutines`]. [`plot`] draws it. [`smoke`] is the
//! smallest form, for CI.

mod cell;
mod compare;
mod document;
mod fio;
mod goroutines;
mod ground;
mod loaded;
mod orders;
mod plot;
mod program;
mod reported;
mod results;
mod run;
pub(crate) mod smoke;
mod tables;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;

use super::results::documents;
use crate::{
    exec,
    host::{child, machine, markdown, numbers::NA},
    pairs::smoke::Outcome,
    say::say,
};
use results::{Results, Row};
use run::{Plan, Suite};

/// What one run counts.
const WINDOW: Duration = Duration::from_millis(550);
const QUICK_WINDOW: Duration = Duration::from_millis(300);
/// How long the suite may take.
const MINUTES: f64 = 24.0;
const QUICK_MINUTES: f64 = 3.8;

/// Threads, AIO, rings and goroutines that read files; switches a second. While it runs, it takes
/// 0.8 GiB of disk and as much memory.
#[derive(Args)]
pub(super) struct Options {
    /// A part of the rows, with short runs.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// How long it may take [default: 24, quick 3.8]
    #[arg(long)]
    minutes: Option<f64>,
    /// Seed of the order of runs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Builds nothing and takes `storage` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Installs nothing: what is missing is not run.
    #[arg(long)]
    no_install: bool,
    /// Writes files.json, files.md and their plots to docs/lab. Rows that are not measured now stay
    /// as they were.
    #[arg(long)]
    write: bool,
    /// Runs only kept rows whose runs are far apart, and adds to their runs. With `--write`.
    #[arg(long, requires = "write", conflicts_with = "quick")]
    more: bool,
    /// Writes files.md and the plots anew from files.json, and runs nothing.
    #[arg(long, conflicts_with_all = ["write", "only", "quick"])]
    table: bool,
    /// A few rows with very short runs: asserts what must hold, and writes no documents. `cargo
    /// xtask test` runs it.
    #[arg(long, conflicts_with_all = ["write", "only", "quick", "table", "list"])]
    smoke: bool,
    /// Lists the rows, and runs nothing.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = documents(root);
    let kept = folder.join("files.json");
    if options.table {
        return publish(&Results::read(&kept)?, &folder);
    }
    if options.smoke {
        return match smoke::run(root, options.binaries.as_deref(), !options.no_install)? {
            Outcome::Good(rows) => say(&format!("all ran, and what must hold does: {rows}")),
            Outcome::NotRun(why) => bail!("not run: {why}"),
        };
    }
    let all = if options.more { Results::read(&kept)?.rows } else { run::rows(options.quick)? };
    let wanted = |row: &Row| options.only.as_deref().is_none_or(|only| row.subject.id().contains(only));
    let (mut rows, others): (Vec<Row>, Vec<Row>) = all.into_iter().partition(wanted);
    if options.list {
        return rows.iter().try_for_each(|row| say(&row.subject.id()));
    }
    child::catch_interrupts()?;
    let plan = options.plan();
    let suite = Suite::prepare(root, &rows, options.binaries.as_deref(), !options.no_install)?;
    suite.measure(&mut rows, &plan)?;
    drop(suite);
    let window_ms = plan.window.as_millis() as u64;
    let mut found = Results { facts: facts(root)?, quick: options.quick, window_ms, rows };
    if options.more {
        found.rows.extend(others);
    } else if options.only.is_some() && options.write && kept.exists() {
        found.add_missing(Results::read(&kept)?);
    }
    found.rows.sort_by_key(|row| row.subject);
    say(&document::document(&found))?;
    if options.write {
        found.write(&kept)?;
        publish(&found, &folder)?;
    }
    Ok(())
}

impl Options {
    fn plan(&self) -> Plan {
        let (window, minutes) = if self.quick { (QUICK_WINDOW, QUICK_MINUTES) } else { (WINDOW, MINUTES) };
        let lasts = Duration::from_secs_f64(60.0 * self.minutes.unwrap_or(minutes));
        Plan { window, rounds: results::RUNS, lasts, seed: self.seed }
    }
}

/// The machine, and the versions of what reads on it.
fn facts(root: &Path) -> Result<Vec<(String, String)>> {
    let mut facts: Vec<(String, String)> =
        machine::facts(root)?.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, program, argument) in [("fio", "fio", "--version"), ("Go", "go", "version")] {
        let said = exec::output_if_present(Command::new(program).arg(argument))?;
        facts.push((name.to_owned(), said.map_or_else(|| NA.to_owned(), |said| said.trim().to_owned())));
    }
    Ok(facts)
}

/// Writes files.md and its plots.
fn publish(results: &Results, folder: &Path) -> Result<()> {
    let path = folder.join("files.md");
    markdown::write(&path, &document::document(results))?;
    for path in plot::draw(results, folder)?.iter().chain([&path]) {
        say(&format!("written: {}", path.display()))?;
    }
    Ok(())
}
