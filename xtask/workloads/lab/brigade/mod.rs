//! `lab brigade`: stages connected by pipes; messages travel round, and every stage works on each.
//!
//! Each message has a ring of its own, with its part of the stages. If several shared a ring, one
//! would catch up with the next whenever a stage found two, and they would stay together. How many
//! had done so would depend on the age of the run and on what slowed it, so no two measurements
//! would be of the same program.
//!
//! A message begins with its number of hops, which every stage raises by one. The stage that
//! receives it checks that it is its turn. So a lost, doubled or torn message is an error in every
//! way.

mod stage;
mod threads;
mod tokio;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::pipe::PipeFlags;
use serde_json::Map;

use self::stage::{MESSAGE, Stage};
use crate::session::{self, Common, Tally};

/// Flags of `brigade`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The way of doing IO.
    #[arg(long)]
    mode: Mode,
    /// Stages of all rings, with a pipe each.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=4000))]
    stages: u32,
    /// Messages on their way, in a ring of at least two stages each.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=2000))]
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

pub(crate) fn run(args: &Args) -> Result<()> {
    let (stages, rings) = (u64::from(args.stages), u64::from(args.messages_in_flight));
    anyhow::ensure!(
        rings * 2 <= stages,
        "{stages} stages are too few for {rings} messages in rings of their own: have at least {} stages",
        rings * 2
    );
    session::run(&args.common, |tally| {
        let mut all = Vec::new();
        let mut entries = Vec::new();
        for ring in 0..rings {
            let (part, entry) = build(tally, (ring + 1) * stages / rings - ring * stages / rings, args.work)?;
            all.extend(part);
            entries.push(entry);
        }
        match args.mode {
            Mode::Threads => threads::start(tally, all, &[])?,
            Mode::Pinned => threads::start(tally, all, &cpus(&args.common)?)?,
            Mode::Tokio => tally.spawn("stages", move |tally| tokio::serve(tally, all))?,
        }
        entries.iter().try_for_each(inject)?;
        Ok(Map::new())
    })
}

/// The stages of a ring, and a second descriptor that writes to the first of them.
fn build(tally: &Arc<Tally>, stages: u64, work: u64) -> Result<(Vec<Stage>, OwnedFd)> {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..stages {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).context("pipe")?;
        readers.push(reader);
        writers.push(writer);
    }
    let entry = writers.first().context("a ring has stages")?.try_clone().context("dup")?;
    // A stage writes into the pipe of the next one.
    writers.rotate_left(1);
    let ring = readers.into_iter().zip(writers).zip(0..).map(|((incoming, outgoing), index)| Stage {
        index,
        stages,
        incoming,
        outgoing,
        job: tally.job(work, None),
    });
    Ok((ring.collect(), entry))
}

/// Puts a message on its way.
fn inject(entry: &OwnedFd) -> Result<()> {
    let written = rustix::io::write(entry, &[0; MESSAGE]).context("the first write")?;
    anyhow::ensure!(written == MESSAGE, "a pipe took {written} bytes of the first message");
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
