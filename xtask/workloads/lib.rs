//! What the programs of this package have in common: calls that std and rustix do not wrap.

use std::{
    io::Error,
    mem::MaybeUninit,
    os::fd::{FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// Lifts the soft limit of open descriptors to the hard one: there is one for each worker or
/// connection.
pub fn raise_descriptor_limit() -> Result<()> {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).context("raising RLIMIT_NOFILE")
}

/// Lets the calling thread's timers fire when they are due. The default slack of 50 µs would shift
/// every arrival, and blur a sleep whose length is known.
pub fn drop_timer_slack() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Computes for so long. It looks at the clock seldom enough that nearly all of the time is its own
/// code's, and often enough (every 0.5 to 3 µs) to end on time.
#[inline(never)]
pub fn spin(long: Duration) {
    let begun = Instant::now();
    let mut n = 0_u64;
    while n & 63 != 0 || begun.elapsed() < long {
        std::hint::spin_loop();
        n += 1;
    }
}

/// Blocks `signal` in the calling thread, and in those it starts later, and returns a signalfd for
/// it.
pub fn signalfd(signal: libc::c_int) -> Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is valid for a whole sigset_t, which sigemptyset initialises; the kernel
    // only reads it after.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC)
    };
    if fd < 0 {
        return Err(Error::last_os_error()).context("signalfd");
    }
    // SAFETY: signalfd just returned this open descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
