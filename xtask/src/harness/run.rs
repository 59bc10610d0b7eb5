//! A run of a suite: every prediction first, in passes over all groups; then the truth, in rounds.

use std::{path::Path, time::Duration};

use anyhow::Result;
use fastrand::Rng;

use super::{
    forecast::{self, Mode},
    journal::{Journal, unix_ns},
    measure::{Effort, Forms},
    progress::{check_line, forecast_line, truth_line},
    results::{Cell, Prediction, Status},
    row::{Deadline, Group},
};
use crate::{
    host::{child, machine::await_quiet},
    say,
};

/// Time limit of a prediction. It is also that part of a measurement's limit which does not depend
/// on its turns.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// Turns of a run in its smallest form.
pub(crate) const SMALLEST: Effort = Effort { turns: 3, length: Duration::from_millis(100) };

/// How a suite is run.
pub(crate) struct Run<'a> {
    /// Name of the suite, for messages.
    pub(crate) suite: &'a str,
    /// The binary `should-i-async`.
    pub(crate) tool: &'a Path,
    /// Where the journal and the reports of `check` go.
    pub(crate) folder: &'a Path,
    /// Times that each prediction is taken.
    pub(crate) checks: u32,
    /// Whether the machine is calibrated anew before each pass of predictions.
    pub(crate) calibrate: bool,
    /// Rounds of each group.
    pub(crate) rounds: u32,
    pub(crate) effort: Effort,
    pub(crate) mode: Mode,
    /// How long to wait for other programs to be done, before each prediction and each measurement.
    pub(crate) patience: Duration,
}

/// What a run has found so far.
pub(crate) struct Found {
    pub(crate) cells: Vec<Cell>,
    /// When the first async form was started, Unix time.
    pub(crate) first_twin_unix_ns: Option<u64>,
}

impl<'a> Run<'a> {
    /// The smallest form of a run: one pass, one round, [`SMALLEST`].
    pub(crate) fn smallest(suite: &'a str, tool: &'a Path, folder: &'a Path) -> Self {
        Self {
            suite,
            tool,
            folder,
            checks: 1,
            // `check` measures the prices that it needs if none are kept.
            calibrate: false,
            rounds: 1,
            effort: SMALLEST,
            mode: Mode::EXACT,
            patience: Duration::from_secs(2),
        }
    }

    /// Predicts and measures all groups. `keep` gets what was found so far, after every round.
    pub(crate) fn predict_and_measure(
        &self,
        groups: Vec<Group>,
        rng: &mut Rng,
        mut keep: impl FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        let mut entries = self.predict_all(groups, rng)?;
        let count = entries.iter().filter(|entry| entry.is_measured()).count();
        for round in 1..=self.rounds {
            let mut order: Vec<&mut Entry> = entries.iter_mut().filter(|entry| entry.is_measured()).collect();
            rng.shuffle(&mut order);
            for (i, entry) in order.into_iter().enumerate() {
                let place = format!("round {round} of {}, {}/{count}", self.rounds, i + 1);
                self.report(&format!("measure, {place}: {}", entry.group.id))?;
                self.round(entry, rng)?;
            }
            for entry in entries.iter_mut().filter(|entry| entry.is_measured()) {
                self.settle(entry, rng, round == self.rounds)?;
            }
            keep(Found {
                cells: entries.iter().flat_map(|entry| entry.cells.iter().cloned()).collect(),
                first_twin_unix_ns: entries.iter().filter_map(|entry| entry.forms.first_twin_unix_ns()).min(),
            })?;
        }
        Ok(())
    }

    fn report(&self, line: &str) -> Result<()> {
        say::progress(self.suite, line)
    }

