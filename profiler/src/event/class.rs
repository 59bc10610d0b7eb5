//! event/class: what a thread waits for.

use profiler_common::class as wire;

use super::error::DecodeError;

/// What a block waits for. A class's number is its place in arrays per class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum BlockClass {
    /// Entered before the measurement began, and nothing tells in which call.
    Unknown,
    /// A TCP socket (`IPPROTO_TCP`).
    Tcp,
    /// A UDP socket (`IPPROTO_UDP`).
    Udp,
    /// A socket of `AF_UNIX`.
    Unix,
    /// A socket of any other family or protocol (netlink, vsock, raw).
    SocketOther,
    /// A pipe or FIFO (`S_IFIFO`).
    Pipe,
    /// A terminal or pseudo-terminal (character device of majors 3, 4, 5, 136–143, 204, 229).
    Tty,
    /// A regular file or directory (`S_IFREG`, `S_IFDIR`).
    File,
    /// A block device opened as a file (`S_IFBLK`).
    BlockDevice,
    /// Any other character device (`S_IFCHR`).
    CharDevice,
    /// An eventfd.
    EventFd,
    /// A timerfd: a timer, not IO.
    TimerFd,
    /// A signalfd.
    SignalFd,
    /// An inotify or fanotify descriptor.
    Inotify,
    /// A descriptor of another anonymous kind (pidfd, perf, userfaultfd, BPF).
    AnonFd,
    /// A call on a descriptor that is not open.
    BadFd,
    /// `accept` on a listening socket.
    Accept,
    /// The `futex` calls: a lock, a condition variable, a join.
    Futex,
    /// `nanosleep`, `clock_nanosleep`: a timer.
    Sleep,
    /// `epoll_wait`, `poll`, `select`: an event wait, already async.
    EventWait,
    /// `io_uring_enter`: a completion wait, already async.
    IoUring,
    /// `io_getevents`: a completion wait of Linux AIO, already async.
    LinuxAio,
    /// `wait4`, `waitid`: a child.
    ChildWait,
    /// `pause`, `sigsuspend`, `sigtimedwait`: a signal.
    Signal,
    /// `flock`, `fcntl`: a lock on a file.
    FileLock,
    /// System V and POSIX message queues and semaphores.
    Ipc,
    /// No syscall: a page fault that had to wait.
    PageFault,
    /// Stopped by a signal.
    Stopped,
    /// Leaving: `exit`, `exit_group`.
    Exit,
    /// A syscall of the 32-bit table; its number is not of this machine's own table.
    Compat,
    /// Any other syscall, shown by its name.
    Other,
    /// No syscall and no page fault: on the way back to user space (signal delivery, task work).
    Kernel,
    /// Any call that slept and that its own time limit ended: a timer.
    Timeout,
    /// `fsync` and its kin, waiting for the file system's journal to be written.
    Journal,
    /// Frozen by a cgroup, or for suspend.
    Frozen,
    /// Stopped by a tracer.
    Traced,
}

/// How many classes there are; arrays per class have this length.
pub const CLASS_COUNT: usize = wire::CLASS_COUNT;

/// The families that the reports keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Family {
    /// Blocking IO on one descriptor: what an async version would wait for in its event loop.
    BlockingIo,
    /// An event or completion wait: what an async program already does.
    EventWait,
    /// A lock.
    Lock,
    /// A timer.
    Timer,
    /// Waiting for connections.
    Accept,
    /// Everything else, by its name.
    Other,
}

/// The classes on both sides of the wire: a name that one of them lacks fails the build.
macro_rules! numbers {
    ($($name:ident)*) => {
        impl BlockClass {
            /// Every class, in the order of their numbers.
            pub const ALL: [Self; CLASS_COUNT] = [$(Self::$name),*];

            /// The same class, as the kernel programs know it.
            const fn on_wire(self) -> wire::BlockClass {
                match self {
                    $(Self::$name => wire::BlockClass::$name,)*
                }
            }
        }

        impl From<wire::BlockClass> for BlockClass {
            fn from(raw: wire::BlockClass) -> Self {
                match raw {
                    $(wire::BlockClass::$name => Self::$name,)*
                }
            }
        }
    };
}
numbers!(Unknown Tcp Udp Unix SocketOther Pipe Tty File BlockDevice CharDevice EventFd TimerFd SignalFd Inotify AnonFd BadFd Accept Futex Sleep EventWait IoUring LinuxAio ChildWait Signal FileLock Ipc PageFault Stopped Exit Compat Other Kernel Timeout Journal Frozen Traced);

impl BlockClass {
    /// What a wait for readiness on one descriptor of this class waits for.
    pub fn waited_for(self) -> Self {
        let waited = wire::BlockClass::waited_for(self.on_wire() as u8);
        wire::BlockClass::from_wire(waited).map_or(self, Self::from)
    }

    /// Whether a storage device ends the wait, not a peer. Readiness (epoll) gains nothing there.
    pub const fn is_file(self) -> bool {
        self.on_wire().is_file()
    }

    /// Whether a request of the waiting thread's own may be at a device meanwhile: the journal is
    /// written by another thread.
    pub const fn is_at_device(self) -> bool {
        matches!(self, Self::File | Self::BlockDevice | Self::PageFault)
    }

    /// The family this class is reported in.
    pub const fn family(self) -> Family {
        match self.on_wire().family() {
            wire::Family::BlockingIo => Family::BlockingIo,
            wire::Family::EventWait => Family::EventWait,
            wire::Family::Lock => Family::Lock,
            wire::Family::Timer => Family::Timer,
            wire::Family::Accept => Family::Accept,
            wire::Family::Other => Family::Other,
        }
    }

    /// The class's name on screens, in JSON and in docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Unix => "unix",
            Self::SocketOther => "socket",
            Self::Pipe => "pipe",
            Self::Tty => "tty",
            Self::File => "file",
            Self::BlockDevice => "blockdev",
            Self::CharDevice => "chardev",
            Self::EventFd => "eventfd",
            Self::TimerFd => "timerfd",
            Self::SignalFd => "signalfd",
            Self::Inotify => "inotify",
            Self::AnonFd => "anonfd",
            Self::BadFd => "bad-fd",
            Self::Accept => "accept",
            Self::Futex => "futex",
            Self::Sleep => "sleep",
            Self::EventWait => "event-wait",
            Self::IoUring => "io_uring",
            Self::LinuxAio => "linux-aio",
            Self::ChildWait => "child",
            Self::Signal => "signal",
            Self::FileLock => "file-lock",
            Self::Ipc => "sysv-ipc",
            Self::PageFault => "page-fault",
            Self::Stopped => "stopped",
            Self::Exit => "exit",
            Self::Compat => "compat32",
            Self::Other => "other",
            Self::Kernel => "kernel",
            Self::Timeout => "timeout",
            Self::Journal => "journal",
            Self::Frozen => "frozen",
            Self::Traced => "traced",
        }
    }
}

// A variant whose number is not its place in ALL would count as another.
const _: () = {
    let mut i = 0;
    while i < CLASS_COUNT {
        assert!(BlockClass::ALL[i] as usize == i && BlockClass::ALL[i].on_wire() as usize == i);
        i += 1;
    }
};

/// Decodes a class's number.
pub(super) fn class(record: &'static str, id: u32, raw: u32) -> Result<BlockClass, DecodeError> {
    u8::try_from(raw).ok().and_then(wire::BlockClass::from_wire).map(BlockClass::from).ok_or(DecodeError {
        record,
        id,
        field: "class",
        value: raw,
    })
}
