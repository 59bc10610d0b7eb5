//! A thread per stage: blocking reads and writes of pipes. With CPUs, each thread is kept on one of
//! them in turn.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::stage::{MESSAGE, Stage};
use crate::session::Tally;
use crate::sys;

/// Starts a thread for each stage.
pub(super) fn start(tally: &Arc<Tally>, ring: Vec<Stage>, cpus: &[usize]) -> Result<()> {
    for (place, stage) in ring.into_iter().enumerate() {
        let cpu: Vec<usize> = cpus.iter().copied().cycle().nth(place).into_iter().collect();
        tally.spawn("stage", move |_| serve(stage, &cpu))?;
    }
    Ok(())
}

fn serve(stage: Stage, cpu: &[usize]) -> Result<()> {
    sys::keep_on(cpu)?;
    let Stage { index, stages, incoming, outgoing, mut job } = stage;
    let (mut incoming, mut outgoing) = (File::from(incoming), File::from(outgoing));
    let mut message = [0; MESSAGE];
    loop {
        incoming.read_exact(&mut message).context("reading from the stage before")?;
        Stage::handle(&mut job, index, stages, &mut message)?;
        outgoing.write_all(&message).context("writing to the next stage")?;
    }
}
