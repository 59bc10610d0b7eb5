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
    /// Event loops in the scenarios: as many as the target keeps CPUs busy.
    loops: u32,
    /// CPUs that the target may use: of a quota, the last one in part.
    allowed_cpus: u32,
    /// CPUs that the quotas of its cgroups leave to it; null where there are none.
    quota_cpus: Option<f64>,
    /// How the sleeps that remain were counted, in words.
    ground: String,
    /// CPU of the target without the hooks: what the shares are of, ns.
    cpu_ns: f64,
    /// CPU that the hooks added, ns; `cpu_ns` does not include it.
    hooks_ns: f64,
    /// Where the calibrated prices come from; null where none were needed.
    calibration: Option<String>,
    /// What the intervals rest on, and where that was measured; null where there is no figure.
    intervals: Option<String>,
    /// What a reader has to know with the figures, a sentence each.
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
    /// How connections are assigned to loops: `own` (each belongs to one loop) or `stealing` (a
    /// free loop takes the next that is ready).
    queues: &'static str,
    /// Share of the target's CPU that it would give back; negative where it would take more.
    saving: Range,
    /// The kind of prediction whose errors the interval of `saving` rests on: `sockets`, `files`,
    /// `runtime` or `pools`.
    kind: &'static str,
    /// The model's own standard error downwards: how much less may come back, a share of the CPU.
    unsure_less_ratio: Ratio,
    /// The model's own standard error upwards: how much more may come back, a share of the CPU.
    unsure_more_ratio: Ratio,
    /// `saving` if all doubts came true, each at its full size.
    bounds: Range,
    /// Assumptions that may be wrong, the one that would change most first.
    doubts: Vec<Doubt>,
    /// `saving` in seconds of CPU per second.
    cpu_per_second: Range,
    /// The value of `saving` if arrivals did not follow replies.
    saving_open_loop_ratio: Ratio,
    /// Sleeps that remain, per block that there is now.
    sleeps_remaining: f64,
    /// Sleeps that remain, per second.
    sleeps_per_second: f64,
    /// Events that a wait returns.
    events_per_wait: f64,
    /// The terms that add up to the value of `saving`.
    terms: Vec<Term>,
}

/// An assumption that may be wrong.
#[derive(Serialize, JsonSchema)]
struct Doubt {
    /// A condition that the figure assumes not to hold.
    what: &'static str,
    /// The change of `saving` if it holds, a share of the target's CPU.
    change_ratio: Ratio,
}

/// A term of the sum.
#[derive(Serialize, JsonSchema)]
struct Term {
    /// What goes or comes, and how often, in words.
    what: String,
    /// CPU over the measurement, ns; negative where it is a cost.
    ns: f64,
    /// The price of each and where it comes from, in words.
    how: String,
}

/// The estimators of the direct cost of one blocking-IO block, ns.
#[derive(Serialize, JsonSchema)]
pub(super) struct Estimators {
    /// Measured on the target: calls that blocked less calls that did not.
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
            quota_cpus: found.quota,
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
