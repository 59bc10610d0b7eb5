//! Plays a recording to the screen, part by part.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};

use super::{ask::Replies, outputs, recording};
use crate::{
    aggregate::Window,
    answer::{Profile, Report, Weight},
    feed::{Command, Feed, Snapshot, State, Update},
    predict::Engine,
    quantity::Nanos,
    record::{Part, Recording},
    words,
};

/// Feeds a screen from a recording.
pub struct Playback {
    recording: Recording,
    whole: Arc<Report>,
    engine: Option<Arc<Engine>>,
    replies: Replies,
    profile: Arc<Profile>,
    waiting: VecDeque<Update>,
}

impl Playback {
    /// Begins at the end of a recording, so that all of it is shown.
    pub fn new(recording: Recording) -> Self {
        let (whole, engine) = recording::report_with_engine(&recording);
        let profile = Arc::new(Profile::new(&whole, &recording.window, &recording.sampled));
        let mut playback = Self {
            recording,
            whole: Arc::new(whole),
            engine: engine.map(Arc::new),
            replies: Replies::new(),
            profile,
            waiting: VecDeque::new(),
        };
        // Parts are played one after the other, because the screen's trends are made of those
        // before.
        let mut so_far = SoFar::default();
        for part in 0..playback.recording.parts.len() {
            so_far.add(&playback.recording.parts[part]);
            playback.show(part, &so_far);
        }
        playback
    }

    /// The report of the whole recording.
    pub fn report(&self) -> &Report {
        &self.whole
    }

    fn seek(&mut self, part: usize) {
        let part = part.min(self.recording.parts.len().saturating_sub(1));
        let mut so_far = SoFar::default();
        self.recording.parts.iter().take(part + 1).for_each(|part| so_far.add(part));
        self.show(part, &so_far);
    }

    fn show(&mut self, part: usize, so_far: &SoFar) {
        let parts = self.recording.parts.len();
        let Some(shown) = self.recording.parts.get(part) else { return };
        let report_of = |window: &Window, daemon: Nanos| {
            let inputs = recording::inputs_of_stretch(&self.recording.inputs, window, daemon);
            Arc::new(Report::around(window, inputs, self.whole.what_if.clone()))
        };
        let whole = match &so_far.window {
            Some(window) if part + 1 < parts => report_of(window, so_far.own_cpu),
            _ => Arc::clone(&self.whole),
        };
        self.waiting.push_back(Update::Snapshot(Box::new(Snapshot {
            at: shown.at,
            interval: shown.window.end.saturating_sub(shown.window.start),
            whole,
            last: report_of(&shown.window, shown.own_cpu),
            engine: self.engine.clone(),
            profile: Arc::clone(&self.profile),
            state: State::Recorded { part, parts },
        })));
    }

    fn export(&mut self, path: &Path, weight: Weight) {
        let shown = outputs::Shown { report: &self.whole, engine: self.engine.as_deref(), profile: &self.profile };
        self.waiting.push_back(outputs::answer(path, weight, &shown));
    }
}

/// The parts up to one of them, taken together.
#[derive(Default)]
struct SoFar {
    window: Option<Window>,
    /// CPU of the profiler's own process.
    own_cpu: Nanos,
}

impl SoFar {
    fn add(&mut self, part: &Part) {
        self.own_cpu += part.own_cpu;
        match &mut self.window {
            Some(sum) => sum.absorb(part.window.clone()),
            None => self.window = Some(part.window.clone()),
        }
    }
}

impl Feed for Playback {
    fn next(&mut self, wait: Duration) -> Option<Update> {
        let next = self.waiting.pop_front().or_else(|| self.replies.next());
        if next.is_none() {
            std::thread::sleep(wait);
        }
        next
    }

    fn send(&mut self, command: Command) {
        match command {
            Command::Seek(part) => self.seek(part),
            Command::Ask(inquiry) => self.replies.ask(inquiry),
            Command::Export { path, weight } => self.export(&path, weight),
            Command::Interval(_) => self.waiting.push_back(Update::Problem(words::NO_OTHER_INTERVAL.into())),
            Command::Reset => self.waiting.push_back(Update::Problem(words::NO_RESET.into())),
        }
    }
}
