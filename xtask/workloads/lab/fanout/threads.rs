//! A thread per worker: writes to all backends, then blocking reads one after the other.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use super::worker::Worker;
use crate::session::Tally;

/// Starts a thread for each worker.
pub(super) fn start(tally: &Arc<Tally>, workers: Vec<Worker>) -> Result<()> {
    let left = Arc::new(AtomicUsize::new(workers.len()));
    for worker in workers {
        let own = Arc::clone(&left);
        tally.spawn("worker", move |tally| {
            let done = work(worker);
            if own.fetch_sub(1, Ordering::Relaxed) == 1 {
                tally.finish();
            }
            done
        })?;
    }
    Ok(())
}

fn work(worker: Worker) -> Result<()> {
    let Worker { mut message, mut legs, mut state } = worker;
    while state.job.more() {
        state.ask(&mut message);
        for leg in &mut legs {
            leg.stream.write_all(&message).context("asking a backend")?;
        }
        for leg in &mut legs {
            leg.stream.read_exact(&mut leg.reply).context("a backend's reply")?;
        }
        state.settle(&message, &legs)?;
    }
    Ok(())
}
