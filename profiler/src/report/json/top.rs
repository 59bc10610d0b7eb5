//! The machine at a glance in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    figure::{Figure, Range, Ratio},
    verdict::{Answer, Decision, SCHEMA_VERSION, Tool},
    views::RoleName,
};
use crate::{
    answer::{self, Top, TopRow},
    words,
};

/// What blocking IO costs the processes of a machine, by should-i-async: a row for each process,
/// container or control group.
///
/// CPU is in CPUs: CPU-seconds a second. Durations are nanoseconds, shares are ratios (0.5 is
/// 50 %). A figure without a value says why in its note.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "should-i-async top")]
pub(super) struct Document {
    /// Version of this schema. Raised when a key changes its meaning or goes away.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    schema_version: u32,
    /// The program that made it.
    tool: Tool,
    /// What a row stands for: `process`, `container` or `cgroup`.
    by: &'static str,
    /// From the first to the last moment.
    wall_ns: Figure<u64>,
    /// Time in which events counted: less than `wall_ns` where the machine was sampled.
    measured_ns: Figure<u64>,
    /// CPUs of the machine.
    cpus_count: Figure<u32>,
    /// Why processes cannot be measured, one line each.
    left_out: Vec<String>,
    /// What looking cost.
    overhead: Overhead,
    /// What was lost, in words; empty where nothing was.
    losses: Vec<String>,
    /// The row whose blocking costs most first.
    rows: Vec<Row>,
}

/// What looking cost.
#[derive(Serialize, JsonSchema)]
struct Overhead {
    /// What the programs cost all processes, over all the time, in CPUs.
    programs_cpus: Figure<f64>,
    /// What the profiler itself used, in CPUs.
    own_cpus: Figure<f64>,
    /// Its largest resident size.
    own_bytes: Figure<u64>,
}

/// Processes that are told together.
#[derive(Serialize, JsonSchema)]
struct Row {
    /// The command's name, the container, or the control group.
    name: String,
    /// The processes of it, the one with the most CPU first.
    processes: Vec<Process>,
    /// The container that they are in, where the row has one.
    container: Option<String>,
    /// The control group of the first of them.
    cgroup: String,
    /// Threads that were there at the end.
    threads_count: Figure<u64>,
    /// CPU in use.
    cpu_cpus: Figure<f64>,
    /// Blocks of all classes, a second.
    blocks_per_second: Figure<f64>,
    /// Of them on blocking IO.
    io_blocks_per_second: Figure<f64>,
    /// The class that most of the blocks are of; null where none blocked.
    mostly_on: Option<&'static str>,
    /// Direct cost of its blocking IO.
    cost_cpus: Figure<f64>,
    /// What the threads with the most CPU are; null where they did too little.
    role: Option<RoleName>,
    /// What async would give back in the way that the sentence names, as a share of the row's CPU;
    /// null where it names none.
    saving: Option<Range>,
    /// The kind of answer; null where it did too little to be asked.
    answer: Option<Answer>,
    /// What that comes down to.
    decision: Option<Decision>,
    /// The same in one sentence.
    sentence: Option<String>,
    /// The cost as a share of the row's CPU.
    cost_ratio: Figure<Ratio>,
}

/// A process of a row.
#[derive(Serialize, JsonSchema)]
struct Process {
    /// In the initial PID namespace.
    pid: u32,
    /// Empty where it was gone before it could be read.
    name: String,
    /// Its command line.
    command: String,
}

impl Document {
    pub(super) fn new(top: &Top) -> Self {
        let answer::Overhead { programs, own, own_bytes } = top.overhead;
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            by: top.by.name(),
            wall_ns: Figure::time(top.window.wall),
            measured_ns: Figure::time(top.window.measured),
            cpus_count: Figure::measured(top.cpus),
            left_out: top.left_out.clone(),
            overhead: Overhead {
                programs_cpus: Figure::maybe(programs, words::NOT_MEASURED),
                own_cpus: Figure::finite(own),
                own_bytes: Figure::measured(own_bytes),
            },
            losses: top.losses_words(),
            rows: top.rows.iter().map(Row::new).collect(),
        }
    }
}

impl Row {
    fn new(row: &TopRow) -> Self {
        let process = |member: &answer::Member| Process {
            pid: member.pid,
            name: member.name.clone(),
            command: member.command.clone(),
        };
        Self {
            name: row.title(),
            processes: row.members.iter().map(process).collect(),
            container: row.container.clone(),
            cgroup: row.cgroup.clone(),
            threads_count: Figure::measured(row.threads),
            cpu_cpus: Figure::finite(row.cpu),
            blocks_per_second: Figure::finite(row.blocks),
            io_blocks_per_second: Figure::finite(row.io),
            mostly_on: row.mostly.map(|class| class.name()),
            cost_cpus: Figure::new(&row.cost),
            role: row.role.map(|line| RoleName::new(line.role)),
            saving: row.saving.map(Range::from),
            answer: row.verdict.as_ref().map(|verdict| Answer::new(verdict.answer)),
            decision: row.verdict.as_ref().map(|verdict| Decision::new(verdict.answer.decision())),
            sentence: row.verdict.as_ref().map(answer::Verdict::sentence),
            cost_ratio: Figure::derived(&row.cost, row.cost_ratio(), words::NO_CPU),
        }
    }
}
