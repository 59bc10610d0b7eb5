//! What if it were async: the same work on event loops, priced.
//!
//! Saving = the direct cost of the blocks that would go, the wake-ups among the target's own threads and their preemptions
//! of each other, less the sleeps that remain (the [`replay`](super::replay) counts them), less the tax of waiting in
//! another way (calibrated on this machine). Scenarios are never mixed: each way of waiting has its own figure.

use std::sync::Arc;

use super::{engine::Engine, prices::Prices, replay::Queues};
use crate::{
    aggregate::Window,
    cost::Effect,
    event::Sums,
    machine::{Calibration, Way},
    quantity::Interval,
};

/// Blocks below which no saving is stated.
pub const MIN_BLOCKS: f64 = 200.0;
/// Too few blocks to count, but a share of the CPU that is below this even if each were dear: the answer is 0.
const NEGLIGIBLE: f64 = 0.01;
/// What "dear" is, where nothing was measured, ns: about ten times a usual one.
const DEAR: f64 = 20_000.0;
/// Why there is no saving, where prices may still come, or were not asked for.
const NOT_KNOWN: &str =
    "what waiting in other ways costs on this machine is not known (yet): `should-i-async calibrate` measures it";

/// Low, middle and high.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Saving {
    /// Lower end.
    pub low: f64,
    /// The figure.
    pub value: f64,
    /// Upper end.
    pub high: f64,
}

impl Saving {
    /// Each end times so much.
    pub fn scaled(self, by: f64) -> Self {
        Self { low: self.low * by, value: self.value * by, high: self.high * by }
    }
}

/// A line of the sum: what it gives back, or takes where negative.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// In words.
    pub what: String,
    /// CPU over the measurement, ns.
    pub ns: f64,
    /// How it came about.
    pub how: String,
}

/// What one way of waiting would give back.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The way.
    pub way: Way,
    /// Event loops.
    pub loops: u32,
    /// How connections are spread over them.
    pub queues: Queues,
    /// Share of the target's CPU.
    pub saving: Saving,
    /// CPU-seconds per second.
    pub cpu_per_second: Saving,
    /// The share if arrivals do not follow replies.
    pub open: f64,
    /// Sleeps that remain, per block that there is now.
    pub sleeps_per_block: f64,
    /// Sleeps that remain, per second.
    pub sleeps_per_second: f64,
    /// Events that a wait returns.
    pub events_per_wait: f64,
    /// The sum.
    pub terms: Vec<Term>,
}

/// What the sleeps that remain were counted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ground {
    /// Recorded wake-ups and bursts.
    Replay {
        /// Block ends in it.
        events: usize,
        /// Spans.
        spans: usize,
    },
    /// The number of other threads that could run at each wake-up: a coarse answer.
    Histogram,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// Why there is none; then the rest is empty.
    pub refused: Option<String>,
    /// One per way of waiting that this machine has a price for.
    pub scenarios: Vec<Scenario>,
    /// CPU of the target without the hooks, ns; and the hooks'.
    pub cpu: f64,
    /// Likewise.
    pub hooks: f64,
    /// See [`Ground`].
    pub ground: Ground,
    /// Loops taken for the scenarios: as many CPUs as the target keeps busy.
    pub loops: u32,
    /// CPUs that the target may use.
    pub allowed_cpus: u32,
    /// What the reader has to know, a sentence each.
    pub notes: Vec<String>,
    /// To ask again with other loops.
    pub engine: Option<Arc<Engine>>,
}

/// What goes in beside the window.
pub(crate) struct Given<'a> {
    pub(crate) prices: Result<Prices, String>,
    /// Or why there is none, where that is known.
    pub(crate) calibration: Result<&'a Calibration, Option<&'a str>>,
    pub(crate) cpu: f64,
    pub(crate) hooks: f64,
    pub(crate) direct_interval: Option<Interval>,
    /// Half the 90 % interval of the target's own CPU per switch, as a share.
    pub(crate) unsteady: f64,
    /// The hooks filled CPUs that the target leaves free without them.
    pub(crate) filled: bool,
    pub(crate) indirect: Option<Effect>,
    /// How that was told.
    pub(crate) indirect_how: &'static str,
    pub(crate) seconds: f64,
    pub(crate) allowed_cpus: u32,
}

