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
#[cfg(target_arch = "x86_64")]
mod compat;
mod disk;
mod ipc;
mod json;
mod life;
mod limited;
mod probe;
mod roles;
mod row;
mod served;
mod sys;
mod worker;

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};

use crate::row::{Counters, Truth};
use crate::worker::Worker;

/// A workload whose blocks are known by construction.
#[derive(Parser)]
struct Args {
    /// What to do.
    kind: Kind,
    /// Calls per worker (rounds for pingpong, threads for churn). Default: 1000; many-threads,
    /// wait4 and forkexec: 10.
    #[arg(long)]
    n: Option<u64>,
    /// Workers that do the same. Default: 1; many-threads: 1000.
    #[arg(long)]
    threads: Option<usize>,
    /// Microseconds: of each sleep (default 1000), of the computing after each read of pingpong
    /// (default 0), or that the driver holds a sleeper asleep at least (default 0).
    #[arg(long)]
    us: Option<u64>,
    /// Milliseconds that burn or pingpong go on; pingpong counts rounds (--n) without it. Default
    /// for burn: 100.
    #[arg(long)]
    ms: Option<u64>,
    /// Folder on a real disk for file-direct's file.
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
    /// The watchdog: the process is killed (SIGALRM) after so many seconds.
    #[arg(long, default_value_t = 120)]
    timeout_s: u32,
    /// Only for `exec-second`: what the image before the exec hands over.
    #[arg(long, hide = true)]
    handed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Blocking 1-byte reads of a pipe.
    Pipe,
    /// Blocking receives on a TCP connection over loopback.
    SocketTcp,
    /// Blocking receives on a unix stream socket.
    SocketUnix,
    /// Blocking receives on a UDP socket.
    SocketUdp,
    /// O_DIRECT reads of 4 KiB from a file on a disk.
    FileDirect,
    /// clock_nanosleep.
    Sleep,
    /// FUTEX_WAIT on a word that a partner changes.
    Futex,
    /// Reads that never block: a full pipe, /dev/zero, an empty O_NONBLOCK pipe.
    Nonblock,
    /// Arithmetic.
    Burn,
    /// An epoll loop over an eventfd, its own waker.
    Epoll,
    /// As poll, by an epoll.
    EpollOne,
    /// As poll-two, by an epoll.
    EpollTwo,
    /// As poll-three, by an epoll.
    EpollThree,
    /// As poll-many, by an epoll.
    EpollMany,
    /// As epoll-many, with one client that sends.
    EpollBusy,
    /// As poll-server, by an epoll.
    EpollServer,
    /// As poll, for a connection on a socket that listens.
    PollListener,
    /// A poll of one TCP connection, then a receive: reads with a timeout.
    Poll,
    /// A poll of a TCP connection and of a pipe that never ends it, then a receive.
    PollTwo,
    /// As poll-two, of two pipes.
    PollThree,
    /// A poll of eight TCP connections that take turns, then a receive: a loop.
    PollMany,
    /// As poll-two, and of the socket that the connection came by: a loop with one client.
    PollServer,
    /// As poll, by select.
    Select,
    /// As poll-two, by select.
    SelectTwo,
    /// A poll of one TCP connection that its limit ends, after --us.
    PollTimeout,
    /// A poll of nothing, as a way to sleep.
    PollNothing,
    /// As poll-timeout, by select.
    SelectTimeout,
    /// As poll-timeout, by an epoll of two.
    EpollTimeout,
    /// FUTEX_WAIT that its limit ends.
    FutexTimeout,
    /// A receive that SO_RCVTIMEO ends.
    RecvTimeout,
    /// Writes of 4 KiB, each with an fsync.
    Fsync,
    /// Changes of a mapped page, each with an msync.
    Msync,
    /// sendfile of 4 KiB that are not in memory.
    Sendfile,
    /// Linux AIO reads that are not direct: io_submit waits for the disk.
    IoSubmit,
    /// Reads of mapped pages that are not in memory.
    MajorFault,
    /// Eight threads that fight over a mutex of std.
    RoleMutex,
    /// As role-mutex, of the C library.
    RolePthreadMutex,
    /// A thread that submits jobs to a pool of four, by a condition variable.
    RoleCondvar,
    /// As role-condvar; it waits for each reply.
    RoleReply,
    /// As role-condvar, by a semaphore of the C library.
    RoleSemaphore,
    /// Two threads that ask and answer over channels.
    RoleChannel,
    /// Eight threads that serve a connection each and share a lock, and their clients.
    RoleServe,
    /// Blocking reads of an eventfd.
    Eventfd,
    /// Blocking accepts on a TCP listener.
    Accept,
    /// Waits for children.
    Wait4,
    /// Threads that start, do one blocking pipe read, and die.
    Churn,
    /// A fork, an exec and a wait for it in the middle of pipe reads.
    Forkexec,
    /// An exec of itself by a thread that is not the leader, in the middle of pipe reads.
    ExecNonleader,
    /// The image that exec-nonleader executes.
    #[value(hide = true)]
    ExecSecond,
    /// Many threads, each woken --n times from a pipe read.
    ManyThreads,
    /// Two threads and two pipes, as fast as they can.
    Pingpong,
    /// Calls of the 32-bit syscall table through `int 0x80` (x86_64).
    Int80,
    /// Blocking reads of a pseudo-terminal.
    Tty,
    /// Blocking reads of a timerfd.
    Timerfd,
    /// Blocking reads of a signalfd.
    Signalfd,
    /// Calls, and spins of known instructions between them.
    Ipc,
}

impl Args {
    fn calls(&self) -> u64 {
        self.n.unwrap_or(match self.kind {
            Kind::ManyThreads | Kind::Wait4 | Kind::Forkexec => 10,
            Kind::Ipc => 100,
            _ => 1000,
        })
    }

    fn workers(&self) -> usize {
        self.threads.unwrap_or(if self.kind == Kind::ManyThreads { 1000 } else { 1 })
    }

    fn kind_name(&self) -> String {
        self.kind.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
    }
}

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

/// What the driver does with the parked workers.
type Action = Box<dyn FnMut(&[Worker]) -> Result<()>>;

/// A kind, ready to start: parked workers, and what the driver does once the profiler is attached.
struct Play {
    workers: Vec<Worker>,
    /// Releases the workers and sees them through; runs on the main thread.
    action: Action,
    /// Rows of threads that are not parked workers (churn).
    more_rows: Box<dyn FnOnce() -> Vec<row::Row>>,
    /// Facts beside the rows, as (key, JSON value).
    extra: Vec<(&'static str, String)>,
}

fn set_up(args: &Args) -> Result<Play> {
    match args.kind {
        Kind::FileDirect | Kind::Sleep | Kind::Nonblock | Kind::Burn | Kind::Pingpong => alone::set_up(args),
        Kind::Fsync | Kind::Msync | Kind::Sendfile | Kind::IoSubmit | Kind::MajorFault => alone::set_up(args),
        Kind::PollTimeout | Kind::PollNothing | Kind::SelectTimeout => alone::set_up(args),
        Kind::EpollTimeout | Kind::FutexTimeout | Kind::RecvTimeout => alone::set_up(args),
        Kind::Ipc => ipc::set_up(args),
        Kind::RoleMutex | Kind::RolePthreadMutex | Kind::RoleCondvar | Kind::RoleReply => roles::set_up(args),
        Kind::RoleSemaphore | Kind::RoleChannel | Kind::RoleServe => roles::set_up(args),
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
