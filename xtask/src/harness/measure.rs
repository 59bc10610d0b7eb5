//! The truth: all forms of a group without the profiler, in rounds of turns.
//!
//! In a round each form is started anew with a load of its own. Then they take turns on the same
//! two CPUs, in random order, while the others rest.
//!
//! Why turns are short: what one virtual CPU gets done in a time drifts by about as much from one
//! tenth of a second to the next as from one second to the next (flicker noise). So many short
//! turns tell two forms apart better than few long ones of the same time in all. Why there are
//! rounds: a form may fall into step with its load in another way when it is started again.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::{
    journal::unix_ns,
    results::{Beside, Run, Truth, rounds},
    row::{Deadline, Group},
    stage::{LastWords, Reading, Stage},
    statistics,
};
use crate::host::{child, numbers::count};

/// Operations below which a turn says nothing.
const OPERATIONS_AT_LEAST: f64 = 5.0;
/// One turn of this many may be idle, because a disk may stand still, for example while the kernel
/// writes dirty pages.
const IDLE_AT_MOST: usize = 6;
/// How far, as a share, the operations may be from a rate that was asked for. Arrivals are random.
const RATE_WITHIN: f64 = 0.15;
/// Time that a turn takes beside its length.
const AROUND_A_TURN: Duration = Duration::from_millis(500);
/// Time that starting and ending a form takes.
const AROUND_A_ROUND: Duration = Duration::from_secs(5);

/// How often each form has its turn in a round, and how long a turn is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) turns: u32,
    pub(crate) length: Duration,
}

impl Effort {
    /// The longest that a round of all forms of a group should take.
    pub(crate) fn expected(self, group: &Group) -> Duration {
        let each = AROUND_A_ROUND + group.warm_up() + (self.length + AROUND_A_TURN) * self.turns;
        each * group.forms().len() as u32
    }
}

/// Runs of one form.
#[derive(Clone, Debug)]
struct Form {
    name: String,
    first_started_unix_ns: Option<u64>,
    runs: Vec<Run>,
    failed: Option<String>,
}

/// The forms of a group, the blocking one first, and the runs of each so far.
#[derive(Debug)]
pub(crate) struct Forms(Vec<Form>);

impl Forms {
    pub(crate) fn new(group: &Group) -> Self {
        let form =
            |name: &str| Form { name: name.to_owned(), first_started_unix_ns: None, runs: Vec::new(), failed: None };
        Self(group.forms().iter().map(|program| form(program.name())).collect())
    }

    /// Runs one round. It fails only if the blocking form does: without that there is nothing to
    /// compare.
    pub(crate) fn round(&mut self, group: &Group, effort: Effort, rng: &mut Rng, deadline: Deadline) -> Result<()> {
        let stay = effort.expected(group);
        let mut acts: Vec<Act> = self.0.iter().map(|_| Act::default()).collect();
        let programs = group.forms();
        self.each(&mut acts, rng, |i, form, act| {
            form.first_started_unix_ns.get_or_insert_with(unix_ns);
            let mut stage = Stage::start(group, programs[i], stay, deadline)?;
            stage.rest()?;
            act.stage = Some(stage);
            Ok(())
        })?;
        for _ in 0..effort.turns {
            self.each(&mut acts, rng, |_, _, act| act.turn(effort.length))?;
        }
        self.each(&mut acts, rng, |_, form, act| {
            let Some(run) = act.end()? else { return Ok(()) };
            keeps_up(run.operations_per_s, group.load.rate())?;
            form.runs.push(run);
            Ok(())
        })
    }

    /// Does something to each form that has not failed, in random order.
    fn each(
        &mut self,
        acts: &mut [Act],
        rng: &mut Rng,
        mut step: impl FnMut(usize, &mut Form, &mut Act) -> Result<()>,
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        rng.shuffle(&mut order);
        for i in order {
            let (form, act) = (&mut self.0[i], &mut acts[i]);
            if form.failed.is_some() {
                continue;
            }
            if let Err(error) = step(i, form, act) {
                // A Ctrl-C is no fault of the program.
                child::check_interrupt()?;
                act.stage = None;
                ensure!(i > 0, "{}: {error:#}", form.name);
                form.failed = Some(format!("{}: {error:#}", form.name));
            }
        }
        Ok(())
    }

    /// The runs of the blocking form so far.
    pub(crate) fn blocking_runs(&self) -> &[Run] {
        self.0.first().map_or(&[], |form| &form.runs)
    }

