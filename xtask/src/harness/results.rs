//! What a run found, cell by cell. Shares are ratios (0.12 is 12 %), times nanoseconds.
//!
//! `should-i-async predict-check --row` writes a [`Cell`] of two recordings. What these cannot know
//! is `None`.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{
    report::{Answer, Kind},
    row::{Group, Row, Scenario},
    statistics::{Interval, median},
};
use crate::host::numbers::{NA, decimal};

/// How the run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) quick: bool,
    pub(crate) only: Option<String>,
    /// Times that each prediction was taken.
    pub(crate) checks: u32,
    /// Rounds of each group, and turns of each form in a round.
    pub(crate) repeats: u32,
    pub(crate) turns: u32,
    pub(crate) seed: u64,
    /// Length of a turn and of `check`.
    pub(crate) turn_s: f64,
    pub(crate) check_s: f64,
    /// Whether that was `--exact`, as all kept runs before this field were.
    #[serde(default = "always")]
    pub(crate) exact: bool,
    /// When the first asynchronous program of the run was started, Unix time.
    pub(crate) first_twin_unix_ns: Option<u64>,
}

const fn always() -> bool {
    true
}

impl Settings {
    /// The command that predicted.
    pub(crate) fn check(&self) -> String {
        format!("check -d {}s{}", decimal(self.check_s, 0), if self.exact { " --exact" } else { "" })
    }
}

/// A fact about the machine of a run, by its name.
pub(crate) fn fact<'a>(facts: &'a [(String, String)], name: &str) -> &'a str {
    facts.iter().find(|(known, _)| known == name).map_or(NA, |(_, value)| value)
}

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Done,
    /// This machine cannot run it.
    NotRun,
    Failed,
}

/// A row or a control, and its results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) id: String,
    pub(crate) control: bool,
    pub(crate) status: Status,
    /// The program, where the id does not begin with its name.
    #[serde(default)]
    pub(crate) program: Option<String>,
    /// Why it was not run, or failed.
    pub(crate) reason: Option<String>,
    /// The scenario whose prediction is compared; a control has none.
    pub(crate) scenario: Option<Scenario>,
    /// Where the suite's plot shows it: connections, and work in µs.
    pub(crate) grid: Option<(u32, u32)>,
    /// Command lines of the blocking program, its twin and the load.
    pub(crate) blocking: String,
    pub(crate) twin: Option<String>,
    pub(crate) load: Option<String>,
    /// What each `check` said.
    pub(crate) checks: Vec<Prediction>,
    /// The median of the checks, which is compared with the truth.
    pub(crate) prediction: Option<Prediction>,
    pub(crate) truth: Option<Truth>,
}

impl Cell {
    /// The cells of a group before anything has run.
    pub(crate) fn for_group(group: &Group) -> Vec<Self> {
        let blank = |id: &str, row: Option<&Row>| Self {
            id: id.to_owned(),
            control: row.is_none(),
            status: Status::Done,
            program: group.program.map(str::to_owned),
            reason: None,
            scenario: row.map(|row| row.scenario),
            grid: group.grid,
            blocking: group.blocking.line(),
            twin: row.map(|row| row.program.line()),
            load: group.load.line(),
            checks: Vec::new(),
            prediction: None,
            truth: row.is_none().then(Truth::for_control),
        };
        if group.is_control() {
            return vec![blank(&group.id, None)];
        }
        group.rows.iter().map(|row| blank(&row.id, Some(row))).collect()
    }

    /// Marks the cell as failed. Reasons stand in the order in which they came.
    pub(crate) fn fail(&mut self, reason: &str) {
        self.end(Status::Failed, reason);
    }

    /// Marks the cell as one that cannot be run here.
    pub(crate) fn leave_out(&mut self, reason: &str) {
        self.end(Status::NotRun, reason);
    }

    fn end(&mut self, status: Status, reason: &str) {
        let reason = for_everybody(reason);
        self.status = status;
        self.reason = Some(match self.reason.take() {
            Some(first) => format!("{first}; {reason}"),
            None => reason,
        });
    }
}

