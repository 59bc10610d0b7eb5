//! A pool of threads: each accepts a connection and serves it to its end, then the next.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::service::Service;
use super::threads;

/// Starts the threads of the pool.
pub(super) fn start(service: &Service, listener: TcpListener, threads: u32) -> Result<()> {
    let listener = Arc::new(listener);
    for _ in 0..threads {
        let (own, listener) = (service.clone(), Arc::clone(&listener));
        service.tally.spawn("pool", move |_| serve(&own, &listener))?;
    }
    Ok(())
}

fn serve(service: &Service, listener: &TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().context("accept")?;
        if let Err(error) = threads::converse(service, stream) {
            service.tally.error(&error);
        }
    }
}
