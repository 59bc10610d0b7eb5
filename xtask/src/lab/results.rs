//! results.json: what a run found, cell by cell. Shares are ratios (0.12 is 12 %), times nanoseconds.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{
    cells::Scenario,
    statistics::{Interval, median},
};

const VERSION: u32 = 3;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) version: u32,
    /// The machine: name and value.
    pub(super) facts: Vec<(String, String)>,
    pub(super) settings: Settings,
    /// Iterations of the work loop per µs, and what the blocking echo server can serve per second.
    pub(super) iterations_per_us: f64,
    pub(super) capacity_per_s: Option<f64>,
    pub(super) cells: Vec<Cell>,
}

/// How the run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) quick: bool,
    pub(super) only: Option<String>,
    /// Times that each prediction was taken.
    pub(super) checks: u32,
    /// Rounds per setup, and turns of each version in a round.
    pub(super) repeats: u32,
    pub(super) turns: u32,
    pub(super) seed: u64,
    /// Length of a turn and of `check`.
    pub(super) turn_s: f64,
    pub(super) check_s: f64,
    /// When the first asynchronous program of the run was started, Unix time.
    pub(super) first_twin_unix_ns: Option<u64>,
}

/// What came of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Done,
    /// This machine cannot run it.
    NotRun,
    Failed,
}

/// A blocking program and one twin, or a control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) id: String,
    pub(super) control: bool,
    pub(super) status: Status,
    /// Why it was not run, or failed.
    pub(super) reason: Option<String>,
    /// Whose prediction is compared; a control has none.
    pub(super) scenario: Option<Scenario>,
    /// Echo in a closed loop: connections and work, µs.
    pub(super) grid: Option<(u32, u32)>,
    /// Command lines, without the binary.
    pub(super) blocking: String,
    pub(super) twin: Option<String>,
    pub(super) load: Option<String>,
    /// What each `check` said, and what is held against the truth: their median.
    pub(super) checks: Vec<Prediction>,
    pub(super) prediction: Option<Prediction>,
    pub(super) truth: Option<Truth>,
}

/// What `check` said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Prediction {
    /// When it was on disk, Unix time.
    pub(super) at_unix_ns: u64,
    /// The saving, a share of the target's CPU; `None` where it makes no claim.
    pub(super) saving: Option<Interval>,
    /// Why it makes no claim, or claims 0 by its verdict.
    pub(super) refused: Option<String>,
    /// The verdict: kind and sentence.
    pub(super) answer: String,
    pub(super) sentence: String,
    /// Of the blocking version, per second, and its CPU in cores.
    pub(super) switches_per_s: f64,
    pub(super) cpu_cores: f64,
    /// What the scenario expects: sleeps of the loop left, as `check` counts them, and events that a wait returns.
    pub(super) sleeps_remaining: Option<f64>,
    pub(super) events_per_wait: Option<f64>,
    /// CPU of others during the measurement, in cores.
    pub(super) others: f64,
}

impl Prediction {
    /// The median of several, end by end, with all else from the one that is nearest to it. Those that make no claim have no say where
    /// others make one. `None` of none.
    pub(super) fn median_of(checks: &[Self]) -> Option<Self> {
        let claims: Vec<(Interval, &Self)> = checks.iter().filter_map(|check| Some((check.saving?, check))).collect();
        let end = |of: fn(&Interval) -> f64| median(&claims.iter().map(|(saving, _)| of(saving)).collect::<Vec<_>>());
        let [Some(low), Some(value), Some(high)] = [end(|s| s.low), end(|s| s.value), end(|s| s.high)] else {
            return checks.first().cloned();
        };
        let off = |saving: &Interval| (saving.value - value).abs();
        let nearest = claims.iter().min_by(|a, b| off(&a.0).total_cmp(&off(&b.0)))?.1;
        Some(Self { saving: Some(Interval { low, value, high }), ..nearest.clone() })
    }
}

/// What was measured without the profiler, or is true by definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Truth {
    pub(super) saving: Interval,
    /// When the twin was first started, Unix time. `None` for a control: nothing runs.
    pub(super) first_started_unix_ns: Option<u64>,
    /// Measured runs of both versions, in the order of the rounds.
    pub(super) blocking: Vec<Run>,
    pub(super) twin: Vec<Run>,
}

impl Truth {
    /// A control's twin is itself.
    pub(super) fn of_control() -> Self {
        Self { saving: Interval::ZERO, first_started_unix_ns: None, blocking: Vec::new(), twin: Vec::new() }
    }
}

/// What a version did in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) cpu_per_operation_ns: f64,
    /// Likewise, of each of its turns.
    pub(super) turns_ns: Vec<f64>,
    pub(super) operations_per_s: f64,
    /// CPU of the program, in cores.
    pub(super) cpu_cores: f64,
    /// Interrupts and softirqs of the whole machine, in cores; those that interrupt the program are in its CPU too.
    pub(super) interrupts: f64,
    /// Interrupts that CPUs sent each other, per operation: what it takes to wake somebody whose CPU is idle.
    #[serde(default)]
    pub(super) between_cpus: Option<f64>,
    /// CPU that neither program, load nor interrupts of idle CPUs explain, in cores.
    pub(super) others: f64,
    /// Latency at the 99th percentile, as the load saw it.
    pub(super) p99_ns: Option<f64>,
}

/// CPU per operation of both versions, round by round and turn by turn, ns.
pub(super) fn rounds(blocking: &[Run], twin: &[Run]) -> Vec<Vec<(f64, f64)>> {
    let turns = |run: &Run| run.turns_ns.clone();
    blocking.iter().zip(twin).map(|(ours, theirs)| turns(ours).into_iter().zip(turns(theirs)).collect()).collect()
}

impl Results {
    pub(super) fn new(facts: &[(&'static str, String)], settings: Settings) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { version: VERSION, facts, settings, iterations_per_us: 0.0, capacity_per_s: None, cells: Vec::new() }
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("reading {}: run `cargo xtask lab predict --write` first", path.display()))?;
        let found: Self = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        ensure!(found.version == VERSION, "{}: version {}, not {VERSION}", path.display(), found.version);
        Ok(found)
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::judge::tests::cell, *};

    fn check(saving: Option<[f64; 3]>, cpu_cores: f64) -> Prediction {
        Prediction { cpu_cores, ..cell("a", saving, [0.0; 3]).prediction.unwrap() }
    }

    #[test]
    fn one_outlier_of_three_has_no_say() {
        let checks = [
            check(Some([0.1, 0.2, 0.3]), 0.5),
            check(Some([-0.8, -0.6, 0.9]), 0.6),
            check(Some([0.2, 0.25, 0.4]), 0.7),
        ];
        let found = Prediction::median_of(&checks).unwrap();
        assert_eq!(found.saving, Some(Interval { low: 0.1, value: 0.2, high: 0.4 }));
        assert_eq!(found.cpu_cores, 0.5);
    }

    #[test]
    fn a_claim_counts_where_others_make_none() {
        let claims = [check(None, 0.5), check(Some([0.1, 0.2, 0.3]), 0.6)];
        assert_eq!(Prediction::median_of(&claims).as_ref(), Some(&claims[1]));
        assert_eq!(Prediction::median_of(&claims[..1]).as_ref(), Some(&claims[0]));
        assert_eq!(Prediction::median_of(&[]), None);
    }
}
