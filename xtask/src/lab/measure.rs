//! The truth: both versions without the profiler, in rounds, each round in random order. A machine drifts by more within an
//! hour than within a minute: the rounds of a setup lie as far apart as the whole run allows, and the spread has the drift.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use serde_json::Value;

use super::{
    cells::Setup,
    forecast::unix_ns,
    program::{Deadline, Lab, LastWords, Reading, Stage, Stay},
    results::{Run, Truth, rounds},
    statistics,
};
use crate::host::{child, machine::OTHERS_AT_MOST};

/// Operations below which a run says nothing.
const OPERATIONS_AT_LEAST: f64 = 20.0;

/// Runs of one version.
#[derive(Clone, Debug)]
struct Version {
    mode: &'static str,
    first_started_unix_ns: Option<u64>,
    runs: Vec<Run>,
    failed: Option<String>,
}

/// The versions of a setup, the blocking one first, and the runs of each so far.
#[derive(Debug)]
pub(super) struct Versions(Vec<Version>);

impl Versions {
    pub(super) fn new(setup: &Setup) -> Self {
        let modes = std::iter::once(setup.mode).chain(setup.twins.iter().map(|twin| twin.mode));
        let version = |mode| Version { mode, first_started_unix_ns: None, runs: Vec::new(), failed: None };
        Self(modes.map(version).collect())
    }

    /// One run of each version. An error is one of the blocking version.
    pub(super) fn round(
        &mut self,
        lab: &Lab,
        setup: &Setup,
        length: Duration,
        rng: &mut Rng,
        deadline: Deadline,
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        rng.shuffle(&mut order);
        for i in order {
            let version = &mut self.0[i];
            if version.failed.is_some() {
                continue;
            }
            version.first_started_unix_ns.get_or_insert_with(unix_ns);
            match undisturbed(lab, setup, version.mode, length, deadline) {
                Ok(run) => version.runs.push(run),
                Err(error) => {
                    // A Ctrl-C is no fault of the program.
                    child::check_interrupt()?;
                    // Without the blocking version there is nothing to compare with.
                    ensure!(i > 0, "{}: {error:#}", version.mode);
                    version.failed = Some(format!("{}: {error:#}", version.mode));
                }
            }
        }
        Ok(())
    }

    /// When the first twin was started, Unix time.
    pub(super) fn first_twin_unix_ns(&self) -> Option<u64> {
        self.0.iter().skip(1).filter_map(|version| version.first_started_unix_ns).min()
    }

    /// Of each twin: what it saves by the rounds so far, or why that could not be measured.
    pub(super) fn truths(&self, rng: &mut Rng) -> Vec<Result<Truth, String>> {
        let Some((blocking, twins)) = self.0.split_first() else { return Vec::new() };
        twins.iter().map(|twin| compare(&blocking.runs, twin, rng)).collect()
    }
}

fn compare(blocking: &[Run], twin: &Version, rng: &mut Rng) -> Result<Truth, String> {
    if let Some(reason) = &twin.failed {
        return Err(reason.clone());
    }
    let saving = statistics::saving(&rounds(blocking, &twin.runs), rng).ok_or("no round")?;
    Ok(Truth {
        saving,
        first_started_unix_ns: twin.first_started_unix_ns,
        blocking: blocking.to_vec(),
        twin: twin.runs.clone(),
    })
}

/// A run; once more where other programs disturbed it, and then the quieter of the two.
fn undisturbed(lab: &Lab, setup: &Setup, mode: &str, length: Duration, deadline: Deadline) -> Result<Run> {
    let first = once(lab, setup, mode, length, deadline)?;
    if first.others <= OTHERS_AT_MOST {
        return Ok(first);
    }
    let second = once(lab, setup, mode, length, deadline)?;
    Ok(if second.others < first.others { second } else { first })
}

