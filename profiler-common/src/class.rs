//! Block classes: what a thread waits for when it leaves the CPU by its own will.
//!
//! The class comes from the syscall (see [`crate::syscall`]) and, for calls on a descriptor, from
//! the file's mode and kind, resolved in the kernel. The numbers are on the wire and in recordings:
//! append, never renumber.

/// What a block waits for. The check at the end of this file fails the build where a variant is not
/// in its place of `ALL`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockClass {
    /// Entered before the measurement began, and nothing tells in which call.
    Unknown = 0,
    /// A TCP socket (`IPPROTO_TCP`).
    Tcp = 1,
    /// A UDP socket (`IPPROTO_UDP`).
    Udp = 2,
    /// A socket of `AF_UNIX`.
    Unix = 3,
    /// A socket of any other family or protocol (netlink, vsock, raw).
    SocketOther = 4,
    /// A pipe or FIFO (`S_IFIFO`).
    Pipe = 5,
    /// A terminal or pseudo-terminal (character device of majors 3, 4, 5, 136–143, 204, 229).
    Tty = 6,
    /// A regular file or directory (`S_IFREG`, `S_IFDIR`).
    File = 7,
    /// A block device opened as a file (`S_IFBLK`).
    BlockDevice = 8,
    /// Any other character device (`S_IFCHR`).
    CharDevice = 9,
    /// An eventfd.
    EventFd = 10,
    /// A timerfd: a timer, not IO.
    TimerFd = 11,
    /// A signalfd.
    SignalFd = 12,
    /// An inotify or fanotify descriptor.
    Inotify = 13,
    /// A descriptor of another anonymous kind (pidfd, perf, userfaultfd, BPF).
    AnonFd = 14,
    /// A call on a descriptor that is not open.
    BadFd = 15,
    /// `accept` on a listening socket.
    Accept = 16,
    /// The `futex` calls: a lock, a condition variable, a join.
    Futex = 17,
    /// `nanosleep`, `clock_nanosleep`: a timer.
    Sleep = 18,
    /// `epoll_wait`, `poll`, `select`: an event wait, already async.
    EventWait = 19,
    /// `io_uring_enter`: a completion wait, already async.
    IoUring = 20,
    /// `io_getevents`: a completion wait of Linux AIO, already async.
    LinuxAio = 21,
    /// `wait4`, `waitid`: a child.
    ChildWait = 22,
    /// `pause`, `sigsuspend`, `sigtimedwait`: a signal.
    Signal = 23,
    /// `flock`, `fcntl`: a lock on a file.
    FileLock = 24,
    /// System V and POSIX message queues and semaphores.
    Ipc = 25,
    /// No syscall: a page fault that had to wait.
    PageFault = 26,
    /// Stopped by a signal.
    Stopped = 27,
    /// Leaving: `exit`, `exit_group`.
    Exit = 28,
    /// A syscall of the 32-bit table; its number is not of this machine's own table.
    Compat = 29,
    /// Any other syscall, shown by its name.
    Other = 30,
    /// No syscall and no page fault: on the way back to user space (signal delivery, task work).
    Kernel = 31,
    /// Any call that slept and that its own time limit ended: a timer.
    Timeout = 32,
    /// `fsync` and its kin, waiting for the file system's journal to be written.
    Journal = 33,
    /// Frozen by a cgroup, or for suspend.
    Frozen = 34,
    /// Stopped by a tracer.
    Traced = 35,
}

/// How many classes there are; arrays per class have this length.
pub const CLASS_COUNT: usize = 36;

/// The families that the reports keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A bit for each class of [`Family::BlockingIo`]. The kernel programs test a bit in place of
/// reading a table.
pub const BLOCKING_IO_MASK: u64 = {
    let mut mask = 0;
    let mut i = 0;
    while i < CLASS_COUNT {
        if matches!(BlockClass::ALL[i].family(), Family::BlockingIo) {
            mask |= 1 << i;
        }
        i += 1;
    }
    mask
};

impl BlockClass {
    /// Every class, in wire order.
    pub const ALL: [Self; CLASS_COUNT] = [
        Self::Unknown,
        Self::Tcp,
        Self::Udp,
        Self::Unix,
        Self::SocketOther,
        Self::Pipe,
        Self::Tty,
        Self::File,
        Self::BlockDevice,
        Self::CharDevice,
        Self::EventFd,
        Self::TimerFd,
        Self::SignalFd,
        Self::Inotify,
        Self::AnonFd,
        Self::BadFd,
        Self::Accept,
        Self::Futex,
        Self::Sleep,
        Self::EventWait,
        Self::IoUring,
        Self::LinuxAio,
        Self::ChildWait,
        Self::Signal,
        Self::FileLock,
        Self::Ipc,
        Self::PageFault,
        Self::Stopped,
        Self::Exit,
        Self::Compat,
        Self::Other,
        Self::Kernel,
        Self::Timeout,
        Self::Journal,
        Self::Frozen,
        Self::Traced,
    ];

    /// The number on the wire.
    pub const fn wire(self) -> u8 {
        self as u8
    }

    /// Decodes the number on the wire; `None` for a number that no class has.
    pub const fn from_wire(raw: u8) -> Option<Self> {
        if (raw as usize) < CLASS_COUNT { Some(Self::ALL[raw as usize]) } else { None }
    }

    /// Whether waits of this class are blocking IO: [`BLOCKING_IO_MASK`] for a number.
    #[inline(always)]
    pub const fn blocks_on_io(wire: u32) -> bool {
        BLOCKING_IO_MASK >> (wire & 63) & 1 != 0
    }

    /// What a wait for readiness on one descriptor of this class waits for, by number: a wait for
    /// its own waker alone is that of an event loop that has nothing to do.
    #[inline(always)]
    pub const fn waited_for(wire: u8) -> u8 {
        if wire == Self::EventFd as u8 || wire == Self::TimerFd as u8 || wire == Self::SignalFd as u8 {
            Self::EventWait as u8
        } else {
            wire
        }
    }

    /// Whether a storage device ends the wait, not a peer. Readiness (epoll) gains nothing there.
    pub const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::BlockDevice | Self::Journal)
    }

    /// The family this class is reported in.
    pub const fn family(self) -> Family {
        match self {
            Self::Tcp
            | Self::Udp
            | Self::Unix
            | Self::SocketOther
            | Self::Pipe
            | Self::Tty
            | Self::File
            | Self::BlockDevice
            | Self::Journal
            | Self::CharDevice
            | Self::EventFd
            | Self::SignalFd
            | Self::Inotify
            | Self::AnonFd => Family::BlockingIo,
            Self::EventWait | Self::IoUring | Self::LinuxAio => Family::EventWait,
            Self::Futex | Self::FileLock => Family::Lock,
            Self::Sleep | Self::TimerFd | Self::Timeout => Family::Timer,
            Self::Accept => Family::Accept,
            Self::Unknown
            | Self::BadFd
            | Self::ChildWait
            | Self::Signal
            | Self::Ipc
            | Self::PageFault
            | Self::Stopped
            | Self::Traced
            | Self::Frozen
            | Self::Exit
            | Self::Compat
            | Self::Other
            | Self::Kernel => Family::Other,
        }
    }
}

// A variant whose number is not its place in ALL would decode as another.
const _: () = {
    let mut i = 0;
    while i < CLASS_COUNT {
        assert!(BlockClass::ALL[i] as usize == i);
        i += 1;
    }
};
