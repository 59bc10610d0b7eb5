//! Looks at the stalls of a target one after the other, on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Result;

use super::super::{
    background::Background,
    measure,
    measurement::{Measurement, Progress, Request},
};
use crate::{answer::Stalls, feed::StallFeed, quantity::Nanos};

/// How often there is a new look.
const EVERY: Nanos = Nanos::from_millis(2_000);

/// A target whose loops are watched.
pub struct StallWatch {
    looks: Receiver<Stalls>,
    background: Background,
}

impl StallWatch {
    /// Starts to measure, as the request has it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(request: Request) -> Result<Self> {
        let request = Request { snapshots: true, ..request };
        let (out, looks) = sync_channel(1);
        let background = Background::begin(move |orders| measure(&request, orders.stop(), &mut Looks(out)).map(drop))?;
        Ok(Self { looks, background })
    }

    /// Ends the measurement. What it would still gather nobody reads: where that takes long it ends
    /// with the process.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`measure`].
    pub fn end(self) -> Result<()> {
        self.background.end()
    }
}

impl StallFeed for StallWatch {
    fn newest(&mut self) -> Option<Stalls> {
        self.looks.try_recv().ok()
    }

    fn is_over(&self) -> bool {
        self.background.is_over()
    }
}

/// What the measuring thread tells the screen.
struct Looks(SyncSender<Stalls>);

impl Progress for Looks {
    fn snapshot_every(&self) -> Option<Nanos> {
        Some(EVERY)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let Measurement { window, inputs, caught, .. } = so_far;
        if let Some(caught) = caught {
            // The screen has not taken the look before: the next one has all of this.
            let _ = self.0.try_send(Stalls::new(caught, &window, &inputs));
        }
    }
}
