//! Kinds in which the driver ends every wait: it acts only once the worker is asleep in the call,
//! so each call blocks exactly once.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{EventfdFlags, FdSetElement, PollFd, PollFlags, epoll, fd_set_insert, fd_set_num_elements, select};
use rustix::thread::futex;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::Deed;
use crate::worker::{Cell, Worker};
use crate::{probe, sys};

/// A blocking call on the worker; returns the bytes it got.
pub(crate) type Call = Box<dyn FnMut(&Cell) -> Result<u64> + Send>;

/// What ends a worker's wait, on the driver; gets the worker's cell.
pub(crate) type Wake = Box<dyn FnMut(&Cell) -> Result<()>>;

/// One worker's calls and the driver's answer to each.
pub(crate) struct Service {
    pub(crate) class: &'static str,
    pub(crate) syscall: &'static str,
    /// Numbers under which the kernel may show the call.
    pub(crate) numbers: Vec<i64>,
    pub(crate) call: Call,
    pub(crate) wake: Wake,
    /// Calls beside each call that never block.
    pub(crate) beside: &'static [&'static str],
    /// Another class, and how many of the calls may count as it: event waits that come before the
    /// kernel side knows what the thread waits for.
    pub(crate) other: (&'static str, u64),
    /// What the worker does, on the CPU, after each call and before the next.
    pub(crate) settle: Option<Box<dyn FnMut() + Send>>,
}

impl Service {
    pub(crate) fn new(
        class: &'static str,
        syscall: &'static str,
        number: i64,
        call: impl FnMut(&Cell) -> Result<u64> + Send + 'static,
        wake: impl FnMut(&Cell) -> Result<()> + 'static,
    ) -> Self {
        Self {
            class,
            syscall,
            numbers: vec![number],
            call: Box::new(call),
            wake: Box::new(wake),
            beside: &[],
            other: ("event-wait", 0),
            settle: None,
        }
    }
}

/// The driver's half of one worker.
pub(crate) struct Waker {
    pub(crate) numbers: Vec<i64>,
    pub(crate) wake: Wake,
}

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let calls = args.calls();
    if args.kind == Kind::Signalfd && args.workers() != 1 {
        bail!("signalfd takes one worker: a signal wakes every reader of the process's signalfds");
    }
    let services: Result<_> = (0..args.workers()).map(|_| service(args.kind, calls)).collect();
    play(args, services?)
}

