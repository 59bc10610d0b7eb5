//! A measurement on a thread of its own: whatever is done with what it tells, it goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

/// How long leaving a screen may take.
pub(super) const LEAVE: Duration = Duration::from_millis(100);
/// How long the end of a measurement may take before another one begins.
const OVER: Duration = Duration::from_millis(5_000);

/// A thread that measures.
pub(super) struct Background {
    orders: Orders,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What it is told.
#[derive(Clone, Default)]
pub(super) struct Orders {
    /// No measurement begins any more.
    quit: Arc<AtomicBool>,
    /// Ends the measurement under way.
    stop: Arc<AtomicBool>,
}

impl Orders {
    /// Set when the measurement under way is to end.
    pub(super) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Ends the measurement under way for another one.
    pub(super) fn renew(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether the measurement that has ended did so for another one, which begins now.
    pub(super) fn begins_anew(&self) -> bool {
        self.stop.swap(false, Ordering::SeqCst) && !self.is_over()
    }

    /// Whether nobody wants to know more.
    pub(super) fn is_over(&self) -> bool {
        self.quit.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.quit.store(true, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Background {
    /// Starts to work.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn begin(work: impl FnOnce(&Orders) -> Result<()> + Send + 'static) -> Result<Self> {
        let orders = Orders::default();
        let theirs = orders.clone();
        let thread = std::thread::Builder::new().name("sia-measure".into()).spawn(move || work(&theirs));
        Ok(Self { orders, thread: Some(thread.context("cannot start the thread that measures")?) })
    }

    /// Whether it tells nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the measurement, so that another one can begin.
    pub(super) fn leave(self) {
        self.is_stopped_within(OVER);
    }

    /// Ends the measurement. What it would still gather nobody reads: where that takes long it ends
    /// with the process.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`super::measure`].
    pub(super) fn end(mut self) -> Result<()> {
        if !self.is_stopped_within(LEAVE) {
            return Ok(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(anyhow!("the thread that measures panicked")),
            None => Ok(()),
        }
    }

    fn is_stopped_within(&self, limit: Duration) -> bool {
        self.orders.end();
        is_over_within(self.thread.as_ref(), limit)
    }
}

/// Whether a thread is over, or will be soon.
pub(super) fn is_over_within<T>(thread: Option<&JoinHandle<T>>, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while thread.is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.is_some_and(JoinHandle::is_finished)
}
