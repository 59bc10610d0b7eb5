//! Block classes: what a thread waits for when it leaves the CPU by its own will.
//!
//! The class comes from the syscall (see [`crate::syscall`]) and, for calls on a descriptor, from
//! the file's mode and kind, resolved in the kernel. The numbers are on the wire and in recordings:
//! append, never renumber.

/// Hands the classes to a macro: number, name in reports, [`Family`], and the [`Storage`] that ends
/// the wait. Each side of the wire makes its `BlockClass` of this one list, so that none can lack a
/// class of the other.
#[macro_export]
macro_rules! classes {
    ($do:ident) => {
        $do! {
            /// Entered before the measurement began, and nothing tells in which call.
            Unknown = 0, "unknown", Other, None;
            /// A TCP socket (`IPPROTO_TCP`).
            Tcp = 1, "tcp", BlockingIo, None;
            /// A UDP socket (`IPPROTO_UDP`).
            Udp = 2, "udp", BlockingIo, None;
            /// A socket of `AF_UNIX`.
            Unix = 3, "unix", BlockingIo, None;
            /// A socket of any other family or protocol (netlink, vsock, raw).
            SocketOther = 4, "socket", BlockingIo, None;
            /// A pipe or FIFO (`S_IFIFO`).
            Pipe = 5, "pipe", BlockingIo, None;
            /// A terminal or pseudo-terminal (character majors 3, 4, 5, 136–143, 204, 229).
            Tty = 6, "tty", BlockingIo, None;
            /// A regular file or directory (`S_IFREG`, `S_IFDIR`).
            File = 7, "file", BlockingIo, File;
            /// A block device opened as a file (`S_IFBLK`).
            BlockDevice = 8, "blockdev", BlockingIo, File;
            /// Any other character device (`S_IFCHR`).
            CharDevice = 9, "chardev", BlockingIo, None;
            /// An eventfd.
            EventFd = 10, "eventfd", BlockingIo, None;
            /// A timerfd: a timer, not IO.
            TimerFd = 11, "timerfd", Timer, None;
            /// A signalfd.
            SignalFd = 12, "signalfd", BlockingIo, None;
            /// An inotify or fanotify descriptor.
            Inotify = 13, "inotify", BlockingIo, None;
            /// A descriptor of another anonymous kind (pidfd, perf, userfaultfd, BPF).
            AnonFd = 14, "anonfd", BlockingIo, None;
            /// A call on a descriptor that is not open.
            BadFd = 15, "bad-fd", Other, None;
            /// `accept` on a listening socket.
            Accept = 16, "accept", Accept, None;
            /// The `futex` calls: a lock, a condition variable, a join.
            Futex = 17, "futex", Lock, None;
            /// `nanosleep`, `clock_nanosleep`: a timer.
            Sleep = 18, "sleep", Timer, None;
            /// `epoll_wait`, `poll`, `select`: an event wait, already async.
            EventWait = 19, "event-wait", EventWait, None;
            /// `io_uring_enter`: a completion wait, already async.
            IoUring = 20, "io_uring", EventWait, None;
            /// `io_getevents`: a completion wait of Linux AIO, already async.
            LinuxAio = 21, "linux-aio", EventWait, None;
            /// `wait4`, `waitid`: a child.
            ChildWait = 22, "child", Other, None;
            /// `pause`, `sigsuspend`, `sigtimedwait`: a signal.
            Signal = 23, "signal", Other, None;
            /// `flock`, `fcntl`: a lock on a file.
            FileLock = 24, "file-lock", Lock, None;
            /// System V and POSIX message queues and semaphores.
            Ipc = 25, "sysv-ipc", Other, None;
            /// No syscall: a page fault that had to wait.
            PageFault = 26, "page-fault", Other, Page;
            /// Stopped by a signal.
            Stopped = 27, "stopped", Other, None;
            /// Leaving: `exit`, `exit_group`.
            Exit = 28, "exit", Other, None;
            /// A syscall of the 32-bit table, in recordings of before 2026-11-29: now each has the
            /// class of what it waits for.
            Compat = 29, "compat32", Other, None;
            /// Any other syscall, shown by its name.
            Other = 30, "other", Other, None;
            /// No syscall and no page fault: on the way back to user space (signals, task work).
            Kernel = 31, "kernel", Other, None;
            /// Any call that slept and that its own time limit ended: a timer.
            Timeout = 32, "timeout", Timer, None;
            /// `fsync` and the like, waiting for the file system's journal to be written.
            Journal = 33, "journal", BlockingIo, Journal;
            /// Frozen by a cgroup, or for suspend.
            Frozen = 34, "frozen", Other, None;
            /// Stopped by a tracer.
            Traced = 35, "traced", Other, None;
        }
    };
}

