//! A task per stage on tokio's current-thread runtime, with its own pipes.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::stage::{MESSAGE, Stage};
use crate::session::Tally;

/// Runs all stages. They never end.
pub(super) fn serve(tally: &std::sync::Arc<Tally>, ring: Vec<Stage>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("the runtime")?;
    runtime.block_on(async {
        let mut tasks = Vec::with_capacity(ring.len());
        for stage in ring {
            let own = tally.clone();
            tasks.push(tokio::spawn(async move {
                if let Err(error) = pass_on(stage).await {
                    own.fail(&error);
                }
            }));
        }
        for task in tasks {
            task.await.context("a stage")?;
        }
        Ok(())
    })
}

async fn pass_on(stage: Stage) -> Result<()> {
    let Stage { index, stages, incoming, outgoing, mut job } = stage;
    let mut incoming = Receiver::from_owned_fd(incoming).context("a pipe's reading end")?;
    let mut outgoing = Sender::from_owned_fd(outgoing).context("a pipe's writing end")?;
    let mut message = [0; MESSAGE];
    loop {
        incoming.read_exact(&mut message).await.context("reading from the stage before")?;
        Stage::handle(&mut job, index, stages, &mut message)?;
        outgoing.write_all(&message).await.context("writing to the next stage")?;
    }
}