/// A reason in one line, for a document that everybody reads: folders are named by their last part,
/// and servers that packages come from are not named.
fn for_everybody(reason: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/');
        if bare.contains("://") {
            return word.replace(bare, "(a server)");
        }
        match bare.strip_prefix('/').and_then(|path| path.trim_end_matches('/').rsplit_once('/')) {
            Some((_, last)) => word.replace(bare, &format!("…/{last}")),
            None => word.to_owned(),
        }
    };
    reason.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// What `check` predicted for a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prediction {
    /// When it was on disk, Unix time; `None` where nobody kept a journal.
    pub(crate) at_unix_ns: Option<u64>,
    /// The saving, a share of the target's CPU; `None` where it makes no claim.
    pub(crate) saving: Option<Interval>,
    /// Why it makes no claim, or claims 0 by its verdict.
    pub(crate) refused: Option<String>,
    /// What the interval is made of; `None` where there is no figure, and in older runs, which did
    /// not keep it.
    #[serde(default)]
    pub(crate) unsure: Option<Unsure>,
    /// The verdict: kind and sentence.
    pub(crate) answer: Answer,
    pub(crate) sentence: String,
    /// Voluntary switches of the blocking program per second, and its CPU in cores.
    pub(crate) switches_per_s: f64,
    pub(crate) cpu_cores: f64,
    /// What the scenario expects: sleeps that remain per block, and events that a wait returns.
    pub(crate) sleeps_remaining: Option<f64>,
    pub(crate) events_per_wait: Option<f64>,
    /// CPU of others during the measurement, in cores.
    pub(crate) others: Option<f64>,
    /// CPU of the program per operation while `check` measured, hooks included, in ns. If it is far
    /// from what the rounds measure, the profiler changed the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked_ns: Option<f64>,
}

impl Prediction {
    /// The median of several checks, end by end, with all else from the check that is nearest to
    /// it. Checks that make no claim do not count where others make one. `None` without checks.
    pub(crate) fn median_of(checks: &[Self]) -> Option<Self> {
        let claims: Vec<(Interval, &Self)> = checks.iter().filter_map(|check| Some((check.saving?, check))).collect();
        let end =
            |field: fn(&Interval) -> f64| median(&claims.iter().map(|(saving, _)| field(saving)).collect::<Vec<_>>());
        let [Some(low), Some(value), Some(high)] = [end(|s| s.low), end(|s| s.value), end(|s| s.high)] else {
            return checks.first().cloned();
        };
        let off = |saving: &Interval| (saving.value - value).abs();
        let nearest = claims.iter().min_by(|a, b| off(&a.0).total_cmp(&off(&b.0)))?.1;
        Some(Self { saving: Some(Interval { low, value, high }), ..nearest.clone() })
    }
}

/// What the model says of its own uncertainty: one standard error to both sides, in shares of the
/// target's CPU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unsure {
    pub(crate) kind: Kind,
    pub(crate) less: f64,
    pub(crate) more: f64,
}

/// The saving that was measured without the profiler, or is true by definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Truth {
    pub(crate) saving: Interval,
    /// When the async form was first started, Unix time. `None` for a control: nothing runs.
    pub(crate) first_started_unix_ns: Option<u64>,
    /// Measured runs of both forms, in the order of the rounds.
    pub(crate) blocking: Vec<Run>,
    pub(crate) twin: Vec<Run>,
}

impl Truth {
    /// A control is its own async form.
    pub(crate) fn for_control() -> Self {
        Self { saving: Interval::ZERO, first_started_unix_ns: None, blocking: Vec::new(), twin: Vec::new() }
    }
}

/// What a form did in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) cpu_per_operation_ns: f64,
    /// CPU per operation of each turn.
    pub(crate) turns_ns: Vec<f64>,
    pub(crate) operations_per_s: f64,
    /// CPU of the program, in cores.
    pub(crate) cpu_cores: f64,
    /// Interrupts and softirqs of the whole machine, in cores. Those that interrupt the program are
    /// in its CPU too.
    pub(crate) interrupts: Option<f64>,
    /// Interrupts that CPUs sent each other, per operation: what it takes to wake a thread whose
    /// CPU is idle.
    #[serde(default)]
    pub(crate) between_cpus: Option<f64>,
    /// CPU that neither program, load nor interrupts of idle CPUs explain, in cores.
    pub(crate) others: Option<f64>,
    /// Latency at the 99th percentile, as the load saw it.
    pub(crate) p99_ns: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) beside: Option<Beside>,
}

