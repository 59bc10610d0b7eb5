//! `lab fanout`: a client that asks several backends at once, waits for all of them, works, and
//! asks again.

mod epoll;
mod threads;
mod tokio;
mod worker;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::Map;

use self::worker::{Leg, State, Worker};
use crate::echo::Request;
use crate::session::{self, Common, Tally};
use crate::sys;

/// Flags of `fanout`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The way of doing IO.
    #[arg(long)]
    mode: Mode,
    /// The backend's port on loopback.
    #[arg(long)]
    backend: u16,
    /// Requests under way at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    workers: u32,
    /// Backends that each request asks, over connections of its worker's own.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    fan: u32,
    /// Each worker ends after so many requests. Without it they go on.
    #[arg(long)]
    per_worker: Option<u64>,
    /// Ends after so many seconds, as --seconds does.
    #[arg(long)]
    duration: Option<f64>,
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A thread per worker: blocking reads one after the other.
    Threads,
    /// A task per worker on tokio's current-thread runtime: reads at once.
    Tokio,
    /// One epoll loop, edge-triggered.
    Epoll,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let common = Common { seconds: args.duration.unwrap_or(args.common.seconds), ..args.common.clone() };
    session::run(&common, |tally| {
        let workers = (0..args.workers).map(|worker| build(args, tally, worker)).collect::<Result<Vec<Worker>>>()?;
        match args.mode {
            Mode::Threads => threads::start(tally, workers)?,
            Mode::Tokio => tally.spawn("workers", move |tally| tokio::work(tally, workers))?,
            Mode::Epoll => tally.spawn("workers", move |tally| epoll::work(tally, workers))?,
        }
        Ok(Map::new())
    })
}

fn build(args: &Args, tally: &Tally, worker: u32) -> Result<Worker> {
    let bytes = args.request.bytes;
    let legs = (0..args.fan)
        .map(|_| Ok(Leg { stream: sys::connect(args.backend)?, reply: vec![0; bytes] }))
        .collect::<Result<_>>()?;
    let job = tally.job(args.request.work, args.per_worker);
    Ok(Worker { message: vec![0; bytes], legs, state: State { job, worker: u64::from(worker), asked: 0 } })
}
