//! `lab control`: programs that gain nothing by async IO. They wait for locks or timers, compute,
//! are async already, or idle.

use std::io::{PipeReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Map;

use crate::echo::{self, Request};
use crate::session::{self, Common, Tally};
use crate::work;

const LOCK_THREADS: usize = 4;
const TIMER_THREADS: usize = 8;
const IDLE_THREADS: usize = 8;
const SLEEP: Duration = Duration::from_millis(1);
/// Work without --work, µs: with the lock held, and between two sleeps or counts.
const LOCKED_US: f64 = 2.0;
const PACED_US: f64 = 20.0;

/// Flags of `control`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What it does instead of blocking IO.
    #[arg(long)]
    mode: Mode,
    /// Iterations of work per operation. Default: 2 µs with the lock held, 20 µs after a sleep or
    /// on the CPU, 0 for async.
    #[arg(long)]
    work: Option<u64>,
    /// Bytes of a request to `async`, and of its reply.
    #[arg(long, default_value_t = 64, value_parser = echo::parse_bytes)]
    bytes: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Four threads that compete for a mutex.
    Lock,
    /// Threads that sleep for 1 ms and then work.
    Timer,
    /// One thread that works.
    Cpu,
    /// The echo server that is one epoll loop.
    Async,
    /// Threads blocked in a read that nothing wakes.
    Idle,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (mode, work) = (args.mode, args.work);
    if mode == Mode::Async {
        let request = Request { work: work.unwrap_or(0), bytes: args.bytes };
        return echo::run_async(request, &args.common);
    }
    session::run(&args.common, |tally| {
        let iterations = |us: f64| work.unwrap_or_else(|| (us * work::iterations_per_us()) as u64);
        match mode {
            Mode::Lock => fight(tally, iterations(LOCKED_US))?,
            Mode::Timer => {
                let iterations = iterations(PACED_US);
                for _ in 0..TIMER_THREADS {
                    tally.spawn("timer", move |tally| pace(tally, iterations))?;
                }
            }
            Mode::Cpu => {
                let iterations = iterations(PACED_US);
                tally.spawn("cpu", move |tally| {
                    let mut job = tally.job(iterations, None);
                    loop {
                        job.perform(&[]);
                    }
                })?;
            }
            Mode::Idle => {
                let (reader, writer) = std::io::pipe().context("pipe")?;
                let reader = Arc::new(reader);
                for _ in 0..IDLE_THREADS {
                    let own = Arc::clone(&reader);
                    tally.spawn("idle", move |_| doze(&own))?;
                }
                // It stays open until the process ends: the threads would read its end of file.
                std::mem::forget(writer);
            }
            Mode::Async => {}
        }
        Ok(Map::new())
    })
}

/// Every thread works with the lock held, on what the lock guards, and nothing else. The holder
/// yields its CPU before it lets go: on one CPU the others would else meet a held lock only once a
/// time slice.
fn fight(tally: &Arc<Tally>, iterations: u64) -> Result<()> {
    let guarded = Arc::new(Mutex::new(tally.job(iterations, None)));
    for _ in 0..LOCK_THREADS {
        let own = Arc::clone(&guarded);
        tally.spawn("lock", move |_| {
            loop {
                let mut job = own.lock().unwrap_or_else(PoisonError::into_inner);
                job.perform(&[]);
                std::thread::yield_now();
            }
        })?;
    }
    Ok(())
}

fn pace(tally: &Tally, iterations: u64) -> Result<()> {
    let mut job = tally.job(iterations, None);
    loop {
        std::thread::sleep(SLEEP);
        job.perform(&[]);
    }
}

fn doze(mut reader: &PipeReader) -> Result<()> {
    let read = reader.read(&mut [0]).context("reading a pipe that stays silent")?;
    anyhow::bail!("a silent pipe gave {read} bytes")
}
