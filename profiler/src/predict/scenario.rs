//! A scenario: what one way of waiting would give back, and how its sleeps were counted.

use super::{
    doubt::Doubt,
    interval::{Found, Unsure},
    kind::Kind,
    replay::Assignment,
    term::Term,
};
use crate::{
    machine::Way,
    quantity::{Estimate, Quantiles},
};

/// What one way of waiting would give back.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub way: Way,
    pub loops: u32,
    pub assignment: Assignment,
    /// Share of the target's CPU that would come back, with its 90 % interval: as wide as
    /// predictions of this kind were off.
    pub saving: Estimate,
    /// The kind of prediction whose errors the interval rests on.
    pub kind: Kind,
    /// The model's own standard error.
    pub unsure: Unsure,
    /// The saving's ends if all doubts came true, each at its full size.
    pub bounds: Estimate,
    /// The doubts, as shares of the target's CPU, the largest first.
    pub doubts: Vec<Doubt>,
    /// The saving in seconds of CPU per second.
    pub cpu_per_second: Estimate,
    /// The saving if arrivals do not follow replies.
    pub open: f64,
    /// The saving once its CPUs are full: no loop sleeps then, and a wait returns the events of all
    /// connections.
    pub full: Estimate,
    /// Sleeps that remain, per block that there is now.
    pub sleeps_per_block: f64,
    /// Sleeps that remain, per second.
    pub sleeps_per_second: f64,
    /// Events that a wait returns.
    pub events_per_wait: f64,
    /// Calibrated cost of waiting for an event if a wait returns `events_per_wait`, ns; `None`
    /// where no price was needed.
    pub event_tax: Option<f64>,
    /// How long a client's request would take, from its arrival to its reply, ns; none where
    /// nothing was replayed, or no clients are known.
    pub times: Quantiles,
    /// The terms that the saving is the sum of.
    pub terms: Vec<Term>,
}

/// How a loop sleeps and wakes in one way of waiting.
pub(super) struct Waits {
    /// Blocks that there are now.
    pub(super) blocks: f64,
    /// Sleeps that remain, per block.
    pub(super) sleeps_per_block: f64,
    pub(super) events_per_wait: f64,
    pub(super) event_tax: Option<f64>,
}

impl Scenario {
    /// The scenario of a sum, for a target that used `cpu` ns in `seconds`. [`Scenario::open`] and
    /// [`Scenario::full`] are set to the saving itself: the caller changes them where arrivals
    /// matter.
    pub(super) fn new(
        (way, loops, assignment): (Way, u32, Assignment),
        found: Found,
        waits: &Waits,
        (cpu, seconds): (f64, f64),
    ) -> Self {
        let Found { kind, saving, unsure, bounds, doubts, terms } = found;
        let seconds = seconds.max(1e-9);
        Self {
            way,
            loops,
            assignment,
            saving,
            kind,
            unsure,
            bounds,
            doubts,
            cpu_per_second: saving.scaled(cpu / 1e9 / seconds),
            open: saving.value,
            full: saving,
            sleeps_per_block: waits.sleeps_per_block,
            sleeps_per_second: waits.blocks * waits.sleeps_per_block / seconds,
            events_per_wait: waits.events_per_wait,
            event_tax: waits.event_tax,
            times: Quantiles::default(),
            terms,
        }
    }
}

/// How the sleeps that remain were counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ground {
    /// By replaying recorded wake-ups and bursts.
    Replay {
        /// Block ends in it.
        events: usize,
        /// Streamed spans that were replayed.
        spans: usize,
    },
    /// Coarsely, by how many other threads could run at each wake-up.
    Histogram,
    /// Not at all: the target's own event loop stays and sleeps as today.
    OwnLoop,
}
