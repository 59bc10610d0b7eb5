//! `lab brigade`: a ring of stages connected by pipes; messages travel round, and every stage works on each.
//!
//! A message begins with its number of hops, which every stage raises by one: the stage that receives it checks that it is
//! the one whose turn it is, so a lost, doubled or torn message is an error in every way.

mod threads;
mod tokio;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::pipe::PipeFlags;
use serde_json::Map;

use crate::session::{self, Common, Tally};
use crate::work::Job;

/// Bytes of a message.
const MESSAGE: usize = 64;

/// Flags of `brigade`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The way of doing IO.
    #[arg(long)]
    mode: Mode,
    /// Stages, with a pipe each.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=4000))]
    stages: u32,
    /// Messages on their way; all of them fit into one pipe, so no stage ever waits to write.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    messages_in_flight: u32,
    /// Iterations of work per hop.
    #[arg(long, default_value_t = 0)]
    work: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A thread per stage.
    Threads,
    /// A thread per stage, each kept on one of the CPUs in turn.
    Pinned,
    /// A task per stage on tokio's current-thread runtime.
    Tokio,
}

/// A stage, whatever runs it.
struct Stage {
    index: u64,
    stages: u64,
    incoming: OwnedFd,
    outgoing: OwnedFd,
    job: Job,
}

impl Stage {
    /// What is done between read and write.
    fn handle(job: &mut Job, index: u64, stages: u64, message: &mut [u8; MESSAGE]) -> Result<()> {
        let (head, _) = message.split_first_chunk_mut::<8>().context("a message has eight bytes")?;
        let hops = u64::from_le_bytes(*head);
        anyhow::ensure!(hops % stages == index, "stage {index} of {stages} got a message that made {hops} hops");
        *head = (hops + 1).to_le_bytes();
        job.perform(message);
        Ok(())
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    session::run(&args.common, |tally| {
        let stages = u64::from(args.stages);
        let (ring, ends) = build(tally, stages, args.work)?;
        match args.mode {
            Mode::Threads => threads::start(tally, ring, &[])?,
            Mode::Pinned => threads::start(tally, ring, &cpus(&args.common)?)?,
            Mode::Tokio => tally.spawn("stages", move |tally| tokio::serve(tally, ring))?,
        }
        inject(&ends, u64::from(args.messages_in_flight))?;
        Ok(Map::new())
    })
}

/// The stages, and for each a second descriptor that writes to it.
fn build(tally: &Arc<Tally>, stages: u64, work: u64) -> Result<(Vec<Stage>, Vec<OwnedFd>)> {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..stages {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).context("pipe")?;
        ends.push(writer.try_clone().context("dup")?);
        readers.push(reader);
        writers.push(writer);
    }
    // A stage writes into the pipe of the next one.
    writers.rotate_left(1);
    let ring = readers.into_iter().zip(writers).zip(0..).map(|((incoming, outgoing), index)| Stage {
        index,
        stages,
        incoming,
        outgoing,
        job: tally.job(work, None),
    });
    Ok((ring.collect(), ends))
}

/// Puts the messages on their way, evenly round the ring.
fn inject(ends: &[OwnedFd], messages: u64) -> Result<()> {
    let stages = ends.len() as u64;
    for message in 0..messages {
        let index = message * stages / messages % stages;
        let mut bytes = [0; MESSAGE];
        bytes[..8].copy_from_slice(&index.to_le_bytes());
        let written = rustix::io::write(&ends[index as usize], &bytes).context("the first write")?;
        anyhow::ensure!(written == MESSAGE, "a pipe took {written} bytes of the first message");
    }
    Ok(())
}

/// The CPUs to keep threads on: those named, or all that are allowed.
fn cpus(common: &Common) -> Result<Vec<usize>> {
    if !common.cpu.is_empty() {
        return Ok(common.cpu.clone());
    }
    let allowed = rustix::thread::sched_getaffinity(None).context("sched_getaffinity")?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect())
}