    /// No async form has been started before the last of these predictions is on disk.
    fn predict_all(&self, groups: Vec<Group>, rng: &mut Rng) -> Result<Vec<Entry>> {
        let mut journal = Journal::open(self.folder, &unix_ns().to_string())?;
        let mut entries: Vec<Entry> = groups.into_iter().map(Entry::new).collect();
        for check in 1..=self.checks {
            let pass = format!("check {check} of {}", self.checks);
            if self.calibrate {
                self.report(&format!("{pass}: calibrating"))?;
                forecast::calibrate(self.tool)?;
            }
            let mut order: Vec<&mut Entry> = entries.iter_mut().filter(|entry| entry.is_predicted()).collect();
            rng.shuffle(&mut order);
            let count = order.len();
            for (i, entry) in order.into_iter().enumerate() {
                self.predict(entry, check, &mut journal)?;
                for cell in &entry.cells {
                    self.report(&format!("{pass}, {}/{count}: {}", i + 1, check_line(cell)))?;
                }
            }
        }
        for cell in entries.iter_mut().flat_map(|entry| &mut entry.cells) {
            cell.prediction = Prediction::median_of(&cell.checks);
            // Without its line on disk a prediction proves nothing.
            if let Some(prediction) = &mut cell.prediction {
                journal.file(&cell.id, None, prediction)?;
            }
            self.report(&format!("predicted: {}", forecast_line(cell)))?;
        }
        Ok(entries)
    }

    /// Runs one `check` for all rows of a group. An error only where the run must end.
    fn predict(&self, entry: &mut Entry, check: u32, journal: &mut Journal) -> Result<()> {
        await_quiet(self.patience)?;
        let raw = entry.group.raw_path(self.folder, check);
        let deadline = Deadline::after(LIMIT + entry.group.warm_up());
        let seen = match forecast::observe(self.tool, self.mode, &entry.group, &raw, deadline) {
            Ok(seen) => seen,
            Err(error) => {
                // A Ctrl-C is no fault of the cell.
                child::check_interrupt()?;
                entry.fail(&format!("prediction: {error:#}"));
                return Ok(());
            }
        };
        for cell in &mut entry.cells {
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

    /// Measures a group once more, also where its prediction failed: the truth helps to find out
    /// why.
    fn round(&self, entry: &mut Entry, rng: &mut Rng) -> Result<()> {
        await_quiet(self.patience)?;
        let deadline = Deadline::after(LIMIT + self.effort.expected(&entry.group));
        if let Err(error) = entry.forms.round(&entry.group, self.effort, rng, deadline) {
            child::check_interrupt()?;
            entry.lost = true;
            entry.fail(&format!("measurement: {error:#}"));
        }
        Ok(())
    }

    /// Sets the truth by the rounds so far.
    fn settle(&self, entry: &mut Entry, rng: &mut Rng, last: bool) -> Result<()> {
        for (cell, truth) in entry.cells.iter_mut().zip(entry.forms.truths(rng)) {
            match truth {
                Ok(truth) => {
                    cell.truth = Some(truth);
                    if last {
                        self.report(&format!("  {}", truth_line(cell)))?;
                    }
                }
                Err(reason) if last => cell.fail(&format!("measurement: {reason}")),
                Err(_) => {}
            }
        }
        if entry.group.is_control() {
            let truths = entry.cells.iter_mut().filter_map(|cell| cell.truth.as_mut());
            truths.for_each(|truth| truth.blocking = entry.forms.blocking_runs().to_vec());
        }
        Ok(())
    }
}

/// A group, with what was found of it so far.
struct Entry {
    group: Group,
    cells: Vec<Cell>,
    forms: Forms,
    /// The blocking form failed: nothing can be compared with it.
    lost: bool,
}

impl Entry {
    fn new(group: Group) -> Self {
        let mut cells = Cell::for_group(&group);
        if let Some(reason) = &group.obstacle {
            cells.iter_mut().for_each(|cell| cell.leave_out(reason));
        }
        Self { cells, forms: Forms::new(&group), lost: false, group }
    }

    /// Whether it can be run, and no check of it failed.
    fn is_predicted(&self) -> bool {
        self.cells.iter().any(|cell| cell.status == Status::Done)
    }

    /// Whether there is something to measure, and it can be measured.
    fn is_measured(&self) -> bool {
        let compares = self.group.keeps_runs || !self.group.is_control();
        compares && !self.lost && self.cells.iter().any(|cell| cell.status != Status::NotRun)
    }

    fn fail(&mut self, reason: &str) {
        for cell in &mut self.cells {
            cell.fail(reason);
        }
    }
}
