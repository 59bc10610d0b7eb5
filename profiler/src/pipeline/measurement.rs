//! A measurement from outside: the request, the progress that it reports, and the result.

use std::{sync::Arc, time::Duration};

use crate::{
    aggregate::Window,
    answer::{Caught, Impossible, Inputs, Report, Sampled},
    event::DecodeError,
    kernel::{self, LoadError},
    process::{Target, TargetError},
    quantity::Nanos,
    words::InWords as _,
};

/// What to measure, checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose threads are measured.
    pub target: Target,
    /// How long to measure. `None`: until the target ends or the user stops it.
    pub duration: Option<Nanos>,
    /// Whether processes that the target forks belong to it.
    pub follow: bool,
    /// Room for so many threads. `None`: as many as the target needs.
    pub max_threads: Option<u32>,
    /// Room for so many call sites. `None`: the default.
    pub max_sites: Option<u32>,
    /// What the programs may cost: the target's share of its CPU and all others' of the machine,
    /// together. `None`: no limit.
    pub max_overhead: Option<f64>,
    /// Which form of the programs; `None`: the best that the kernel takes.
    pub form: Option<kernel::Form>,
    /// Whether to fetch the prices of this machine, for a prediction. Without a cached calibration
    /// they take 1.5 s of CPU.
    pub price: bool,
    /// Whether stacks are taken at blocks, at wake-ups and by the CPU clock.
    pub stacks: bool,
    /// Which turns of event loops are to be caught; `None`: none are.
    pub stalls: Option<Catch>,
    /// Whether [`Progress::snapshot`] will be called. What is usually measured at the end is then
    /// measured first.
    pub snapshots: bool,
    /// Keep the last window's bytes, for fixtures.
    pub keep_wire: bool,
    /// From what share of the target's CPU on a rewrite would be worth it. `None`: the default.
    pub worth: Option<f64>,
}

/// Which turns of event loops are stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catch {
    /// Those that last for so long.
    pub over: Nanos,
    /// Whether stacks are taken in them. Then no other stacks are.
    pub stacks: bool,
}

impl Request {
    /// Measures every event of a target until it ends. Callers change the fields that they name.
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
            stalls: None,
            snapshots: false,
            keep_wire: false,
            worth: None,
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no target that can be measured.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The programs could not be loaded or attached.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The programs' records make no sense.
    #[error("{0}. This is a bug of should-i-async: please report it with the output of `should-i-async doctor`")]
    Decode(#[from] DecodeError),
    /// The figures cannot be, whatever the cause.
    #[error("{}", .0.in_words())]
    Impossible(Impossible),
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
    /// Called often, with the time since the measurement began.
    fn tick(&mut self, _elapsed: Nanos, _duration: Option<Nanos>) {}
    /// How often [`Self::snapshot`] is to be called. `None`: never.
    fn snapshot_every(&self) -> Option<Nanos> {
        None
    }
    /// Called with everything so far. The programs go on counting meanwhile.
    fn snapshot(&mut self, _so_far: Measurement) {}
    /// Called before the costs of this machine are measured, because none are kept. It takes
    /// `at_most` so long.
    fn pricing(&mut self, _at_most: Duration) {}
    /// Called when what was last announced is over.
    fn done(&mut self) {}
}

/// A measurement: what the programs saw, and what is known beside it.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The last window as it came over the wire ([`kernel::Harvest::to_bytes`]), where
    /// [`Request::keep_wire`] asked for it.
    pub wire: Option<Vec<u8>>,
    /// All windows, added up.
    pub window: Window,
    /// Names, facts and outside counters.
    pub inputs: Inputs,
    /// Stacks, where [`Request::stacks`] asked for them.
    pub sampled: Option<Arc<Sampled>>,
    /// Stalls of event loops, where [`Request::stalls`] asked for them.
    pub caught: Option<Caught>,
}

impl Measurement {
    /// Works out what it means.
    pub fn report(self) -> Report {
        Report::new(&self.window, self.inputs)
    }
}