/// A worker for each service.
pub(crate) fn play(args: &Args, services: Vec<Service>) -> Result<Play> {
    let calls = args.calls();
    let hold = Duration::from_micros(args.us.unwrap_or(0));
    let mut workers = Vec::with_capacity(services.len());
    let mut wakers = Vec::with_capacity(services.len());
    for Service { class, syscall, numbers, mut call, wake, beside, other, mut settle } in services {
        wakers.push(Waker { numbers, wake });
        workers.push(Worker::spawn("served", move |cell| {
            let mut deed = Deed::new(class, syscall);
            for turn in 1..=calls {
                let begun = Instant::now();
                cell.begin(turn);
                deed.bytes += call(cell)?;
                deed.blocked_max += begun.elapsed();
                if let Some(settle) = &mut settle {
                    settle();
                }
            }
            let (other, of_other) = (other.0, other.1.min(calls));
            deed.calls = calls - of_other;
            deed.blocks = calls - of_other;
            deed.other_calls = beside.iter().map(|name| (*name, calls)).collect();
            if of_other > 0 {
                deed.other_blocks.push((other, of_other));
                deed.other_calls.push((syscall, of_other));
            }
            Ok(deed)
        })?);
    }
    Ok(Play {
        workers,
        action: Box::new(move |workers| {
            for worker in workers {
                worker.release()?;
            }
            for turn in 1..=calls {
                for (worker, waker) in workers.iter().zip(&mut wakers) {
                    worker.await_asleep(turn, &waker.numbers)?;
                    worker.hold_then(hold, || (waker.wake)(worker.cell()))?;
                }
            }
            Ok(())
        }),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

fn service(kind: Kind, calls: u64) -> Result<Service> {
    match kind {
        Kind::Pipe => pipe_reader(),
        Kind::ManyThreads => Ok(Service::new(
            "pipe",
            "read",
            libc::SYS_read,
            |cell| one_byte(&mut cell.gate()),
            |cell| Ok(cell.gate().write_all(b"x")?),
        )),
        Kind::SocketTcp => tcp_receiver(),
        Kind::SocketUnix => unix_receiver(),
        Kind::SocketUdp => udp_receiver(),
        Kind::Futex => Ok(futex_waiter()),
        Kind::Eventfd => event_reader(),
        Kind::Epoll => epoll_loop(),
        Kind::EpollOne => polled_receiver(By::Epoll, Watch::ONE),
        Kind::EpollTwo => polled_receiver(By::Epoll, Watch::TWO),
        Kind::EpollThree => polled_receiver(By::Epoll, Watch::THREE),
        Kind::EpollMany => polled_receiver(By::Epoll, Watch::MANY),
        Kind::EpollBusy => polled_receiver(By::Epoll, Watch::BUSY),
        Kind::EpollServer => polled_receiver(By::Epoll, Watch::SERVER),
        Kind::PollListener => polled_listener(),
        Kind::Poll => polled_receiver(By::Poll, Watch::ONE),
        Kind::PollTwo => polled_receiver(By::Poll, Watch::TWO),
        Kind::PollThree => polled_receiver(By::Poll, Watch::THREE),
        Kind::PollMany => polled_receiver(By::Poll, Watch::MANY),
        Kind::PollServer => polled_receiver(By::Poll, Watch::SERVER),
        Kind::PollRelay => polled_receiver(By::Poll, Watch::RELAY),
        Kind::SelectRelay => polled_receiver(By::Select, Watch::RELAY),
        Kind::Select => polled_receiver(By::Select, Watch::ONE),
        Kind::SelectTwo => polled_receiver(By::Select, Watch::TWO),
        Kind::SelectThree => polled_receiver(By::Select, Watch::THREE),
        Kind::SelectMany => polled_receiver(By::Select, Watch::MANY),
        Kind::SelectServer => polled_receiver(By::Select, Watch::SERVER),
        Kind::Accept => acceptor(),
        Kind::Wait4 => child_waiter(calls),
        Kind::Int80 | Kind::Int80Recv | Kind::Int80Poll | Kind::Int80Select => compat_waiter(kind),
        Kind::Tty => tty_reader(),
        Kind::Timerfd => timer_reader(),
        Kind::Signalfd => signal_reader(),
        _ => bail!("{kind:?} is not served by the driver"),
    }
}

/// Blocking receives of one byte from a TCP connection.
fn tcp_receiver() -> Result<Service> {
    let (mut near, mut far) = sys::tcp()?;
    let call = move |_: &Cell| one_byte(&mut far);
    Ok(Service::new("tcp", "recvfrom", libc::SYS_recvfrom, call, move |_| Ok(near.write_all(b"x")?)))
}

/// rustix takes whichever of these the C library's kernel headers promise.
#[cfg(target_arch = "x86_64")]
const MORE_EPOLL_WAITS: &[i64] = &[libc::SYS_epoll_pwait2, libc::SYS_epoll_wait];
#[cfg(not(target_arch = "x86_64"))]
const MORE_EPOLL_WAITS: &[i64] = &[libc::SYS_epoll_pwait2];

/// The call that waits for descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Poll,
    Select,
    Epoll,
}

impl By {
    /// Waits until the first of these can be read. Returns how many can.
    fn wait(self, ends: &[BorrowedFd<'_>], queue: &OwnedFd) -> Result<usize> {
        let long = Timespec { tv_sec: 300, tv_nsec: 0 };
        match self {
            Self::Poll => {
                let mut ends: Vec<PollFd<'_>> = ends.iter().map(|end| PollFd::new(end, PollFlags::IN)).collect();
                Ok(rustix::event::poll(&mut ends, Some(&long))?)
            }
            Self::Epoll => {
                let mut room = [MaybeUninit::<epoll::Event>::uninit(); 4];
                Ok(epoll::wait(queue, &mut room[..], None)?.0.len())
            }
            Self::Select => {
                let numbers: Vec<i32> = ends.iter().map(AsRawFd::as_raw_fd).collect();
                let beyond = numbers.iter().max().map_or(0, |most| most + 1);
                let mut set = vec![FdSetElement::default(); fd_set_num_elements(numbers.len(), beyond)];
                numbers.iter().for_each(|&number| fd_set_insert(&mut set, number));
                // SAFETY: the descriptors are open, and the set has room for all of them.
                Ok(usize::try_from(unsafe { select(beyond, Some(&mut set), None, None, Some(&long)) }?)?)
            }
        }
    }

    fn syscall(self) -> (&'static str, i64) {
        match self {
            Self::Poll => ("ppoll", libc::SYS_ppoll),
            Self::Select => ("pselect6", libc::SYS_pselect6),
            Self::Epoll => ("epoll_pwait", libc::SYS_epoll_pwait),
        }
    }
}

/// What a call that waits looks at.
#[derive(Clone, Copy)]
struct Watch {
    /// TCP connections that are open.
    connections: usize,
    /// So many of them get a byte, in turns; the others never do.
    busy: usize,
    /// Pipes that never end the wait: how servers are told to end.
    pipes: usize,
    /// Whether the socket that the connections came by is watched, too.
    listener: bool,
}

impl Watch {
    const ONE: Self = Self { connections: 1, busy: 1, pipes: 0, listener: false };
    const TWO: Self = Self { pipes: 1, ..Self::ONE };
    const THREE: Self = Self { pipes: 2, ..Self::ONE };
    /// A loop with eight busy clients.
    const MANY: Self = Self { connections: 8, busy: 8, pipes: 0, listener: false };
    /// A proxy's thread: its client and its server.
    const RELAY: Self = Self { connections: 2, busy: 2, pipes: 0, listener: false };
    /// A loop with one busy client.
    const BUSY: Self = Self { busy: 1, ..Self::MANY };
    /// A loop with one client.
    const SERVER: Self = Self { listener: true, ..Self::TWO };

    /// What its waits are for, and how many of the first ones count as event waits. Which of a few
    /// connections a poll waits for is known when one has ended a wait. Which file of an epoll it
    /// is, is known when that file has ended four more.
    fn class(self, by: By) -> (&'static str, u64) {
        match self.connections + self.pipes {
            1 if !self.listener => ("tcp", 0),
            2 | 3 if !self.listener => ("tcp", if by == By::Epoll || self.pipes > 0 { 5 } else { 1 }),
            _ => ("event-wait", 0),
        }
    }
}

/// Receives of one byte from TCP connections, each after a call that waits for it.
fn polled_receiver(by: By, watch: Watch) -> Result<Service> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..watch.connections {
        near.push(TcpStream::connect(listener.local_addr()?).context("connecting over loopback")?);
        far.push(listener.accept()?.0);
    }
    near.iter().try_for_each(|near| near.set_nodelay(true))?;
    let pipes = (0..watch.pipes).map(|_| sys::pipe()).collect::<Result<Vec<_>>>()?;
    let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut turn = 0;
    let mut ends: Vec<OwnedFd> = Vec::new();
    for end in far.iter().map(AsFd::as_fd).chain(readers.iter().map(AsFd::as_fd)) {
        ends.push(end.try_clone_to_owned()?);
    }
    if watch.listener {
        ends.push(listener.into());
    }
    if by == By::Epoll {
        for (end, number) in ends.iter().zip(1..) {
            epoll::add(&queue, end, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
        }
    }
    let call = move |_: &Cell| {
        let ends: Vec<BorrowedFd<'_>> = ends.iter().map(AsFd::as_fd).collect();
        let ready = by.wait(&ends, &queue)?;
        ensure!(ready == 1, "{ready} descriptors are ready");
        one_byte(&mut far[turn])?;
        turn = (turn + 1) % watch.busy;
        // The row is about the wait, which moves no bytes.
        Ok(0)
    };
    let (class, unknown) = watch.class(by);
    let (name, number) = by.syscall();
    let mut next = 0;
    let mut service = Service::new(class, name, number, call, move |_| {
        let _open = &writers;
        near[next].write_all(b"x")?;
        next = (next + 1) % watch.busy;
        Ok(())
    });
    if by == By::Epoll {
        service.numbers.extend(MORE_EPOLL_WAITS);
    }
    service.other.1 = unknown;
    service.beside = &["recvfrom"];
    Ok(service)
}

/// Polls of a listener, each before an accept that does not wait.
fn polled_listener() -> Result<Service> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    let address = listener.local_addr()?;
    let call = move |_: &Cell| {
        let mut end = [PollFd::new(&listener, PollFlags::IN)];
        let ready = rustix::event::poll(&mut end, Some(&Timespec { tv_sec: 300, tv_nsec: 0 }))?;
        ensure!(ready == 1, "{ready} descriptors are ready");
        drop(listener.accept()?);
        Ok(0)
    };
    let mut service = Service::new("accept", "ppoll", libc::SYS_ppoll, call, move |_| {
        drop(TcpStream::connect(address)?);
        Ok(())
    });
    service.beside = &["accept4", "close"];
    Ok(service)
}

/// Blocking receives of one byte from a unix stream socket.
fn unix_receiver() -> Result<Service> {
    let (mut near, mut far) = UnixStream::pair()?;
    // std receives from a unix stream by recv on Linux, as from a TCP one.
    let call = move |_: &Cell| one_byte(&mut far);
    let mut service = Service::new("unix", "recvfrom", libc::SYS_recvfrom, call, move |_| Ok(near.write_all(b"x")?));
    service.numbers.push(libc::SYS_read);
    Ok(service)
}

/// Blocking receives of one byte from a UDP socket.
fn udp_receiver() -> Result<Service> {
    let far = UdpSocket::bind("127.0.0.1:0")?;
    let near = UdpSocket::bind("127.0.0.1:0")?;
    near.connect(far.local_addr()?)?;
    let call = move |_: &Cell| Ok(u64::try_from(far.recv(&mut [0u8; 1])?)?);
    Ok(Service::new("udp", "recvfrom", libc::SYS_recvfrom, call, move |_| {
        near.send(b"x")?;
        Ok(())
    }))
}

/// Blocking reads of an eventfd.
fn event_reader() -> Result<Service> {
    let event = Arc::new(eventfd(EventfdFlags::CLOEXEC)?);
    let far = Arc::clone(&event);
    let call = move |_: &Cell| read_counter(&far);
    Ok(Service::new("eventfd", "read", libc::SYS_read, call, move |_| add_one(&event)))
}

/// Blocking accepts. Each accepted connection is closed at once.
fn acceptor() -> Result<Service> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    let address = listener.local_addr()?;
    let call = move |_: &Cell| {
        drop(listener.accept()?);
        Ok(0)
    };
    let mut service = Service::new("accept", "accept4", libc::SYS_accept4, call, move |_| {
        drop(TcpStream::connect(address)?);
        Ok(())
    });
    service.beside = &["close"];
    Ok(service)
}

/// Blocking reads of a signalfd.
fn signal_reader() -> Result<Service> {
    let mut signals = File::from(workloads::signalfd(libc::SIGUSR1)?);
    let call = move |_: &Cell| Ok(u64::try_from(signals.read(&mut [0u8; size_of::<libc::signalfd_siginfo>()])?)?);
    Ok(Service::new("signalfd", "read", libc::SYS_read, call, |cell| sys::signal_thread(cell.tid(), libc::SIGUSR1)))
}

/// Blocking reads of one byte from a pipe.
pub(crate) fn pipe_reader() -> Result<Service> {
    let (mut reader, mut writer) = sys::pipe()?;
    let call = move |_: &Cell| one_byte(&mut reader);
    Ok(Service::new("pipe", "read", libc::SYS_read, call, move |_| Ok(writer.write_all(b"x")?)))
}

fn one_byte(from: &mut impl Read) -> Result<u64> {
    let got = from.read(&mut [0u8; 1])?;
    ensure!(got == 1, "the other end is closed");
    Ok(1)
}

fn futex_waiter() -> Service {
    let word = Arc::new(AtomicU32::new(0));
    let far = Arc::clone(&word);
    let mut seen = 0;
    let call = move |_: &Cell| {
        // EAGAIN would mean that the word changed before the wait: the driver never does that, so
        // it is an error here.
        futex::wait(&far, futex::Flags::PRIVATE, seen, None).context("FUTEX_WAIT")?;
        seen = far.load(Ordering::Acquire);
        Ok(0)
    };
    Service::new("futex", "futex", libc::SYS_futex, call, move |_| {
        word.fetch_add(1, Ordering::Release);
        let woken = futex::wake(&word, futex::Flags::PRIVATE, 1).context("FUTEX_WAKE")?;
        ensure!(woken == 1, "FUTEX_WAKE woke {woken} threads");
        Ok(())
    })
}

/// The kworker that delivered a byte may still be at it when the reader comes back, and a read that
/// begins meanwhile waits for it (`tty_buffer_flush_work` in the kernel's n_tty_read): a block too
/// many. So the reader spins until the driver has waited for the kworker in its stead, which is
/// what a poll of an empty terminal does.
fn tty_reader() -> Result<Service> {
    let (mut slave, mut master) = sys::raw_pty()?;
    let watched = slave.try_clone()?;
    let (consumed, quiet) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (consumed_here, quiet_here) = (Arc::clone(&consumed), Arc::clone(&quiet));
    let call = move |_: &Cell| one_byte(&mut slave);
    let mut service = Service::new("tty", "read", libc::SYS_read, call, move |_| {
        let before = consumed_here.load(Ordering::Acquire);
        master.write_all(b"x")?;
        while consumed_here.load(Ordering::Acquire) == before {
            probe::pause();
        }
        let mut watch = [PollFd::new(&watched, PollFlags::IN)];
        let ready = rustix::event::poll(&mut watch, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        ensure!(ready == 0, "the terminal still has input");
        quiet_here.fetch_add(1, Ordering::Release);
        Ok(())
    });
    service.settle = Some(Box::new(move || {
        let turn = consumed.fetch_add(1, Ordering::AcqRel) + 1;
        while quiet.load(Ordering::Acquire) != turn {
            std::hint::spin_loop();
        }
    }));
    Ok(service)
}

/// An event loop that is asleep in `epoll_wait` before each of its events.
fn epoll_loop() -> Result<Service> {
    let event = Arc::new(eventfd(EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&queue, &*event, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    let far = Arc::clone(&event);
    let call = move |_: &Cell| {
        let mut room = [MaybeUninit::<epoll::Event>::uninit(); 4];
        let (ready, _) = epoll::wait(&queue, &mut room[..], None)?;
        ensure!(ready.len() == 1, "epoll_wait returned {} events", ready.len());
        // The row is about the wait, which moves no bytes.
        read_counter(&far)?;
        Ok(0)
    };
    let mut service = Service::new("event-wait", "epoll_pwait", libc::SYS_epoll_pwait, call, move |_| add_one(&event));
    service.numbers.extend(MORE_EPOLL_WAITS);
    service.beside = &["read"];
    Ok(service)
}

/// Waits for children that were forked beforehand, and exit one by one when the driver opens their
/// gates.
fn child_waiter(calls: u64) -> Result<Service> {
    let mut gates = Vec::new();
    let mut children = Vec::new();
    for _ in 0..calls {
        let (reader, writer) = sys::pipe()?;
        children.push(sys::fork_gated(&reader, || ())?);
        gates.push(writer);
    }
    let (mut children, mut gates) = (children.into_iter(), gates.into_iter());
    let call = move |_: &Cell| {
        sys::wait_for(children.next().context("no child left")?)?;
        Ok(0)
    };
    Ok(Service::new("child", "wait4", libc::SYS_wait4, call, move |_| {
        Ok(gates.next().context("no gate left")?.write_all(b"x")?)
    }))
}

fn timer_reader() -> Result<Service> {
    let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let mut far = File::from(timer.try_clone()?);
    let call = move |_: &Cell| Ok(u64::try_from(far.read(&mut [0u8; 8])?)?);
    Ok(Service::new("timerfd", "read", libc::SYS_read, call, move |_| {
        let soon = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: 0, tv_nsec: 1 },
        };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &soon)?;
        Ok(())
    }))
}

fn eventfd(flags: EventfdFlags) -> Result<File> {
    Ok(File::from(rustix::event::eventfd(0, flags).context("eventfd")?))
}

fn read_counter(mut event: &File) -> Result<u64> {
    Ok(u64::try_from(event.read(&mut [0u8; 8])?)?)
}

fn add_one(mut event: &File) -> Result<()> {
    Ok(event.write_all(&1u64.to_ne_bytes())?)
}

/// Calls of the 32-bit table that wait.
#[cfg(target_arch = "x86_64")]
fn compat_waiter(kind: Kind) -> Result<Service> {
    use crate::compat::Of;

    let of = match kind {
        Kind::Int80Recv => Of::Recv,
        Kind::Int80Poll => Of::Poll,
        Kind::Int80Select => Of::Select,
        _ => Of::Read,
    };
    let mut waiting = of.waiting()?;
    let (class, name, number) = (waiting.class, waiting.name, waiting.number);
    let mut service = Service::new(class, name, number, move |_| (waiting.call)(), move |_| (waiting.wake)());
    service.beside = waiting.beside;
    service.other.1 = waiting.unknown;
    Ok(service)
}

#[cfg(not(target_arch = "x86_64"))]
fn compat_waiter(kind: Kind) -> Result<Service> {
    bail!("unsupported: {kind:?} exists on x86_64 only")
}
