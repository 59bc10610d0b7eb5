//! Looks at the machine one after the other, on a thread of its own: whatever the screen does, the
//! measurement goes on.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};

use super::Roster;
use crate::{
    aggregate::Window,
    answer::{By, Top},
    feed::Machine,
    pipeline::{
        live::{LEAVE, is_over_within},
        measure,
        measurement::{Measurement, Progress, Request},
        recording::inputs_of_stretch,
    },
    process::{self, TargetSpec},
    quantity::Nanos,
};

/// How often there is a new look, where looking is cheap.
const EVERY: Nanos = Nanos::from_millis(2_000);
/// A look is of at least so long a time, once so long has been measured, and of at most twice that.
const SPAN: Nanos = Nanos::from_millis(8_000);
/// How long the end of a measurement may take before another one begins.
const OVER: Duration = Duration::from_millis(5_000);
/// A measurement begins anew once it holds so many threads that have ended, or has no room for the
/// places of programs that were started: but not more often than this.
const MOST_ENDED: usize = 20_000;
const RENEW: Nanos = Nanos::from_millis(60_000);

/// A machine that is looked at.
pub struct Glances {
    tops: Receiver<Top>,
    by: Arc<Mutex<By>>,
    quit: Arc<AtomicBool>,
    /// Ends the measurement under way.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Glances {
    /// Starts to measure.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(mut request: Request, by: By) -> Result<Self> {
        request.snapshots = true;
        let (out, tops) = sync_channel(1);
        let flag = || Arc::new(AtomicBool::new(false));
        let (by, stop, quit) = (Arc::new(Mutex::new(by)), flag(), flag());
        let roster = Roster::new(&request.target);
        let (theirs, renew) = (Arc::clone(&by), Arc::clone(&stop));
        let mut looks = Looks { out, by: theirs, roster, base: None, next: None, renew };
        let (stopped, quitted) = (Arc::clone(&stop), Arc::clone(&quit));
        let thread = std::thread::Builder::new().name("sia-measure".into()).spawn(move || {
            loop {
                measure(&request, &stopped, &mut looks)?;
                if quitted.load(Ordering::Relaxed) || !stopped.swap(false, Ordering::Relaxed) {
                    return Ok(());
                }
                request.target = process::resolve(&TargetSpec { everyone: true, ..TargetSpec::default() })?;
                (looks.roster, looks.base, looks.next) = (Roster::new(&request.target), None, None);
            }
        });
        let thread = Some(thread.context("cannot start the thread that measures")?);
        Ok(Self { tops, by, quit, stop, thread })
    }

    /// Ends the measurement, so that another one can begin.
    pub fn leave(self) {
        self.is_stopped_within(OVER);
    }

    /// Ends the measurement. What it would still gather nobody reads: where that takes long it ends
    /// with the process.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`measure`].
    pub fn end(mut self) -> Result<()> {
        if self.is_stopped_within(LEAVE) { self.join() } else { Ok(()) }
    }

    fn is_stopped_within(&self, limit: Duration) -> bool {
        self.quit.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
        is_over_within(self.thread.as_ref(), limit)
    }

    fn join(&mut self) -> Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(anyhow!("the thread that measures panicked")),
            None => Ok(()),
        }
    }
}

impl Machine for Glances {
    fn newest(&mut self) -> Option<Top> {
        self.tops.try_recv().ok()
    }

    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn show_by(&mut self, by: By) {
        if let Ok(mut shown) = self.by.lock() {
            *shown = by;
        }
    }
}

/// What the measuring thread holds.
struct Looks {
    out: SyncSender<Top>,
    by: Arc<Mutex<By>>,
    roster: Roster,
    /// What is shown began after this.
    base: Option<Base>,
    /// What will be shown later begins after this.
    next: Option<Base>,
    /// Ends the measurement; the next one begins at once.
    renew: Arc<AtomicBool>,
}

/// Where a look begins.
struct Base {
    window: Window,
    /// CPU of this process until then.
    own: Nanos,
}

impl Progress for Looks {
    fn tick(&mut self, _elapsed: Nanos, _duration: Option<Nanos>) {}

    fn snapshot_every(&self) -> Option<Nanos> {
        Some(EVERY)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let Measurement { window, inputs, .. } = so_far;
        let ended = window.threads.iter().filter(|thread| thread.dead).count();
        let is_full = ended > MOST_ENDED || window.quality.calls_without_site > 0;
        if is_full && window.end.saturating_sub(window.start) > RENEW {
            self.renew.store(true, Ordering::Relaxed);
        }
        let shown = match &self.base {
            Some(base) => window.since(base.window.clone()),
            None => window.clone(),
        };
        let own = inputs.own_cpu.saturating_sub(self.base.as_ref().map_or(Nanos::ZERO, |base| base.own));
        let stretch = inputs_of_stretch(&inputs, &shown, own);
        let by = self.by.lock().map(|by| *by).unwrap_or_default();
        // The screen has not taken the look before: the next one has all of this.
        let _ = self.out.try_send(self.roster.top(shown, &stretch, by));
        if self.next.as_ref().is_none_or(|next| window.end.saturating_sub(next.window.end) >= SPAN) {
            self.base = self.next.replace(Base { window, own: inputs.own_cpu });
        }
    }
}
