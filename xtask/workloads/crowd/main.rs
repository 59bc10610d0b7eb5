//! `crowd`: as many threads, processes and call sites as asked for, woken in turn at one rate. So a
//! figure that grows with their number grows because of them, not because more happens.
//!
//! Prints `ready` once every thread waits, and goes on until its stdin closes.

mod places;

use std::{
    io::{Error, Write as _},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::write,
};

use crate::places::Places;

/// How often the driver looks who is due.
const BEAT: Duration = Duration::from_millis(1);
/// Enough for a thread that only reads; 50,000 of them fit.
const STACK_BYTES: usize = 64 * 1024;

/// Threads that wait, woken in turn.
#[derive(Parser)]
struct Args {
    /// Threads that wait, over all processes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Processes that they live in. One: this one. More: children of this one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    processes: u32,
    /// Places in the code that they wait at, by turns.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sites: u32,
    /// Wake-ups per second, over all threads.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// The watchdog: the process is killed (SIGALRM) after so many seconds.
    #[arg(long, default_value_t = 600)]
    timeout_s: u32,
}

/// Who waits, and by what each is woken.
struct Crowd {
    bells: Vec<OwnedFd>,
    /// Counts the threads that are there.
    arrived: OwnedFd,
    places: Places,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(args.processes <= args.threads, "a process has at least one thread that waits");
    // SAFETY: alarm only sets a timer.
    unsafe { libc::alarm(args.timeout_s) };
    raise_descriptors(u64::from(args.threads) + 64)?;
    let bells: Result<Vec<OwnedFd>> = (0..args.threads).map(|_| bell()).collect();
    let crowd = Arc::new(Crowd { bells: bells?, arrived: bell()?, places: Places::new(args.sites)? });
    let (threads, processes) = (args.threads as usize, args.processes as usize);
    for process in 0..processes {
        let own = threads * process / processes..threads * (process + 1) / processes;
        if processes == 1 {
            spawn(&crowd, own)?;
        } else {
            child(&crowd, own)?;
        }
    }
    let mut there = 0;
    while there < u64::from(args.threads) {
        let mut count = [0; 8];
        rustix::io::read(&crowd.arrived, &mut count).context("waiting for the threads")?;
        there += u64::from_ne_bytes(count);
    }
    writeln!(std::io::stdout(), "ready").context("writing to stdout")?;
    drive(&crowd.bells, f64::from(args.rate))
}

fn bell() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::CLOEXEC).context("eventfd")
}

/// As root the hard limit can be raised too.
fn raise_descriptors(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    if now.maximum.is_none_or(|most| most >= wanted) {
        return workloads::raise_descriptor_limit();
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: Some(wanted) })
        .with_context(|| format!("raising RLIMIT_NOFILE to {wanted}"))
}

/// A process of its own with these threads. It ends with its parent.
fn child(crowd: &Arc<Crowd>, own: std::ops::Range<usize>) -> Result<()> {
    // SAFETY: this process has one thread, so the child finds no lock held.
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os_error()).context("fork"),
        0 => {
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            let begun = spawn(crowd, own);
            while begun.is_ok() {
                // SAFETY: pause takes nothing and touches no memory.
                unsafe { libc::pause() };
            }
            begun
        }
        _ => Ok(()),
    }
}

fn spawn(crowd: &Arc<Crowd>, own: std::ops::Range<usize>) -> Result<()> {
    for i in own {
        let crowd = Arc::clone(crowd);
        let thread = std::thread::Builder::new().name("crowd".into()).stack_size(STACK_BYTES);
        thread.spawn(move || wait(&crowd, i)).context("starting a thread")?;
    }
    Ok(())
}

/// Waits for its bell for ever, each time at the next place.
fn wait(crowd: &Crowd, i: usize) {
    let Some(bell) = crowd.bells.get(i) else { return };
    let _ = write(&crowd.arrived, &1_u64.to_ne_bytes());
    while crowd.places.read(bell.as_fd()) {}
}

/// Rings bells in turn, at a rate, until stdin closes.
fn drive(bells: &[OwnedFd], rate: f64) -> Result<()> {
    workloads::drop_timer_slack();
    let begun = Instant::now();
    let mut rung = 0;
    let stdin = std::io::stdin();
    let mut line = [0; 64];
    loop {
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        while rung < due {
            let bell = &bells[(rung % bells.len() as u64) as usize];
            write(bell, &1_u64.to_ne_bytes()).with_context(|| format!("waking by {}", bell.as_raw_fd()))?;
            rung += 1;
        }
        let beat = Timespec { tv_sec: 0, tv_nsec: BEAT.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&beat)).unwrap_or(0) > 0
            && rustix::io::read(&stdin, &mut line).unwrap_or(0) == 0
        {
            return Ok(());
        }
    }
}
