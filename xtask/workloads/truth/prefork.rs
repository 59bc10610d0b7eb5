//! A master that does next to nothing while its children work: what happens below the process that
//! is measured.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Counters, Deed, Row};
use crate::sys;

/// Children that live, two and two of which talk to each other.
const CHILDREN: usize = 4;
/// How often a master looks after its children.
const TICK: Duration = Duration::from_millis(10);
/// What a child computes that is started anew for each tick.
const ROUND: Duration = Duration::from_millis(8);

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let long = Duration::from_millis(args.ms.unwrap_or(1500));
    let kind = args.kind;
    let (mut gate, mut opener) = sys::pipe()?;
    let children = if kind == Kind::PreforkReaped { Vec::new() } else { pairs(&gate)? };
    let used = Rc::new(RefCell::new(Vec::new()));
    let rows = Rc::clone(&used);
    let action = move |_: &[_]| {
        let (before, start, begun) = (Counters::now()?, children_ended(), Instant::now());
        opener.write_all(&[b'x'; CHILDREN][..children.len()])?;
        while begun.elapsed() < long {
            match kind {
                Kind::PreforkSelect => tick(false)?,
                Kind::PreforkEpoll => tick(true)?,
                Kind::PreforkReaped => reap_one(&mut gate, &mut opener)?,
                other => bail!("{other:?} is no master"),
            }
        }
        let mut delta = Counters::now()?.since(&before);
        for &child in &children {
            delta.cpu = cpu_of(child)?;
            rows.borrow_mut().push(Row { tid: child, deed: Deed::new("unix", "read"), delta, parked: false });
        }
        if kind == Kind::PreforkReaped {
            delta.cpu = children_ended() - start;
            rows.borrow_mut().push(Row { tid: 0, deed: Deed::new("none", "none"), delta, parked: false });
        }
        Ok(())
    };
    Ok(Play {
        workers: Vec::new(),
        action: Box::new(action),
        more_rows: Box::new(move || used.take()),
        extra: Vec::new(),
    })
}

/// Children that wait at the gate, then send each other a byte for ever.
fn pairs(gate: &File) -> Result<Vec<i32>> {
    let mut children = Vec::new();
    for _ in 0..CHILDREN / 2 {
        let (near, far) = UnixStream::pair()?;
        for (end, begins) in [(OwnedFd::from(near), true), (OwnedFd::from(far), false)] {
            children.push(sys::fork_gated(gate, || talk(&end, begins))?);
        }
    }
    Ok(children)
}

/// Runs in a child: raw calls only.
fn talk(end: &OwnedFd, begins: bool) {
    let fd = end.as_raw_fd();
    let byte = [b'x'; 1];
    // SAFETY: both calls have a buffer of one byte, which lives as long as they do.
    unsafe {
        if begins {
            libc::write(fd, byte.as_ptr().cast(), 1);
        }
        let mut got = [0u8; 1];
        while libc::read(fd, got.as_mut_ptr().cast(), 1) == 1 && libc::write(fd, byte.as_ptr().cast(), 1) == 1 {}
    }
}

/// Asks a server again and again, with a pause before each. Runs in a child: raw calls only.
pub(crate) fn ask(server: &TcpStream, pause: Duration) {
    let fd = server.as_raw_fd();
    let mut message = [b'x'; 64];
    let pause = libc::timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
    // SAFETY: the calls have a time and a buffer of 64 bytes, which live as long as they do.
    unsafe {
        while libc::write(fd, message.as_ptr().cast(), 64) == 64 && libc::read(fd, message.as_mut_ptr().cast(), 64) > 0
        {
            libc::nanosleep(&raw const pause, std::ptr::null_mut());
        }
    }
}

/// Waits for nothing, as an arbiter does between two looks at its children.
fn tick(by_epoll: bool) -> Result<()> {
    let ms = TICK.as_millis() as i32;
    if by_epoll {
        let nothing = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?;
        let mut events: [libc::epoll_event; 1] = [libc::epoll_event { events: 0, u64: 0 }];
        // SAFETY: room for one event.
        let got = unsafe { libc::epoll_wait(nothing.as_raw_fd(), events.as_mut_ptr(), 1, ms) };
        ensure!(got == 0, "epoll_wait of nothing returned {got}");
        return Ok(());
    }
    let mut limit = libc::timeval { tv_sec: 0, tv_usec: libc::suseconds_t::from(ms) * 1000 };
    let none = std::ptr::null_mut();
    // SAFETY: no set of descriptors, and a limit that lives as long as the call.
    let got = unsafe { libc::select(0, none, none, none, &raw mut limit) };
    ensure!(got == 0, "select of nothing returned {got}");
    Ok(())
}

/// Starts a child that computes and ends, and waits for it.
fn reap_one(gate: &mut File, opener: &mut File) -> Result<()> {
    let child = sys::fork_gated(gate, || {
        let begun = Instant::now();
        while begun.elapsed() < ROUND {
            std::hint::spin_loop();
        }
    })?;
    opener.write_all(b"x")?;
    sys::wait_for(child)
}

/// CPU of a process, by its clock.
fn cpu_of(pid: i32) -> Result<Duration> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: room for the clock's id.
    ensure!(unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) } == 0, "child {pid} has gone");
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the time.
    ensure!(unsafe { libc::clock_gettime(clock, &raw mut time) } == 0, "child {pid} has no clock");
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec).context("a time")?))
}

/// CPU of the children that have been waited for.
fn children_ended() -> Duration {
    // SAFETY: all zeroes is a value of it, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let time = |t: libc::timeval| Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64);
    time(usage.ru_utime) + time(usage.ru_stime)
}
