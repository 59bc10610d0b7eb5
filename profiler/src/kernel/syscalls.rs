//! Syscalls by name: what each waits for, and what a number is called in which table. One list
//! serves every architecture.

use profiler_common::{
    class::BlockClass,
    syscall::{
        ABI_COMPAT, ABI_X32, BYTES, CLOSE, DUP, EPOLL, EXEC, FD, FORGET_ALL, LEAVE, POLL, RESTART, SELECT,
        SOCKET_CALLS, SOCKETCALL, SYNC, TABLE_LEN, TABLES_LEN, UNSURE,
    },
};

/// The word for a syscall that is not listed: shown by its name.
const OTHER: u32 = BlockClass::Other as u32;

/// What the kernel programs need to know of a syscall, by its name.
fn describe(name: &str) -> u32 {
    match name {
        "read" | "readv" | "pread64" | "preadv" | "preadv2" | "write" | "writev" | "pwrite64" | "pwritev"
        | "pwritev2" | "recvfrom" | "recvmsg" | "sendto" | "sendmsg" | "sendfile" | "splice" | "tee" | "vmsplice"
        | "copy_file_range" | "recv" | "send" | "sendfile64" => FD | BYTES,
        "recvmmsg" | "sendmmsg" | "connect" | "shutdown" | "ftruncate" | "fallocate" | "getdents" | "getdents64"
        | "fstat" | "fstatfs" | "lseek" | "ioctl" | "setsockopt" | "getsockopt" | "getsockname" | "getpeername"
        | "bind" | "fchmod" | "fchown" | "readahead" | "fadvise64" | "fgetxattr" | "fsetxattr" | "recvmmsg_time64"
        | "ftruncate64" | "fstat64" | "fstatfs64" | "_llseek" | "fchown32" | "fadvise64_64" | "arm_fadvise64_64" => FD,
        "fsync" | "fdatasync" | "sync_file_range" | "arm_sync_file_range" | "syncfs" => FD | SYNC,
        "msync" | "sync" => OTHER | SYNC,
        "restart_syscall" => OTHER | RESTART,
        // A socket that listens is waited on for other things.
        "close" | "listen" => FD | CLOSE,
        "dup2" | "dup3" => OTHER | DUP,
        "close_range" => OTHER | FORGET_ALL,
        "unshare" => OTHER | FORGET_ALL | UNSURE,
        "io_uring_setup" | "io_uring_register" => OTHER | UNSURE,
        "execve" | "execveat" => OTHER | EXEC | FORGET_ALL,
        "exit" | "exit_group" => BlockClass::Exit as u32 | LEAVE,
        "accept" | "accept4" => BlockClass::Accept as u32,
        "futex" | "futex_time64" | "futex_waitv" | "futex_wait" | "futex_wake" | "futex_requeue" => {
            BlockClass::Futex as u32
        }
        "nanosleep" | "clock_nanosleep" | "clock_nanosleep_time64" => BlockClass::Sleep as u32,
        // The class of an epoll is the event wait, or that of the descriptor it watches if there is
        // only one.
        "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => EPOLL,
        "epoll_ctl" => OTHER | CLOSE,
        "select" | "_newselect" | "pselect6" | "pselect6_time64" => BlockClass::EventWait as u32 | SELECT,
        "poll" | "ppoll" | "ppoll_time64" => BlockClass::EventWait as u32 | POLL,
        "io_uring_enter" => BlockClass::IoUring as u32 | UNSURE,
        "io_getevents" | "io_pgetevents" | "io_pgetevents_time64" => BlockClass::LinuxAio as u32,
        "wait4" | "waitid" | "waitpid" | "vfork" => BlockClass::ChildWait as u32,
        "pause" | "sigsuspend" | "rt_sigsuspend" | "rt_sigtimedwait" | "rt_sigtimedwait_time64" => {
            BlockClass::Signal as u32
        }
        "flock" | "fcntl" | "fcntl64" => BlockClass::FileLock as u32,
        "msgrcv"
        | "msgsnd"
        | "semop"
        | "semtimedop"
        | "semtimedop_time64"
        | "mq_timedsend"
        | "mq_timedreceive"
        | "mq_timedsend_time64"
        | "mq_timedreceive_time64"
        | "ipc" => BlockClass::Ipc as u32,
        "socketcall" => OTHER | SOCKETCALL,
        _ => OTHER,
    }
}

