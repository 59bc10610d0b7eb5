//! `lab window`: a thread whose windows between two calls have a working set, a length and a share
//! of calls that block, for what hardware counters tell of them. One read, at one place, blocks
//! once in so many times.

use std::io::{PipeReader, PipeWriter, Read, Write};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::Map;

use crate::session::{self, Common, Tally};

/// What lies between two places that are touched: a cache line, and the one that some CPUs fetch
/// with it.
const STRIDE: usize = 128;

/// Flags of `window`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bytes that are touched in turn, in a random order that never changes.
    #[arg(long)]
    working_set: usize,
    /// Mean number of touches in a window; windows have from half to one and a half times as many.
    #[arg(long, default_value_t = 1_000)]
    touches: u64,
    /// One in so many reads blocks.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    one_blocks_in: u32,
    /// It ends after so many windows.
    #[arg(long)]
    limit: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Places that lead from one to the next, through all of them and back.
pub(crate) struct Chain {
    next: Vec<u32>,
    at: u32,
}

impl Chain {
    /// Over so many bytes; the order is random, so that no prefetcher knows it, and always the
    /// same.
    pub(crate) fn over(bytes: usize) -> Result<Self> {
        let places = (bytes / STRIDE).max(2);
        ensure!(u32::try_from(places).is_ok(), "a working set of {bytes} bytes is too large");
        let step = STRIDE / size_of::<u32>();
        let mut order: Vec<u32> = (0..places as u32).collect();
        let mut random = Rng::with_seed(1);
        // Sattolo's shuffle: one cycle through all of them.
        for i in (1..places).rev() {
            order.swap(i, random.usize(..i));
        }
        let mut next = vec![0; places * step];
        for (i, &to) in order.iter().enumerate() {
            next[i * step] = to * step as u32;
        }
        Ok(Self { next, at: 0 })
    }

    /// Goes on by so many places; where it is then.
    #[inline(never)]
    pub(crate) fn touch(&mut self, times: u64) -> u32 {
        let mut at = self.at;
        for _ in 0..times {
            at = self.next[at as usize];
        }
        self.at = at;
        at
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (touches, batch, limit) = (args.touches.max(1), args.one_blocks_in, args.limit);
    let mut chain = Chain::over(args.working_set)?;
    let (answered, answer) = std::io::pipe().context("pipe")?;
    let (asked, ask) = std::io::pipe().context("pipe")?;
    session::run(&args.common, |tally| {
        let (send, tid) = std::sync::mpsc::channel();
        tally.spawn("partner", move |_| serve(asked, answer, batch))?;
        tally.spawn("window", move |tally| {
            // Nobody listens where the start failed, and then all ends.
            let _ = send.send(rustix::thread::gettid().as_raw_nonzero().get());
            tally.await_ready();
            work(tally, &mut chain, answered, ask, (touches, batch, limit))
        })?;
        let tid = tid.recv().context("the thread has not begun")?;
        Ok(Map::from_iter([("tid".to_owned(), tid.into())]))
    })
}

/// The thread that is measured. What it asks for comes in one piece: the first read waits for it,
/// the others find it there.
fn work(
    tally: &Tally,
    chain: &mut Chain,
    mut answered: PipeReader,
    mut ask: PipeWriter,
    (touches, batch, limit): (u64, u32, Option<u64>),
) -> Result<()> {
    let mut job = tally.job(0, limit);
    let mut random = Rng::with_seed(2);
    while job.more() {
        ask.write_all(&[1]).context("asking")?;
        for _ in 0..batch {
            let mut byte = [0];
            answered.read_exact(&mut byte).context("reading")?;
            let place = chain.touch(touches / 2 + random.u64(..=touches));
            job.perform(&u64::from(place).to_le_bytes());
            if !job.more() {
                break;
            }
        }
    }
    tally.finish();
    Ok(())
}

/// The other side of the pipes.
fn serve(mut asked: PipeReader, mut tell: PipeWriter, batch: u32) -> Result<()> {
    let piece = vec![0; batch as usize];
    let mut byte = [0];
    while asked.read(&mut byte).context("waiting to be asked")? > 0 {
        match tell.write_all(&piece) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            written => written.context("telling")?,
        }
    }
    Ok(())
}
