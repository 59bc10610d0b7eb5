//! The parts of a report of `check --json` that are read here.
//!
//! Not the profiler's own types: this program checks the house and builds the kernel object, so it
//! must build while the profiler does not. A test compares every key with docs/report.schema.json,
//! which the profiler writes from its types.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::row::Scenario;

/// What `check` said, as far as suites read it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    pub(crate) window: Window,
    pub(crate) cpu: Cpu,
    pub(crate) check: Check,
    pub(crate) what_if: WhatIf,
    pub(crate) ipc: Ipc,
}

impl Report {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("`check` printed no report")
    }
}

/// A figure that may be missing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Figure<T> {
    pub(crate) value: Option<T>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) answer: Answer,
    pub(crate) sentence: String,
}

/// What an answer comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Yes,
    No,
    Perhaps,
    Abstains,
}

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    NotEnoughData,
    ChildrenWork,
    AlreadyAsync,
    NoBlockingIo,
    ParkedTasks,
    CostsLittle,
    CpuBound,
    LowConcurrency,
    Locks,
    HandOver,
    Files,
    YesTuned,
    Yes,
    Unsure,
    UnknownProgram,
    Blocking,
}

impl Answer {
    /// Whether there is no figure that could decide.
    pub(crate) fn abstains(self) -> bool {
        matches!(
            self,
            Self::NotEnoughData | Self::ChildrenWork | Self::HandOver | Self::UnknownProgram | Self::Blocking
        )
    }

    /// Whether it says that async gives nothing back.
    pub(crate) fn is_no(self) -> bool {
        match self {
            Self::AlreadyAsync
            | Self::NoBlockingIo
            | Self::ParkedTasks
            | Self::CostsLittle
            | Self::CpuBound
            | Self::LowConcurrency
            | Self::Files
            | Self::Locks => true,
            Self::NotEnoughData
            | Self::ChildrenWork
            | Self::HandOver
            | Self::UnknownProgram
            | Self::YesTuned
            | Self::Yes
            | Self::Unsure
            | Self::Blocking => false,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Window {
    pub(crate) measured_ns: Figure<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cpu {
    pub(crate) total_ns: Figure<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) voluntary: CountCheck,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CountCheck {
    pub(crate) ours_count: Figure<u64>,
}

/// What async would give back.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WhatIf {
    /// Why there is no figure.
    pub(crate) refused: Option<String>,
    pub(crate) scenarios: Vec<Outlook>,
}

/// What a scenario would give back.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Outlook {
    pub(crate) name: Scenario,
    pub(crate) saving: Range,
    pub(crate) kind: Kind,
    pub(crate) unsure_less_ratio: f64,
    pub(crate) unsure_more_ratio: f64,
    pub(crate) sleeps_remaining: Option<f64>,
    pub(crate) events_per_wait: Option<f64>,
}

/// The kind of a prediction, by its name in the report. Kinds differ in how far predictions are
/// off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Machine code that blocks on sockets and pipes.
    Sockets,
    /// Machine code that blocks on files.
    Files,
    /// The ways of an interpreter or virtual machine.
    Runtime,
    /// Machine code that hands events to a pool of workers.
    Pools,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Sockets, Self::Files, Self::Runtime, Self::Pools];
}

/// A value with its 90 % interval; nothing where there is no number.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Range {
    pub(crate) low: Option<f64>,
    pub(crate) value: Option<f64>,
    pub(crate) high: Option<f64>,
}

/// IPC after returns, as the report gives it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ipc {
    /// Why nothing is known.
    pub(crate) unavailable: Option<String>,
    pub(crate) indirect_cycles_per_block_count: Bounded,
    pub(crate) curves: Vec<Curve>,
}

/// A figure with its interval, and why it is missing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bounded {
    #[serde(flatten)]
    pub(crate) range: Range,
    pub(crate) note: Option<String>,
}

/// The recovery curve of one kind of return.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Curve {
    /// What came before the return: `blocked` or `direct`.
    pub(crate) after: String,
    pub(crate) points: Vec<Point>,
}