    /// When the first async form was started, Unix time.
    pub(crate) fn first_twin_unix_ns(&self) -> Option<u64> {
        self.0.iter().skip(1).filter_map(|form| form.first_started_unix_ns).min()
    }

    /// What each async form saves by the rounds so far, or why that could not be measured.
    pub(crate) fn truths(&self, rng: &mut Rng) -> Vec<Result<Truth, String>> {
        let Some((blocking, twins)) = self.0.split_first() else { return Vec::new() };
        twins.iter().map(|twin| compare(&blocking.runs, twin, rng)).collect()
    }
}

/// An error where a fixed rate was not kept. Then a backlog was measured, and the forms had
/// different loads.
fn keeps_up(operations_per_s: f64, wanted: Option<f64>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let apart = (operations_per_s / wanted - 1.0).abs();
    ensure!(
        apart <= RATE_WITHIN,
        "{} operations a second where {} were asked for",
        count(operations_per_s),
        count(wanted)
    );
    Ok(())
}

fn compare(blocking: &[Run], twin: &Form, rng: &mut Rng) -> Result<Truth, String> {
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

/// A form in a round.
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
        self.stage.take().map(|stage| run_from_turns(&self.turns, &stage.end()?)).transpose()
    }
}

/// How many operations a second the blocking form of a group does.
pub(crate) fn rate(group: &Group, length: Duration, deadline: Deadline) -> Result<f64> {
    let stage = Stage::start(group, &*group.blocking, length, deadline)?;
    let mut act = Act { stage: Some(stage), ..Act::default() };
    act.turn(length)?;
    Ok(act.end()?.map_or(0.0, |run| run.operations_per_s))
}

fn run_from_turns(turns: &[[Reading; 2]], said: &LastWords) -> Result<Run> {
    for (who, ended) in [("the load", &said.load), ("the program", &said.program)] {
        ensure!(ended.errors == 0.0, "{who} counted {} errors", ended.errors);
    }
    let sum = |of: fn(&Reading) -> f64| turns.iter().map(|[before, after]| of(after) - of(before)).sum::<f64>();
    let done = |[before, after]: &[Reading; 2]| after.operations - before.operations;
    let idle = turns.iter().filter(|turn| done(turn) < OPERATIONS_AT_LEAST).count();
    ensure!(
        idle * IDLE_AT_MOST <= turns.len(),
        "{idle} of {} turns had fewer than {OPERATIONS_AT_LEAST} operations",
        turns.len()
    );
    ensure!(turns.iter().all(|[before, after]| after.now_ns > before.now_ns), "a turn took no time");
    let (operations, wall, cpu) = (sum(|r| r.operations), sum(|r| r.now_ns), sum(|r| r.cpu_ns));
    ensure!(operations > 0.0, "no turn");
    let busy = sum(|r| r.machine.busy.as_nanos() as f64);
    let sent =
        turns.iter().map(|[before, after]| Some(after.between_cpus? - before.between_cpus?)).sum::<Option<u64>>();
    // A turn that stood still is an outlier, which moves no median.
    let per_operation = |turn: &[Reading; 2]| (turn[1].cpu_ns - turn[0].cpu_ns) / done(turn).max(OPERATIONS_AT_LEAST);
    Ok(Run {
        cpu_per_operation_ns: cpu / operations,
        turns_ns: turns.iter().map(per_operation).collect(),
        operations_per_s: operations / wall * 1e9,
        cpu_cores: cpu / wall,
        interrupts: Some(sum(|r| r.machine.interrupts.as_nanos() as f64) / wall),
        between_cpus: sent.map(|sent| sent as f64 / operations),
        others: Some((busy - cpu - sum(|r| r.load_ns)).max(0.0) / wall),
        p99_ns: said.load.p99_ns,
        beside: beside(turns, said, operations),
    })
}

