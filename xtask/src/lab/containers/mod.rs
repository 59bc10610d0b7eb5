//! `cargo xtask lab containers`: servers and clients in several languages, each in a container of
//! its own. `check` looks at the blocking form from outside and says what the async ones would
//! save; then all are measured.
//!
//! [`languages`] lists the programs, [`setting`] what is varied. [`rows`] makes groups of them for
//! the [`harness`](crate::harness), whose programs are [`contained`]: an [`engine`] starts each, a
//! [`folder`] as its root or an image of [`docker`], of what is in its [`roots`]. [`outside`] finds
//! its processes. [`results`] keeps what was found, [`document`]
//! shows it. [`smoke`] is the smallest form, for CI.

mod contained;
mod docker;
mod document;
mod engine;
mod folder;
mod languages;
mod outside;
mod results;
mod roots;
mod rows;
mod setting;
pub(crate) mod smoke;

use std::{path::Path, rc::Rc, time::Duration};

use anyhow::{Result, bail};
use clap::Args;
use fastrand::Rng;

use crate::{
    harness::{forecast::Mode, measure::Effort, options::SuiteOptions, results::none_failed, row::Group, run::Run},
    host::{
        child, machine, markdown,
        package::{LAB, Pair},
    },
    pairs::{needs::Place, smoke::Outcome},
    say::say,
};
use engine::{Engine, Kind};
use languages::{SUITE, Side};
use results::Results;
use rows::Maker;
use setting::Axes;

/// The folder below target/ that has the Debian of the pairs.
const PAIRS: &str = "pairs";
/// Turns of a round, and how long one is.
const TURNS: (u32, Duration) = (12, Duration::from_millis(200));
const QUICK_TURNS: (u32, Duration) = (6, Duration::from_millis(150));

/// Servers and clients in several languages, in containers that talk over one loopback.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    suite: SuiteOptions,
    #[command(flatten)]
    axes: Axes,
    /// What is studied: servers, or clients of a Go server.
    #[arg(long, value_enum, default_value_t = Side::Server)]
    side: Side,
    /// How containers are made: by a Docker engine of its own, or by `unshare` in a root folder.
    #[arg(long, value_enum, default_value_t = Kind::Docker)]
    engine: Kind,
    /// Installs nothing: what is missing is not run.
    #[arg(long)]
    no_install: bool,
    /// Writes docs/lab/languages.md anew from languages.json, and runs nothing.
    #[arg(long, conflicts_with_all = ["write", "only", "quick"])]
    table: bool,
    /// A pair in C and a client in Java with very short turns, without a daemon: asserts what must
    /// hold, and writes no documents. `cargo xtask test` runs it.
    #[arg(long, conflicts_with_all = ["write", "only", "quick", "table", "list"])]
    smoke: bool,
    /// Lists the rows, and runs nothing.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let documents = super::results::documents(root);
    if options.table {
        return publish(root, &Results::read(&documents)?, &documents);
    }
    let chosen = rows::chosen(options.side, &options.axes.settings(), options.suite.only.as_deref())?;
    if options.list {
        return chosen.iter().try_for_each(|row| say(&row.ids().join("  ")));
    }
    child::catch_interrupts()?;
    let programs = Pair::find(root, LAB, options.suite.binaries.as_deref())?;
    if options.smoke {
        return match smoke::run(root, &programs, !options.no_install)? {
            Outcome::Good(answers) => say(&format!("all ran, and what must hold does: {answers}")),
            Outcome::NotRun(why) => bail!("not run: {why}"),
        };
    }
    let place = Place::with_sources(root, SUITE, SUITE, programs.workload)?;
    let debian = Place::with_sources(root, PAIRS, SUITE, place.load.clone())?;
    let obstacles = rows::meet_needs(&place, &debian, &chosen, !options.no_install)?;
    let engine = Rc::new(Engine::start(options.engine, &place, &debian, !options.no_install)?);
    let mut maker = Maker::new(Rc::clone(&engine), options.suite.seed);
    maker.calibrate(&chosen, &obstacles)?;
    let groups: Vec<Group> = chosen.iter().map(|row| maker.group(row, &obstacles)).collect::<Result<_>>()?;
    let (turns, length) = if options.suite.quick { QUICK_TURNS } else { TURNS };
    let effort = Effort { turns, length };
    let checks = options.suite.checks(1);
    let run = Run {
        suite: SUITE,
        tool: &programs.tool,
        folder: &place.folder,
        checks,
        calibrate: !options.suite.quick,
        rounds: options.suite.repeats,
        effort,
        mode: Mode::EXACT,
        patience: options.suite.patience(),
    };
    rows::calibrate_runtimes(&programs.tool, &groups)?;
    let settings = options.suite.settings(checks, effort, Mode::EXACT);
    let mut found = Results::new(&machine::facts(root)?, settings, engine.name(), &chosen);
    run.predict_and_measure(groups, &mut Rng::with_seed(options.suite.seed), |so_far| {
        found.settings.first_twin_unix_ns = so_far.first_twin_unix_ns;
        found.cells = so_far.cells;
        found.write(&place.folder)
    })?;
    say(&document::tables(&found, &found.missed(root)?))?;
    if options.suite.write {
        let kept = Results::read(&documents).ok();
        let all = kept.map_or_else(|| found.clone(), |kept| kept.with(&found));
        all.write(&documents)?;
        publish(root, &all, &documents)?;
    }
    none_failed(&found.cells)
}

/// Writes languages.md of the kept results.
#[cfg(test)]
pub(super) fn write_kept(root: &Path, folder: &Path) -> Result<()> {
    publish(root, &Results::read(&super::results::documents(root))?, folder)
}

/// Writes languages.md.
fn publish(root: &Path, results: &Results, documents: &Path) -> Result<()> {
    let path = documents.join("languages.md");
    markdown::write(&path, &document::document(results, &results.missed(root)?))?;
    say(&format!("written: {}", path.display()))
}