macro_rules! on_wire {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $said:literal, $family:ident, $storage:ident;)*) => {
        /// What a block waits for. Its number is its place in `ALL`: the check at the end of this
        /// file fails the build where it is not.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BlockClass {
            $($(#[$doc])* $name = $number,)*
        }

        /// How many classes there are; arrays per class have this length.
        pub const CLASS_COUNT: usize = [$($number),*].len();

        impl BlockClass {
            /// Every class, in wire order.
            pub const ALL: [Self; CLASS_COUNT] = [$(Self::$name),*];

            /// The family this class is reported in.
            pub const fn family(self) -> Family {
                match self { $(Self::$name => Family::$family,)* }
            }

            /// The storage device that ends the wait.
            pub const fn storage(self) -> Storage {
                match self { $(Self::$name => Storage::$storage,)* }
            }
        }
    };
}
classes!(on_wire);

/// The families that the reports keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Blocking IO on one descriptor: what an async version would wait for in its event loop.
    BlockingIo,
    /// An event or completion wait: what an async program already does.
    EventWait,
    /// A wait for a lock.
    Lock,
    /// A sleep for a set time.
    Timer,
    /// A wait for the next connection.
    Accept,
    /// Everything else, by its name.
    Other,
}

/// A storage device that ends a wait. Readiness (epoll) gains nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// No device ends the wait.
    None,
    /// It serves a request on a file that the waiting thread made.
    File,
    /// It serves one that another thread made for its file: the journal.
    Journal,
    /// It reads a page for memory.
    Page,
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
    /// The number on the wire.
    pub const fn wire(self) -> u8 {
        self as u8
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

    /// Whether a peer sends data on a descriptor of this class, by number: a network socket or a
    /// terminal. A pipe or a Unix socket may as well be a loop's own waker.
    #[inline(always)]
    pub const fn is_connection(wire: u8) -> bool {
        wire == Self::Tcp as u8 || wire == Self::Udp as u8 || wire == Self::SocketOther as u8 || wire == Self::Tty as u8
    }

    /// Decodes the number on the wire; `None` for a number that no class has.
    pub const fn from_wire(raw: u8) -> Option<Self> {
        if (raw as usize) < CLASS_COUNT { Some(Self::ALL[raw as usize]) } else { None }
    }

    /// Whether the wait is for a file, so that a storage device ends it and no peer.
    pub const fn is_file(self) -> bool {
        matches!(self.storage(), Storage::File | Storage::Journal)
    }

    /// Whether a request of the waiting thread's own may be at a device meanwhile. The kernel
    /// programs name the same ones where a block ends.
    pub const fn is_at_device(self) -> bool {
        matches!(self.storage(), Storage::File | Storage::Page)
    }
}

// A variant whose number is not its place in ALL would decode as another.
const _: () = {
    let mut i = 0;
    while i < CLASS_COUNT {
        assert!(BlockClass::ALL[i] as usize == i);
        i += 1;
    }
    // A bit for each in `BLOCKING_IO_MASK`.
    assert!(CLASS_COUNT <= 64);
};
