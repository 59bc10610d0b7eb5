//! Calls that a seccomp filter answers: refused with an error, refused with a signal, or answered
//! by a supervisor, as container engines do. None of them begins as others do.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::worker::Worker;

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND` of `include/uapi/linux/seccomp.h`
const RECEIVE: libc::Ioctl = 0xc050_2100_u32 as libc::Ioctl;
const SEND: libc::Ioctl = 0xc018_2101_u32 as libc::Ioctl;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let (kind, calls) = (args.kind, args.calls());
    let hold = Duration::from_micros(args.us.unwrap_or(300));
    let (send, supervisor) = channel();
    let worker = Worker::spawn("refused", move |_| refused(kind, calls, &send))?;
    let action = move |workers: &[Worker]| {
        workers.iter().try_for_each(Worker::release)?;
        if kind == Kind::SeccompNotify { supervise(&supervisor, calls, hold) } else { Ok(()) }
    };
    Ok(Play { workers: vec![worker], action: Box::new(action), more_rows: Box::new(Vec::new), extra: Vec::new() })
}

/// Makes so many calls that its own filter answers.
fn refused(kind: Kind, calls: u64, listener: &Sender<OwnedFd>) -> Result<Deed> {
    let answer = match kind {
        Kind::SeccompErrno => libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
        Kind::SeccompTrap => {
            // SAFETY: the handler does nothing.
            unsafe { libc::signal(libc::SIGSYS, ignore as *const () as libc::sighandler_t) };
            libc::SECCOMP_RET_TRAP
        }
        Kind::SeccompNotify => libc::SECCOMP_RET_USER_NOTIF,
        other => bail!("{other:?} has no filter"),
    };
    // The supervisor's calls are slow: what is refused must not be one that the harness makes.
    let number = libc::SYS_getpgid;
    let fd = install(u32::try_from(number)?, answer, kind == Kind::SeccompNotify)?;
    if let Some(fd) = fd {
        listener.send(fd)?;
    }
    for _ in 0..calls {
        // SAFETY: a number in, a number out.
        let got = unsafe { libc::syscall(number, 0) };
        ensure!(got == -1 || kind == Kind::SeccompTrap, "getpgid returned {got}");
    }
    let mut deed = Deed::new("none", "none");
    deed.certainty = Certainty::Counted;
    Ok(deed)
}

extern "C" fn ignore(_: libc::c_int) {}

/// Installs a filter that answers one call for this thread; returns the descriptor of whoever
/// listens.
fn install(number: u32, answer: u32, listens: bool) -> Result<Option<OwnedFd>> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // `nr` is the first member of `struct seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number) },
        statement(libc::BPF_RET | libc::BPF_K, answer),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let flags = if listens { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    // SAFETY: integers only.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    ensure!(done == 0, "PR_SET_NO_NEW_PRIVS: {}", std::io::Error::last_os_error());
    // SAFETY: the program lives until the kernel has copied it.
    let fd =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program)) };
    ensure!(fd >= 0, "seccomp: {}", std::io::Error::last_os_error());
    // SAFETY: the call just returned this open descriptor, and nobody else has it.
    Ok(listens.then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

/// Answers each call once it has waited for a while.
fn supervise(listeners: &Receiver<OwnedFd>, calls: u64, hold: Duration) -> Result<()> {
    let listener = listeners.recv_timeout(Duration::from_secs(20)).context("the filter is not there")?;
    for _ in 0..calls {
        let mut request = [0u64; 10];
        ask(&listener, RECEIVE, &mut request)?;
        std::thread::sleep(hold);
        // The id, the value, and the error with the flags above it.
        let error = u64::from((-libc::EPERM).cast_unsigned());
        ask(&listener, SEND, &mut [request[0], 0, error])?;
    }
    Ok(())
}

fn ask(listener: &OwnedFd, request: libc::Ioctl, words: &mut [u64]) -> Result<()> {
    // SAFETY: each request takes a structure of as many words as its caller gives.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), request, words.as_mut_ptr()) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()).context("an ioctl of seccomp") }
}
