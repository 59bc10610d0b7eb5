//! The repeats of a part of the full calibration: how many there are, and their result.

use crate::calibrate::{result::Figure, rig::clock};

/// The repeats of a part: at least and at most so many, within a time.
pub(in crate::calibrate) struct Budget {
    least: usize,
    most: usize,
    length: u64,
    begun: u64,
    done: usize,
}

impl Budget {
    pub(in crate::calibrate) fn new(least: usize, most: usize, millis: u64) -> Self {
        Self { least, most, length: millis * 1_000_000, begun: clock::wall(), done: 0 }
    }

    /// The number of the next repeat, from 0. `None` once there are enough. On a busy machine it
    /// ends after twice the time in any case.
    pub(in crate::calibrate) fn next(&mut self) -> Option<usize> {
        let elapsed = clock::wall() - self.begun;
        let over = self.done >= self.least && elapsed > self.length || elapsed > 2 * self.length;
        if self.done >= self.most || over && self.done > 1 {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }
}

/// The repeats of one cell, and what went wrong last.
#[derive(Default)]
pub(in crate::calibrate) struct Cell {
    repeats: Vec<f64>,
    failure: Option<String>,
}

impl Cell {
    /// Adds a repeat. The first one warms up and does not count.
    pub(in crate::calibrate) fn take(&mut self, repeat: usize, result: Result<f64, String>) {
        match result {
            Ok(_) if repeat == 0 => {}
            Ok(value) => self.repeats.push(value),
            Err(why) => self.failure = Some(why),
        }
    }

    /// Whether every repeat has failed so far, so that another one makes no sense.
    pub(in crate::calibrate) fn hopeless(&self) -> bool {
        self.repeats.is_empty() && self.failure.is_some()
    }

    pub(in crate::calibrate) fn figure(&self) -> Figure {
        Figure::from_repeats(&self.repeats, self.failure.as_deref().unwrap_or_default())
    }
}
