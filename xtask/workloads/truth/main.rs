//! `truth`: workloads whose blocks are known by construction, for the tests that run on a real
//! kernel.
//!
//! The protocol on stdin and stdout, which lets a profiler attach between set-up and action:
//!
//! ```text
//! truth                                   the test
//!   sets up, every worker parks
//!   "ready\n"                 ──────────▶   attaches
//!                             ◀──────────   "\n"
//!   does exactly its actions, every worker parks again
//!   one line of JSON: truth   ──────────▶   reads its own figures, detaches
//!                             ◀──────────   "\n"
//!   exits 0
//! ```
//!
//! What makes a count exact: whoever ends a wait (the driver, always the main thread) does so only
//! after the kernel says that the waiting thread has left the CPU inside that very call
//! ([`probe`]), and never twice for one wait.
//!
//! Every worker is parked in a blocking `read` of its own gate, a pipe. So each worker has, beside
//! its truth: one wait open at attach (0 blocks inside the measurement), and one block of class
//! `pipe` for the finishing park.

mod alone;
mod args;
#[cfg(target_arch = "x86_64")]
mod compat;
mod disk;
mod faults;
mod ipc;
mod json;
mod life;
mod limited;
mod loops;
mod play;
mod prefork;
mod probe;
mod refused;
mod renumbered;
mod requests;
mod rings;
mod roles;
mod row;
mod served;
mod sys;
mod worker;

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser as _;

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Counters, Truth};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "truth: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    sys::page_in();
    if args.kind == Kind::ExecSecond {
        let truth = life::second_image(args)?;
        say(&truth.to_json())?;
        return await_line();
    }
    sys::arm_watchdog(args.timeout_s);
    workloads::raise_descriptor_limit()?;
    if args.kind == Kind::RequestsClients {
        return requests::clients(args);
    }
    if args.workers() == 0 || args.calls() == 0 {
        bail!("--n and --threads are at least 1");
    }

    let mut play = set_up(args)?;
    for worker in &play.workers {
        worker.await_parked()?;
    }
    say("ready")?;
    await_line()?;

    let before = Counters::now()?;
    (play.action)(&play.workers)?;
    for worker in &play.workers {
        worker.await_parked()?;
    }
    let main = Counters::now()?.since(&before);

    let mut rows = Vec::with_capacity(play.workers.len());
    for worker in &play.workers {
        rows.push(worker.row()?);
    }
    rows.append(&mut (play.more_rows)());
    say(&Truth { kind: args.kind_name(), main, rows, extra: play.extra }.to_json())?;
    await_line()
}

fn set_up(args: &Args) -> Result<Play> {
    match args.kind {
        Kind::FileDirect | Kind::Sleep | Kind::Nonblock | Kind::Burn | Kind::Pingpong | Kind::Vfork => {
            alone::set_up(args)
        }
        Kind::Fsync | Kind::Msync | Kind::Sendfile | Kind::Splice | Kind::IoSubmit | Kind::MajorFault => {
            alone::set_up(args)
        }
        Kind::PollTimeout | Kind::PollNothing | Kind::SelectTimeout => alone::set_up(args),
        Kind::EpollTimeout | Kind::FutexTimeout | Kind::RecvTimeout => alone::set_up(args),
        Kind::FdDup | Kind::FdRing | Kind::FdShared | Kind::FdTable => renumbered::set_up(args),
        Kind::Supervised => faults::set_up(args),
        Kind::Ipc => ipc::set_up(args),
        Kind::SeccompErrno | Kind::SeccompTrap | Kind::SeccompNotify => refused::set_up(args),
        Kind::RingPoller | Kind::RingWorkers => rings::set_up(args),
        Kind::RoleMutex | Kind::RolePthreadMutex | Kind::RoleParkingLot => roles::set_up(args),
        Kind::RoleJoin | Kind::RoleJoinIo | Kind::RoleRounds => roles::set_up(args),
        Kind::RoleCondvar | Kind::RoleReply | Kind::RoleLoop => roles::set_up(args),
        Kind::RoleSemaphore | Kind::RoleChannel | Kind::RoleServe | Kind::RoleBrief => roles::set_up(args),
        Kind::LoopReads | Kind::LoopPolls | Kind::LoopLocks | Kind::LoopBurns => loops::set_up(args),
        Kind::LoopHealthy | Kind::LoopIdle | Kind::LoopWorkers => loops::set_up(args),
        Kind::PreforkSelect | Kind::PreforkEpoll | Kind::PreforkReaped => prefork::set_up(args),
        Kind::Requests | Kind::RequestsLoop => requests::set_up(args),
        Kind::Churn => life::churn(args),
        Kind::Forkexec => life::forkexec(args),
        Kind::ExecNonleader => life::exec_nonleader(args),
        _ => served::set_up(args),
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to stdout")
}

/// Blocks until the test has written a line. Unbuffered: what follows the line belongs to the next
/// wait, which after exec-nonleader happens in another image.
fn await_line() -> Result<()> {
    // SAFETY: descriptor 0 is this process's stdin, open for its whole life; ManuallyDrop leaves it
    // open.
    let mut stdin = ManuallyDrop::new(unsafe { File::from_raw_fd(0) });
    let mut byte = [0u8; 1];
    loop {
        match stdin.read(&mut byte).context("reading stdin")? {
            0 => bail!("stdin closed before the newline"),
            _ if byte[0] == b'\n' => return Ok(()),
            _ => {}
        }
    }
}
