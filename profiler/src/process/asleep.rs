//! process/asleep: where a thread sleeps, by /proc/PID/task/TID/syscall.

use super::proc;
use crate::quantity::{Tgid, Tid};

/// A system call in which a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyscallState {
    /// By the numbering of the thread's own ABI (32-bit threads have another).
    pub nr: u64,
    /// As passed in the registers.
    pub args: [u64; 6],
    /// User-space instruction pointer: where the call returns to.
    pub ip: u64,
}

/// Where a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepingPlace {
    /// `None`: outside of a call (page fault).
    pub syscall: Option<SyscallState>,
    /// User-space stack pointer; 0 in a kernel thread, which has none.
    pub sp: u64,
    /// User-space instruction pointer; 0 in a kernel thread.
    pub ip: u64,
}

/// Where a thread sleeps. `None` where it runs or has gone, where the rights are missing
/// (`PTRACE_MODE_ATTACH`: cap_sys_ptrace for other users' threads) or the kernel has no
/// CONFIG_HAVE_ARCH_TRACEHOOK.
pub fn sleeping_place(tgid: Tgid, tid: Tid) -> Option<SleepingPlace> {
    parse(&proc::read(&format!("/proc/{tgid}/task/{tid}/syscall")).ok()?)
}

/// `running`, `-1 sp pc` (asleep outside of a call) or `nr a0 … a5 sp pc` (fs/proc/base.c,
/// `proc_pid_syscall`).
fn parse(text: &[u8]) -> Option<SleepingPlace> {
    let mut words = str::from_utf8(text).ok()?.split_ascii_whitespace();
    let nr: i64 = words.next()?.parse().ok()?;
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let registers: Vec<u64> = words.map(hex).collect::<Option<_>>()?;
    match (u64::try_from(nr), registers.as_slice()) {
        (Err(_), &[sp, ip]) => Some(SleepingPlace { syscall: None, sp, ip }),
        (Ok(nr), &[ref args @ .., sp, ip]) => {
            let syscall = SyscallState { nr, args: args.try_into().ok()?, ip };
            Some(SleepingPlace { syscall: Some(syscall), sp, ip })
        }
        _ => None,
    }
}

#[cfg(fuzzing)]
pub(super) fn fuzz(text: &[u8]) {
    let _ = parse(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_of_syscall() {
        for text in ["running\n", "", "0 0x3 0x7f\n", "-1 0x7ffd\n", "0 1 2 3 4 5 6 7 8\n"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let fault = parse(b"-1 0x7ffd 0x55\n").unwrap();
        assert_eq!(fault, SleepingPlace { syscall: None, sp: 0x7ffd, ip: 0x55 });
        let call = parse(b"0 0x3 0xffffffffffffffff 0x3 0x4 0x5 0x6 0x7ffd 0x55\n").unwrap();
        let syscall = SyscallState { nr: 0, args: [3, u64::MAX, 3, 4, 5, 6], ip: 0x55 };
        assert_eq!(call, SleepingPlace { syscall: Some(syscall), sp: 0x7ffd, ip: 0x55 });
    }
}
