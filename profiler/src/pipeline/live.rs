//! A measurement under way as a feed for the screen. It runs on a thread of its own: whatever the
//! screen does, nothing is missed, and whatever the kernel does, the keys answer.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, Error, Result};

use super::{
    ask::Replies,
    background::{LEAVE, is_over_within},
    measure,
    measurement::{Measurement, Progress, Request, in_one_line},
    outputs, recording, slices,
};
use crate::{
    aggregate::Window,
    answer::{Inputs, Profile, Report, Sampled, Weight},
    feed::{Command, Feed, Snapshot, State, Update},
    predict::{Engine, WhatIf},
    quantity::Nanos,
};

/// Updates that may wait for the screen; a snapshot that finds no room is left out; the next
/// one has all of it.
const WAITING: usize = 4;
/// A replay is made anew after so long.
const REPLAY_EVERY: Nanos = Nanos::from_millis(5_000);
/// How often the screen gets a new snapshot unless the user sets it.
pub const INTERVAL: Nanos = Nanos::from_millis(1_000);

/// What the screen holds of a measurement under way.
pub struct Live {
    updates: Receiver<Update>,
    /// Answers to orders that the screen has not fetched yet.
    replies: Replies,
    /// Orders to begin anew.
    resets: Sender<()>,
    interval: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    latest: Arc<Mutex<Option<Latest>>>,
    thread: Option<JoinHandle<Result<()>>>,
    failure: Option<Error>,
    over: bool,
}

/// What was shown last. An export writes it.
#[derive(Clone)]
struct Latest {
    report: Arc<Report>,
    engine: Option<Arc<Engine>>,
    profile: Arc<Profile>,
}

impl Live {
    /// Starts to measure, on a thread of its own.
    pub fn begin(mut request: Request, stop: Arc<AtomicBool>) -> Self {
        request.snapshots = true;
        request.stacks = true;
        let (updates_in, updates) = sync_channel(WAITING);
        let (resets, resets_out) = channel();
        let interval = Arc::new(AtomicU64::new(INTERVAL.as_nanos()));
        let latest = Arc::new(Mutex::new(None));
        let mut snapshots = Snapshots {
            out: updates_in,
            resets: resets_out,
            interval: Arc::clone(&interval),
            latest: Arc::clone(&latest),
            base: None,
            before: None,
            daemon: (Nanos::ZERO, Nanos::ZERO),
            replayed: None,
            sampled: None,
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("sia-measure".into()).spawn(move || {
            let measurement = measure(&request, &stopped, &mut snapshots)?;
            snapshots.end(measurement);
            Ok(())
        });
        let (thread, failure) = match thread.context("cannot start the thread that measures") {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(error)),
        };
        Self { updates, replies: Replies::new(), resets, interval, stop, latest, thread, failure, over: false }
    }

    /// Ends the measurement.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`measure`].
    pub fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        // Nobody reads what is still to come.
        drop(std::mem::replace(&mut self.updates, sync_channel(1).1));
        // A failure is there at once. A measurement would go on for a while to gather its results,
        // and nobody would read them: it ends with the process, and the kernel detaches what it had
        // attached.
        if is_over_within(self.thread.as_ref(), LEAVE) {
            self.join();
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && let Ok(Err(failure)) = thread.join()
        {
            self.failure = Some(failure);
        }
    }

    fn latest(&self) -> Option<Latest> {
        self.latest.lock().ok().and_then(|latest| latest.clone())
    }

    fn export(&self, path: &Path, weight: Weight) -> Update {
        let Some(latest) = self.latest() else {
            return Update::Problem("there is nothing to export yet".into());
        };
        let Latest { report, engine, profile } = &latest;
        let shown = outputs::Shown { report, engine: engine.as_deref(), profile };
        outputs::answer(path, weight, &shown)
    }
}

impl Feed for Live {
    fn next(&mut self, wait: Duration) -> Option<Update> {
        if let Some(answer) = self.replies.next() {
            return Some(answer);
        }
        match self.updates.recv_timeout(wait) {
            Ok(update) => Some(update),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                if !std::mem::replace(&mut self.over, true) {
                    self.join();
                    if let Some(failure) = &self.failure {
                        return Some(Update::Problem(in_one_line(failure)));
                    }
                }
                std::thread::sleep(wait);
                None
            }
        }
    }

    fn send(&mut self, command: Command) {
        match command {
            Command::Interval(interval) => self.interval.store(interval.as_nanos(), Ordering::Relaxed),
            Command::Reset => {
                let _ = self.resets.send(());
            }
            Command::Export { path, weight } => {
                let answer = self.export(&path, weight);
                self.replies.say(answer);
            }
            Command::Ask(inquiry) => self.replies.ask(inquiry),
            Command::Seek(_) => {}
        }
    }
}

