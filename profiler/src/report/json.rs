//! JSON: one object with everything that the text shows, untruncated. Types of its own: the model
//! may change, this contract only together with [`SCHEMA_VERSION`].
//!
//! The unit is in the key (`_ns`, `_bytes`, `_ratio`, `_count`), the provenance in the value, see
//! [`figure::Figure`].

mod capacity;
mod figure;
mod ipc;
mod latency;
mod ledgers;
mod load;
mod memory;
mod quality;
mod row;
mod stalls;
mod target;
mod top;
mod verdict;
mod views;
mod whatif;

use crate::{answer, words};
use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

use figure::{Figure, Ratio};
use verdict::{Answer, Decision, Tool};

pub use row::row;
pub use verdict::SCHEMA_VERSION;

/// One measurement of a running process by should-i-async: how much CPU its blocking IO costs, and
/// the evidence.
///
/// Durations are nanoseconds, shares are ratios (0.5 is 50 %). A figure without a value says why in
/// its note.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "should-i-async report")]
struct Document {
    /// Version of this schema. Raised when a key changes its meaning or goes away.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    schema_version: u32,
    /// The program that made the report.
    tool: Tool,
    /// Whether another way of waiting would pay, and what that rests on.
    verdict: Verdict,
    /// CPU that blocking IO costs, as shares of the target's CPU.
    score: Score,
    /// What other ways of waiting would give back, as shares of the target's CPU.
    what_if: whatif::WhatIf,
    /// The direct cost of one blocking-IO block, estimated in three ways.
    estimators: whatif::Estimators,
    /// What hardware counters told of the instructions that follow a return.
    ipc: ipc::Ipc,
    /// The processes that were measured, and the machine that they ran on.
    target: target::Target,
    /// When and for how long was measured, and what ended it.
    window: target::Window,
    /// Where the target's CPU time went.
    cpu: ledgers::Cpu,
    /// Where the wall time of its threads went.
    wall: ledgers::Wall,
    /// What it adds to the machine's load average.
    load: load::Load,
    /// How many times today's load its CPUs carry; null where it hardly ran.
    capacity: Option<capacity::Capacity>,
    /// How long its clients wait.
    latency: latency::Latency,
    /// What its threads take of memory.
    memory: memory::Memory,
    /// Every call place, the one with the most blocked time first; those that never blocked
    /// included.
    sites: Vec<views::Site>,
    /// Every thread, the busiest first.
    threads: Vec<views::Thread>,
    /// What the threads are in their program, the role with the most CPU first.
    roles: Vec<views::RoleLine>,
    /// Wake-ups of the target's threads.
    wakeups: views::Wakeups,
    /// Block devices that had requests, and what the target waited for them.
    devices: views::Devices,
    /// What was lost or left open.
    quality: quality::Quality,
    /// What measuring cost.
    self_cost: quality::SelfCost,
    /// What one block costs on this machine.
    reference_block: quality::Reference,
    /// The check against the kernel's own counters over the same interval.
    check: quality::Check,
}

/// The answer.
#[derive(Serialize, JsonSchema)]
struct Verdict {
    /// What was found, as one of a fixed list of kinds.
    answer: Answer,
    /// What the kind comes down to: yes, no, perhaps, or no answer.
    decision: Decision,
    /// The same in one sentence.
    sentence: String,
    /// What it rests on, a line each.
    evidence: Vec<String>,
    /// What is cheaper than a rewrite.
    advice: Vec<String>,
}

/// The blocking-IO overhead: cost of blocking-IO blocks as a share of the target's CPU.
#[derive(Serialize, JsonSchema)]
struct Score {
    /// The extra kernel CPU of leaving the CPU and coming back.
    direct_ratio: Figure<Ratio>,
    /// Lower end of the 90 % interval of `direct_ratio`.
    direct_low_ratio: Figure<Ratio>,
    /// Upper end of the 90 % interval of `direct_ratio`.
    direct_high_ratio: Figure<Ratio>,
    /// The extra CPU after coming back, because caches went cold.
    indirect_ratio: Figure<Ratio>,
}

impl Document {
    fn new(report: &answer::Report) -> Self {
        let score = &report.score;
        let bound = |end: Option<f64>| Figure::derived(&score.direct, end, words::NO_INTERVAL);
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            verdict: Verdict {
                answer: Answer::new(report.verdict.answer),
                decision: Decision::new(report.verdict.answer.decision()),
                sentence: report.verdict.sentence(),
                evidence: report.verdict.evidence_lines(),
                advice: report.verdict.advice_lines(),
            },
            score: Score {
                direct_ratio: Figure::new(&score.direct),
                direct_low_ratio: bound(score.interval.map(|i| i.low)),
                direct_high_ratio: bound(score.interval.map(|i| i.high)),
                indirect_ratio: Figure::new(&score.indirect),
            },
            what_if: whatif::WhatIf::new(&report.what_if),
            estimators: whatif::Estimators::new(&report.estimators),
            ipc: ipc::Ipc::new(report),
            target: target::Target::new(&report.facts),
            window: target::Window::new(report),
            cpu: ledgers::Cpu::new(&report.cpu),
            wall: ledgers::Wall::new(&report.wall),
            load: load::Load::new(&report.load),
            capacity: report.capacity.as_ref().map(capacity::Capacity::new),
            latency: latency::Latency::new(&report.latency),
            memory: memory::Memory::new(&report.memory),
            sites: report.sites.iter().map(views::Site::new).collect(),
            threads: report.threads.iter().map(views::Thread::new).collect(),
            roles: report.roles.iter().map(views::RoleLine::new).collect(),
            wakeups: views::Wakeups::new(&report.wakeups),
            devices: views::Devices::new(report),
            quality: quality::Quality::new(&report.quality),
            self_cost: quality::SelfCost::new(&report.self_cost),
            reference_block: quality::Reference::new(report.reference.as_ref()),
            check: quality::Check::new(report),
        }
    }
}

/// The report as a JSON value.
pub fn json_value(report: &answer::Report) -> Value {
    // Only a map with keys that are no strings, or a failing Serialize of our own, could fail:
    // there is neither.
    serde_json::to_value(Document::new(report)).unwrap_or_default()
}

/// The report as JSON text, with a newline at its end.
pub fn json(report: &answer::Report) -> String {
    // From the types, not from the value: so the keys keep the order in which they are explained.
    pretty(&Document::new(report))
}

/// The JSON Schema of [`json`], generated from the types that are serialised, with a newline at its
/// end.
pub fn schema() -> String {
    schema_of::<Document>()
}

/// The machine at a glance as JSON text, with a newline at its end.
pub fn top_json(top: &answer::Top) -> String {
    pretty(&top::Document::new(top))
}

/// Stalls as JSON, with a newline at its end.
pub fn stalls_json(stalls: &answer::Stalls) -> String {
    pretty(&stalls::Document::new(stalls))
}

/// The JSON Schema of [`stalls_json`], with a newline at its end.
pub fn stalls_schema() -> String {
    schema_of::<stalls::Document>()
}

/// The JSON Schema of [`top_json`], with a newline at its end.
pub fn top_schema() -> String {
    schema_of::<top::Document>()
}

/// A document as text, with a newline at its end.
fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{text}\n")
}

fn schema_of<T: JsonSchema>() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    format!("{:#}\n", sorted(generator.into_root_schema_for::<T>().to_value()))
}

/// With the keys in alphabetical order, whichever map serde_json was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            map.into_iter().collect()
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}
