//! The truth: the versions of a setup without the profiler, in rounds of turns. In a round each version is started anew with a load
//! of its own; then they take turns on the same two CPUs, in random order, while the others rest.
//!
//! Why turns are short: what one virtual CPU gets done in a time drifts by about as much from one tenth of a second to the next as
//! from one second to the next (flicker noise), so that many short turns tell two versions apart better than few long ones of the same
//! time in all. Why there are rounds: a version may fall into step with its load in another way when it is started again.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use serde_json::Value;

use super::{
    cells::Setup,
    forecast::unix_ns,
    program::{Deadline, Lab, LastWords, Reading, Stage},
    results::{Run, Truth, rounds},
    statistics,
};
use crate::host::child;

/// Operations below which a turn says nothing.
const OPERATIONS_AT_LEAST: f64 = 5.0;
/// What a turn takes beside its length, and what starting and ending a version takes.
const AROUND_A_TURN: Duration = Duration::from_millis(500);
const AROUND_A_ROUND: Duration = Duration::from_secs(5);

/// How often a version has its turn in a round, and how long that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) turns: u32,
    pub(super) length: Duration,
}

impl Effort {
    /// What a round of so many versions takes at most.
    pub(super) fn expected(self, versions: u32) -> Duration {
        (AROUND_A_ROUND + (self.length + AROUND_A_TURN) * self.turns) * versions
    }
}

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

    /// One round. An error is one of the blocking version: without it there is nothing to compare with.
    pub(super) fn round(
        &mut self,
        lab: &Lab,
        setup: &Setup,
        effort: Effort,
        rng: &mut Rng,
        deadline: Deadline,
    ) -> Result<()> {
        let stay = effort.expected(self.0.len() as u32);
        let mut acts: Vec<Act> = self.0.iter().map(|_| Act::default()).collect();
        self.each(&mut acts, rng, |version, act| {
            version.first_started_unix_ns.get_or_insert_with(unix_ns);
            let mut stage = Stage::start(lab, setup, version.mode, stay, deadline)?;
            stage.rest()?;
            act.stage = Some(stage);
            Ok(())
        })?;
        for _ in 0..effort.turns {
            self.each(&mut acts, rng, |_, act| act.turn(effort.length))?;
        }
        self.each(&mut acts, rng, |version, act| {
            version.runs.extend(act.end()?);
            Ok(())
        })
    }

    /// Does something to each version that has not failed, in random order.
    fn each(
        &mut self,
        acts: &mut [Act],
        rng: &mut Rng,
        mut step: impl FnMut(&mut Version, &mut Act) -> Result<()>,
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        rng.shuffle(&mut order);
        for i in order {
            let (version, act) = (&mut self.0[i], &mut acts[i]);
            if version.failed.is_some() {
                continue;
            }
            if let Err(error) = step(version, act) {
                // A Ctrl-C is no fault of the program.
                child::check_interrupt()?;
                act.stage = None;
                ensure!(i > 0, "{}: {error:#}", version.mode);
                version.failed = Some(format!("{}: {error:#}", version.mode));
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

/// A version in a round.
#[derive(Default)]
struct Act {
    stage: Option<Stage>,
    /// Before and after each turn.
    turns: Vec<[Reading; 2]>,
}

impl Act {
    fn turn(&mut self, length: Duration) -> Result<()> {
        let Some(stage) = &mut self.stage else { return Ok(()) };
        stage.go()?;
        let before = stage.read()?;
        stage.run_for(length)?;
        self.turns.push([before, stage.read()?]);
        stage.rest()
    }

    fn end(&mut self) -> Result<Option<Run>> {
        self.stage.take().map(|stage| run_of(&self.turns, &stage.end()?)).transpose()
    }
}

/// How many operations a second the blocking version does.
pub(super) fn rate(lab: &Lab, setup: &Setup, length: Duration, deadline: Deadline) -> Result<f64> {
    let mut act = Act { stage: Some(Stage::start(lab, setup, setup.mode, length, deadline)?), ..Act::default() };
    act.turn(length)?;
    Ok(act.end()?.map_or(0.0, |run| run.operations_per_s))
}

fn run_of(turns: &[[Reading; 2]], said: &LastWords) -> Result<Run> {
    let word = |words: &Value, key: &str| words.get(key).and_then(Value::as_f64);
    for (who, words) in [("the load", &said.load), ("the program", &said.target)] {
        let errors = word(words, "errors").unwrap_or(0.0);
        ensure!(errors == 0.0, "{who} counted {errors} errors");
    }
    let sum = |of: fn(&Reading) -> f64| turns.iter().map(|[before, after]| of(after) - of(before)).sum::<f64>();
    for [before, after] in turns {
        let (operations, wall) = (after.operations - before.operations, after.now_ns - before.now_ns);
        ensure!(operations >= OPERATIONS_AT_LEAST && wall > 0.0, "{operations} operations in {wall} ns are too few");
    }
    let (operations, wall, cpu) = (sum(|r| r.operations), sum(|r| r.now_ns), sum(|r| r.cpu_ns));
    ensure!(operations > 0.0, "no turn");
    let busy = sum(|r| r.machine.busy.as_nanos() as f64);
    let sent =
        turns.iter().map(|[before, after]| Some(after.between_cpus? - before.between_cpus?)).sum::<Option<u64>>();
    let per_operation =
        |[before, after]: &[Reading; 2]| (after.cpu_ns - before.cpu_ns) / (after.operations - before.operations);
    Ok(Run {
        cpu_per_operation_ns: cpu / operations,
        turns_ns: turns.iter().map(per_operation).collect(),
        operations_per_s: operations / wall * 1e9,
        cpu_cores: cpu / wall,
        interrupts: sum(|r| r.machine.interrupts.as_nanos() as f64) / wall,
        between_cpus: sent.map(|sent| sent as f64 / operations),
        others: (busy - cpu - sum(|r| r.load_ns)).max(0.0) / wall,
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
        Reading {
            operations,
            now_ns: ms * 1e6,
            cpu_ns: cpu_ms * 1e6,
            load_ns: 0.0,
            machine,
            between_cpus: Some(3 * operations as u64),
        }
    }

    fn said(load: Value) -> LastWords {
        LastWords { load, target: json!({"operations": 7, "errors": 0}) }
    }

    #[test]
    fn a_run_is_the_sum_of_its_turns() {
        let turns = [
            [reading(100.0, 0.0, 50.0, 1_000), reading(600.0, 500.0, 350.0, 1_500)],
            [reading(700.0, 2_000.0, 400.0, 3_000), reading(1_200.0, 2_500.0, 900.0, 3_500)],
        ];
        let run = run_of(&turns, &said(json!({"requests": 9, "p99_ns": 123, "errors": 0}))).unwrap();
        assert!((run.cpu_per_operation_ns - 800_000.0).abs() < 1e-6);
        assert_eq!(run.turns_ns, [600_000.0, 1_000_000.0]);
        assert!((run.operations_per_s - 1_000.0).abs() < 1e-9);
        assert!((run.others - 0.2).abs() < 1e-9 && (run.interrupts - 0.1).abs() < 1e-9);
        assert_eq!((run.p99_ns, run.between_cpus), (Some(123.0), Some(3.0)));
    }

    #[test]
    fn errors_and_idleness_are_no_run() {
        let (before, after) = (reading(100.0, 0.0, 50.0, 0), reading(1_100.0, 1_000.0, 850.0, 0));
        assert!(run_of(&[[before, after]], &said(json!({"errors": 2}))).is_err());
        assert!(run_of(&[[before, before]], &LastWords::default()).is_err());
        assert!(run_of(&[], &LastWords::default()).is_err());
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        let run = |cpu| Run {
            cpu_per_operation_ns: cpu,
            turns_ns: vec![cpu; 2],
            operations_per_s: 1.0,
            cpu_cores: 1.0,
            interrupts: 0.0,
            between_cpus: None,
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
