//! By how much predictions were off, in units of what the model says of its own uncertainty, and
//! the intervals that follow. The profiler's binary has a table of it; here the program that is
//! judged is left out.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use serde::Deserialize;

use super::{
    report::Kind,
    results::{Cell, Status, fact},
    statistics::Interval,
};
use crate::host::file::read_json;

/// By how much one prediction was off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Residual {
    pub(crate) program: String,
    pub(crate) kind: Kind,
    /// Times what the model says of its own uncertainty.
    pub(crate) times: f64,
}

/// By how much nine of ten were off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Missed {
    pub(crate) times: f64,
    pub(crate) rows: usize,
    pub(crate) programs: usize,
}

/// A kind has a figure of its own if there are at least this many rows, of this many programs.
const ROWS: usize = 20;
const PROGRAMS: usize = 5;
/// No program counts for more than this share of all, because the next program to be judged is a
/// new one.
const OF_ONE: f64 = 0.2;
/// If a truth is known no better than this (half its interval, as a share of the CPU), it cannot
/// say how far a prediction was off.
const KNOWN: f64 = 0.1;
/// What an interval promises to hold.
const HELD: f64 = 0.9;

/// The program of a cell: the first word of its name, where nothing else is said.
fn program(cell: &Cell) -> &str {
    cell.program.as_deref().or(cell.id.split('-').next()).unwrap_or(&cell.id)
}

fn residual(cell: &Cell) -> Option<Residual> {
    if cell.control || cell.status != Status::Done {
        return None;
    }
    let (prediction, truth) = (cell.prediction.as_ref()?, cell.truth.as_ref()?);
    let (saving, unsure) = (prediction.saving?, prediction.unsure?);
    if prediction.answer.abstains() || truth.saving.high - truth.saving.low > 2.0 * KNOWN {
        return None;
    }
    let off = truth.saving.value - saving.value;
    let times = if off < 0.0 { -off / unsure.less } else { off / unsure.more };
    Some(Residual { program: program(cell).to_owned(), kind: unsure.kind, times })
}

/// The weight that a program may have at most, by how many rows each has.
fn most_of_one(rows: &[f64]) -> f64 {
    let mut most = rows.iter().copied().fold(0.0, f64::max);
    if (rows.len() as f64) * OF_ONE < 1.0 {
        return most;
    }
    // Each cut lowers the sum of the weights, and so the limit. After a few rounds nothing changes
    // any more.
    for _ in 0..200 {
        most = OF_ONE * rows.iter().map(|rows| rows.min(most)).sum::<f64>();
    }
    most.max(1.0)
}

/// What suites have found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residuals(Vec<Residual>);

impl Residuals {
    pub(crate) fn from_cells<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        Self(cells.into_iter().filter_map(residual).collect())
    }

    /// The residuals of a suite's run, and of what the other suites keep.
    pub(crate) fn with_other_suites<'a>(
        root: &Path,
        suite: &str,
        cells: impl IntoIterator<Item = &'a Cell>,
    ) -> Result<Self> {
        let mut all = Self::from_cells(cells);
        let others = kept(root)?;
        all.0.extend(
            Self::from_cells(others.iter().filter(|other| other.name != suite).flat_map(|other| &other.cells)).0,
        );
        Ok(all)
    }

    /// All but those of a program.
    pub(crate) fn without(&self, program: &str) -> Self {
        Self(self.0.iter().filter(|residual| residual.program != program).cloned().collect())
    }

    fn of_kind(&self, kind: Kind) -> Self {
        Self(self.0.iter().filter(|residual| residual.kind == kind).cloned().collect())
    }

    pub(crate) fn has_kind(&self, kind: Kind) -> bool {
        self.0.iter().any(|residual| residual.kind == kind)
    }

    /// Over all of them; `None` where there are none.
    pub(crate) fn pooled(&self) -> Option<Missed> {
        let mut rows: BTreeMap<&str, f64> = BTreeMap::new();
        for residual in &self.0 {
            *rows.entry(&residual.program).or_default() += 1.0;
        }
        let most = most_of_one(&rows.values().copied().collect::<Vec<_>>());
        let weight = |residual: &Residual| (most / rows[&*residual.program]).min(1.0);
        let mut sorted: Vec<&Residual> = self.0.iter().collect();
        sorted.sort_by(|a, b| a.times.total_cmp(&b.times));
        let all: f64 = self.0.iter().map(weight).sum();
        // The share must hold with the next row counted too, which is not known yet.
        let wanted = (HELD * (all + 1.0)).min(all) - 1e-9;
        let mut held = 0.0;
        let found = sorted.iter().copied().find(|residual| {
            held += weight(residual);
            held >= wanted
        });
        let times = found.or(sorted.last().copied())?.times;
        Some(Missed { times, rows: sorted.len(), programs: rows.len() })
    }

    /// Of a kind alone.
    pub(crate) fn of_kind_pooled(&self, kind: Kind) -> Option<Missed> {
        self.of_kind(kind).pooled()
    }

    /// The figure of one kind; `None` where there are too few rows or programs.
    pub(crate) fn figure_of_kind(&self, kind: Kind) -> Option<Missed> {
        self.of_kind_pooled(kind).filter(|own| own.rows >= ROWS && own.programs >= PROGRAMS)
    }

    /// The interval of a prediction, by other programs than its own.
    pub(crate) fn interval(&self, cell: &Cell) -> Option<Interval> {
        let prediction = cell.prediction.as_ref()?;
        let (saving, unsure) = (prediction.saving?, prediction.unsure?);
        let others = self.without(program(cell));
        let times = others.figure_of_kind(unsure.kind).or_else(|| others.pooled())?.times;
        let (low, high) = (saving.value - times * unsure.less, saving.value + times * unsure.more);
        Some(Interval { low, value: saving.value, high })
    }
}

