//! Predictions: `check` on the blocking program of a group, and what its report says about each
//! row.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    report::{Outlook, Range, Report},
    results::{Prediction, Unsure},
    row::{Deadline, Group, Scenario},
    stage::Stage,
    statistics::Interval,
};
use crate::host::{child::Running, clocks};

/// How `check` is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) length: Duration,
    /// All the time, whatever it costs.
    pub(crate) exact: bool,
}

impl Mode {
    /// Every block for a short time.
    pub(crate) const EXACT: Self = Self { length: Duration::from_secs(3), exact: true };
    /// What `check` does unless told otherwise.
    pub(crate) const DEFAULT: Self = Self { length: Duration::from_secs(10), exact: false };

    fn args(self) -> Vec<String> {
        let mut args = vec!["-d".to_owned(), format!("{}s", self.length.as_secs())];
        args.extend(self.exact.then(|| "--exact".to_owned()));
        args
    }
}

/// Time for all else that `check` does: loading, calibrating, modelling. Among hundreds of threads
/// that want the CPU it mostly waits for it.
const CHECK_WITHIN: Duration = Duration::from_secs(90);
/// How long `calibrate` may take.
const CALIBRATED_WITHIN: Duration = Duration::from_secs(120);

/// Calibrates the machine again.
pub(crate) fn calibrate(tool: &Path) -> Result<()> {
    calibrated(Command::new(tool).arg("calibrate"))
}

/// Measures what an event costs in an interpreter.
pub(crate) fn calibrate_runtime(tool: &Path, interpreter: &Path) -> Result<()> {
    calibrated(Command::new(tool).args(["calibrate", "--runtime"]).arg(interpreter))
}

/// The same for the interpreter or JVM that a group's blocking program runs in. It is found by its
/// process, because it may have a root of its own.
pub(crate) fn calibrate_runtime_of(tool: &Path, group: &Group) -> Result<()> {
    let mut stage = Stage::start(group, &*group.blocking, CALIBRATED_WITHIN, Deadline::after(2 * CALIBRATED_WITHIN))?;
    stage.rest()?;
    let target = stage.target();
    let pid = target.last().context("a program without a process")?;
    calibrated(Command::new(tool).args(["calibrate", "--runtime", pid]))?;
    stage.end().map(|_| ())
}

/// Measures what requests past the page cache cost on a file system.
pub(crate) fn calibrate_files(tool: &Path, folder: &Path) -> Result<()> {
    calibrated(Command::new(tool).args(["calibrate", "--file"]).arg(folder))
}

fn calibrated(command: &mut Command) -> Result<()> {
    Running::start(command)?.wait(CALIBRATED_WITHIN)?;
    Ok(())
}

/// What `check` said about a group.
pub(crate) struct Forecast {
    report: Report,
    others: f64,
    /// CPU of the program for an operation, ns.
    per_operation: Option<f64>,
}

/// Runs `check` on the group's blocking program under its load. The whole report goes to `raw`.
pub(crate) fn observe(tool: &Path, mode: Mode, group: &Group, raw: &Path, deadline: Deadline) -> Result<Forecast> {
    let within = mode.length + CHECK_WITHIN;
    let mut stage = Stage::start(group, &*group.blocking, within, deadline)?;
    let mut command = Command::new(tool);
    command.arg("check").args(stage.target());
    command.args(mode.args()).args(["--json", "--record"]);
    command.arg(raw.with_extension("sia"));
    let before = (stage.read()?, clocks::monotonic());
    let mut check = Running::start(&mut command)?;
    let mut own_cpu = Duration::ZERO;
    let text = loop {
        match check.poll()? {
            true => break check.wait(CHECK_WITHIN)?.stdout,
            false => {
                own_cpu = clocks::process_cpu(check.pid()).unwrap_or(own_cpu);
                stage.run_for(Duration::from_millis(20))?;
            }
        }
        ensure!(
            clocks::monotonic() - before.1 < within.as_nanos() as u64,
            "`check {}` has not ended after {} s",
            mode.args().join(" "),
            within.as_secs()
        );
    };
    let after = (stage.read()?, clocks::monotonic());
    stage.end()?;
    fs::write(raw, &text).with_context(|| format!("writing {}", raw.display()))?;
    let report = Report::parse(&text)?;
    let known = own_cpu.as_nanos() as f64 + after.0.cpu_ns - before.0.cpu_ns + after.0.load_ns - before.0.load_ns;
    let busy = after.0.machine.busy.saturating_sub(before.0.machine.busy).as_nanos() as f64;
    let others = (busy - known).max(0.0) / (after.1 - before.1) as f64;
    let (operations, cpu) = (after.0.operations - before.0.operations, after.0.cpu_ns - before.0.cpu_ns);
    Ok(Forecast { report, others, per_operation: (operations > 0.0).then_some(cpu / operations) })
}

impl Forecast {
    /// From a report alone, without what was measured beside it.
    pub(crate) fn new(report: Report) -> Self {
        Self { report, others: 0.0, per_operation: None }
    }