/// What only the suite of several languages asks for: figures of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// CPU of the load or backend for an operation.
    pub(crate) load_cpu_ns: f64,
    /// Context switches for an operation, of the program and of its load or backend.
    pub(crate) switches: f64,
    pub(crate) load_switches: f64,
    /// Memory that the program took since it was ready, in bytes.
    pub(crate) grown_bytes: Option<f64>,
    /// Latency as the load saw it.
    pub(crate) p50_ns: Option<f64>,
    pub(crate) p999_ns: Option<f64>,
}

/// An error if any cell failed.
pub(crate) fn none_failed(cells: &[Cell]) -> Result<()> {
    let failed = cells.iter().filter(|cell| cell.status == Status::Failed).count();
    ensure!(failed == 0, "{failed} of {} rows failed", cells.len());
    Ok(())
}

/// CPU per operation of both forms, round by round and turn by turn, ns.
pub(crate) fn rounds(blocking: &[Run], twin: &[Run]) -> Vec<Vec<(f64, f64)>> {
    let turns = |run: &Run| run.turns_ns.clone();
    blocking.iter().zip(twin).map(|(ours, theirs)| turns(ours).into_iter().zip(turns(theirs)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{
        super::{
            forecast::Forecast,
            judge::{judge, tests::cell},
            missed::Residuals,
            report::Report,
        },
        *,
    };

    fn check(saving: Option<[f64; 3]>, cpu_cores: f64) -> Prediction {
        Prediction { cpu_cores, ..cell("a", saving, [0.0; 3]).prediction.unwrap() }
    }

    /// A row that `predict-check --row` wrote of two kept recordings.
    fn row_of_a_user() -> &'static str {
        include_str!("../../../profiler/tests/goldens/compared/row.json")
    }

    #[test]
    fn what_predict_check_writes_is_a_row() {
        let written: Value = serde_json::from_str(row_of_a_user()).unwrap();
        let read: Cell = serde_json::from_str(row_of_a_user()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "a key that is missing, or unknown here");
        let (prediction, truth) = (read.prediction.as_ref().unwrap(), read.truth.as_ref().unwrap());
        assert_eq!((&read.checks[..], prediction.at_unix_ns), (&[prediction.clone()][..], None));
        assert_eq!(rounds(&truth.blocking, &truth.twin).len(), 1);
        assert!(truth.saving.is_sound() && judge(&read, &Residuals::default(), 3.0).is_some());
        assert_eq!(Residuals::from_cells([&read]).pooled().map(|missed| missed.rows), None, "its truth is too coarse");
    }

    #[test]
    fn a_user_s_row_says_what_the_harness_would() {
        let report = Report::parse(include_str!("../../../profiler/tests/goldens/echo-threads/report.json")).unwrap();
        let read: Cell = serde_json::from_str(row_of_a_user()).unwrap();
        let wanted = Forecast::new(report).prediction(read.scenario).unwrap();
        assert_eq!(read.prediction.unwrap(), Prediction { others: None, ..wanted });
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
    fn a_reason_names_no_server_and_no_folder_of_this_machine() {
        let said = "`debootstrap sid /work/target/pairs/sid http://debian.example/debian`: failed;\n E: /a/b/log: gone";
        let expected = "`debootstrap sid …/sid (a server)`: failed; E: …/log: gone";
        assert_eq!(for_everybody(said), expected);
        assert_eq!(for_everybody("2 of 6 turns and/or less"), "2 of 6 turns and/or less");
    }

    #[test]
    fn a_claim_counts_where_others_make_none() {
        let claims = [check(None, 0.5), check(Some([0.1, 0.2, 0.3]), 0.6)];
        assert_eq!(Prediction::median_of(&claims).as_ref(), Some(&claims[1]));
        assert_eq!(Prediction::median_of(&claims[..1]).as_ref(), Some(&claims[0]));
        assert_eq!(Prediction::median_of(&[]), None);
    }
}
