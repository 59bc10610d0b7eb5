//! Looks at the machine one after the other, on a thread of its own: whatever the screen does, the
//! measurement goes on.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use anyhow::Result;

use super::{
    Roster,
    stretch::{Looks, Stretch, measure_on},
};
use crate::{
    answer::{By, Top},
    feed::Machine,
    pipeline::{
        background::{Background, Orders},
        measurement::{Measurement, Progress, Request},
    },
    process::{Target, Wanted},
    quantity::Nanos,
};

/// How often there is a new look, where looking is cheap.
const EVERY: Nanos = Nanos::from_millis(2_000);
/// A look is of at least so long a time, once so long has been measured, and of at most twice that.
const SPAN: Nanos = Nanos::from_millis(8_000);

/// Programs that were started and have no room for their places have no cost: a reader waits no
/// longer than this for it.
const FOR_SITES: Nanos = Nanos::from_millis(60_000);

/// A machine that is looked at.
pub struct Glances {
    tops: Receiver<Top>,
    by: Arc<Mutex<By>>,
    background: Background,
}

impl Glances {
    /// Starts to measure.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(mut request: Request, by: By) -> Result<Self> {
        request.snapshots = true;
        let (out, tops) = sync_channel(1);
        let by = Arc::new(Mutex::new(by));
        let theirs = Arc::clone(&by);
        let background = Background::begin(move |orders| {
            let (roster, stretch, orders) = (Roster::default(), Stretch::of(SPAN, FOR_SITES), orders.clone());
            let mut glancing = Glancing { out, by: theirs, roster, stretch, orders: orders.clone() };
            measure_on(request, &Wanted::everyone(), &orders, &mut glancing)
        })?;
        Ok(Self { tops, by, background })
    }

    /// Ends the measurement, so that another one can begin.
    pub fn leave(self) {
        self.background.leave();
    }

    /// Ends the measurement. What it would still gather nobody reads: where that takes long it ends
    /// with the process.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`crate::pipeline::measure`].
    pub fn end(self) -> Result<()> {
        self.background.end()
    }
}

impl Machine for Glances {
    fn newest(&mut self) -> Option<Top> {
        self.tops.try_recv().ok()
    }

    fn is_over(&self) -> bool {
        self.background.is_over()
    }

    fn show_by(&mut self, by: By) {
        if let Ok(mut shown) = self.by.lock() {
            *shown = by;
        }
    }
}

/// What the measuring thread holds.
struct Glancing {
    out: SyncSender<Top>,
    by: Arc<Mutex<By>>,
    roster: Roster,
    stretch: Stretch,
    orders: Orders,
}

impl Looks for Glancing {
    fn begin(&mut self, target: &Target) {
        (self.roster, self.stretch) = (Roster::new(target), Stretch::of(SPAN, FOR_SITES));
    }
}

impl Progress for Glancing {
    fn snapshot_every(&self) -> Option<Nanos> {
        Some(EVERY)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let Measurement { window, inputs, .. } = so_far;
        if self.stretch.is_full(&window) {
            self.orders.renew();
        }
        let (shown, stretch) = self.stretch.look(window, &inputs);
        let by = self.by.lock().map(|by| *by).unwrap_or_default();
        // The screen has not taken the look before: the next one has all of this.
        let _ = self.out.try_send(self.roster.top(shown, &stretch, by));
    }
}
