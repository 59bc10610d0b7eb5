//! The calls that std does not wrap, each with its reason to be here.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use io_uring::IoUring;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::CpuSet;
use rustix::time::{ClockId, Timespec};

/// Connections that may wait to be accepted: more than a load opens at once.
const BACKLOG: i32 = 4096;
/// Events that one wait returns at most; mio's number.
const EVENTS: usize = 1024;

/// `CLOCK_MONOTONIC`, in ns.
pub(crate) fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// A length in ns as the kernel takes it.
pub(crate) fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000).cast_signed(), tv_nsec: (ns % 1_000_000_000).cast_signed() }
}

/// Nothing of the lab outlives who started it.
pub(crate) fn die_with_parent() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).context("PR_SET_PDEATHSIG")
}

/// Keeps the calling thread, and those it starts later, on these CPUs; none: where it is.
pub(crate) fn keep_on(cpus: &[usize]) -> Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        anyhow::ensure!(*cpu < CpuSet::MAX_CPU, "there is no CPU {cpu}");
        set.set(*cpu);
    }
    rustix::thread::sched_setaffinity(None, &set).with_context(|| format!("keeping to CPUs {cpus:?}"))
}

/// A listener on loopback, and its port. Not std's: its backlog of 128 drops a load's 512
/// connections.
pub(crate) fn listen() -> Result<(TcpListener, u16)> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .context("making a socket")?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).context("binding to loopback")?;
    rustix::net::listen(&socket, BACKLOG).context("listening")?;
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().context("asking for the port")?.port();
    Ok((listener, port))
}

/// A connection to a port on loopback, without Nagle's delay.
pub(crate) fn connect(port: u16) -> Result<TcpStream> {
    let stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("connecting to port {port}"))?;
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    Ok(stream)
}

/// Whether a peer that ends its connection looks like this.
pub(crate) fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// An io_uring for the thread that calls this and no other (6.1), or a plain one.
pub(crate) fn ring(entries: u32) -> Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(entries)
        .or_else(|_| IoUring::new(entries))
        .context("io_uring_setup")
}

/// A descriptor that became ready, by its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: u64,
}

/// An epoll instance, with room for its events.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let epoll =
            rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).context("epoll_create1")?;
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS] })
    }

    /// Adds a descriptor for reading, level-triggered.
    pub(crate) fn add_level(&self, fd: &impl AsRawFd, token: u64) -> Result<()> {
        self.add(fd, token, libc::EPOLLIN)
    }

    /// Edge-triggered, for both directions: registered once, never changed.
    pub(crate) fn add_edge(&self, fd: &impl AsRawFd, token: u64) -> Result<()> {
        self.add(fd, token, libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET)
    }

    fn add(&self, fd: &impl AsRawFd, token: u64, flags: libc::c_int) -> Result<()> {
        let mut event = libc::epoll_event { events: flags.cast_unsigned(), u64: token };
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: the event lives through the call, and the kernel copies it.
        if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) } != 0 {
            return Err(Error::last_os_error()).context("epoll_ctl");
        }
        Ok(())
    }

    /// Waits until something is ready, or for `timeout_ns`. Returns how many [`ready`](Self::ready)
    /// knows of.
    pub(crate) fn wait(&mut self, timeout_ns: Option<u64>) -> Result<usize> {
        let (epoll, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        let found = match timeout_ns {
            // SAFETY: the buffer holds EVENTS events.
            None => unsafe { libc::epoll_wait(epoll, events, EVENTS as libc::c_int, -1) }.into(),
            // epoll_wait's timeout is in milliseconds.
            Some(ns) => {
                let timeout = libc::timespec {
                    tv_sec: (ns / 1_000_000_000).cast_signed(),
                    tv_nsec: (ns % 1_000_000_000).cast_signed(),
                };
                // SAFETY: the buffer holds EVENTS events, the timeout lives through the call, and
                // no mask is given.
                unsafe {
                    libc::syscall(
                        libc::SYS_epoll_pwait2,
                        epoll,
                        events,
                        EVENTS,
                        &raw const timeout,
                        std::ptr::null::<libc::sigset_t>(),
                        0usize,
                    )
                }
            }
        };
        match usize::try_from(found) {
            Ok(found) => Ok(found),
            Err(_) => match Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => Ok(0),
                error => Err(error).context("waiting for events"),
            },
        }
    }

    /// The event at `index` of the last wait.
    pub(crate) fn ready(&self, index: usize) -> Ready {
        Ready { token: self.events[index].u64 }
    }
}
