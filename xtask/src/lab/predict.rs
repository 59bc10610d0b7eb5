//! `cargo xtask lab predict`: predicts what async would save, measures it, and says what the
//! predictions were worth.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use fastrand::Rng;

use super::{
    cells::{self, Load, Program, Setup},
    programs::Lab,
    results::{Results, documents},
    table,
};
use crate::{
    harness::{
        forecast::Mode,
        measure::{self, Effort},
        missed::Residuals,
        options::SuiteOptions,
        results::{Settings, none_failed},
        row::{Deadline, Group},
        run::{LIMIT, Run},
        statistics::median,
    },
    host::{
        child, machine, markdown,
        numbers::{count, decimal},
        package::{LAB, Pair},
    },
    say::{self, say},
};

/// The name of the suite in messages.
const SUITE: &str = "lab";
/// Times that a prediction is taken.
const CHECKS: u32 = 3;
/// Runs whose median is the capacity, and how long one is.
const CAPACITY_RUNS: (u32, Duration) = (5, Duration::from_millis(1_600));
/// Turns of a round, and how long one is.
const TURNS: (u32, Duration) = (16, Duration::from_millis(150));
const QUICK_TURNS: (u32, Duration) = (6, Duration::from_millis(100));

/// Predicts what async would save, then measures it. Each pass of predictions comes after a
/// calibration, but with --quick kept prices are used.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    suite: SuiteOptions,
}

impl Options {
    fn checks(&self) -> u32 {
        self.suite.checks(CHECKS)
    }

    fn settings(&self, effort: Effort) -> Settings {
        self.suite.settings(self.checks(), effort, Mode::EXACT)
    }

    fn setups(&self) -> Result<Vec<Setup>> {
        let setups = cells::chosen(self.suite.quick, self.suite.only.as_deref());
        if setups.is_empty() {
            let ids: Vec<String> = cells::chosen(self.suite.quick, None).iter().flat_map(Setup::cell_ids).collect();
            bail!("no cell matches; there are {}", ids.join(", "));
        }
        Ok(setups)
    }
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let setups = options.setups()?;
    let Pair { tool, workload } = Pair::find(root, LAB, options.suite.binaries.as_deref())?;
    let folder = root.join("target").join("lab");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let (turns, length) = if options.suite.quick { QUICK_TURNS } else { TURNS };
    let effort = Effort { turns, length };
    let mut results = Results::new(&machine::facts(root)?, options.settings(effort));
    let mut lab = Lab::new(workload, folder.join("blocks.bin"), options.suite.seed);
    prepare(&mut lab, &setups)?;
    (results.iterations_per_us, results.capacity_per_s) = (lab.iterations_per_us, lab.capacity);

    let run = Run {
        suite: SUITE,
        tool: &tool,
        folder: &folder,
        checks: options.checks(),
        calibrate: !options.suite.quick,
        rounds: options.suite.repeats,
        effort,
        mode: Mode::EXACT,
        patience: options.suite.patience(),
    };
    let groups: Vec<Group> = setups.iter().map(|setup| lab.group(setup)).collect::<Result<_>>()?;
    run.predict_and_measure(groups, &mut Rng::with_seed(options.suite.seed), |found| {
        results.settings.first_twin_unix_ns = found.first_twin_unix_ns;
        results.cells = found.cells;
        results.write(&folder.join("results.json"))
    })?;
    let missed = results.missed(root)?;
    say(&table::tables(&results, &missed))?;
    if options.suite.write {
        write_documents(&results, &missed, &documents(root))?;
    }
    none_failed(&results.cells)
}

fn write_documents(results: &Results, missed: &Residuals, docs: &Path) -> Result<()> {
    fs::create_dir_all(docs).with_context(|| format!("creating {}", docs.display()))?;
    results.write(&docs.join("results.json"))?;
    let path = docs.join("results.md");
    markdown::write(&path, &table::document(results, missed))?;
    say(&format!("written: {}", docs.display()))
}

/// Prepares what the setups need: the speed of the work loop, the file, the rate of the open loop.
fn prepare(lab: &mut Lab, setups: &[Setup]) -> Result<()> {
    lab.calibrate().context("calibrating the work loop")?;
    say::progress(SUITE, &format!("work loop: {} iterations per µs", decimal(lab.iterations_per_us, 1)))?;
    if setups.iter().any(|setup| matches!(setup.program, Program::Files { .. })) {
        lab.create_file()?;
    }
    if setups.iter().any(|setup| matches!(setup.load, Load::Open { .. })) {
        let group = lab.group(&cells::capacity())?;
        let (runs, length) = CAPACITY_RUNS;
        // Not the best run: a machine that is slower most of the time would be full at 80 % of what
        // it can do in its best moment.
        let rates: Result<Vec<f64>> =
            (0..runs).map(|_| measure::rate(&group, length, Deadline::after(LIMIT))).collect();
        let rates = rates.context("measuring the capacity of the blocking echo server")?;
        let rate = median(&rates).context("no run")?;
        say::progress(SUITE, &format!("capacity of the blocking echo server: {} requests/s", count(rate)))?;
        lab.capacity = Some(rate);
    }
    Ok(())
}
