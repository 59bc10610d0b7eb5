//! A recording as a feed for the screen: part by part.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};

use super::{outputs, recording};
use crate::{
    aggregate::Window,
    answer::{Profile, Report, Weight},
    feed::{Command, Feed, Snapshot, State, Update},
    predict::WhatIf,
    quantity::Nanos,
    record::Recording,
};

/// Plays a recording.
pub struct Playback {
    recording: Recording,
    whole: Arc<Report>,
    profile: Arc<Profile>,
    waiting: VecDeque<Update>,
}

impl Playback {
    /// Begins at the end of a recording, so that all of it is shown.
    pub fn new(recording: Recording) -> Self {
        let whole = Arc::new(recording::report_of(&recording));
        let profile = Arc::new(Profile::of(&whole, &recording.window, &recording.sampled));
        let mut playback = Self { recording, whole, profile, waiting: VecDeque::new() };
        // The parts one after the other: the screen's trends are made of what has gone by.
        for part in 0..playback.recording.parts.len() {
            playback.show(part);
        }
        playback
    }

    /// The report of the whole recording.
    pub fn report(&self) -> &Report {
        &self.whole
    }

    fn show(&mut self, part: usize) {
        let parts = self.recording.parts.len();
        let part = part.min(parts.saturating_sub(1));
        let Some(shown) = self.recording.parts.get(part) else { return };
        let of = |window: &Window, daemon: Nanos, what_if: &WhatIf| {
            let mut inputs = recording::inputs_of_stretch(&self.recording.inputs, window, daemon);
            inputs.known_what_if = Some(what_if.clone());
            Arc::new(Report::of(window, inputs))
        };
        let last = of(&shown.window, shown.daemon_cpu, &self.whole.what_if);
        let whole = if part + 1 == parts {
            Arc::clone(&self.whole)
        } else {
            let mut so_far: Option<Window> = None;
            let mut daemon = Nanos::ZERO;
            for part in &self.recording.parts[..=part] {
                daemon += part.daemon_cpu;
                match &mut so_far {
                    Some(sum) => sum.absorb(part.window.clone()),
                    None => so_far = Some(part.window.clone()),
                }
            }
            so_far.map_or_else(|| Arc::clone(&self.whole), |window| of(&window, daemon, &self.whole.what_if))
        };
        self.waiting.push_back(Update::Snapshot(Box::new(Snapshot {
            at: shown.at,
            interval: shown.window.end.saturating_sub(shown.window.start),
            whole,
            last,
            profile: Arc::clone(&self.profile),
            state: State::Recorded { part, parts },
        })));
    }

    fn export(&mut self, path: &Path, weight: Weight) {
        let shown = outputs::Shown { report: &self.whole, profile: &self.profile };
        self.waiting.push_back(outputs::answer(path, weight, &shown));
    }
}

impl Feed for Playback {
    fn next(&mut self, wait: Duration) -> Option<Update> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            std::thread::sleep(wait);
        }
        next
    }

    fn send(&mut self, command: Command) {
        match command {
            Command::Seek(part) => self.show(part),
            Command::Export { path, weight } => self.export(&path, weight),
            Command::Interval(_) => {
                let length = self.recording.parts.first().map_or(Nanos::ZERO, |p| p.at);
                self.waiting.push_back(Update::Problem(format!("a recording keeps its parts of {length}")));
            }
            Command::Reset => {
                self.waiting.push_back(Update::Problem("a recording cannot begin anew; seek with [ and ]".into()));
            }
        }
    }
}
