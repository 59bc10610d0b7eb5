//! The results of a kernel: an outcome for each test.

use super::{case::Case, cell::Cell, run::Outcome};

/// The results of a kernel.
pub(super) struct Row {
    pub(super) cell: Cell,
    /// Version of the package, where there is one.
    pub(super) version: Option<String>,
    pub(super) seconds: Option<f64>,
    /// Outcome of each test, by its name.
    pub(super) results: Vec<(String, Outcome)>,
    /// What the failed tests said.
    pub(super) failed: String,
}

impl Row {
    pub(super) fn outcome(&self, test: &str) -> Option<&Outcome> {
        self.results.iter().find(|(name, _)| name == test).map(|(_, outcome)| outcome)
    }

    pub(super) fn not_run(cell: Cell, version: Option<String>, cases: &[&Case], why: &str) -> Self {
        let results = cases.iter().map(|case| (case.name.clone(), Outcome::NotRun { why: why.to_owned() })).collect();
        Self { cell, version, seconds: None, results, failed: String::new() }
    }

    pub(super) fn has_outcome(&self, is: impl Fn(&Outcome) -> bool) -> bool {
        self.results.iter().any(|(_, outcome)| is(outcome))
    }
}