/// `None` for programs that nobody asks for their switches.
fn beside(turns: &[[Reading; 2]], said: &LastWords, operations: f64) -> Option<Beside> {
    let switched = |of: fn(&Reading) -> Option<u64>| {
        let each = turns.iter().map(|[before, after]| Some(of(after)?.saturating_sub(of(before)?)));
        Some(each.sum::<Option<u64>>()? as f64 / operations)
    };
    let load_cpu: f64 = turns.iter().map(|[before, after]| after.load_ns - before.load_ns).sum();
    Some(Beside {
        load_cpu_ns: load_cpu / operations,
        switches: switched(|r| r.switches)?,
        load_switches: switched(|r| r.load_switches)?,
        grown_bytes: turns.last().and_then(|[_, after]| after.grown).map(|bytes| bytes as f64),
        p50_ns: said.load.p50_ns,
        p999_ns: said.load.p999_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{harness::row::Ended, host::clocks::Machine};

    fn reading(operations: f64, ms: f64, cpu_ms: f64, busy_ms: u64) -> Reading {
        let machine = Machine { busy: Duration::from_millis(busy_ms), interrupts: Duration::from_millis(busy_ms / 10) };
        Reading {
            operations,
            now_ns: ms * 1e6,
            cpu_ns: cpu_ms * 1e6,
            load_ns: 0.0,
            machine,
            between_cpus: Some(3 * operations as u64),
            switches: Some(2 * operations as u64),
            load_switches: Some(operations as u64),
            grown: Some(4_096),
        }
    }

    fn said(errors: f64) -> LastWords {
        LastWords { load: Ended { errors, p99_ns: Some(123.0), ..Ended::default() }, program: Ended::default() }
    }

    #[test]
    fn a_run_is_the_sum_of_its_turns() {
        let turns = [
            [reading(100.0, 0.0, 50.0, 1_000), reading(600.0, 500.0, 350.0, 1_500)],
            [reading(700.0, 2_000.0, 400.0, 3_000), reading(1_200.0, 2_500.0, 900.0, 3_500)],
        ];
        let run = run_from_turns(&turns, &said(0.0)).unwrap();
        assert!((run.cpu_per_operation_ns - 800_000.0).abs() < 1e-6);
        assert_eq!(run.turns_ns, [600_000.0, 1_000_000.0]);
        assert!((run.operations_per_s - 1_000.0).abs() < 1e-9);
        assert!((run.others.unwrap() - 0.2).abs() < 1e-9 && (run.interrupts.unwrap() - 0.1).abs() < 1e-9);
        assert_eq!((run.p99_ns, run.between_cpus), (Some(123.0), Some(3.0)));
        let beside = run.beside.unwrap();
        assert_eq!((beside.switches, beside.load_switches, beside.grown_bytes), (2.0, 1.0, Some(4_096.0)));
    }

    #[test]
    fn errors_and_idleness_are_no_run() {
        let (before, after) = (reading(100.0, 0.0, 50.0, 0), reading(1_100.0, 1_000.0, 850.0, 0));
        assert!(run_from_turns(&[[before, after]], &said(2.0)).is_err());
        assert!(run_from_turns(&[[before, before]], &LastWords::default()).is_err());
        assert!(run_from_turns(&[], &LastWords::default()).is_err());
    }

    #[test]
    fn a_disk_may_stand_still_for_a_turn_but_not_for_two_of_six() {
        let (start, busy) = (reading(0.0, 0.0, 0.0, 0), reading(1_000.0, 500.0, 200.0, 500));
        let idle = [start, reading(0.0, 500.0, 1.0, 500)];
        let mut turns = vec![[start, busy]; 5];
        turns.push(idle);
        let run = run_from_turns(&turns, &LastWords::default()).unwrap();
        assert!(run.turns_ns.iter().all(|ns| ns.is_finite()), "{:?}", run.turns_ns);
        turns[0] = idle;
        assert!(run_from_turns(&turns, &LastWords::default()).is_err());
    }

    #[test]
    fn a_backlog_is_no_fixed_rate() {
        assert!(keeps_up(950.0, Some(1_000.0)).is_ok() && keeps_up(7.0, None).is_ok());
        assert!(keeps_up(700.0, Some(1_000.0)).is_err() && keeps_up(4_000.0, Some(1_000.0)).is_err());
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        let run = |cpu| Run {
            cpu_per_operation_ns: cpu,
            turns_ns: vec![cpu; 2],
            operations_per_s: 1.0,
            cpu_cores: 1.0,
            interrupts: Some(0.0),
            between_cpus: None,
            others: Some(0.0),
            p99_ns: None,
            beside: None,
        };
        let blocking = [run(100.0), run(200.0)];
        let twin = |failed| Form {
            name: "epoll".to_owned(),
            first_started_unix_ns: Some(5),
            runs: vec![run(80.0), run(160.0)],
            failed,
        };
        let truth = compare(&blocking, &twin(None), &mut Rng::with_seed(1)).unwrap();
        assert!((truth.saving.low - 0.2).abs() < 1e-12 && (truth.saving.high - 0.2).abs() < 1e-12);
        assert_eq!(compare(&blocking, &twin(Some("gone".into())), &mut Rng::with_seed(1)), Err("gone".to_owned()));
    }
}
