//! The calls that std and rustix do not wrap, each with its reason to be here.

use std::fs::{File, OpenOptions};
use std::io::Error;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::CpuSet;

/// Kills the process by SIGALRM's default action after `seconds`, so that no wait is unbounded. It
/// survives an exec.
pub(crate) fn arm_watchdog(seconds: u32) {
    // SAFETY: alarm only sets a timer.
    unsafe { libc::alarm(seconds) };
}

/// Maps in every page of the program and its libraries: a worker that meets one of them for the
/// first time could block in a page fault. Without the right to lock memory, the counts are almost
/// always exact all the same.
pub(crate) fn page_in() {
    // SAFETY: mlockall changes where pages live, never what is in them.
    unsafe { libc::mlockall(libc::MCL_CURRENT) };
}

/// Voluntary and involuntary switches of the calling thread.
pub(crate) fn thread_switches() -> Result<(u64, u64)> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for a whole rusage.
    if unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error()).context("getrusage(RUSAGE_THREAD)");
    }
    // SAFETY: zeroed is a valid rusage, and the kernel filled it.
    let usage = unsafe { usage.assume_init() };
    Ok((usage.ru_nvcsw.unsigned_abs(), usage.ru_nivcsw.unsigned_abs()))
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// A pipe behind one descriptor, open for reading and writing: half the descriptors where there are
/// 10,000 of them.
pub(crate) fn single_descriptor_pipe() -> Result<File> {
    let (reader, _writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("pipe")?;
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    OpenOptions::new().read(true).write(true).open(&path).with_context(|| format!("opening {path}"))
}

/// A pipe's reading and writing end as files.
pub(crate) fn pipe() -> Result<(File, File)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("pipe")?;
    Ok((File::from(reader), File::from(writer)))
}

/// Both ends of a TCP connection over loopback, which send at once what they are given.
pub(crate) fn tcp() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    let near = TcpStream::connect(listener.local_addr()?).context("connecting over loopback")?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// Has the kernel note when it receives what this socket is sent (`SO_TIMESTAMPNS`).
pub(crate) fn stamp_receives(stream: &TcpStream) -> Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes one integer, which it reads.
    let set = unsafe {
        let (on, size) = ((&raw const on).cast(), size_of::<libc::c_int>() as libc::socklen_t);
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, on, size)
    };
    if set != 0 { Err(Error::last_os_error()).context("SO_TIMESTAMPNS") } else { Ok(()) }
}

/// Receives a message, and tells when the kernel received it, ns of `CLOCK_REALTIME`; `None` where
/// the other end has hung up.
pub(crate) fn receive_stamped(stream: &TcpStream, message: &mut [u8]) -> Result<Option<u64>> {
    let mut stamp = [0u64; 8];
    let mut place = libc::iovec { iov_base: message.as_mut_ptr().cast(), iov_len: message.len() };
    // SAFETY: all zeroes is a valid header, whose pointers are then set to what outlives the call.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut place;
    header.msg_iovlen = 1;
    header.msg_control = stamp.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&stamp);
    // SAFETY: the header's pointers are valid for the lengths beside them; what the kernel wrote
    // behind a control header of this type is a timespec.
    unsafe {
        let got = libc::recvmsg(stream.as_raw_fd(), &raw mut header, 0);
        if got == 0 {
            return Ok(None);
        }
        anyhow::ensure!(got == message.len() as isize, "received {got} bytes: {}", Error::last_os_error());
        let control = libc::CMSG_FIRSTHDR(&raw const header);
        anyhow::ensure!(!control.is_null() && (*control).cmsg_type == libc::SCM_TIMESTAMPNS, "no time stamp");
        let at = libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned();
        Ok(Some(at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64))
    }
}

/// How long the calling thread could run and had no CPU so far, ns (/proc/PID/schedstat).
pub(crate) fn run_delay_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("reading schedstat")?;
    text.split_whitespace().nth(1).context("no run delay")?.parse().context("a run delay that is no number")
}

/// `CLOCK_REALTIME`, ns.
pub(crate) fn realtime_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Keeps the calling thread on the last CPU that the process may use; returns where it could run
/// before.
pub(crate) fn stay_on_one_cpu() -> Result<CpuSet> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).context("no CPU is allowed")?;
    let mut one = CpuSet::new();
    one.set(last);
    rustix::thread::sched_setaffinity(None, &one).context("sched_setaffinity")?;
    Ok(allowed)
}

/// Sends `signal` to one thread of this process.
pub(crate) fn signal_thread(tid: i32, signal: libc::c_int) -> Result<()> {
    // SAFETY: tgkill takes three integers.
    let done = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), tid, signal) };
    if done != 0 { Err(Error::last_os_error()).context("tgkill") } else { Ok(()) }
}

/// A pseudo-terminal in raw mode: (slave, master).
pub(crate) fn raw_pty() -> Result<(File, File)> {
    // SAFETY: takes flags only.
    let master = owned(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) }, "posix_openpt")?;
    let mut name = [0u8; 64];
    // SAFETY: the descriptor is open, and the buffer's length is its own.
    let made = unsafe {
        libc::grantpt(master.as_raw_fd()) == 0
            && libc::unlockpt(master.as_raw_fd()) == 0
            && libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr().cast(), name.len()) == 0
    };
    anyhow::ensure!(made, "making a pseudo-terminal: {}", Error::last_os_error());
    let path = std::ffi::CStr::from_bytes_until_nul(&name)?.to_str()?;
    let slave = {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
    }
    .with_context(|| format!("opening {path}"))?;
    let mut mode = MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: the pointer is valid for a whole termios, which tcgetattr fills before the others
    // read it.
    let set = unsafe {
        libc::tcgetattr(slave.as_raw_fd(), mode.as_mut_ptr()) == 0 && {
            libc::cfmakeraw(mode.as_mut_ptr());
            libc::tcsetattr(slave.as_raw_fd(), libc::TCSANOW, mode.as_ptr()) == 0
        }
    };
    anyhow::ensure!(set, "setting {path} raw: {}", Error::last_os_error());
    Ok((slave, File::from(master)))
}

/// Forks a child that blocks in a read of `gate`, then does `after`, which must be
/// async-signal-safe, and exits 0.
pub(crate) fn fork_gated(gate: &File, after: impl FnOnce()) -> Result<i32> {
    let fd = gate.as_raw_fd();
    // SAFETY: the child makes raw calls only: no allocation, no lock that another thread may have
    // held.
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os_error()).context("fork"),
        0 => {
            let mut byte = 0u8;
            // SAFETY: as above; the buffer is one byte long. A child never outlives the process
            // that measures it.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::read(fd, (&raw mut byte).cast(), 1);
            }
            after();
            // SAFETY: _exit does not return, and runs no handlers of the parent.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(pid),
    }
}

fn owned(fd: libc::c_int, call: &'static str) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(Error::last_os_error()).context(call);
    }
    // SAFETY: the call just returned this open descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Blocks in wait4 until child `pid` has ended well.
pub(crate) fn wait_for(pid: i32) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(pid).context("not a process id")?;
    let ended = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).context("wait4")?;
    anyhow::ensure!(ended.is_some_and(|(_, status)| status.exit_status() == Some(0)), "the child did not exit with 0");
    Ok(())
}