/// The same for a call of the 32-bit table. Its oldest `select` takes one pointer to all of its
/// arguments; what that waits for is not looked up.
fn describe_compat(name: &str) -> u32 {
    if name == "select" { BlockClass::EventWait as u32 } else { describe(name) }
}

/// The calls that `socketcall` makes, in the order of their numbers in `include/uapi/linux/net.h`,
/// from 1 on. `send`, `recv` and `accept` are named as the calls with one argument more, since i386
/// has no calls of these names.
const BY_SOCKETCALL: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept4",
    "getsockname",
    "getpeername",
    "socketpair",
    "sendto",
    "recvfrom",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// The call that `socketcall` makes with one of its own numbers.
fn by_socketcall(number: usize) -> Option<&'static str> {
    BY_SOCKETCALL.get(number.checked_sub(1)?).copied()
}

/// The number in the 32-bit table of what `socketcall` makes with each of its own numbers; that of
/// `socketcall` itself where there is none, and 0 where the table has no `socketcall`.
pub fn socket_calls() -> [u32; SOCKET_CALLS] {
    let find = |name: &str| (0..TABLE_LEN).find(|&nr| compat(nr) == Some(name)).map_or(0, |nr| nr as u32);
    let itself = find("socketcall");
    std::array::from_fn(|i| match by_socketcall(i) {
        Some(name) if itself != 0 => find(name),
        _ => itself,
    })
}

/// What a call waits for: its class, or the descriptor in its first argument. For threads that
/// sleep through a whole window, whose call is known from `/proc` only.
pub fn waits_for(nr: usize) -> Wait {
    wait(native(nr).map_or(OTHER, describe))
}

/// The same for a call of the 32-bit table, whose first argument says which call a `socketcall` is.
pub fn waits_for_compat(nr: usize, first: u64) -> Wait {
    let word = compat(nr).map_or(OTHER, describe_compat);
    if word & SOCKETCALL == 0 {
        return wait(word);
    }
    match wait(by_socketcall(first as usize).map_or(OTHER, describe_compat)) {
        Wait::Descriptor => Wait::Pointed,
        other => other,
    }
}

fn wait(word: u32) -> Wait {
    match BlockClass::from_wire(word as u8) {
        _ if word & FD != 0 => Wait::Descriptor,
        _ if word & SELECT == SELECT => Wait::Selected,
        _ if word & POLL != 0 => Wait::Polled,
        Some(class) => Wait::Class(class),
        None => Wait::Class(BlockClass::Other),
    }
}

/// What a call waits for, as far as its number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Known from the call alone.
    Class(BlockClass),
    /// That of the descriptor in the first argument.
    Descriptor,
    /// The class of the only descriptor in an array, else an event wait. The first argument points
    /// to the array, the second is its length.
    Polled,
    /// The class of the only descriptor in up to three sets of bits, else an event wait. The first
    /// argument is the highest descriptor plus one, the next three point to the sets.
    Selected,
    /// That of the descriptor that the second argument points to.
    Pointed,
}

/// The machine's own table and the 32-bit one, for the kernel programs.
pub fn tables() -> [u32; TABLES_LEN] {
    std::array::from_fn(|i| match i.checked_sub(TABLE_LEN) {
        None => native(i).map_or(OTHER, describe),
        Some(nr) => compat(nr).map_or(OTHER, describe_compat),
    })
}

