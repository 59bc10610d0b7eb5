//! event/seen: what was seen at one call place.

use profiler_common::site;

use super::{error::LIMIT, stat::Stat};

/// What was seen at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// The last caller as a recording holds it: its tgid in the high half, its descriptor plus one
    /// in the low half (0: no descriptor). [`super::SiteRecord::last_caller`] is the same, decoded.
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

    /// Adds what was seen elsewhere, or later.
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

    /// Takes away what had been seen in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.calls = self.calls.saturating_sub(earlier.calls);
        self.blocked_calls = self.blocked_calls.saturating_sub(earlier.blocked_calls);
        self.blocks = self.blocks.saturating_sub(earlier.blocks);
        self.errors = self.errors.saturating_sub(earlier.errors);
        self.bytes = self.bytes.saturating_sub(earlier.bytes);
        self.cpu_before = self.cpu_before.saturating_sub(earlier.cpu_before);
        self.windows_preempted = self.windows_preempted.saturating_sub(earlier.windows_preempted);
        self.cpu_direct_warm.reduce(&earlier.cpu_direct_warm);
        self.cpu_direct_cold.reduce(&earlier.cpu_direct_cold);
        self.cpu_direct_woke.reduce(&earlier.cpu_direct_woke);
        self.cpu_blocked_near.reduce(&earlier.cpu_blocked_near);
        self.cpu_blocked_away.reduce(&earlier.cpu_blocked_away);
        self.blocked.reduce(&earlier.blocked);
        self.run_delay.reduce(&earlier.run_delay);
        self.user_after_direct.reduce(&earlier.user_after_direct);
        self.user_after_blocked.reduce(&earlier.user_after_blocked);
    }

    /// Kernel CPU of all calls that did not block.
    pub fn cpu_direct(&self) -> Stat {
        let mut all = self.cpu_direct_quiet();
        all.merge(&self.cpu_direct_woke);
        all
    }

    /// Kernel CPU of all calls that did not block and woke nobody.
    pub fn cpu_direct_quiet(&self) -> Stat {
        let mut all = self.cpu_direct_warm;
        all.merge(&self.cpu_direct_cold);
        all
    }

    /// Kernel CPU of all calls that blocked.
    pub fn cpu_blocked(&self) -> Stat {
        let mut all = self.cpu_blocked_near;
        all.merge(&self.cpu_blocked_away);
        all
    }
}

impl From<&site::Site> for Site {
    fn from(raw: &site::Site) -> Self {
        Self {
            calls: raw.calls,
            blocked_calls: raw.blocked_calls,
            blocks: raw.blocks,
            errors: raw.errors,
            bytes: raw.bytes,
            cpu_before: raw.cpu_before,
            windows_preempted: raw.windows_preempted,
            last_tgid_fd: raw.last_tgid_fd,
            cpu_direct_warm: Stat::from(&raw.cpu_direct_warm),
            cpu_direct_cold: Stat::from(&raw.cpu_direct_cold),
            cpu_direct_woke: Stat::from(&raw.cpu_direct_woke),
            cpu_blocked_near: Stat::from(&raw.cpu_blocked_near),
            cpu_blocked_away: Stat::from(&raw.cpu_blocked_away),
            blocked: Stat::from(&raw.blocked),
            run_delay: Stat::from(&raw.run_delay),
            user_after_direct: Stat::from(&raw.user_after_direct),
            user_after_blocked: Stat::from(&raw.user_after_blocked),
        }
    }
}

/// Whether every counter is below what one measurement can reach.
pub(super) fn sane(s: &site::Site) -> bool {
    let stats = [
        &s.cpu_direct_warm,
        &s.cpu_direct_cold,
        &s.cpu_direct_woke,
        &s.cpu_blocked_near,
        &s.cpu_blocked_away,
        &s.blocked,
        &s.run_delay,
        &s.user_after_direct,
        &s.user_after_blocked,
    ];
    let counters = [s.calls, s.blocked_calls, s.blocks, s.errors, s.bytes, s.cpu_before, s.windows_preempted];
    stats.iter().flat_map(|s| [s.count, s.sum, s.squares_high]).chain(counters).all(|n| n < LIMIT)
}
