//! A worker: a thread parked at its gate, that does its deed once released and parks again.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::probe;
use crate::row::{Certainty, Counters, Deed, Delta, Row};
use crate::sys;

/// Enough for these bodies, and 10,000 of them fit.
const STACK_BYTES: usize = 128 * 1024;

/// What a worker and the driver share. No locks: a futex of the harness would be a block of the
/// worker.
pub(crate) struct Cell {
    gate: File,
    tid: AtomicI32,
    /// How many calls the worker has begun; stored just before each.
    turn: AtomicU64,
    parked: AtomicBool,
    done: OnceLock<Result<(Deed, Delta)>>,
    /// The least blocked time, in ns, as the driver saw it.
    blocked_min: AtomicU64,
}

impl Cell {
    /// The worker says that its next action is call number `turn` (from 1).
    pub(crate) fn begin(&self, turn: u64) {
        self.turn.store(turn, Ordering::Release);
    }

    pub(crate) fn tid(&self) -> i32 {
        self.tid.load(Ordering::Acquire)
    }

    /// The gate, which is a pipe like any other: kinds with very many workers read it as their
    /// work, too.
    pub(crate) fn gate(&self) -> &File {
        &self.gate
    }

    /// Blocks until a byte has been written to the gate.
    fn pass_gate(&self) -> Result<()> {
        let mut byte = [0u8; 1];
        let got = (&self.gate).read(&mut byte).context("reading the gate")?;
        if got == 1 { Ok(()) } else { Err(anyhow!("the gate is closed")) }
    }
}

/// A worker, seen from the driver.
pub(crate) struct Worker {
    cell: Arc<Cell>,
}

impl Worker {
    /// Starts a thread that parks, runs `body` when released, and parks again, until the process
    /// exits.
    pub(crate) fn spawn<F>(name: &str, body: F) -> Result<Self>
    where
        F: FnOnce(&Cell) -> Result<Deed> + Send + 'static,
    {
        let cell = Arc::new(Cell {
            gate: sys::single_descriptor_pipe()?,
            tid: AtomicI32::new(0),
            turn: AtomicU64::new(0),
            parked: AtomicBool::new(false),
            done: OnceLock::new(),
            blocked_min: AtomicU64::new(0),
        });
        let shared = Arc::clone(&cell);
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                shared.tid.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
                shared.parked.store(true, Ordering::Release);
                if shared.pass_gate().is_err() {
                    return;
                }
                let outcome = counted(|| body(&shared));
                let _ = shared.done.set(outcome);
                shared.parked.store(true, Ordering::Release);
                // Never released: the process exits with its workers parked.
                let _ = shared.pass_gate();
            })
            .context("starting a worker")?;
        Ok(Self { cell })
    }

    pub(crate) fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Lets the worker go. It must be parked.
    pub(crate) fn release(&self) -> Result<()> {
        self.cell.parked.store(false, Ordering::Release);
        (&self.cell.gate).write_all(&[1]).context("opening a gate")
    }

    /// Returns once the worker is asleep at its gate; sleeps between looks, for kinds that need no
    /// driver.
    pub(crate) fn await_parked(&self) -> Result<()> {
        while !self.cell.parked.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_micros(500));
        }
        let read = [libc::SYS_read];
        while !probe::asleep_in(std::process::id(), self.cell.tid(), &read)? {
            probe::pause();
        }
        Ok(())
    }

    /// Returns once the worker is off the CPU in call number `turn`, one of `calls`. An error of
    /// the worker ends it.
    pub(crate) fn await_asleep(&self, turn: u64, calls: &[i64]) -> Result<()> {
        loop {
            if self.is_done() {
                self.row()?;
                bail!("the worker finished before call {turn}");
            }
            if self.cell.turn.load(Ordering::Acquire) == turn
                && probe::asleep_in(std::process::id(), self.cell.tid(), calls)?
            {
                return Ok(());
            }
            probe::pause();
        }
    }

    /// Keeps the sleeper asleep for `hold`, then wakes it. What it slept at least goes to its row.
    pub(crate) fn hold_then(&self, hold: Duration, wake: impl FnOnce() -> Result<()>) -> Result<()> {
        let seen = Instant::now();
        while seen.elapsed() < hold {
            std::hint::spin_loop();
        }
        let slept = u64::try_from(seen.elapsed().as_nanos())?;
        wake()?;
        self.cell.blocked_min.fetch_add(slept, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the worker's body has returned.
    pub(crate) fn is_done(&self) -> bool {
        self.cell.done.get().is_some()
    }

    /// The row of a worker that is done.
    pub(crate) fn row(&self) -> Result<Row> {
        match self.cell.done.get() {
            Some(Ok((deed, delta))) => {
                let mut deed = deed.clone();
                deed.blocked_min += Duration::from_nanos(self.cell.blocked_min.load(Ordering::Relaxed));
                Ok(Row { tid: self.cell.tid(), deed, delta: *delta, parked: true })
            }
            Some(Err(error)) => Err(anyhow!("worker {}: {error:#}", self.cell.tid())),
            None => bail!("worker {} is not done", self.cell.tid()),
        }
    }
}

/// Runs `body` between two readings of the calling thread's counters.
pub(crate) fn counted(body: impl FnOnce() -> Result<Deed>) -> Result<(Deed, Delta)> {
    let before = Counters::now()?;
    let mut deed = body()?;
    let delta = Counters::now()?.since(&before);
    if deed.certainty == Certainty::Counted {
        deed.blocks = delta.nvcsw;
    }
    Ok((deed, delta))
}