impl WhatIf {
    fn refuse(given: &Given<'_>, why: String) -> Self {
        Self {
            refused: Some(why),
            scenarios: Vec::new(),
            cpu: given.cpu,
            hooks: given.hooks,
            ground: Ground::Histogram,
            loops: 1,
            allowed_cpus: given.allowed_cpus,
            notes: Vec::new(),
            engine: None,
        }
    }

    pub(crate) fn of(window: &Window, sums: &Sums, given: &Given<'_>) -> Self {
        if given.cpu < 1e6 {
            return Self::refuse(given, "the target used next to no CPU: there is nothing to save".into());
        }
        let prices = match &given.prices {
            Ok(prices) => prices.clone(),
            Err(why) => return Self::refuse(given, why.clone()),
        };
        let blocks = prices.all().count;
        if blocks < MIN_BLOCKS {
            return Self::few(given, blocks);
        }
        let calibration = match given.calibration {
            Ok(calibration) if !calibration.steps.is_empty() => calibration,
            other => return Self::refuse(given, other.err().flatten().unwrap_or(NOT_KNOWN).to_owned()),
        };
        let engine = Engine::new(window, sums, given, prices, calibration.clone());
        let busy = given.cpu / 1e9 / given.seconds.max(1e-9);
        // A loop that is a little more than busy is two; measuring is not that exact.
        let loops = ((busy - 0.05).ceil() as u32).clamp(1, given.allowed_cpus.max(1));
        let scenarios = Way::ALL.into_iter().filter_map(|way| engine.scenario(way, loops, Queues::Own)).collect();
        let mut notes = Vec::new();
        if engine.prices().file.count > 0.0 {
            notes.push(format!(
                "{} of its blocks are on files: readiness (epoll) gains nothing there, and runtimes send file IO to a pool of \
                 threads that block just the same.",
                engine.prices().file.count as u64
            ));
        }
        if given.filled {
            notes.push(
                "The hooks filled the CPU that the target leaves free when nobody looks: it was measured under a higher load \
                 than its own, and replies that leave together are not counted on."
                    .into(),
            );
        }
        notes.extend(engine.incredible_crowd());
        if engine.prices().covered < 0.95 {
            notes.push(format!(
                "The cost of {:.0} % of the blocks could not be told; they are taken to cost what the others do.",
                (1.0 - engine.prices().covered) * 100.0
            ));
        }
        Self {
            refused: None,
            scenarios,
            cpu: given.cpu,
            hooks: given.hooks,
            ground: engine.ground(),
            loops,
            allowed_cpus: given.allowed_cpus,
            notes,
            engine: Some(Arc::new(engine)),
        }
    }

    /// Too few blocks for a figure: either they cannot matter, or there is none.
    fn few(given: &Given<'_>, blocks: f64) -> Self {
        let bound = blocks * DEAR / given.cpu;
        if bound >= NEGLIGIBLE {
            let rate = (blocks / given.seconds.max(1e-9)).max(0.1);
            let seconds = (MIN_BLOCKS * 1.2 / rate).ceil();
            let why = format!("not enough blocks ({blocks:.0}) in this interval, measure for about {seconds:.0} s");
            return Self::refuse(given, why);
        }
        let saving = Saving { low: -bound, value: 0.0, high: bound };
        let busy = given.cpu / 1e9 / given.seconds.max(1e-9);
        let scenario = |way| Scenario {
            way,
            loops: 1,
            queues: Queues::Own,
            saving,
            cpu_per_second: saving.scaled(busy),
            open: 0.0,
            sleeps_per_block: 1.0,
            sleeps_per_second: blocks / given.seconds.max(1e-9),
            events_per_wait: 1.0,
            terms: vec![Term {
                what: format!("{blocks:.0} blocking-IO blocks"),
                ns: 0.0,
                how: format!("not even at {} µs each would they be 1 % of its CPU", DEAR / 1e3),
            }],
        };
        let mut answer = Self::refuse(given, String::new());
        answer.refused = None;
        answer.scenarios = Way::ALL.into_iter().map(scenario).collect();
        answer
    }

    /// A way's scenario.
    pub fn scenario(&self, way: Way) -> Option<&Scenario> {
        self.scenarios.iter().find(|s| s.way == way)
    }
}
