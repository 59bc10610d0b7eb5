//! Predictions: `check` on the blocking program, its answer read, and on disk before any twin has been started.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    cells::{Scenario, Setup},
    program::{Deadline, Lab, Stage},
    results::Prediction,
    statistics::Interval,
};
use crate::{
    exec,
    host::{child::Running, clocks},
};

/// Length of the measurement.
pub(super) const CHECK: Duration = Duration::from_secs(3);
/// Beyond it: loading, calibrating, modelling; among hundreds of threads that all want the CPU, mostly waiting for it.
const CHECK_WITHIN: Duration = Duration::from_secs(90);

/// What `calibrate` may take.
const CALIBRATED_WITHIN: Duration = Duration::from_secs(120);

/// Has the machine calibrated anew.
pub(super) fn calibrate(own: &Path) -> Result<()> {
    Running::start(Command::new(own).arg("calibrate"))?.wait(CALIBRATED_WITHIN)?;
    Ok(())
}

/// What `check` said about a setup.
pub(super) struct Forecast {
    report: Value,
    others: f64,
}

/// Runs `check` on the setup's blocking version under its load.
pub(super) fn observe(own: &Path, lab: &Lab, setup: &Setup, raw: &Path, deadline: Deadline) -> Result<Forecast> {
    let mut stage = Stage::start(lab, setup, setup.mode, CHECK + CHECK_WITHIN, deadline)?;
    let mut command = Command::new(own);
    command.args(["check", "-p", &stage.target_pid().to_string()]);
    command.args(["-d", &format!("{}s", CHECK.as_secs()), "--exact", "--json"]);
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
            clocks::monotonic() - before.1 < (CHECK + CHECK_WITHIN).as_nanos() as u64,
            "`check -d {}s` has not ended after {} s",
            CHECK.as_secs(),
            (CHECK + CHECK_WITHIN).as_secs()
        );
    };
    let after = (stage.read()?, clocks::monotonic());
    stage.end()?;
    fs::write(raw, &text).with_context(|| format!("writing {}", raw.display()))?;
    let report = serde_json::from_str(&text).context("`check` printed no JSON")?;
    let known = own_cpu.as_nanos() as f64 + after.0.cpu_ns - before.0.cpu_ns + after.0.load_ns - before.0.load_ns;
    let busy = after.0.machine.busy.saturating_sub(before.0.machine.busy).as_nanos() as f64;
    let others = (busy - known).max(0.0) / (after.1 - before.1) as f64;
    Ok(Forecast { report, others })
}

/// What is looked for in a report; numbers stand by themselves, or as a figure with its provenance.
fn figure(value: Option<&Value>) -> Option<f64> {
    let value = value?;
    value.as_f64().or_else(|| value.get("value")?.as_f64())
}

/// Whether the verdict answers the question with no: "No: …" or "No, …".
fn says_no(sentence: &str) -> bool {
    let mut words = sentence.split(|c: char| !c.is_alphabetic());
    words.next().is_some_and(|first| first.eq_ignore_ascii_case("no"))
}

impl Forecast {
    /// The prediction of a scenario, for a control of the scenario that promises the most. The time is set when it is filed.
    pub(super) fn prediction(&self, scenario: Option<Scenario>) -> Result<Prediction> {
        let text = |pointer: &str| self.report.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = |pointer: &str| {
            figure(self.report.pointer(pointer)).with_context(|| format!("the report has no number at {pointer}"))
        };
        let seconds = count("/window/measured_ns")? / 1e9;
        ensure!(seconds > 0.0, "the report covers no time");
        let mut prediction = Prediction {
            at_unix_ns: 0,
            saving: None,
            refused: None,
            answer: text("/verdict/answer"),
            sentence: text("/verdict/sentence"),
            switches_per_s: count("/check/voluntary/ours_count")? / seconds,
            cpu_cores: count("/cpu/total_ns")? / 1e9 / seconds,
            sleeps_remaining: None,
            events_per_wait: None,
            others: self.others,
        };
        let what_if = self.report.get("what_if").context("the report has no `what_if`")?;
        if let Some(reason) = what_if.get("refused").and_then(Value::as_str) {
            prediction.refused = Some(reason.to_owned());
            prediction.saving = says_no(&prediction.sentence).then_some(Interval::ZERO);
            return Ok(prediction);
        }
        let scenarios = what_if.get("scenarios").and_then(Value::as_array).context("`what_if` has no scenarios")?;
        let named =
            |name: &str| scenarios.iter().find(|s| s.get("name").and_then(Value::as_str).is_some_and(|n| n == name));
        let wanted = match &scenario {
            Some(one) => std::slice::from_ref(one),
            None => &Scenario::ALL[..],
        };
        let mut best: Option<(Interval, &Value)> = None;
        for scenario in wanted.iter().filter_map(|scenario| named(scenario.name())) {
            let Some(saving) = saving(scenario)? else { continue };
            if best.is_none_or(|(found, _)| saving.value.abs() > found.value.abs()) {
                best = Some((saving, scenario));
            }
        }
        match best {
            Some((saving, scenario)) => {
                prediction.saving = Some(saving);
                prediction.sleeps_remaining = figure(scenario.get("sleeps_remaining"));
                prediction.events_per_wait = figure(scenario.get("events_per_wait"));
            }
            // A scenario that is left out is a refusal, with less said.
            None => prediction.refused = Some("the report leaves this scenario out".to_owned()),
        }
        Ok(prediction)
    }
}

