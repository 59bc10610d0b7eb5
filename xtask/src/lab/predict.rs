//! `cargo xtask lab predict`: every prediction first, in passes over all cells, then the truth, in rounds; then what the predictions
//! were worth.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use fastrand::Rng;

use super::{
    cells::{self, Load, Program, Setup},
    documents,
    forecast::{self, CHECK, Journal},
    measure::{self, Effort, Versions},
    program::{Deadline, Lab},
    results::{Cell, Prediction, Results, Settings, Status, Truth},
    statistics::median,
    table,
};
use crate::{
    host::{
        child,
        machine::{self, await_quiet},
        package::{LAB, Pair},
    },
    say,
};

/// Time limit of a prediction, and the part of a measurement's that does not depend on its rounds.
const LIMIT: Duration = Duration::from_secs(90);
/// Times that a prediction is taken.
const CHECKS: u32 = 3;
/// Runs whose median is the capacity.
const CAPACITY_RUNS: u32 = 5;
/// Of the runs that find the capacity.
const CAPACITY_RUN: Duration = Duration::from_millis(1_600);
/// Turns of a round, and how long one is.
const TURNS: (u32, Duration) = (16, Duration::from_millis(150));
const QUICK_TURNS: (u32, Duration) = (6, Duration::from_millis(100));

/// Predicts what async would save, then measures it.
#[derive(Args)]
pub(super) struct Options {
    /// A fixed part of the cells, shorter runs.
    #[arg(long)]
    quick: bool,
    /// Only cells whose id matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Times that each prediction is taken, minutes apart and each after a calibration; the median counts [default: 3; with --quick 1, by
    /// the calibration that is there]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    checks: Option<u32>,
    /// Rounds of each cell
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Of the order of the runs, and of the load.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds to wait for other programs to be done, before each prediction and each measurement.
    #[arg(long, default_value_t = 5)]
    patience: u64,
    /// Builds nothing and takes `should-i-async` and `lab` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Writes docs/lab/results.json and results.md.
    #[arg(long)]
    write: bool,
}

/// A setup on its way.
struct Row {
    setup: Setup,
    cells: Vec<Cell>,
    versions: Versions,
    /// The blocking version failed: nothing can be compared with it.
    lost: bool,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let setups = cells::chosen(options.quick, options.only.as_deref());
    if setups.is_empty() {
        let ids: Vec<String> = cells::chosen(options.quick, None).iter().flat_map(Setup::cell_ids).collect();
        bail!("no cell matches; there are {}", ids.join(", "));
    }
    let Pair { tool: own, workload: binary } = Pair::find(root, LAB, options.binaries.as_deref())?;
    let folder = root.join("target").join("lab");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let (turns, length) = if options.quick { QUICK_TURNS } else { TURNS };
    let effort = Effort { turns, length };
    let mut results = Results::new(&machine::facts(root)?, options.settings(effort));
    let mut lab =
        Lab { binary, file: folder.join("blocks.bin"), iterations_per_us: 0.0, capacity: None, seed: options.seed };
    let mut rng = Rng::with_seed(options.seed);
    prepare(&mut lab, &setups)?;
    (results.iterations_per_us, results.capacity_per_s) = (lab.iterations_per_us, lab.capacity);

    let mut bench = Bench { own, lab, folder, patience: Duration::from_secs(options.patience) };
    let mut rows = bench.predict_all(setups, options, &mut rng)?;
    let count = rows.iter().filter(|row| row.is_measured()).count();
    for round in 1..=options.repeats {
        let mut order: Vec<&mut Row> = rows.iter_mut().filter(|row| row.is_measured()).collect();
        rng.shuffle(&mut order);
        for (i, row) in order.into_iter().enumerate() {
            progress(&format!("measure, round {round} of {}, {}/{count}: {}", options.repeats, i + 1, row.setup.id))?;
            bench.round(row, effort, &mut rng)?;
        }
        for row in rows.iter_mut().filter(|row| row.is_measured()) {
            row.settle(&mut rng, round == options.repeats)?;
        }
        results.settings.first_twin_unix_ns = rows.iter().filter_map(|row| row.versions.first_twin_unix_ns()).min();
        results.cells = rows.iter().flat_map(|row| row.cells.iter().cloned()).collect();
        results.write(&bench.folder.join("results.json"))?;
    }
    say(&table::tables(&results))?;
    if options.write {
        let docs = documents(root);
        fs::create_dir_all(&docs).with_context(|| format!("creating {}", docs.display()))?;
        results.write(&docs.join("results.json"))?;
        let path = docs.join("results.md");
        fs::write(&path, table::document(&results)).with_context(|| format!("writing {}", path.display()))?;
        say(&format!("written: {}", docs.display()))?;
    }
    let failed = results.cells.iter().filter(|cell| cell.status == Status::Failed).count();
    ensure!(failed == 0, "{failed} of {} cells failed", results.cells.len());
    Ok(())
}

