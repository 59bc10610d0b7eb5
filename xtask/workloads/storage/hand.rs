//! Two threads of one CPU that hand it over to each other: what a switch costs, and how many of
//! them the machine does.

use std::{
    io::Write as _,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Result;
use clap::ValueEnum;
use rustix::{
    io::{read, write},
    pipe::pipe,
    thread::{CpuSet, futex, sched_setaffinity, sched_yield},
};

use crate::window::{RAMP, Used, histogram};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_enum)]
    by: By,
    /// The CPUs; each has a pair of threads.
    #[arg(long, value_delimiter = ',', required = true)]
    cpus: Vec<usize>,
    /// How long it counts.
    #[arg(long)]
    ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Futex,
    Pipe,
    /// Nobody sleeps or wakes: the bare switch.
    Yield,
}

/// The turn of a pair, on a cache line that no other pair uses.
#[repr(align(128))]
struct Turn(AtomicU32);

/// Measures, and returns: that ends the threads, which hand over for ever.
pub(crate) fn run(args: &Args) -> Result<()> {
    for &cpu in &args.cpus {
        start(args.by, cpu)?;
    }
    thread::sleep(RAMP);
    // The switches are counted by the kernel.
    let before = Used::now(0)?;
    thread::sleep(Duration::from_millis(args.ms));
    let after = Used::now(0)?;
    before.print_until(&after, &histogram()?)
}

/// Starts a pair of threads on a CPU. One that fails ends the process.
fn start(by: By, cpu: usize) -> Result<()> {
    let turn = Arc::new(Turn(AtomicU32::new(0)));
    let (there, back) = (pipe()?, pipe()?);
    for (me, (from, to)) in [(0, (there.0, back.1)), (1, (back.0, there.1))] {
        let turn = Arc::clone(&turn);
        thread::spawn(move || {
            let mut set = CpuSet::new();
            set.set(cpu);
            let done = sched_setaffinity(None, &set).map_err(anyhow::Error::from).and_then(|()| match by {
                By::Futex => by_futex(&turn.0, me),
                By::Pipe => by_pipe(&from, &to, me == 0),
                By::Yield => loop {
                    sched_yield();
                },
            });
            if let Err(error) = done {
                let _ = writeln!(std::io::stderr(), "storage: CPU {cpu}: {error:#}");
                std::process::abort();
            }
        });
    }
    Ok(())
}

/// Waits until the turn is its own, and gives it away.
fn by_futex(turn: &AtomicU32, me: u32) -> Result<()> {
    let other = 1 - me;
    loop {
        while turn.load(Ordering::Acquire) != me {
            match futex::wait(turn, futex::Flags::PRIVATE, other, None) {
                Ok(()) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        turn.store(other, Ordering::Release);
        futex::wake(turn, futex::Flags::PRIVATE, 1)?;
    }
}

/// Passes a byte on as soon as it comes.
fn by_pipe(from: &OwnedFd, to: &OwnedFd, begins: bool) -> Result<()> {
    if begins {
        write(to, b"x")?;
    }
    let mut byte = [0];
    loop {
        read(from, &mut byte)?;
        write(to, b"x")?;
    }
}