/// The interval of a scenario; `None` where it has no value.
fn saving(scenario: &Value) -> Result<Option<Interval>> {
    let saving = scenario.get("saving").context("a scenario has no `saving`")?;
    let end = |key: &str| figure(saving.get(key));
    let Some(value) = end("value") else { return Ok(None) };
    let interval = Interval { low: end("low").unwrap_or(value), value, high: end("high").unwrap_or(value) };
    ensure!(interval.is_sound(), "a saving of {interval:?} is no interval");
    Ok(Some(interval))
}

/// predictions.jsonl: lines are added, each on disk before the next step, and never changed.
pub(super) struct Journal {
    file: File,
    run: String,
}

/// A line of it.
#[derive(Serialize)]
struct Entry<'a> {
    run: &'a str,
    cell: &'a str,
    /// Which one of several; none where it is their median.
    check: Option<u32>,
    /// UTC.
    at: &'a str,
    prediction: &'a Prediction,
}

impl Journal {
    pub(super) fn open(folder: &Path, run: &str) -> Result<Self> {
        let path = folder.join("predictions.jsonl");
        let file = File::options().append(true).create(true).open(&path);
        Ok(Self { file: file.with_context(|| format!("opening {}", path.display()))?, run: run.to_owned() })
    }

    /// Puts it on disk, with the time.
    pub(super) fn file(&mut self, cell: &str, check: Option<u32>, prediction: &mut Prediction) -> Result<()> {
        prediction.at_unix_ns = unix_ns();
        let seconds = format!("@{}", prediction.at_unix_ns / 1_000_000_000);
        let at = exec::output(Command::new("date").args(["-u", "-d", &seconds, "+%Y-%m-%dT%H:%M:%SZ"]))?;
        let entry = Entry { run: &self.run, cell, check, at: at.trim(), prediction };
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all()).context("writing predictions.jsonl")
    }
}

/// Wall-clock time.
pub(super) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

/// Where the whole report of one check of a setup goes.
pub(super) fn raw_path(folder: &Path, setup: &Setup, check: u32) -> PathBuf {
    folder.join(format!("{}.{check}.check.json", setup.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn forecast(what_if: Option<Value>, sentence: &str) -> Forecast {
        let mut report = json!({
            "verdict": {"answer": "blocking", "sentence": sentence},
            "window": {"measured_ns": {"value": 2_000_000_000u64}},
            "cpu": {"total_ns": {"value": 1_000_000_000u64}},
            "check": {"voluntary": {"ours_count": {"value": 5_000}}},
        });
        if let Some(what_if) = what_if {
            report["what_if"] = what_if;
        }
        Forecast { report, others: 0.0 }
    }

    fn scenarios() -> Value {
        json!({"refused": null, "scenarios": [
            {"name": "naive", "saving": {"low": 0.1, "value": 0.12, "high": 0.2}, "events_per_wait": 2.5},
            {"name": "runtime", "saving": {"low": {"value": -0.1}, "value": {"value": -0.3}, "high": {"value": 0.0}}},
            {"name": "tuned", "saving": {"value": 0.2}},
        ]})
    }

    #[test]
    fn a_scenario_is_read_with_its_interval() {
        let found = forecast(Some(scenarios()), "Yes.").prediction(Some(Scenario::Naive)).unwrap();
        assert_eq!(found.saving, Some(Interval { low: 0.1, value: 0.12, high: 0.2 }));
        assert_eq!((found.switches_per_s, found.cpu_cores), (2_500.0, 0.5));
        assert_eq!((found.events_per_wait, found.sleeps_remaining), (Some(2.5), None));
        let bare = forecast(Some(scenarios()), "Yes.").prediction(Some(Scenario::Tuned)).unwrap();
        assert_eq!(bare.saving, Some(Interval { low: 0.2, value: 0.2, high: 0.2 }));
    }

    #[test]
    fn an_interval_that_is_none_is_an_error() {
        assert!(forecast(Some(scenarios()), "Yes.").prediction(Some(Scenario::Runtime)).is_err());
    }

    #[test]
    fn a_control_is_held_to_its_largest_promise() {
        let mut what_if = scenarios();
        what_if["scenarios"][1]["saving"] = json!({"low": -0.4, "value": -0.3, "high": 0.0});
        let found = forecast(Some(what_if), "Yes.").prediction(None).unwrap();
        assert_eq!(found.saving.map(|s| s.value), Some(-0.3));
    }

    #[test]
    fn a_refusal_counts_as_nothing_to_gain_only_where_the_verdict_says_no() {
        let refused = json!({"refused": "no event to replay", "scenarios": []});
        let no = forecast(Some(refused.clone()), "No: it is CPU-bound.").prediction(None).unwrap();
        assert_eq!((no.saving, no.refused.as_deref()), (Some(Interval::ZERO), Some("no event to replay")));
        for sentence in ["Not enough happened.", "Blocking costs 3 %.", ""] {
            assert_eq!(forecast(Some(refused.clone()), sentence).prediction(None).unwrap().saving, None);
        }
    }

    #[test]
    fn a_report_without_scenarios_is_an_error() {
        assert!(forecast(None, "Yes.").prediction(None).is_err());
        assert!(forecast(Some(json!({"refused": null})), "Yes.").prediction(None).is_err());
    }

    #[test]
    fn the_journal_only_grows() {
        let folder = std::env::temp_dir().join(format!("lab-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut prediction = forecast(Some(scenarios()), "Yes.").prediction(Some(Scenario::Naive)).unwrap();
        for run in ["a", "b"] {
            Journal::open(&folder, run).unwrap().file("cell", Some(1), &mut prediction).unwrap();
        }
        let text = fs::read_to_string(folder.join("predictions.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["run"], "b");
        assert_eq!(lines[1]["prediction"]["at_unix_ns"], prediction.at_unix_ns);
        fs::remove_dir_all(folder).unwrap();
    }
}
