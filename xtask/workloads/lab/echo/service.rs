//! What a request is, and what every way of serving it is given.

use std::sync::Arc;

use anyhow::Result;

use crate::session::Tally;
use crate::work::Job;

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
pub(super) struct Service {
    pub(super) request: Request,
    pub(super) tally: Arc<Tally>,
}

impl Service {
    /// What a connection does for a request.
    pub(super) fn job(&self) -> Job {
        self.tally.job(self.request.work, None)
    }

    /// A connection's buffer for one request.
    pub(super) fn buffer(&self) -> Vec<u8> {
        vec![0; self.request.bytes]
    }
}