/// A syscall's name in the table of this machine's own architecture.
fn native(nr: usize) -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    return syscalls::x86_64::Sysno::new(nr).map(|s| s.name());
    #[cfg(target_arch = "aarch64")]
    return syscalls::aarch64::Sysno::new(nr).map(|s| s.name());
}

/// A syscall's name in the 32-bit table that this machine's kernel also serves.
fn compat(nr: usize) -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    return syscalls::x86::Sysno::new(nr).map(|s| s.name());
    #[cfg(target_arch = "aarch64")]
    return syscalls::arm::Sysno::new(nr).map(|s| s.name());
}

/// The name of a call, its table named where it is not the machine's own: `read`, `read (32-bit)`,
/// `syscall 999`.
pub fn name(nr: u16, abi: u8) -> String {
    let table = match abi {
        ABI_COMPAT => " (32-bit)",
        ABI_X32 => " (x32)",
        _ => "",
    };
    bare_name(nr, abi).map_or_else(|| format!("syscall {nr}{table}"), |name| format!("{name}{table}"))
}

/// The name without its table; `None` where no call has that number.
pub fn bare_name(nr: u16, abi: u8) -> Option<&'static str> {
    let nr = usize::from(nr);
    if abi == ABI_COMPAT { compat(nr) } else { native(nr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_described_name_exists_in_this_machines_table_or_is_an_old_one() {
        // A misspelt name would silently be "other"; these are absent from the newer architectures
        // only.
        let table = tables();
        for (nr, name) in [
            (libc::SYS_read, "read"),
            (libc::SYS_futex, "futex"),
            (libc::SYS_accept4, "accept4"),
            (libc::SYS_close, "close"),
            (libc::SYS_execve, "execve"),
            (libc::SYS_epoll_pwait, "epoll_pwait"),
            (libc::SYS_io_uring_enter, "io_uring_enter"),
            (libc::SYS_clock_nanosleep, "clock_nanosleep"),
            (libc::SYS_exit_group, "exit_group"),
            (libc::SYS_waitid, "waitid"),
        ] {
            let nr = usize::try_from(nr).unwrap_or(usize::MAX);
            assert_eq!(native(nr), Some(name));
            assert_eq!(table[nr], describe(name));
            assert_ne!(table[nr], OTHER, "{name}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_32_bit_table_is_described_by_its_own_numbers() {
        let tables = tables();
        let word = |nr: usize| tables[TABLE_LEN + nr];
        // arch/x86/entry/syscalls/syscall_32.tbl
        assert_eq!(word(3), FD | BYTES, "read");
        assert_eq!(word(6), FD | CLOSE, "close");
        assert_eq!(word(82), BlockClass::EventWait as u32, "the select with one argument");
        assert_eq!(word(142), BlockClass::EventWait as u32 | SELECT, "_newselect");
        assert_eq!(word(414), BlockClass::EventWait as u32 | POLL, "ppoll_time64");
        assert_eq!(word(422), BlockClass::Futex as u32, "futex_time64");
        assert_eq!(word(102), OTHER | SOCKETCALL);
        let calls = socket_calls();
        // SYS_CONNECT, SYS_ACCEPT, SYS_RECV, SYS_SENDMMSG, and none.
        assert_eq!([3, 5, 10, 20, 0, 21].map(|i: usize| calls[i]), [362, 364, 371, 345, 102, 102]);
        assert_eq!(waits_for_compat(371, 10), Wait::Descriptor);
        assert_eq!(waits_for_compat(102, 10), Wait::Pointed);
        assert_eq!(waits_for_compat(102, 5), Wait::Class(BlockClass::Accept));
        assert_eq!(waits_for_compat(102, 99), Wait::Class(BlockClass::Other));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_number_of_the_32_bit_table_is_labelled_not_mislabelled() {
        // 3 is close in the 64-bit table and read in the 32-bit one.
        assert_eq!(name(3, 0), "close");
        assert_eq!(name(3, ABI_COMPAT), "read (32-bit)");
        assert_eq!(name(999, 0), "syscall 999");
    }
}
