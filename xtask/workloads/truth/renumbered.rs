//! Kinds in which one descriptor's number becomes another file between two reads: by turns a pipe
//! and a TCP connection. What the number was before says nothing of what it is.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Context, Result, ensure};
use io_uring::{IoUring, opcode, types::Fd};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::served::{self, Service};
use crate::sys;
use crate::worker::Cell;

/// The number: above those that the harness opens.
const NUMBER: RawFd = 500;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let calls = args.calls();
    let services = match args.kind {
        Kind::FdTable => vec![of_one_file(false)?, of_one_file(true)?],
        kind => vec![by_turns(kind, calls)?],
    };
    served::play(args, services)
}

/// What is read, and what ends the wait for it.
struct Ends {
    pipe: (File, File),
    tcp: (TcpStream, TcpStream),
}

impl Ends {
    fn new() -> Result<Self> {
        let (near, far) = sys::tcp()?;
        Ok(Self { pipe: sys::pipe()?, tcp: (far, near) })
    }
}

/// A worker whose number is a pipe, then a TCP connection, and so on.
fn by_turns(kind: Kind, calls: u64) -> Result<Service> {
    let Ends { pipe: (reader, mut writer), tcp: (far, mut near) } = Ends::new()?;
    let files = [OwnedFd::from(reader), OwnedFd::from(far)];
    become_file(&files[0])?;
    let mut change = changer(kind)?;
    let (mut turn, mut woken) = (0, 0);
    let call = move |_: &Cell| {
        if turn > 0 {
            change(&files[turn % 2])?;
        }
        turn += 1;
        // The bytes of the row are those of the pipe.
        Ok(read_number()? * (turn as u64 % 2))
    };
    let wake = move |_: &Cell| {
        woken += 1;
        let far: &mut dyn Write = if woken % 2 == 1 { &mut writer } else { &mut near };
        far.write_all(b"x")?;
        Ok(())
    };
    let mut service = Service::new("pipe", "read", libc::SYS_read, call, wake);
    service.other = ("tcp", calls / 2);
    Ok(service)
}

/// A worker that always reads the same file. Two of them with a table of their own give the same
/// number to different files.
fn of_one_file(is_tcp: bool) -> Result<Service> {
    let Ends { pipe: (reader, mut writer), tcp: (far, mut near) } = Ends::new()?;
    let file = if is_tcp { OwnedFd::from(far) } else { OwnedFd::from(reader) };
    let mut is_new = true;
    let call = move |_: &Cell| {
        if std::mem::take(&mut is_new) {
            // SAFETY: the thread gets a copy of the table; nobody else sees what it does with it.
            ensure!(unsafe { libc::unshare(libc::CLONE_FILES) } == 0, "unshare: {}", std::io::Error::last_os_error());
            become_file(&file)?;
        }
        read_number()
    };
    let wake = move |_: &Cell| {
        let far: &mut dyn Write = if is_tcp { &mut near } else { &mut writer };
        far.write_all(b"x")?;
        Ok(())
    };
    Ok(Service::new(if is_tcp { "tcp" } else { "pipe" }, "read", libc::SYS_read, call, wake))
}

type Change = Box<dyn FnMut(&OwnedFd) -> Result<()> + Send>;

/// How the number becomes another file.
fn changer(kind: Kind) -> Result<Change> {
    Ok(match kind {
        Kind::FdDup => Box::new(become_file),
        Kind::FdRing => {
            // Never closed: the kernel would then wake every thread that has used it.
            let ring = Box::leak(Box::new(IoUring::new(2).context("io_uring_setup")?));
            let change = move |to: &OwnedFd| {
                // SAFETY: closing takes a number.
                unsafe { ring.submission().push(&opcode::Close::new(Fd(NUMBER)).build())? };
                ring.submit_and_wait(1)?;
                let closed = ring.completion().next().context("no completion")?.result();
                ensure!(closed == 0, "closing gave {closed}");
                duplicate(to)
            };
            Box::new(change)
        }
        _ => {
            let stranger = Stranger::start()?;
            Box::new(move |to: &OwnedFd| stranger.change(to))
        }
    })
}

/// `dup2` of a file over the number.
fn become_file(file: &OwnedFd) -> Result<()> {
    // SAFETY: takes numbers; what NUMBER was is not used otherwise.
    let made = unsafe { libc::dup2(file.as_raw_fd(), NUMBER) };
    ensure!(made == NUMBER, "dup2: {}", std::io::Error::last_os_error());
    Ok(())
}

/// A copy of a file at the number, which must be free.
fn duplicate(file: &OwnedFd) -> Result<()> {
    // SAFETY: takes numbers.
    let made = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, NUMBER) };
    ensure!(made == NUMBER, "{made} in place of {NUMBER}");
    Ok(())
}

fn read_number() -> Result<u64> {
    let mut byte = 0u8;
    // SAFETY: the buffer is one byte long.
    let got = unsafe { libc::read(NUMBER, (&raw mut byte).cast(), 1) };
    ensure!(got == 1, "a read of {got} bytes: {}", std::io::Error::last_os_error());
    Ok(1)
}

/// Another process that shares the table, and changes it when it is asked to.
struct Stranger {
    /// The descriptor that the number shall be, or [`DONE`].
    order: Arc<AtomicI32>,
}

const DONE: i32 = -1;

impl Stranger {
    fn start() -> Result<Self> {
        let order = Arc::new(AtomicI32::new(DONE));
        let stack = Box::leak(vec![0u8; 64 * 1024].into_boxed_slice()).as_mut_ptr_range().end;
        let arg = Arc::into_raw(Arc::clone(&order)).cast_mut();
        // SAFETY: the function makes raw calls only. The stack and the order are never freed, and
        // the process ends with this one.
        let pid = unsafe { libc::clone(obey, stack.cast(), libc::CLONE_FILES | libc::CLONE_VM, arg.cast()) };
        ensure!(pid > 0, "clone: {}", std::io::Error::last_os_error());
        Ok(Self { order })
    }

    fn change(&self, to: &OwnedFd) -> Result<()> {
        self.order.store(to.as_raw_fd(), Ordering::Release);
        while self.order.load(Ordering::Acquire) != DONE {
            std::hint::spin_loop();
        }
        Ok(())
    }
}

extern "C" fn obey(order: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the order outlives the process; the calls take integers, and touch no memory of the
    // other process's thread but its errno.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let order = &*order.cast::<AtomicI32>();
        loop {
            let to = order.load(Ordering::Acquire);
            if to == DONE {
                libc::usleep(20);
                continue;
            }
            libc::close(NUMBER);
            libc::fcntl(to, libc::F_DUPFD, NUMBER);
            order.store(DONE, Ordering::Release);
        }
    }
}