/// A point of a curve.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Point {
    pub(crate) middle_instructions_count: Figure<f64>,
    pub(crate) local_ipc_ratio: Bounded,
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A report with these parts, and all else as small as it may be.
    pub(crate) fn report(answer: &str, what_if: &Value, ipc: Option<&Value>) -> Report {
        let no_counters = json!({
            "unavailable": "no PMU (ENOENT)",
            "indirect_cycles_per_block_count": {"value": null, "low": null, "high": null, "note": "no PMU"},
            "curves": [],
        });
        let report = json!({
            "verdict": {"answer": answer, "sentence": "A sentence."},
            "window": {"measured_ns": {"value": 2_000_000_000u64}},
            "cpu": {"total_ns": {"value": 1_000_000_000u64}},
            "check": {"voluntary": {"ours_count": {"value": 5_000}}},
            "what_if": what_if,
            "ipc": ipc.unwrap_or(&no_counters),
        });
        Report::parse(&report.to_string()).unwrap()
    }

    fn schema() -> Value {
        serde_json::from_str(include_str!("../../../docs/report.schema.json")).unwrap()
    }

    /// What a schema says, where it refers to another one.
    fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        target.map_or(schema, |pointer| root.pointer(pointer).unwrap())
    }

    /// The names that a schema allows.
    fn names(root: &Value, pointer: &str) -> Vec<String> {
        let kinds = root.pointer(pointer).unwrap()["oneOf"].as_array().unwrap();
        kinds.iter().map(|kind| kind["const"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_way_of_a_report_is_a_scenario() {
        let root = schema();
        let ways = root["$defs"]["Scenario"]["properties"]["name"]["description"].as_str().unwrap();
        for way in ways.split('`').skip(1).step_by(2) {
            let scenario: Scenario = serde_json::from_value(json!(way)).unwrap();
            assert!(Scenario::ALL.contains(&scenario), "{way}");
        }
    }

    #[test]
    fn every_key_is_one_that_the_profiler_writes() {
        let root = schema();
        let paths = [
            "verdict.answer",
            "verdict.sentence",
            "window.measured_ns.value",
            "cpu.total_ns.value",
            "check.voluntary.ours_count.value",
            "what_if.refused",
            "what_if.scenarios.name",
            "what_if.scenarios.kind",
            "what_if.scenarios.unsure_less_ratio",
            "what_if.scenarios.unsure_more_ratio",
            "what_if.scenarios.saving.low",
            "what_if.scenarios.saving.value",
            "what_if.scenarios.saving.high",
            "what_if.scenarios.sleeps_remaining",
            "what_if.scenarios.events_per_wait",
            "ipc.unavailable",
            "ipc.indirect_cycles_per_block_count.low",
            "ipc.indirect_cycles_per_block_count.note",
            "ipc.curves.after",
            "ipc.curves.points.middle_instructions_count.value",
            "ipc.curves.points.local_ipc_ratio.high",
        ];
        for path in paths {
            let mut at = &root;
            for key in path.split('.') {
                let found = at["properties"].get(key);
                at = resolve(&root, found.unwrap_or_else(|| panic!("the schema has no {path}")));
                if let Some(items) = at.get("items") {
                    at = resolve(&root, items);
                }
            }
        }
    }

    #[test]
    fn every_answer_of_the_profiler_is_known() {
        let names = names(&schema(), "/$defs/Answer");
        let answers: Vec<Answer> =
            names.iter().map(|name| serde_json::from_value(json!(name)).unwrap_or_else(|_| panic!("{name}"))).collect();
        assert_eq!(answers.len(), 16);
        let no: Vec<String> =
            answers.iter().zip(&names).filter(|(answer, _)| answer.is_no()).map(|(_, name)| name.clone()).collect();
        let wanted = [
            "already_async",
            "no_blocking_io",
            "parked_tasks",
            "costs_little",
            "cpu_bound",
            "low_concurrency",
            "locks",
            "files",
        ];
        assert_eq!(no, wanted);
    }
}
