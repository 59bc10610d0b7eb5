//! Sites: what is known of one call place, `syscall × class of the descriptor × user return
//! address`. Calls that move different amounts of data are different sites, so that like is
//! compared with like.

use crate::stat::Stat;

/// The site of all calls that find no room for one of their own.
pub const OVERFLOW_SITE: u32 = 0;

/// A place in a program that makes a call: what sites are found by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteKey {
    /// Address after the syscall instruction.
    pub ip: u64,
    /// Syscall number, without the x32 bit.
    pub nr: u16,
    /// Block class, as [`crate::class::BlockClass::wire`] numbers it.
    pub class: u8,
    /// Which syscall table, see [`crate::syscall`].
    pub abi: u8,
    /// Number of the address space. A forked process shares its parent's, with the same code at the
    /// same place; `exec` makes a new one.
    pub space: u32,
    /// How much the calls moved, [`size_class`]. 64 bits, so that no byte of the key is padding.
    pub size: u64,
}

/// The size class of a number of bytes: 0 for none, 1 up to 64 bytes, and one more for each factor
/// of 4, up to 8 for more than 256 KiB.
#[inline(always)]
pub const fn size_class(bytes: u64) -> u64 {
    if bytes <= 4 << 10 {
        if bytes <= 256 {
            if bytes == 0 {
                0
            } else if bytes <= 64 {
                1
            } else {
                2
            }
        } else if bytes <= 1 << 10 {
            3
        } else {
            4
        }
    } else if bytes <= 64 << 10 {
        if bytes <= 16 << 10 { 5 } else { 6 }
    } else if bytes <= 256 << 10 {
        7
    } else {
        8
    }
}

/// What one CPU saw at a site. The user side adds the CPUs up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// How many calls returned.
    pub calls: u64,
    /// Calls that blocked at least once.
    pub blocked_calls: u64,
    /// Blocks in these calls; a call may block more than once.
    pub blocks: u64,
    /// Calls that returned an error (`-4095..=-1`), restarts included.
    pub errors: u64,
    /// Bytes moved, where the return value says so.
    pub bytes: u64,
    /// Kernel CPU of the calls that blocked, before their first block, ns.
    pub cpu_before: u64,
    /// User windows left out because the thread was preempted in them.
    pub windows_preempted: u64,
    /// The last caller: its tgid in the high half, its descriptor plus one in the low half (0: no
    /// descriptor).
    pub last_tgid_fd: u64,
    /// Kernel CPU of calls that did not block and woke nobody, where the thread's call before did
    /// not block either.
    pub cpu_direct_warm: Stat,
    /// Kernel CPU of calls that did not block and woke nobody, right after one that did block.
    pub cpu_direct_cold: Stat,
    /// Kernel CPU of calls that did not block and woke a thread.
    pub cpu_direct_woke: Stat,
    /// Kernel CPU of calls that blocked, before and after the block, where another thread of the
    /// target had the CPU before.
    pub cpu_blocked_near: Stat,
    /// Kernel CPU of calls that blocked, before and after the block, where the CPU was idle or with
    /// somebody else before.
    pub cpu_blocked_away: Stat,
    /// Blocked time of a call: switch-out to wake-up, all its blocks.
    pub blocked: Stat,
    /// Run-queue delay of a call: wake-up to switch-in, all its blocks.
    pub run_delay: Stat,
    /// User window after a call that did not block.
    pub user_after_direct: Stat,
    /// User window after a call that blocked.
    pub user_after_blocked: Stat,
}

impl Default for Site {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Site {
    /// Before the first call.
    pub const ZERO: Self = Self {
        calls: 0,
        blocked_calls: 0,
        blocks: 0,
        errors: 0,
        bytes: 0,
        cpu_before: 0,
        windows_preempted: 0,
        last_tgid_fd: 0,
        cpu_direct_warm: Stat::ZERO,
        cpu_direct_cold: Stat::ZERO,
        cpu_direct_woke: Stat::ZERO,
        cpu_blocked_near: Stat::ZERO,
        cpu_blocked_away: Stat::ZERO,
        blocked: Stat::ZERO,
        run_delay: Stat::ZERO,
        user_after_direct: Stat::ZERO,
        user_after_blocked: Stat::ZERO,
    };

    /// Adds what another CPU saw.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.blocked_calls += other.blocked_calls;
        self.blocks += other.blocks;
        self.errors += other.errors;
        self.bytes += other.bytes;
        self.cpu_before += other.cpu_before;
        self.windows_preempted += other.windows_preempted;
        if other.last_tgid_fd != 0 {
            self.last_tgid_fd = other.last_tgid_fd;
        }
        self.cpu_direct_warm.merge(&other.cpu_direct_warm);
        self.cpu_direct_cold.merge(&other.cpu_direct_cold);
        self.cpu_direct_woke.merge(&other.cpu_direct_woke);
        self.cpu_blocked_near.merge(&other.cpu_blocked_near);
        self.cpu_blocked_away.merge(&other.cpu_blocked_away);
        self.blocked.merge(&other.blocked);
        self.run_delay.merge(&other.run_delay);
        self.user_after_direct.merge(&other.user_after_direct);
        self.user_after_blocked.merge(&other.user_after_blocked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_a_factor_of_four_wide() {
        assert_eq!((size_class(0), size_class(1), size_class(u64::MAX)), (0, 1, 8));
        for class in 1..8 {
            let most = 64 << (2 * (class - 1));
            assert_eq!((size_class(most), size_class(most + 1)), (class, class + 1));
        }
    }
}
