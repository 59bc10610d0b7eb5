//! `lab echo`: a TCP echo server with some work per request, one file per way.

mod epoll;
mod pool;
mod threads;
mod tokio;
mod uring;

use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;

use crate::session::{self, Common, Tally};
use crate::sys;
use crate::work::Job;

/// Flags of `echo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The way of doing IO.
    #[arg(long)]
    mode: Mode,
    /// Threads of the pool.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pool: u32,
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A thread per connection.
    Threads,
    /// A fixed number of threads, each with one connection at a time.
    Pool,
    /// One epoll loop, edge-triggered.
    Epoll,
    /// A task per connection on tokio's current-thread runtime.
    Tokio,
    /// One io_uring.
    Uring,
}

/// What a request is.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Request {
    /// Iterations of work per operation; `spin-rate` tells how many a microsecond has.
    #[arg(long, default_value_t = 0)]
    pub(crate) work: u64,
    /// Bytes of a request, and of its reply.
    #[arg(long, default_value_t = 64, value_parser = parse_bytes)]
    pub(crate) bytes: usize,
}

/// A request holds at least the eight bytes that tell it from others.
pub(crate) fn parse_bytes(text: &str) -> Result<usize> {
    let bytes = text.parse()?;
    anyhow::ensure!((8..=1 << 16).contains(&bytes), "a message has 8 bytes to 64 KiB");
    Ok(bytes)
}

/// What every way is given.
#[derive(Clone)]
struct Service {
    request: Request,
    tally: Arc<Tally>,
}

impl Service {
    /// A connection's job.
    fn job(&self) -> Job {
        self.tally.job(self.request.work, None)
    }

    /// A connection's buffer for one request.
    fn buffer(&self) -> Vec<u8> {
        vec![0; self.request.bytes]
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    session::run(&args.common, |tally| start(args.mode, args.pool, args.request, tally))
}

/// The epoll server, for the control that is async already.
pub(crate) fn run_async(request: Request, common: &Common) -> Result<()> {
    session::run(common, |tally| start(Mode::Epoll, 0, request, tally))
}

fn start(
    mode: Mode,
    pool: u32,
    request: Request,
    tally: &Arc<Tally>,
) -> Result<serde_json::Map<String, serde_json::Value>> {
    let (listener, port) = sys::listen()?;
    let service = Service { request, tally: Arc::clone(tally) };
    let serve = match mode {
        Mode::Pool => {
            pool::start(&service, listener, pool)?;
            return Ok(session::with_port(port));
        }
        Mode::Threads => threads::serve,
        Mode::Epoll => epoll::serve,
        Mode::Tokio => tokio::serve,
        Mode::Uring => uring::serve,
    };
    tally.spawn("serve", move |_| serve(&service, &listener))?;
    Ok(session::with_port(port))
}
