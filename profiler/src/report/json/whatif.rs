//! What async would give back, in JSON.

use crate::{cost, predict, words};
use schemars::JsonSchema;
use serde::Serialize;

use super::figure::{Figure, Range, Ratio};
use crate::{predict::replay::Assignment, words::InWords};

/// What async would give back: a scenario per way of waiting, never mixed.
#[derive(Serialize, JsonSchema)]
pub(super) struct WhatIf {
    /// Why there is no figure; null where there is one.
    refused: Option<String>,
    /// The scenarios that this machine has prices for.
    scenarios: Vec<Scenario>,
    /// Event loops in them: as many CPUs as the target keeps busy.
    loops: u32,
    /// CPUs that the target may use.
    allowed_cpus: u32,
    /// What the sleeps that remain were counted on.
    ground: String,
    /// CPU of the target without the hooks: what the shares are of, ns.
    cpu_ns: f64,
    /// What the hooks put into it, ns.
    hooks_ns: f64,
    /// Where the calibrated prices come from; null where none were needed.
    calibration: Option<String>,
    /// What the intervals rest on, and where that was measured; null where there is no figure.
    intervals: Option<String>,
    /// What the reader has to know.
    notes: Vec<String>,
}

/// One way of waiting.
#[derive(Serialize, JsonSchema)]
struct Scenario {
    /// `level` (epoll), `naive` (the same and one extra attempt per event), `runtime` (tokio),
    /// `tuned` (io_uring), `deep32` and `deep128` (so many requests on files at once), `aio` (Linux
    /// AIO), `workers` (a pool makes calls on files), `inline` (no pool does), `pooled` (a loop
    /// with a pool of workers) or `shared` (a loop that threads share); in CPython `streams`,
    /// `protocols`, `uvloop` or `gevent`; in a JVM `virtual`, `tasks` (a virtual thread for each
    /// task that a loop hands out) or `selector`.
    name: &'static str,
    /// `name` as reports print it.
    words: &'static str,
    /// How connections are spread over the loops: `own` or `stealing`.
    queues: &'static str,
    /// Share of the target's CPU that it would give back; negative where it would take more.
    saving: Range,
    /// What the interval of `saving` is of: `sockets`, `files`, `runtime` or `pools`.
    kind: &'static str,
    /// What the model says of its own uncertainty, one standard error: how much less may come back.
    unsure_less_ratio: Ratio,
    /// How much more may come back, one standard error.
    unsure_more_ratio: Ratio,
    /// `saving` with all that may be otherwise, at its full size.
    bounds: Range,
    /// What may be otherwise, the one that would change most first.
    doubts: Vec<Doubt>,
    /// The same in CPU-seconds per second.
    cpu_per_second: Range,
    /// The middle if arrivals did not follow replies.
    saving_open_loop_ratio: Ratio,
    /// Sleeps that remain, per block that there is now.
    sleeps_remaining: f64,
    /// Sleeps that remain, per second.
    sleeps_per_second: f64,
    /// Events that a wait returns.
    events_per_wait: f64,
    /// The sum that the middle is made of.
    terms: Vec<Term>,
}

/// An assumption that may be otherwise.
#[derive(Serialize, JsonSchema)]
struct Doubt {
    /// What would have to be so; the figure assumes that it is not.
    what: &'static str,
    /// What that would change, a share of the target's CPU.
    change_ratio: Ratio,
}

/// A line of the sum.
#[derive(Serialize, JsonSchema)]
struct Term {
    /// What goes or comes.
    what: String,
    /// CPU over the measurement, ns; negative where it is a cost.
    ns: f64,
    /// How it came about.
    how: String,
}

/// The estimators of the direct cost of one blocking-IO block, ns.
#[derive(Serialize, JsonSchema)]
pub(super) struct Estimators {
    /// In place: calls that blocked less calls that did not.
    in_place_ns: Figure<f64>,
    /// CPU-clock samples in the schedule path, per switch.
    sampled_ns: Figure<f64>,
    /// What `calibrate` measured for a block of the same class on this machine.
    calibrated_ns: Figure<f64>,
    /// Why they differ, where they do by more than a third.
    disagreement: Option<String>,
}

impl WhatIf {
    pub(super) fn new(found: &predict::WhatIf) -> Self {
        Self {
            refused: found.refused.as_ref().map(InWords::in_words),
            scenarios: found.scenarios.iter().map(Scenario::new).collect(),
            loops: found.loops,
            allowed_cpus: found.allowed_cpus,
            ground: found.ground.sleeps(),
            cpu_ns: found.cpu,
            hooks_ns: found.hooks,
            calibration: found.priced.as_ref().map(|p| words::prices(&p.source)),
            intervals: found.scenarios.first().map(|s| words::intervals(s.kind)),
            notes: found.caveats.iter().map(InWords::in_words).collect(),
        }
    }
}

impl Scenario {
    fn new(found: &predict::Scenario) -> Self {
        Self {
            name: found.way.name(),
            words: found.way.words(),
            queues: match found.assignment {
                Assignment::Fixed => "own",
                Assignment::Stealing => "stealing",
            },
            saving: found.saving.into(),
            kind: found.kind.name(),
            unsure_less_ratio: found.unsure.less,
            unsure_more_ratio: found.unsure.more,
            bounds: found.bounds.into(),
            doubts: found.doubts.iter().map(|d| Doubt { what: d.assumption.if_so(), change_ratio: d.change }).collect(),
            cpu_per_second: found.cpu_per_second.into(),
            saving_open_loop_ratio: found.open,
            sleeps_remaining: found.sleeps_per_block,
            sleeps_per_second: found.sleeps_per_second,
            events_per_wait: found.events_per_wait,
            terms: found.terms.iter().map(|t| Term { what: t.what(), ns: t.ns, how: t.how() }).collect(),
        }
    }
}

impl Estimators {
    pub(super) fn new(found: &cost::Estimators) -> Self {
        Self {
            in_place_ns: Figure::new(&found.in_place),
            sampled_ns: Figure::new(&found.sampled),
            calibrated_ns: Figure::new(&found.calibrated),
            disagreement: words::disagreement(&found.disagreements),
        }
    }
}
