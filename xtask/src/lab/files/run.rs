//! Runs all rows in random order, a round at a time, and again those whose runs are far apart.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fastrand::Rng;

use super::{
    cell::{self, Place},
    ground::Ground,
    loaded, program,
    reported::{self, GO},
    results::{Row, Sample, Subject},
};
use crate::{
    host::{
        child::check_interrupt,
        numbers::{count, nanos},
        package::{MESSAGES, Programs, STORAGE, WORKLOADS},
    },
    pairs::needs::{Need, Place as Installed},
    say::progress,
};

const SUITE: &str = "files";
const FIO: Need = Need::Debian(&["fio"]);
const MAKERS: Need = Need::Debian(&["e2fsprogs", "xfsprogs"]);
const COMPILER: [Need; 2] =
    [Need::Debian(&["golang-go"]), Need::Built { compiler: "go", source: "readat.go", flags: &[] }];
/// A row whose CPU times are further apart, as a share of their median, is run again.
const CALM: f64 = 0.15;
const RUNS_AT_MOST: usize = 8;

/// How rows are run.
pub(super) struct Plan {
    pub(super) window: Duration,
    /// Runs of each row, if time allows.
    pub(super) rounds: usize,
    /// Nothing is started after this.
    pub(super) lasts: Duration,
    pub(super) seed: u64,
}

/// All that the rows need.
pub(super) struct Suite {
    ground: Ground,
    storage: PathBuf,
    go: Result<PathBuf, String>,
    fio: Result<(), String>,
    cpus: u32,
}

/// All rows, or those of a quick run.
pub(super) fn rows(quick: bool) -> Result<Vec<Row>> {
    let cpus = u32::try_from(std::thread::available_parallelism()?.get())?;
    let loads = cell::all(quick).into_iter().map(Subject::Load);
    let readers = program::readers(quick).into_iter().map(Subject::Reader);
    let hands = program::hands(cpus).into_iter().map(Subject::Hand);
    Ok(loads.chain(readers).chain(hands).map(Row::new).collect())
}

impl Suite {
    /// Installs and builds what these rows need, and makes their files in target/.
    pub(super) fn prepare(root: &Path, rows: &[Row], binaries: Option<&Path>, install: bool) -> Result<Self> {
        let storage = match binaries {
            Some(folder) => folder.join(STORAGE),
            None => build(root)?,
        };
        let installed = Installed::with_sources(root, SUITE, SUITE, storage.clone())?;
        let why = |error: anyhow::Error| format!("{error:#}");
        let places: Vec<Place> =
            Place::ALL.into_iter().filter(|place| rows.iter().any(|row| row.is_at(*place))).collect();
        // A place without its program fails by itself, with the reason.
        let _ = installed.meet(&MAKERS, install);
        let go = COMPILER.iter().try_for_each(|need| installed.meet(need, install)).map_err(why);
        Ok(Self {
            ground: Ground::make(&installed.folder, &places, &storage)?,
            storage,
            go: go.map(|()| installed.folder.join(GO)),
            fio: installed.meet(&FIO, install).map_err(why),
            cpus: u32::try_from(std::thread::available_parallelism()?.get())?,
        })
    }

    /// Runs the rows until all of them are calm or the time is over.
    pub(super) fn measure(&self, rows: &mut [Row], plan: &Plan) -> Result<()> {
        let begun = Instant::now();
        let mut rng = Rng::with_seed(plan.seed);
        for round in 0..RUNS_AT_MOST {
            let mut order: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].wants(round, plan.rounds)).collect();
            if order.is_empty() {
                return Ok(());
            }
            rng.shuffle(&mut order);
            if round >= plan.rounds {
                order.sort_by(|&a, &b| rows[b].unrest().total_cmp(&rows[a].unrest()));
            }
            progress(SUITE, &format!("round {}: {} rows", round + 1, order.len()))?;
            for i in order {
                check_interrupt()?;
                if begun.elapsed() > plan.lasts {
                    return Ok(());
                }
                self.run(&mut rows[i], plan.window)?;
            }
        }
        Ok(())
    }

    /// Runs a row once. What stops it is its reason; after a Ctrl-C it is an error.
    fn run(&self, row: &mut Row, window: Duration) -> Result<()> {
        match self.sample(row.subject, window) {
            Ok(sample) => {
                let [rate, cpu] = [count(sample.operations_per_s), nanos(sample.cpu_ns)];
                progress(SUITE, &format!("{}: {rate}/s, {cpu} of CPU each", row.subject.id()))?;
                row.runs.push(sample.rounded());
                row.not_run = None;
            }
            Err(error) => {
                check_interrupt()?;
                progress(SUITE, &format!("{}: {error:#}", row.subject.id()))?;
                // One that ran before only lacks this run.
                if row.runs.is_empty() {
                    row.not_run = Some(format!("{error:#}"));
                }
            }
        }
        Ok(())
    }

    fn sample(&self, subject: Subject, window: Duration) -> Result<Sample> {
        match subject {
            Subject::Load(cell) => {
                self.fio.clone().map_err(anyhow::Error::msg)?;
                self.ground.check(cell.place)?;
                let (file, bytes) = self.ground.file(cell.place, cell.access)?;
                loaded::run(&cell, &file, bytes, window)
            }
            Subject::Reader(reader) => {
                let go = || self.go.as_deref().map_err(|why| anyhow::Error::msg(why.clone()));
                let program = if reader.kind.is_go() { go()? } else { &self.storage };
                self.ground.check(reader.place)?;
                let (file, _) = self.ground.file(reader.place, reader.access)?;
                reported::read(&reader, program, &file, window)
            }
            Subject::Hand(hand) => reported::hand(&hand, &self.storage, self.cpus, window),
        }
    }
}

impl Row {
    /// Whether it is run in this round: if its runs are few or far apart. One that failed gets as
    /// many chances as others have runs.
    fn wants(&self, round: usize, rounds: usize) -> bool {
        match self.not_run {
            Some(_) => round < rounds,
            None => self.runs.len() < rounds || self.unrest() > CALM,
        }
    }

    fn is_at(&self, place: Place) -> bool {
        match self.subject {
            Subject::Load(cell) => cell.place == place,
            Subject::Reader(reader) => reader.place == place,
            Subject::Hand(_) => false,
        }
    }
}

fn build(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--locked", MESSAGES]);
    cargo.args(["--package", WORKLOADS, "--bin", STORAGE]);
    let built = Programs::build(&mut cargo)?.path(STORAGE)?.to_owned();
    fs::canonicalize(&built).with_context(|| format!("{}", built.display()))
}
