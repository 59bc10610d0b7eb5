//! A pair as a row of docs/pairs/results.json: what one recording predicted, and what the other one
//! came to.
//!
//! The form is that of the harness in `xtask`, whose tests read a row of these types. What two
//! recordings cannot know is null: what keeps the program busy, when the prediction was on disk,
//! CPU of interrupts and of other programs, latencies.

use serde::Serialize;

use crate::{
    answer::{Facts, PredictionCheck, Report, Side},
    predict,
    words::InWords,
};

use super::{figure::Range, verdict::Answer};

/// A row.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    /// A control is its own async form. A pair is none.
    control: bool,
    status: &'static str,
    /// The program, where the id does not begin with its name.
    program: Option<()>,
    reason: Option<()>,
    /// The way whose prediction is compared.
    scenario: &'static str,
    /// A place in a plot.
    grid: Option<()>,
    blocking: &'a str,
    twin: &'a str,
    load: Option<()>,
    checks: Vec<&'a Prediction>,
    prediction: &'a Prediction,
    truth: Truth<'a>,
}

/// What the blocking program's recording predicts.
#[derive(Serialize)]
struct Prediction {
    at_unix_ns: Option<()>,
    /// A share of the program's CPU.
    saving: Option<Range>,
    refused: Option<String>,
    unsure: Option<Unsure>,
    answer: Answer,
    sentence: String,
    switches_per_s: f64,
    cpu_cores: f64,
    /// Per block that there is now.
    sleeps_remaining: Option<f64>,
    events_per_wait: Option<f64>,
    others: Option<()>,
}

/// One standard error to both sides, shares of the program's CPU.
#[derive(Serialize)]
struct Unsure {
    kind: &'static str,
    less: f64,
    more: f64,
}

/// What was measured.
#[derive(Serialize)]
struct Truth<'a> {
    saving: Range,
    first_started_unix_ns: Option<()>,
    /// A recording is a round.
    blocking: [Run<'a>; 1],
    twin: [Run<'a>; 1],
}

/// One recording.
#[derive(Serialize)]
struct Run<'a> {
    cpu_per_operation_ns: f64,
    /// The same of each part of about a second.
    turns_ns: &'a [f64],
    operations_per_s: f64,
    cpu_cores: f64,
    interrupts: Option<()>,
    between_cpus: Option<()>,
    others: Option<()>,
    p99_ns: Option<()>,
}

impl<'a> Run<'a> {
    fn new(side: &'a Side) -> Self {
        Self {
            cpu_per_operation_ns: side.cpu_per_unit,
            turns_ns: &side.parts,
            operations_per_s: side.units_per_second,
            cpu_cores: side.cores,
            interrupts: None,
            between_cpus: None,
            others: None,
            p99_ns: None,
        }
    }
}

impl Prediction {
    fn new(check: &PredictionCheck, report: &Report) -> Self {
        let seconds = report.window.measured.as_secs_f64();
        let per_second = |amount: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        let scenario: Option<&predict::Scenario> =
            report.what_if.scenario(check.way).filter(|_| check.predicted.is_ok());
        Self {
            at_unix_ns: None,
            saving: check.claim(report.verdict.answer).map(Range::from),
            refused: check.predicted.as_ref().err().map(InWords::in_words),
            unsure: scenario.map(|s| Unsure { kind: s.kind.name(), less: s.unsure.less, more: s.unsure.more }),
            answer: Answer::new(report.verdict.answer),
            sentence: report.verdict.sentence(),
            switches_per_s: per_second(report.check.voluntary.ours as f64),
            cpu_cores: per_second(report.cpu.total.as_secs_f64()),
            sleeps_remaining: scenario.map(|s| s.sleeps_per_block),
            events_per_wait: scenario.map(|s| s.events_per_wait),
            others: None,
        }
    }
}

/// The command line of a target's first process; its name where that is empty.
fn command(facts: &Facts) -> &str {
    let first = facts.processes.first();
    first.map_or("", |process| if process.command.is_empty() { &process.name } else { &process.command })
}

/// A pair as a row called `id`, with a newline at its end. `None` where the measured saving has no
/// interval.
pub fn row(id: &str, check: &PredictionCheck, blocking: &Report, twin: &Report) -> Option<String> {
    let prediction = Prediction::new(check, blocking);
    let row = Row {
        id,
        control: false,
        status: "done",
        program: None,
        reason: None,
        scenario: check.way.name(),
        grid: None,
        blocking: command(&blocking.facts),
        twin: command(&twin.facts),
        load: None,
        checks: vec![&prediction],
        prediction: &prediction,
        truth: Truth {
            saving: check.interval?.into(),
            first_started_unix_ns: None,
            blocking: [Run::new(&check.sides.0)],
            twin: [Run::new(&check.sides.1)],
        },
    };
    let text = serde_json::to_string_pretty(&row).ok()?;
    Some(format!("{text}\n"))
}