impl Options {
    fn checks(&self) -> u32 {
        self.checks.unwrap_or(if self.quick { 1 } else { CHECKS })
    }

    fn settings(&self, effort: Effort) -> Settings {
        Settings {
            quick: self.quick,
            only: self.only.clone(),
            checks: self.checks(),
            repeats: self.repeats,
            turns: effort.turns,
            seed: self.seed,
            turn_s: effort.length.as_secs_f64(),
            check_s: CHECK.as_secs_f64(),
            first_twin_unix_ns: None,
        }
    }
}

/// Calibrates what the setups need: the work loop, the file, the rate of the open loop.
fn prepare(lab: &mut Lab, setups: &[Setup]) -> Result<()> {
    lab.calibrate().context("calibrating the work loop")?;
    progress(&format!("work loop: {:.1} iterations per µs", lab.iterations_per_us))?;
    if setups.iter().any(|setup| matches!(setup.program, Program::Files { .. })) {
        lab.create_file()?;
    }
    if setups.iter().any(|setup| matches!(setup.load, Load::Open { .. })) {
        let setup = cells::capacity();
        // Not the best: a machine that is slower most of the time would be full at 80 % of what it can do in its best moment.
        let rates: Result<Vec<f64>> =
            (0..CAPACITY_RUNS).map(|_| measure::rate(lab, &setup, CAPACITY_RUN, Deadline::after(LIMIT))).collect();
        let rates = rates.context("measuring the capacity of the blocking echo server")?;
        let rate = median(&rates).context("no run")?;
        progress(&format!("capacity of the blocking echo server: {rate:.0} requests/s"))?;
        lab.capacity = Some(rate);
    }
    Ok(())
}

/// What both halves of a run use.
struct Bench {
    /// `should-i-async`
    own: PathBuf,
    lab: Lab,
    folder: PathBuf,
    patience: Duration,
}

