//! Rings whose work threads of the kernel do: one that polls for submissions, and workers that make
//! calls which may sleep. Such threads belong to the process, and run no code of its own.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::worker::Worker;

/// Longer than any test: the polling thread never sleeps once it has begun.
const POLLS_FOR_MS: u32 = 120_000;
/// Requests in flight.
const DEPTH: usize = 4;
/// Bytes of a request that a worker of the ring makes.
const LENGTH: usize = 1 << 20;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let how_long = Duration::from_millis(args.ms.unwrap_or(1_000));
    let kind = args.kind;
    let ring = match kind {
        Kind::RingPoller => IoUring::builder().setup_sqpoll(POLLS_FOR_MS).build(8),
        Kind::RingWorkers => IoUring::new(8),
        other => bail!("{other:?} has no ring"),
    };
    // Its threads go on until the process ends.
    let ring: &'static mut IoUring = Box::leak(Box::new(ring.context("io_uring_setup")?));
    let worker = Worker::spawn("ring", move |_| {
        let begun = Instant::now();
        if kind == Kind::RingPoller {
            poll_for(ring, begun, how_long)?;
        } else {
            work_for(ring, begun, how_long)?;
        }
        let mut deed = Deed::new("none", "none");
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })?;
    Ok(Play {
        workers: vec![worker],
        action: Box::new(|workers| workers.iter().try_for_each(Worker::release)),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

/// A request now and then, which the polling thread finds by itself.
fn poll_for(ring: &mut IoUring, begun: Instant, how_long: Duration) -> Result<()> {
    while begun.elapsed() < how_long {
        // SAFETY: the request has no memory.
        unsafe { ring.submission().push(&opcode::Nop::new().build()) }.map_err(|_| anyhow!("the queue is full"))?;
        ring.submit().context("io_uring_enter")?;
        while ring.completion().next().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Reads of zeroes that the ring hands to its workers.
fn work_for(ring: &mut IoUring, begun: Instant, how_long: Duration) -> Result<()> {
    let zeroes = File::open("/dev/zero")?;
    let mut buffers = vec![vec![0u8; LENGTH]; DEPTH];
    while begun.elapsed() < how_long {
        for buffer in &mut buffers {
            let read = opcode::Read::new(Fd(zeroes.as_raw_fd()), buffer.as_mut_ptr(), LENGTH as u32).build();
            // SAFETY: the buffer keeps its address, and is left alone, until the completion.
            unsafe { ring.submission().push(&read.flags(squeue::Flags::ASYNC)) }
                .map_err(|_| anyhow!("the queue is full"))?;
        }
        ring.submit_and_wait(DEPTH).context("io_uring_enter")?;
        for entry in ring.completion() {
            if entry.result() < 0 {
                bail!("a read: {}", std::io::Error::from_raw_os_error(-entry.result()));
            }
        }
    }
    Ok(())
}
