//! A task per worker on tokio's current-thread runtime: writes to all backends, then reads from all
//! at once.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::worker::{Leg, Worker};
use crate::session::Tally;

/// Runs until the last worker is done.
pub(super) fn work(tally: &Arc<Tally>, workers: Vec<Worker>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("the runtime")?;
    runtime.block_on(async {
        let mut tasks = Vec::with_capacity(workers.len());
        for worker in workers {
            let own = Arc::clone(tally);
            tasks.push(tokio::spawn(async move {
                if let Err(error) = run(worker).await {
                    own.fail(&error);
                }
            }));
        }
        for task in tasks {
            task.await.context("a worker")?;
        }
        tally.finish();
        Ok(())
    })
}

async fn run(worker: Worker) -> Result<()> {
    let Worker { mut message, legs, mut state } = worker;
    let mut received = vec![0; legs.len()];
    let adopt = |leg: Leg<std::net::TcpStream>| {
        leg.stream.set_nonblocking(true)?;
        Ok(Leg { stream: TcpStream::from_std(leg.stream)?, reply: leg.reply })
    };
    let mut legs = legs.into_iter().map(adopt).collect::<Result<Vec<Leg<TcpStream>>>>()?;
    while state.job.more() {
        state.ask(&mut message);
        for leg in &mut legs {
            leg.stream.write_all(&message).await.context("asking a backend")?;
        }
        received.fill(0);
        poll_fn(|context| poll_all(&mut legs, &mut received, context)).await.context("a backend's reply")?;
        state.settle(&message, &legs)?;
    }
    Ok(())
}

/// What joining a read of each leg does, without its allocation per request: polls every leg that
/// is not done.
fn poll_all(
    legs: &mut [Leg<TcpStream>],
    received: &mut [usize],
    context: &mut TaskContext<'_>,
) -> Poll<std::io::Result<()>> {
    let mut done = true;
    for (leg, received) in legs.iter_mut().zip(received) {
        match poll_exact(leg, received, context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => done = false,
        }
    }
    if done { Poll::Ready(Ok(())) } else { Poll::Pending }
}

fn poll_exact(
    leg: &mut Leg<TcpStream>,
    received: &mut usize,
    context: &mut TaskContext<'_>,
) -> Poll<std::io::Result<()>> {
    while *received < leg.reply.len() {
        let mut rest = ReadBuf::new(&mut leg.reply[*received..]);
        ready!(Pin::new(&mut leg.stream).poll_read(context, &mut rest))?;
        match rest.filled().len() {
            0 => return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into())),
            read => *received += read,
        }
    }
    Poll::Ready(Ok(()))
}
