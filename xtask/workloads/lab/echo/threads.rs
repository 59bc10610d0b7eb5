//! A thread per connection: blocking reads and writes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};

use super::service::Service;
use crate::sys;

/// Accepts until the process ends, with a thread per connection.
pub(super) fn serve(service: &Service, listener: &TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().context("accept")?;
        let own = service.clone();
        service.tally.spawn("connection", move |tally| {
            if let Err(error) = converse(&own, stream) {
                tally.error(&error);
            }
            Ok(())
        })?;
    }
}

/// Serves a connection to its end.
pub(super) fn converse(service: &Service, mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    let mut job = service.job();
    let mut buffer = service.buffer();
    loop {
        let done = stream.read_exact(&mut buffer).and_then(|()| {
            job.perform(&buffer);
            stream.write_all(&buffer)
        });
        match done {
            Ok(()) => {}
            Err(error) if sys::is_closed(&error) => return Ok(()),
            Err(error) => return Err(error).context("serving a connection"),
        }
    }
}