    /// The prediction for a scenario; for a control the one of the scenario that promises the most.
    /// Its time is set by the journal.
    pub(crate) fn prediction(&self, scenario: Option<Scenario>) -> Result<Prediction> {
        let Report { verdict, window, cpu, check, what_if, .. } = &self.report;
        let seconds = window.measured_ns.value.context("the report has no length")? as f64 / 1e9;
        ensure!(seconds > 0.0, "the report covers no time");
        let switches = check.voluntary.ours_count.value.context("the report counts no switches")?;
        let cpu_ns = cpu.total_ns.value.context("the report has no CPU time")?;
        let mut prediction = Prediction {
            at_unix_ns: None,
            saving: None,
            refused: None,
            unsure: None,
            answer: verdict.answer,
            sentence: verdict.sentence.clone(),
            switches_per_s: switches as f64 / seconds,
            cpu_cores: cpu_ns as f64 / 1e9 / seconds,
            sleeps_remaining: None,
            events_per_wait: None,
            others: Some(self.others),
            asked_ns: self.per_operation,
        };
        if let Some(reason) = &what_if.refused {
            prediction.refused = Some(reason.clone());
            prediction.saving = verdict.answer.is_no().then_some(Interval::ZERO);
            return Ok(prediction);
        }
        let mut best: Option<(Interval, &Outlook)> = None;
        for outlook in what_if.scenarios.iter().filter(|outlook| scenario.is_none_or(|wanted| outlook.name == wanted)) {
            let Some(saving) = saving(outlook.saving)? else { continue };
            if best.is_none_or(|(found, _)| saving.value.abs() > found.value.abs()) {
                best = Some((saving, outlook));
            }
        }
        match best {
            Some((saving, outlook)) => {
                prediction.saving = Some(saving);
                prediction.unsure = Some(Unsure {
                    kind: outlook.kind,
                    less: outlook.unsure_less_ratio,
                    more: outlook.unsure_more_ratio,
                });
                prediction.sleeps_remaining = outlook.sleeps_remaining;
                prediction.events_per_wait = outlook.events_per_wait;
            }
            // A scenario that the report leaves out counts as a refusal.
            None => prediction.refused = Some("the report leaves this scenario out".to_owned()),
        }
        Ok(prediction)
    }
}

/// The interval of a scenario; `None` where it has no value.
fn saving(range: Range) -> Result<Option<Interval>> {
    let Some(value) = range.value else { return Ok(None) };
    let interval = Interval { low: range.low.unwrap_or(value), value, high: range.high.unwrap_or(value) };
    ensure!(interval.is_sound(), "a saving of {interval:?} is no interval");
    Ok(Some(interval))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::report::tests::report, *};

    fn forecast(what_if: &Value, answer: &str) -> Forecast {
        Forecast { report: report(answer, what_if, None), others: 0.0, per_operation: None }
    }

    fn scenario(name: &str, saving: &Value) -> Value {
        json!({
            "name": name, "saving": saving, "kind": "sockets", "unsure_less_ratio": 0.01, "unsure_more_ratio": 0.02,
            "events_per_wait": if name == "naive" { json!(2.5) } else { Value::Null },
        })
    }

    fn scenarios() -> Value {
        json!({"refused": null, "scenarios": [
            scenario("naive", &json!({"low": 0.1, "value": 0.12, "high": 0.2})),
            scenario("runtime", &json!({"low": -0.1, "value": -0.3, "high": 0.0})),
            scenario("tuned", &json!({"value": 0.2})),
        ]})
    }

    #[test]
    fn a_scenario_is_read_with_its_interval() {
        let found = forecast(&scenarios(), "yes").prediction(Some(Scenario::Naive)).unwrap();
        assert_eq!(found.saving, Some(Interval { low: 0.1, value: 0.12, high: 0.2 }));
        assert_eq!((found.switches_per_s, found.cpu_cores), (2_500.0, 0.5));
        assert_eq!((found.events_per_wait, found.sleeps_remaining), (Some(2.5), None));
        let bare = forecast(&scenarios(), "yes").prediction(Some(Scenario::Tuned)).unwrap();
        assert_eq!(bare.saving, Some(Interval { low: 0.2, value: 0.2, high: 0.2 }));
    }

    #[test]
    fn an_interval_that_is_none_is_an_error() {
        assert!(forecast(&scenarios(), "yes").prediction(Some(Scenario::Runtime)).is_err());
    }

    #[test]
    fn a_control_is_held_to_its_largest_promise() {
        let mut what_if = scenarios();
        what_if["scenarios"][1]["saving"] = json!({"low": -0.4, "value": -0.3, "high": 0.0});
        let found = forecast(&what_if, "yes").prediction(None).unwrap();
        assert_eq!(found.saving.map(|s| s.value), Some(-0.3));
    }

    #[test]
    fn a_refusal_counts_as_nothing_to_gain_only_where_the_answer_is_no() {
        let refused = json!({"refused": "no event to replay", "scenarios": []});
        for answer in ["cpu_bound", "already_async", "locks"] {
            let no = forecast(&refused, answer).prediction(None).unwrap();
            assert_eq!((no.saving, no.refused.as_deref()), (Some(Interval::ZERO), Some("no event to replay")));
        }
        for answer in ["not_enough_data", "blocking", "unknown_program"] {
            assert_eq!(forecast(&refused, answer).prediction(None).unwrap().saving, None);
        }
    }

    #[test]
    fn a_scenario_that_is_left_out_is_a_refusal() {
        let found = forecast(&json!({"refused": null, "scenarios": []}), "yes").prediction(Some(Scenario::Naive));
        assert!(found.unwrap().refused.is_some());
    }

    #[test]
    fn a_report_without_scenarios_is_an_error() {
        assert!(Report::parse(r#"{"verdict": {"answer": "yes", "sentence": "Yes."}}"#).is_err());
    }
}
