//! From a measurement to a recording: the whole, and the parts that a screen can scroll through.

use super::measurement::{Measurement, Progress};
use crate::{
    aggregate::Window,
    answer::{Inputs, LoadAverages, Report, Sampled},
    predict::Engine,
    quantity::Nanos,
    record::{Part, Recording},
};

/// Length of a part.
const PART: Nanos = Nanos::from_millis(1_000);
/// The most parts that are kept. Beyond it, each two neighbours become one.
const MOST_PARTS: usize = 600;
/// A part keeps so many threads by name: the busiest.
const PART_THREADS: usize = 128;

/// Gathers the parts, and passes everything on to whoever shows the progress.
pub struct Recorder<'a> {
    shown: &'a mut dyn Progress,
    every: Nanos,
    start: Option<Nanos>,
    before: Option<Window>,
    daemon_before: Nanos,
    parts: Vec<Part>,
}

impl<'a> Recorder<'a> {
    /// Passes the progress on to `shown`.
    pub fn new(shown: &'a mut dyn Progress) -> Self {
        Self { shown, every: PART, start: None, before: None, daemon_before: Nanos::ZERO, parts: Vec::new() }
    }

    fn add(&mut self, mut window: Window, daemon: Nanos) {
        window.spans.clear();
        let start = *self.start.get_or_insert(window.start);
        let mut part = match self.before.take() {
            Some(before) => window.since(before),
            None => window.clone(),
        };
        part.keep_busiest(PART_THREADS);
        if let Some(ipc) = &mut part.ipc {
            // 36 kB each, and the whole has them.
            ipc.curves.clear();
        }
        let own_cpu = daemon.saturating_sub(self.daemon_before);
        self.daemon_before = daemon;
        self.parts.push(Part { at: window.end.saturating_sub(start), own_cpu, window: part });
        self.before = Some(window);
        if self.parts.len() > MOST_PARTS {
            self.every = self.every + self.every;
            let mut halved = Vec::with_capacity(MOST_PARTS);
            let mut parts = std::mem::take(&mut self.parts).into_iter();
            while let Some(mut part) = parts.next() {
                if let Some(next) = parts.next() {
                    part.window.absorb(next.window);
                    part.own_cpu += next.own_cpu;
                    part.at = next.at;
                }
                halved.push(part);
            }
            self.parts = halved;
        }
    }

    /// The recording of a measurement that is over.
    pub fn finish(mut self, measurement: Measurement) -> Recording {
        self.add(measurement.window.clone(), measurement.inputs.own_cpu);
        Recording {
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            window: measurement.window,
            inputs: measurement.inputs,
            sampled: measurement.sampled.map_or_else(Sampled::default, std::sync::Arc::unwrap_or_clone),
            parts: self.parts,
        }
    }
}

impl Progress for Recorder<'_> {
    fn begun(&mut self) {
        self.shown.begun();
    }

    fn tick(&mut self, elapsed: Nanos, duration: Option<Nanos>) {
        self.shown.tick(elapsed, duration);
    }

    fn snapshot_every(&self) -> Option<Nanos> {
        Some(self.every)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        self.add(so_far.window, so_far.inputs.own_cpu);
    }

    fn done(&mut self) {
        self.shown.done();
    }
}

/// The recording of a measurement of which no snapshot was taken: all of it is one part.
pub fn in_one_part(measurement: Measurement) -> Recording {
    Recorder::new(&mut Unseen).finish(measurement)
}

/// Nobody sees the progress.
pub(super) struct Unseen;

impl Progress for Unseen {}

/// The report of a whole recording.
pub fn report_of(recording: &Recording) -> Report {
    report_with_engine(recording).0
}

/// What a recording says, and the engine behind its prediction.
pub fn report_with_engine(recording: &Recording) -> (Report, Option<Engine>) {
    Report::with_engine(&recording.window, recording.inputs.clone())
}

/// Inputs for a stretch of a measurement: what only holds for all of it is left out.
pub(super) fn inputs_of_stretch(inputs: &Inputs, window: &Window, own_cpu: Nanos) -> Inputs {
    let mut stretch = inputs.clone();
    stretch.window.wall = window.end.saturating_sub(window.start);
    stretch.window.measured = window.measured;
    stretch.window.windows = 1;
    stretch.own_cpu = own_cpu;
    stretch.process_cpu = None;
    stretch.shares.clear();
    stretch.loads.clear();
    stretch.load_averages = stretch.load_averages.map(|_| LoadAverages::default());
    stretch.slices.clear();
    stretch
}
