//! files.json: what a run of the suite found.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    cell::Cell,
    program::{Hand, Reader},
};
use crate::{
    harness::statistics::{Interval, median, percentile},
    host::file::read_json,
};

/// Runs of a row at least.
pub(super) const RUNS: usize = 3;
/// From so many runs on, the spread is that of the half in the middle; of fewer, that of all.
const MANY: usize = 5;

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Subject {
    /// fio reads a file.
    Load(Cell),
    /// A program of ours reads a file.
    Reader(Reader),
    /// Threads hand their CPU over.
    Hand(Hand),
}

impl Subject {
    pub(super) fn id(&self) -> String {
        match self {
            Self::Load(cell) => cell.id(),
            Self::Reader(reader) => reader.id(),
            Self::Hand(hand) => hand.id(),
        }
    }
}

/// What one run found. CPU and switches are for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) operations_per_s: f64,
    pub(super) cpu_ns: f64,
    pub(super) switches: f64,
    /// Median and 99th percentile, from asking for a read to having it.
    pub(super) latency_ns: Option<[f64; 2]>,
    /// Bytes that storage gave, as a share of those that were read.
    pub(super) from_storage: Option<f64>,
    pub(super) threads: Option<f64>,
    /// CPU of everything else on the machine meanwhile, in cores.
    pub(super) others: f64,
}

impl Sample {
    /// With four digits of each figure, which is more than repeats agree on.
    pub(super) fn rounded(self) -> Self {
        Self {
            operations_per_s: rounded(self.operations_per_s),
            cpu_ns: rounded(self.cpu_ns),
            switches: rounded(self.switches),
            latency_ns: self.latency_ns.map(|both| both.map(rounded)),
            from_storage: self.from_storage.map(rounded),
            threads: self.threads,
            others: rounded(self.others),
        }
    }
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    // Tiny values keep what they have: their scale would not be finite.
    if scale.is_finite() { (value * scale).round() / scale } else { value }
}

/// A row: its runs, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) subject: Subject,
    pub(super) runs: Vec<Sample>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) not_run: Option<String>,
}

impl Row {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, runs: Vec::new(), not_run: None }
    }

    /// The median of a figure and its spread; `None` where runs lack it.
    pub(super) fn figure(&self, pick: impl Fn(&Sample) -> Option<f64>) -> Option<Interval> {
        let values: Vec<f64> = self.runs.iter().map(pick).collect::<Option<_>>()?;
        let [low, high] = if values.len() < MANY { [0.0, 1.0] } else { [0.25, 0.75] };
        Some(Interval { low: percentile(&values, low)?, value: median(&values)?, high: percentile(&values, high)? })
    }

    pub(super) fn rate(&self) -> Option<Interval> {
        self.figure(|run| Some(run.operations_per_s))
    }

    pub(super) fn cpu(&self) -> Option<Interval> {
        self.figure(|run| Some(run.cpu_ns))
    }

    /// The spread of the CPU time, as a share of its median.
    pub(super) fn unrest(&self) -> f64 {
        self.cpu().map_or(0.0, |cpu| (cpu.high - cpu.low) / cpu.value)
    }
}

/// What a run of the suite found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) facts: Vec<(String, String)>,
    pub(super) quick: bool,
    /// How long each run counted.
    pub(super) window_ms: u64,
    pub(super) rows: Vec<Row>,
}

impl Results {
    pub(super) fn read(path: &Path) -> Result<Self> {
        read_json(path).context("run `cargo xtask lab files --write` first")
    }

    /// Takes over the rows that are not here.
    pub(super) fn add_missing(&mut self, kept: Self) {
        let missing = kept.rows.into_iter().filter(|row| self.rows.iter().all(|found| found.subject != row.subject));
        let missing: Vec<Row> = missing.collect();
        self.rows.extend(missing);
    }

    /// With a line for each row.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()?).with_context(|| format!("writing {}", path.display()))
    }

    fn text(&self) -> Result<String> {
        let rows: Vec<String> = self.rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let around = serde_json::to_string_pretty(&Self { rows: Vec::new(), ..self.clone() })?;
        let (before, after) = around.rsplit_once("[]").context("no place for rows")?;
        Ok(format!("{before}[\n{}\n  ]{after}\n", rows.join(",\n")))
    }

    /// The row of a cell, if it has figures.
    pub(super) fn load(&self, cell: Cell) -> Option<&Row> {
        self.find(Subject::Load(cell))
    }

    pub(super) fn reader(&self, reader: Reader) -> Option<&Row> {
        self.find(Subject::Reader(reader))
    }

    fn find(&self, subject: Subject) -> Option<&Row> {
        self.rows.iter().find(|row| row.subject == subject && !row.runs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::program::By, *};

    fn sample(cpu_ns: f64) -> Sample {
        Sample {
            operations_per_s: 1e9 / cpu_ns,
            cpu_ns,
            switches: 1.0,
            latency_ns: None,
            from_storage: None,
            threads: None,
            others: 0.0,
        }
    }

    #[test]
    fn of_many_runs_the_half_in_the_middle_is_the_spread() {
        let mut row = Row::new(Subject::Hand(Hand { by: By::Pipe, cpu: None }));
        row.runs = [100.0, 900.0, 120.0].map(sample).to_vec();
        assert_eq!(row.cpu(), Some(Interval { low: 100.0, value: 120.0, high: 900.0 }));
        assert!((row.unrest() - 800.0 / 120.0).abs() < 1e-12);
        row.runs.extend([110.0, 130.0].map(sample));
        assert_eq!(row.cpu(), Some(Interval { low: 110.0, value: 120.0, high: 130.0 }));
        assert_eq!(row.figure(|run| run.threads), None);
    }

    #[test]
    fn a_row_is_a_line_and_nothing_is_lost() {
        let mut row = Row::new(Subject::Hand(Hand { by: By::Pipe, cpu: None }));
        row.runs = vec![sample(100.0)];
        let facts = vec![("CPU".to_owned(), "made up".to_owned())];
        let results = Results { facts, quick: true, window_ms: 1, rows: vec![row.clone(), row] };
        let text = results.text().unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("{\"subject\"")).count(), 2, "{text}");
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!([123_456.0, 0.123_456, 7.0, 0.0].map(rounded), [123_500.0, 0.1235, 7.0, 0.0]);
    }
}