/// Cells of a file that a suite keeps, and where they were measured.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    facts: Vec<(String, String)>,
    #[serde(default)]
    cells: Vec<Cell>,
    /// Runs that are kept, the newest first.
    #[serde(default)]
    runs: Vec<Kept>,
}

/// A run that a suite keeps.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) cells: Vec<Cell>,
}

impl Suite {
    /// A fact of the run.
    pub(crate) fn fact(&self, name: &str) -> &str {
        fact(&self.facts, name)
    }
}

/// The newest kept run of each suite.
pub(crate) fn kept(root: &Path) -> Result<Vec<Suite>> {
    let read = |name: &'static str| -> Result<Option<Suite>> {
        let path = root.join("docs").join(name).join("results.json");
        if !path.exists() {
            return Ok(None);
        }
        let kept: Kept = read_json(&path)?;
        let Kept { facts, cells, .. } = match kept.runs.into_iter().next() {
            Some(newest) => newest,
            None => Kept { runs: Vec::new(), ..kept },
        };
        Ok(Some(Suite { name, facts, cells }))
    };
    ["lab", "pairs"].into_iter().filter_map(|name| read(name).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{judge::tests::cell, report::Answer, results::Unsure},
        *,
    };

    /// A row that was predicted 20 % ± 2, and came to this.
    fn row(id: &str, came: f64) -> Cell {
        let mut cell = cell(id, Some([0.0, 0.2, 0.4]), [came; 3]);
        cell.prediction.as_mut().unwrap().unsure = Some(Unsure { kind: Kind::Sockets, less: 0.02, more: 0.04 });
        cell
    }

    #[test]
    fn a_residual_is_counted_in_what_the_model_says_of_that_side() {
        let times = |came| Residuals::from_cells(&[row("a", came)]).0[0].times;
        assert!((times(0.16) - 2.0).abs() < 1e-9 && (times(0.28) - 2.0).abs() < 1e-9);
        assert!(Residuals::from_cells(&[row("control-a", 0.0), cell("b", Some([0.0; 3]), [0.1; 3])]).0.is_empty());
    }

    #[test]
    fn a_program_with_many_rows_counts_for_a_fifth() {
        // 90 rows that were right, and 8 programs of which two were off by twice.
        let mut cells: Vec<Cell> = (0..90).map(|i| row(&format!("echo-{i}"), 0.2)).collect();
        cells.extend((0..8).map(|i| row(&format!("p{i}-x"), if i < 2 { 0.16 } else { 0.2 })));
        let found = Residuals::from_cells(&cells).pooled().unwrap();
        assert!((found.times - 2.0).abs() < 1e-9 && found.rows == 98 && found.programs == 9, "{found:?}");
        assert!((most_of_one(&[90.0, 4.0, 4.0, 4.0, 4.0]) - 4.0).abs() < 0.01);
    }

    #[test]
    fn what_is_not_known_well_tells_nothing() {
        let mut unknown = row("a-x", 0.5);
        unknown.truth.as_mut().unwrap().saving = Interval { low: 0.1, value: 0.5, high: 0.9 };
        let mut silent = row("b-x", 0.5);
        silent.prediction.as_mut().unwrap().answer = Answer::HandOver;
        assert!(Residuals::from_cells(&[unknown, silent]).0.is_empty());
    }

    #[test]
    fn the_judged_program_has_no_say_in_its_own_interval() {
        let cells = [row("a-1", 0.16), row("b-1", 0.0), row("b-2", 0.0)];
        let all = Residuals::from_cells(&cells);
        let interval = all.interval(&cells[1]).unwrap();
        assert!((interval.low - 0.16).abs() < 1e-9 && (interval.high - 0.28).abs() < 1e-9, "{interval:?}");
        assert_eq!(all.figure_of_kind(Kind::Sockets), None, "three rows of two programs");
    }
}
