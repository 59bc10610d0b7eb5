//! One loop over epoll, edge-triggered, for all workers: on an event, reads until there is no more
//! (one extra attempt).

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};

use super::worker::Worker;
use crate::session::Tally;
use crate::sys::Poller;

/// A worker, and how much of its replies is here.
struct Pending {
    worker: Worker,
    received: Vec<usize>,
    /// Legs whose reply is not whole.
    missing: usize,
}

/// Runs until the last worker is done.
pub(super) fn work(tally: &Tally, workers: Vec<Worker>) -> Result<()> {
    let mut poller = Poller::new()?;
    let mut pending = Vec::with_capacity(workers.len());
    let mut asking = 0;
    for (index, worker) in workers.into_iter().enumerate() {
        for (place, leg) in worker.legs.iter().enumerate() {
            leg.stream.set_nonblocking(true).context("a connection that does not block")?;
            poller.add_edge(&leg.stream, (index as u64) << 32 | place as u64)?;
        }
        let mut own = Pending { received: vec![0; worker.legs.len()], missing: 0, worker };
        asking += usize::from(own.ask()?);
        pending.push(own);
    }
    while asking > 0 {
        let found = poller.wait(None)?;
        for index in 0..found {
            let token = poller.ready(index).token;
            let own = &mut pending[(token >> 32) as usize];
            own.receive((token & u64::from(u32::MAX)) as usize)?;
            if own.missing == 0 && own.worker.state.job.more() {
                own.worker.state.settle(&own.worker.message, &own.worker.legs)?;
                asking -= usize::from(!own.ask()?);
            }
        }
    }
    tally.finish();
    Ok(())
}

impl Pending {
    /// Sends the next request to all backends; false if there is none.
    fn ask(&mut self) -> Result<bool> {
        let Worker { message, legs, state } = &mut self.worker;
        if !state.job.more() {
            return Ok(false);
        }
        state.ask(message);
        self.received.fill(0);
        self.missing = legs.len();
        for leg in legs {
            // Nothing else is in the send buffer, so it takes a whole request.
            let written = leg.stream.write(message).context("asking a backend")?;
            if written != message.len() {
                bail!("only {written} of {} bytes could be sent at once", message.len());
            }
        }
        Ok(true)
    }

    /// Reads one leg until there is no more.
    fn receive(&mut self, place: usize) -> Result<()> {
        let leg = &mut self.worker.legs[place];
        let received = &mut self.received[place];
        let before = *received;
        // A whole reply leaves a read of nothing, which would look like the peer's end: the extra
        // attempt has its own byte.
        let mut extra = [0];
        loop {
            let whole = *received == leg.reply.len();
            let room = if whole { &mut extra[..] } else { &mut leg.reply[*received..] };
            match leg.stream.read(room) {
                Ok(0) => bail!("a backend closed a connection"),
                Ok(_) if whole => bail!("a backend sent more than the reply"),
                Ok(read) => *received += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a backend's reply"),
            }
        }
        self.missing -= usize::from(before < leg.reply.len() && *received == leg.reply.len());
        Ok(())
    }
}
