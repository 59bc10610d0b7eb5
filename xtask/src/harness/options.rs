//! Options that the suites of comparisons have in common.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{forecast::Mode, measure::Effort, results::Settings};

/// What is run, how often, and with what.
#[derive(Args)]
pub(crate) struct SuiteOptions {
    /// A fixed part of the rows, shorter runs.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Times that each prediction is taken, in passes over all rows; the median counts [default: 3
    /// in the lab; 1 in pairs and with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    checks: Option<u32>,
    /// Only rows whose name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Option<String>,
    /// Rounds of each comparison
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeats: u32,
    /// Seed of the order of the runs, and of the load
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seconds to wait for other programs to be done, before each prediction and each measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    patience: u64,
    /// Builds nothing and takes `should-i-async` and `lab` from here.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) binaries: Option<PathBuf>,
    /// Keeps the results in the suite's folder of docs, and writes its results.md.
    #[arg(long)]
    pub(crate) write: bool,
}

impl SuiteOptions {
    /// Times that each prediction is taken; a suite says how often it does without the option.
    pub(crate) fn checks(&self, default: u32) -> u32 {
        self.checks.unwrap_or(if self.quick { 1 } else { default })
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// The settings of a run, as they are kept with its results.
    pub(crate) fn settings(&self, checks: u32, effort: Effort, mode: Mode) -> Settings {
        Settings {
            quick: self.quick,
            only: self.only.clone(),
            checks,
            repeats: self.repeats,
            turns: effort.turns,
            seed: self.seed,
            turn_s: effort.length.as_secs_f64(),
            check_s: mode.length.as_secs_f64(),
            exact: mode.exact,
            first_twin_unix_ns: None,
        }
    }
}
