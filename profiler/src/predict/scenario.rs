//! What one way of waiting would give back, and what that was counted on.

use super::{
    doubt::Doubt,
    interval::{Found, Unsure},
    kind::Kind,
    replay::Queues,
    term::Term,
};
use crate::{machine::Way, quantity::Estimate};

/// What one way of waiting would give back.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub way: Way,
    pub loops: u32,
    /// How connections are spread over them.
    pub queues: Queues,
    /// Share of the target's CPU, with the interval that predictions of its kind kept to.
    pub saving: Estimate,
    /// What that interval is of.
    pub kind: Kind,
    /// What the model says of its own uncertainty.
    pub unsure: Unsure,
    /// The share if all doubts came true, each at its full size.
    pub bounds: Estimate,
    /// These doubts, as shares of the target's CPU, the largest first.
    pub doubts: Vec<Doubt>,
    /// CPU that it would use, in seconds per second.
    pub cpu_per_second: Estimate,
    /// The share if arrivals do not follow replies.
    pub open: f64,
    /// Sleeps that remain, per block that there is now.
    pub sleeps_per_block: f64,
    /// Sleeps that remain, per second.
    pub sleeps_per_second: f64,
    /// Events that a wait returns.
    pub events_per_wait: f64,
    /// Calibrated cost of waiting for an event where a wait returns so many, ns; `None` where no
    /// price was needed.
    pub event_tax: Option<f64>,
    /// The terms that the saving is the sum of.
    pub terms: Vec<Term>,
}

/// How a loop sleeps and wakes in a way of waiting, as far as a scenario tells it.
pub(super) struct Waits {
    /// Blocks that there are now.
    pub(super) blocks: f64,
    /// Sleeps that remain, per block.
    pub(super) sleeps_per_block: f64,
    pub(super) events_per_wait: f64,
    pub(super) event_tax: Option<f64>,
}

impl Scenario {
    /// What a sum on so many loops says of a target that used `cpu` ns in `seconds`. Whether
    /// arrivals follow replies makes no difference; see [`Scenario::open`].
    pub(super) fn new(
        (way, loops, queues): (Way, u32, Queues),
        found: Found,
        waits: &Waits,
        (cpu, seconds): (f64, f64),
    ) -> Self {
        let Found { kind, saving, unsure, bounds, doubts, terms } = found;
        let seconds = seconds.max(1e-9);
        Self {
            way,
            loops,
            queues,
            saving,
            kind,
            unsure,
            bounds,
            doubts,
            cpu_per_second: saving.scaled(cpu / 1e9 / seconds),
            open: saving.value,
            sleeps_per_block: waits.sleeps_per_block,
            sleeps_per_second: waits.blocks * waits.sleeps_per_block / seconds,
            events_per_wait: waits.events_per_wait,
            event_tax: waits.event_tax,
            terms,
        }
    }
}

/// What the sleeps that remain were counted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ground {
    /// Recorded wake-ups and bursts.
    Replay {
        /// Block ends in it.
        events: usize,
        /// Streamed spans that were replayed.
        spans: usize,
    },
    /// The number of other threads that could run at each wake-up: a coarse answer.
    Histogram,
    /// Its own event loop, which stays.
    OwnLoop,
}
