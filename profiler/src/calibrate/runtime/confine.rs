//! What keeps the child in its bounds: a network of its own, no rights, nothing open that it was
//! not given, limits.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use super::program::{Place, User};

/// The first descriptor of the connections in the child: above all that this process has, so that
/// none is overwritten before it is copied.
pub(super) const FIRST: RawFd = 512;
/// Memory and CPU that the child may have.
const MOST_MEMORY: u64 = 4 << 30;
const MOST_CPU: u64 = 40;

/// Becomes the program of a descriptor, with an empty environment. Returns only where that fails.
pub(super) fn execute(exe: RawFd, arguments: &[CString]) -> io::Result<()> {
    let mut words: Vec<*const libc::c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
    words.push(std::ptr::null());
    let none = [std::ptr::null::<libc::c_char>()];
    // SAFETY: the arrays end with a null, and what they lead to lives until the call is over.
    unsafe { libc::syscall(libc::SYS_execveat, exe, c"".as_ptr(), words.as_ptr(), none.as_ptr(), libc::AT_EMPTY_PATH) };
    Err(io::Error::last_os_error())
}

/// A network of the calling thread's own, and a PID namespace for its children, where the rights
/// suffice: a new one, or that of the place they go to, whose `/proc` knows no other. Without the
/// rights the child has the machine's loopback.
pub(super) fn own_network(place: Option<&Place>) {
    // SAFETY: it changes the calling thread alone, which ends with the measurement.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 {
        let _ = loopback_up();
    }
    // SAFETY: as above; it is for children.
    unsafe {
        match place {
            Some(place) => libc::setns(place.pids.as_raw_fd(), libc::CLONE_NEWPID),
            None => libc::unshare(libc::CLONE_NEWPID),
        }
    };
}

fn loopback_up() -> io::Result<()> {
    // SAFETY: no memory is touched.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is ours.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: an all-zero request is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the kernel reads one request.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the child does to itself between fork and exec: its connections and nothing else open, no
/// rights, limits, and the idle policy where this thread could not get a rank above all others. As
/// root it must succeed; without rights there are none to lose.
pub(super) fn confine(sockets: &[RawFd], user: User, place: Option<(RawFd, RawFd)>, outranked: bool) -> io::Result<()> {
    let checked = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: each is a system call with numbers, or with structures of this frame that the kernel
    // reads.
    unsafe {
        libc::setsid();
        for (&socket, to) in sockets.iter().zip(FIRST..) {
            checked(libc::dup2(socket, to))?;
        }
        let end = FIRST as u32 + sockets.len() as u32;
        let cloexec = libc::CLOSE_RANGE_CLOEXEC as libc::c_uint;
        checked(libc::syscall(libc::SYS_close_range, 3, FIRST as u32 - 1, cloexec) as libc::c_int)?;
        checked(libc::syscall(libc::SYS_close_range, end, u32::MAX, cloexec) as libc::c_int)?;
        for (what, most) in [
            (libc::RLIMIT_AS, MOST_MEMORY),
            (libc::RLIMIT_CPU, MOST_CPU),
            (libc::RLIMIT_FSIZE, 0),
            (libc::RLIMIT_CORE, 0),
        ] {
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            checked(libc::setrlimit(what, &raw const limit))?;
        }
        if !outranked {
            let lowest = libc::sched_param { sched_priority: 0 };
            checked(libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const lowest))?;
        }
        if libc::geteuid() == 0 {
            if let Some((mounts, root)) = place {
                // In a copy of these mounts the open executable would have no name, and a loader
                // that looks beside it would find nothing.
                checked(libc::setns(mounts, libc::CLONE_NEWNS))?;
                checked(libc::fchdir(root))?;
                checked(libc::chroot(c".".as_ptr()))?;
            } else {
                libc::unshare(libc::CLONE_NEWNS);
            }
            checked(libc::chdir(c"/".as_ptr()))?;
            for capability in 0..64 {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            checked(libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>()) as libc::c_int)?;
            checked(libc::syscall(libc::SYS_setresgid, user.gid, user.gid, user.gid) as libc::c_int)?;
            checked(libc::syscall(libc::SYS_setresuid, user.uid, user.uid, user.uid) as libc::c_int)?;
        }
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
    }
    Ok(())
}