/// A prediction, and the engine that made it.
struct Replayed {
    /// The end of its window.
    at: Nanos,
    what_if: WhatIf,
    engine: Option<Arc<Engine>>,
}

/// What the measuring thread holds: it makes snapshots for the screen.
struct Snapshots {
    out: SyncSender<Update>,
    resets: Receiver<()>,
    interval: Arc<AtomicU64>,
    latest: Arc<Mutex<Option<Latest>>>,
    /// Everything up to the last reset, and the CPU of the target's processes at the newest slice
    /// until then.
    base: Option<(Window, Nanos)>,
    /// The window at the snapshot before.
    before: Option<Window>,
    /// CPU of this process until the reset, and until the snapshot before.
    daemon: (Nanos, Nanos),
    /// The last replay: when it was made, what it said, and what can be asked again.
    replayed: Option<Replayed>,
    sampled: Option<Arc<Sampled>>,
}

impl Snapshots {
    fn make_snapshot(&mut self, so_far: Measurement, state: State) -> Snapshot {
        let Measurement { window, inputs, sampled, .. } = so_far;
        self.sampled = sampled.or(self.sampled.take());
        // Several orders since the snapshot before count as one.
        let reset = self.resets.try_iter().count() > 0;
        if reset && let Some(before) = self.before.clone() {
            self.base = Some((before, inputs.slices.last().map_or(Nanos::ZERO, |slice| slice.cpu)));
            self.daemon.0 = self.daemon.1;
            self.replayed = None;
        }
        let daemon = (inputs.own_cpu.saturating_sub(self.daemon.0), inputs.own_cpu.saturating_sub(self.daemon.1));
        self.daemon.1 = inputs.own_cpu;
        let last = self.before.take().map_or_else(|| window.clone(), |before| window.since(before));
        let interval = last.end.saturating_sub(last.start);
        let stretch = recording::inputs_of_stretch(&inputs, &last, daemon.1);
        let (whole, whole_inputs) = match &self.base {
            None => (None, inputs),
            Some((base, cpu)) => {
                let whole = window.since(base.clone());
                let mut stretch = recording::inputs_of_stretch(&inputs, &whole, daemon.0);
                stretch.slices = slices::since(&inputs.slices, *cpu);
                (Some(whole), stretch)
            }
        };
        let whole = whole.as_ref().unwrap_or(&window);
        let report = self.report(whole, whole_inputs);
        let last = Arc::new(Report::around(&last, stretch, report.what_if.clone()));
        let profile = match &self.sampled {
            Some(sampled) => Profile::new(&report, whole, sampled),
            None => Profile::default(),
        };
        let snapshot = Snapshot {
            at: whole.end.saturating_sub(whole.start),
            interval,
            whole: Arc::new(report),
            last,
            engine: self.replayed.as_ref().and_then(|replayed| replayed.engine.clone()),
            profile: Arc::new(profile),
            state,
        };
        if let Ok(mut latest) = self.latest.lock() {
            *latest = Some(Latest {
                report: Arc::clone(&snapshot.whole),
                engine: snapshot.engine.clone(),
                profile: Arc::clone(&snapshot.profile),
            });
        }
        self.before = Some(window);
        snapshot
    }

    /// The report, with a replay that is not too old.
    fn report(&mut self, window: &Window, inputs: Inputs) -> Report {
        let fresh = |r: &&Replayed| r.what_if.refused.is_none() && window.end.saturating_sub(r.at) < REPLAY_EVERY;
        if let Some(known) = self.replayed.as_ref().filter(fresh) {
            return Report::around(window, inputs, known.what_if.clone());
        }
        let (report, engine) = Report::with_engine(window, inputs);
        let what_if = report.what_if.clone();
        self.replayed = Some(Replayed { at: window.end, what_if, engine: engine.map(Arc::new) });
        report
    }

    /// Sends the last snapshot, which is never left out.
    fn end(&mut self, measurement: Measurement) {
        let ended = measurement.inputs.window.ended;
        self.replayed = None;
        let snapshot = self.make_snapshot(measurement, State::Ended(ended));
        let _ = self.out.send(Update::Snapshot(Box::new(snapshot)));
    }
}

impl Progress for Snapshots {
    fn snapshot_every(&self) -> Option<Nanos> {
        Some(Nanos::from_nanos(self.interval.load(Ordering::Relaxed)))
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let snapshot = self.make_snapshot(so_far, State::Measuring);
        let _ = self.out.try_send(Update::Snapshot(Box::new(snapshot)));
    }
}