/// Starts a version under its load, lets it run so long, ends it.
pub(super) fn once(lab: &Lab, setup: &Setup, mode: &str, length: Duration, deadline: Deadline) -> Result<Run> {
    let mut stage = Stage::start(lab, setup, mode, Stay::Timed(length), deadline)?;
    let before = stage.read()?;
    stage.run_for(length)?;
    let after = stage.read()?;
    let last_words = stage.end()?;
    run_of(&before, &after, &last_words)
}

fn run_of(before: &Reading, after: &Reading, said: &LastWords) -> Result<Run> {
    let word = |words: &Value, key: &str| words.get(key).and_then(Value::as_f64);
    for (who, words) in [("the load", &said.load), ("the program", &said.target)] {
        let errors = word(words, "errors").unwrap_or(0.0);
        ensure!(errors == 0.0, "{who} counted {errors} errors");
    }
    let (operations, wall) = (after.operations - before.operations, after.now_ns - before.now_ns);
    ensure!(operations >= OPERATIONS_AT_LEAST && wall > 0.0, "{operations} operations in {wall} ns are too few");
    let cpu = after.cpu_ns - before.cpu_ns;
    let load = after.load_ns - before.load_ns;
    let busy = after.machine.busy.saturating_sub(before.machine.busy).as_nanos() as f64;
    let interrupts = after.machine.interrupts.saturating_sub(before.machine.interrupts).as_nanos() as f64;
    Ok(Run {
        cpu_per_operation_ns: cpu / operations,
        operations_per_s: operations / wall * 1e9,
        cpu_cores: cpu / wall,
        interrupts: interrupts / wall,
        others: (busy - cpu - load).max(0.0) / wall,
        p99_ns: word(&said.load, "p99_ns"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::clocks::Machine;

    fn reading(operations: f64, ms: f64, cpu_ms: f64, busy_ms: u64) -> Reading {
        let machine = Machine { busy: Duration::from_millis(busy_ms), interrupts: Duration::from_millis(busy_ms / 10) };
        Reading { operations, now_ns: ms * 1e6, cpu_ns: cpu_ms * 1e6, load_ns: 0.0, machine }
    }

    fn said(load: Value) -> LastWords {
        LastWords { load, target: json!({"operations": 7, "errors": 0}) }
    }

    #[test]
    fn a_run_is_the_difference_of_two_readings() {
        let (before, after) = (reading(100.0, 0.0, 50.0, 1_000), reading(1_100.0, 1_000.0, 850.0, 2_000));
        let run = run_of(&before, &after, &said(json!({"requests": 9, "p99_ns": 123, "errors": 0}))).unwrap();
        assert!((run.cpu_per_operation_ns - 800_000.0).abs() < 1e-6);
        assert!((run.operations_per_s - 1_000.0).abs() < 1e-9);
        assert!((run.others - 0.2).abs() < 1e-9 && (run.interrupts - 0.1).abs() < 1e-9);
        assert_eq!(run.p99_ns, Some(123.0));
    }

    #[test]
    fn errors_and_idleness_are_no_run() {
        let (before, after) = (reading(100.0, 0.0, 50.0, 0), reading(1_100.0, 1_000.0, 850.0, 0));
        assert!(run_of(&before, &after, &said(json!({"errors": 2}))).is_err());
        assert!(run_of(&before, &before, &LastWords::default()).is_err());
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        let run = |cpu| Run {
            cpu_per_operation_ns: cpu,
            operations_per_s: 1.0,
            cpu_cores: 1.0,
            interrupts: 0.0,
            others: 0.0,
            p99_ns: None,
        };
        let blocking = [run(100.0), run(200.0)];
        let twin = |failed| Version {
            mode: "epoll",
            first_started_unix_ns: Some(5),
            runs: vec![run(80.0), run(160.0)],
            failed,
        };
        let truth = compare(&blocking, &twin(None), &mut Rng::with_seed(1)).unwrap();
        assert!((truth.saving.low - 0.2).abs() < 1e-12 && (truth.saving.high - 0.2).abs() < 1e-12);
        assert_eq!(compare(&blocking, &twin(Some("gone".into())), &mut Rng::with_seed(1)), Err("gone".to_owned()));
    }
}