impl Bench {
    /// No asynchronous twin has been started before the last of these is on disk.
    fn predict_all(&mut self, setups: Vec<Setup>, options: &Options, rng: &mut Rng) -> Result<Vec<Row>> {
        let run = forecast::unix_ns().to_string();
        let mut journal = Journal::open(&self.folder, &run)?;
        let mut rows: Vec<Row> = setups.into_iter().map(|setup| self.row(setup)).collect();
        let checks = options.checks();
        for check in 1..=checks {
            if !options.quick {
                progress(&format!("check {check} of {checks}: calibrating"))?;
                forecast::calibrate(&self.own)?;
            }
            let mut order: Vec<&mut Row> = rows.iter_mut().filter(|row| row.is_predicted()).collect();
            rng.shuffle(&mut order);
            let count = order.len();
            for (i, row) in order.into_iter().enumerate() {
                self.predict(row, check, &mut journal)?;
                for cell in &row.cells {
                    progress(&format!("check {check} of {checks}, {}/{count}: {}", i + 1, table::check_line(cell)))?;
                }
            }
        }
        for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
            cell.prediction = Prediction::median_of(&cell.checks);
            // Without its line on disk a prediction proves nothing.
            if let Some(prediction) = &mut cell.prediction {
                journal.file(&cell.id, None, prediction)?;
            }
            progress(&format!("predicted: {}", table::forecast_line(cell)))?;
        }
        Ok(rows)
    }

    fn row(&self, setup: Setup) -> Row {
        let mut row = Row { cells: self.blank_cells(&setup), versions: Versions::new(&setup), lost: false, setup };
        if let Some(reason) = self.lab.obstacle(&row.setup) {
            row.all(Status::NotRun, &reason);
        }
        row
    }

    fn blank_cells(&self, setup: &Setup) -> Vec<Cell> {
        let line = |mode| self.lab.arguments(setup, mode).join(" ");
        let load = match setup.load {
            Load::Backend { latency_us } => Some(format!("backend --latency-us {latency_us}")),
            load => self.lab.load_arguments(load).ok().flatten().map(|words| words.join(" ")),
        };
        let blank = |id: String, twin: Option<&cells::Twin>| Cell {
            id,
            control: setup.is_control(),
            status: Status::Done,
            reason: None,
            scenario: twin.map(|twin| twin.scenario),
            grid: setup.grid,
            blocking: line(setup.mode),
            twin: twin.map(|twin| line(twin.mode)),
            load: load.clone(),
            checks: Vec::new(),
            prediction: None,
            truth: setup.is_control().then(Truth::of_control),
        };
        if setup.is_control() {
            return vec![blank(setup.id.clone(), None)];
        }
        setup.twins.iter().map(|twin| blank(setup.cell_id(twin), Some(twin))).collect()
    }

    /// One `check` for all twins of a setup. An error only where the run must end.
    fn predict(&self, row: &mut Row, check: u32, journal: &mut Journal) -> Result<()> {
        await_quiet(self.patience)?;
        let raw = forecast::raw_path(&self.folder, &row.setup, check);
        let deadline = Deadline::after(LIMIT);
        let seen = forecast::observe(&self.own, &self.lab, &row.setup, &raw, deadline);
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                // A Ctrl-C is no fault of the cell.
                child::check_interrupt()?;
                row.all(Status::Failed, &format!("prediction: {error:#}"));
                return Ok(());
            }
        };
        for cell in &mut row.cells {
            match seen.prediction(cell.scenario) {
                Ok(mut prediction) => {
                    journal.file(&cell.id, Some(check), &mut prediction)?;
                    cell.checks.push(prediction);
                }
                Err(error) => cell.fail(&format!("prediction: {error:#}")),
            }
        }
        Ok(())
    }

    /// Measures a setup once more, also where its prediction failed: the truth helps to find out why.
    fn round(&self, row: &mut Row, effort: Effort, rng: &mut Rng) -> Result<()> {
        await_quiet(self.patience)?;
        let versions = 1 + row.setup.twins.len() as u32;
        let expected = effort.expected(versions);
        if let Err(error) = row.versions.round(&self.lab, &row.setup, effort, rng, Deadline::after(LIMIT + expected)) {
            child::check_interrupt()?;
            row.lost = true;
            row.all(Status::Failed, &format!("measurement: {error:#}"));
        }
        Ok(())
    }
}

impl Row {
    /// Whether it can be run, and no check of it failed.
    fn is_predicted(&self) -> bool {
        self.cells.iter().any(|cell| cell.status == Status::Done)
    }

    /// Whether there is something to measure, and it can be.
    fn is_measured(&self) -> bool {
        !self.setup.is_control() && !self.lost && self.cells.iter().any(|cell| cell.status != Status::NotRun)
    }

    /// The truth by the rounds so far.
    fn settle(&mut self, rng: &mut Rng, last: bool) -> Result<()> {
        for (cell, truth) in self.cells.iter_mut().zip(self.versions.truths(rng)) {
            match truth {
                Ok(truth) => {
                    cell.truth = Some(truth);
                    if last {
                        progress(&format!("  {}", table::truth_line(cell)))?;
                    }
                }
                Err(reason) if last => cell.fail(&format!("measurement: {reason}")),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn all(&mut self, status: Status, reason: &str) {
        for cell in &mut self.cells {
            if status == Status::Failed {
                cell.fail(reason);
            } else {
                (cell.status, cell.reason) = (status, Some(reason.to_owned()));
            }
        }
    }
}

impl Cell {
    /// The first reason stays the first.
    fn fail(&mut self, reason: &str) {
        self.status = Status::Failed;
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        self.reason = Some(match self.reason.take() {
            Some(first) => format!("{first}; {reason}"),
            None => reason,
        });
    }
}

/// On stderr: stdout is for the tables.
fn progress(line: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "lab: {line}").context("writing to stderr")
}
