//! What is asked of a measurement, what it tells while it runs, and what comes of it.

use std::{sync::Arc, time::Duration};

use crate::{
    aggregate::Window,
    answer::{Inputs, Report, Sampled},
    event::DecodeError,
    kernel::{self, LoadError},
    process::{Target, TargetError},
    quantity::Nanos,
};

/// What to measure, checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The target.
    pub target: Target,
    /// How long; `None`: until the target ends or the user stops it.
    pub duration: Option<Nanos>,
    /// Whether processes that the target forks belong to it.
    pub follow: bool,
    /// Room for threads; `None`: from the target.
    pub max_threads: Option<u32>,
    /// Room for sites.
    pub max_sites: Option<u32>,
    /// Share of the target's CPU that the programs may use; `None`: whatever it takes.
    pub max_overhead: Option<f64>,
    /// Which form of the programs; `None`: the best that the kernel takes.
    pub form: Option<kernel::Form>,
    /// Whether prices of this machine are wanted, for a prediction. Without a cached calibration that takes 1.5 s of CPU.
    pub price: bool,
    /// Whether stacks are taken at blocks, at wake-ups and by the CPU clock.
    pub stacks: bool,
    /// Whether looks are wanted while it runs ([`Progress::look_every`]): what only the end would tell is then measured first.
    pub looks: bool,
    /// Keep the last window's bytes, for fixtures.
    pub keep_wire: bool,
}

impl Request {
    /// All of a target, every event of it, until it ends: what the callers change is what they name.
    pub fn exact(target: Target) -> Self {
        Self {
            target,
            duration: None,
            follow: false,
            max_threads: None,
            max_sites: None,
            max_overhead: None,
            form: None,
            price: false,
            stacks: false,
            looks: false,
            keep_wire: false,
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The kernel side.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Records that make no sense.
    #[error("{0}. This is a bug of should-i-async: please report it with the output of `should-i-async doctor`")]
    Decode(#[from] DecodeError),
}

/// What was being done, and what went wrong with it; each cause once.
pub fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let said = cause.to_string();
        // Many errors name their cause themselves.
        if text.is_empty() {
            text = said;
        } else if !text.contains(&said) {
            text = text + ": " + &said;
        }
    }
    text
}

/// What the user sees while it runs.
pub trait Progress {
    /// The programs are attached and events count.
    fn begun(&mut self) {}
    /// So much of the duration is over.
    fn tick(&mut self, elapsed: Nanos, duration: Option<Nanos>);
    /// How often a look at the measurement so far is wanted; `None`: never.
    fn look_every(&self) -> Option<Nanos> {
        None
    }
    /// A look at everything so far. The programs go on counting meanwhile.
    fn look(&mut self, _so_far: Measurement) {}
    /// Costs of this machine are measured now, because none are kept: for so long at most.
    fn pricing(&mut self, _at_most: Duration) {}
    /// What was last told of is over.
    fn done(&mut self) {}
}

/// A measurement: what the programs saw, and what is known beside it.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The last window as it came over the wire ([`kernel::Harvest::to_bytes`]), where [`Request::keep_wire`] asked for it.
    pub wire: Option<Vec<u8>>,
    /// All windows, added up.
    pub window: Window,
    /// Names, facts and outside counters.
    pub inputs: Inputs,
    /// Stacks, where [`Request::stacks`] asked for them.
    pub sampled: Option<Arc<Sampled>>,
}

impl Measurement {
    /// What it means.
    pub fn report(self) -> Report {
        Report::of(&self.window, self.inputs)
    }
}
