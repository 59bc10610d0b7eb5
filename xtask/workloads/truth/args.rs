//! The flags of `truth`, and the kinds of workload.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// A workload whose blocks are known by construction.
#[derive(Parser)]
pub(crate) struct Args {
    /// What to do.
    pub(crate) kind: Kind,
    /// Calls per worker (rounds for pingpong, threads for churn). Default: 1000; many-threads,
    /// wait4 and forkexec: 10.
    #[arg(long)]
    pub(crate) n: Option<u64>,
    /// Workers that do the same. Default: 1; many-threads: 1000.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Microseconds: of each sleep (default 1000), of the computing after each read of pingpong
    /// (default 0), or that the driver holds a sleeper asleep at least (default 0).
    #[arg(long)]
    pub(crate) us: Option<u64>,
    /// Milliseconds that burn or pingpong go on; pingpong counts rounds (--n) without it. Default
    /// for burn: 100.
    #[arg(long)]
    pub(crate) ms: Option<u64>,
    /// Microseconds from a reply to the next request, in the mean.
    #[arg(long, default_value_t = 500)]
    pub(crate) gap_us: u64,
    /// Folder on a real disk for file-direct's file.
    #[arg(long, default_value = "/var/tmp")]
    pub(crate) dir: PathBuf,
    /// The watchdog: the process is killed (SIGALRM) after so many seconds.
    #[arg(long, default_value_t = 120)]
    pub(crate) timeout_s: u32,
    /// Only for `exec-second` and `requests-clients`: what who started them hands over.
    #[arg(long, hide = true)]
    pub(crate) handed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
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
    /// Parents of children that share their memory (`CLONE_VFORK`) and sleep for --us each.
    Vfork,
    /// Calls that a seccomp filter refuses with an error.
    SeccompErrno,
    /// Calls that it refuses with a signal.
    SeccompTrap,
    /// Calls that it hands to a supervisor, which holds each for `--us` (default 300).
    SeccompNotify,
    /// A ring with a polling thread, and a request now and then for `--ms` (default 1000).
    RingPoller,
    /// A ring that hands its reads to workers for `--ms` (default 1000).
    RingWorkers,
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
    /// Page faults that the driver answers (userfaultfd).
    Supervised,
    /// A descriptor's number that is a pipe and a TCP connection by turns, changed by dup2.
    FdDup,
    /// As fd-dup, closed by an `io_uring`.
    FdRing,
    /// As fd-dup, changed by another process that shares the table.
    FdShared,
    /// Two threads with a table each, in which one number is a pipe and a TCP connection.
    FdTable,
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
    /// A poll of two TCP connections that take turns, then a receive: a proxy's thread.
    PollRelay,
    /// As poll-relay, by select.
    SelectRelay,
    /// As poll, by select.
    Select,
    /// As poll-two, by select.
    SelectTwo,
    /// As poll-three, by select.
    SelectThree,
    /// As poll-many, by select.
    SelectMany,
    /// As poll-server, by select.
    SelectServer,
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
    /// splice into a pipe of 4 KiB that are not in memory.
    Splice,
    /// Linux AIO reads that are not direct: io_submit waits for the disk.
    IoSubmit,
    /// Reads of mapped pages that are not in memory.
    MajorFault,
    /// A master that selects nothing again and again, while four children send each other bytes.
    PreforkSelect,
    /// As prefork-select, by an epoll.
    PreforkEpoll,
    /// A master that starts one child after the other, each of which computes, and waits for it.
    PreforkReaped,
    /// An event loop that reads from a pipe for 20 ms in one of ten turns.
    LoopReads,
    /// As loop-reads, by poll.
    LoopPolls,
    /// An event loop that waits for a lock for 20 ms in one of ten turns.
    LoopLocks,
    /// An event loop that computes for 30 ms in one of ten turns.
    LoopBurns,
    /// An event loop without stalls.
    LoopHealthy,
    /// An event loop to which nothing comes.
    LoopIdle,
    /// Three threads that share a loop: one waits for events while the others are parked. In one of
    /// ten turns one of them computes for 30 ms.
    LoopWorkers,
    /// An event loop that serves four connections of other processes, beside two threads that are
    /// handed work by a third, through a futex each.
    RoleLoop,
    /// Eight threads that fight over a mutex of std.
    RoleMutex,
    /// As role-mutex, of the C library.
    RolePthreadMutex,
    /// As role-mutex, of `parking_lot`.
    RoleParkingLot,
    /// A thread that waits for the ends of four that it started and that compute.
    RoleJoin,
    /// As role-join; they serve a connection each.
    RoleJoinIo,
    /// As role-join; they compute a little, and it starts others again and again.
    RoleRounds,
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
    /// A thread for each connection, which reads one request and ends; and the clients.
    RoleBrief,
    /// A thread for each connection, that serves clients of another process and knows how long they
    /// waited.
    Requests,
    /// As requests, in one event loop.
    RequestsLoop,
    /// Their clients.
    #[value(hide = true)]
    RequestsClients,
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
    /// Reads of a pipe by the 32-bit syscall table, through `int 0x80` (x86_64).
    Int80,
    /// The same table: receives from a TCP connection by socketcall.
    Int80Recv,
    /// The same table: as poll, by ppoll_time64, then a recvfrom.
    Int80Poll,
    /// The same table: as poll-two, by _newselect, then a receive by socketcall.
    Int80Select,
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
    pub(crate) fn calls(&self) -> u64 {
        self.n.unwrap_or(match self.kind {
            Kind::ManyThreads | Kind::Wait4 | Kind::Forkexec => 10,
            Kind::Ipc => 100,
            _ => 1000,
        })
    }

    pub(crate) fn workers(&self) -> usize {
        self.threads.unwrap_or(if self.kind == Kind::ManyThreads { 1000 } else { 1 })
    }

    pub(crate) fn kind_name(&self) -> String {
        self.kind.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
    }
}
