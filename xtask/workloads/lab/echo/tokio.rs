//! A task per connection on tokio's current-thread runtime.

use std::net::TcpListener;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::service::Service;
use crate::sys;

/// Serves until the process ends.
pub(super) fn serve(service: &Service, listener: &TcpListener) -> Result<()> {
    listener.set_nonblocking(true).context("a listener that does not block")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("the runtime")?;
    runtime.block_on(async {
        let listener = listener.try_clone().and_then(tokio::net::TcpListener::from_std).context("the listener")?;
        loop {
            let (stream, _) = listener.accept().await.context("accept")?;
            let own = service.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(&own, stream).await {
                    own.tally.error(&error);
                }
            });
        }
    })
}

/// Serves a connection to its end.
async fn converse(service: &Service, mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    let mut job = service.job();
    let mut buffer = service.buffer();
    loop {
        let read = stream.read_exact(&mut buffer).await;
        let done = match read {
            Ok(_) => {
                job.perform(&buffer);
                stream.write_all(&buffer).await
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => {}
            Err(error) if sys::is_closed(&error) => return Ok(()),
            Err(error) => return Err(error).context("serving a connection"),
        }
    }
}
