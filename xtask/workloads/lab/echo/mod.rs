//! `lab echo`: a TCP echo server with some work per request, one file per way.

mod epoll;
mod pool;
mod service;
mod threads;
mod tokio;
mod uring;

use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;

use self::service::Service;
pub(crate) use self::service::{Request, parse_bytes};
use crate::session::{self, Common, Tally};
use crate::sys;

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
