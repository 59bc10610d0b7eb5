//! A thread of the target: its state machine in the kernel, and the sums that it gathers.

use crate::{class::CLASS_COUNT, ipc::OpenWindow, stat::BUCKETS};

/// Where a thread is. On the wire as `u32`.
pub mod phase {
    /// Not seen in this window yet.
    pub const UNSEEN: u32 = 0;
    /// It runs on a CPU.
    pub const ON_CPU: u32 = 1;
    /// Left the CPU by its own will, no wake-up yet.
    pub const BLOCKED: u32 = 2;
    /// Woken, waiting for a CPU.
    pub const WOKEN: u32 = 3;
    /// Taken off the CPU while running, waiting for it.
    pub const PREEMPTED: u32 = 4;
    /// Born, never ran yet.
    pub const BORN: u32 = 5;
    /// Gone: the record is its last.
    pub const DEAD: u32 = 6;
}

/// What came before the user window that is open.
pub mod window {
    /// No window is open.
    pub const NONE: u32 = 0;
    /// A call that did not block.
    pub const DIRECT: u32 = 1;
    /// A call that blocked.
    pub const BLOCKED: u32 = 2;
    /// A preemption spoiled it.
    pub const SPOILED: u32 = 3;
}

/// The bits of [`Thread::marks`].
pub mod mark {
    /// The call it is in began before the window.
    pub const OPEN_CALL: u32 = 1;
    /// It is inside `exit`.
    pub const LEAVING: u32 = 2;
    /// It was asleep when the window began.
    pub const ASLEEP_AT_START: u32 = 4;
    /// It was born inside the window.
    pub const BORN_INSIDE: u32 = 8;
    /// It is inside `execve` and not its group's leader.
    pub const EXECING: u32 = 16;
    /// In this call it came back from a block to a CPU that had been idle or with somebody else
    /// than the target.
    pub const AWAY: u32 = 32;
    /// The call before this one blocked.
    pub const COLD: u32 = 64;
    /// In this call it woke a thread, of the target or not.
    pub const WOKE: u32 = 128;
    /// Its waits on a few descriptors have always been ended by the same one: see
    /// [`super::STEADY`].
    pub const OWN: u32 = 512;
    /// A sleep in this call was not plainly for what the call names: uninterruptible, or of another
    /// class.
    pub const MIXED: u32 = 1024;
    /// It polls a few descriptors all of which are connections: it serves these, as a proxy's
    /// thread does whose client and server take turns.
    pub const RELAY: u32 = 2048;
    /// It sleeps, and the kernel counts it in the load average.
    pub const LOADS: u32 = 4096;
    /// It sleeps for the disk (`in_iowait`). Only beside [`LOADS`].
    pub const ON_DISK: u32 = 8192;
    /// It is a thread of the kernel's that works for a ring (`io_uring`) of the process: it runs no
    /// code of the program's.
    pub const RING: u32 = 16384;
    /// It is in an event wait. Only while stalls are asked for.
    pub const AT_WAIT: u32 = 32768;
    /// Its last turn was a stall, which the user side has not been told of yet.
    pub const STALLED: u32 = 65536;
}

/// So many waits on the same few descriptors, each ended by the same one, make the next ones waits
/// for that one: a connection's own thread that also watches a pipe.
pub const STEADY: u32 = 4;

/// [`Thread::epoch`] of a thread that the user side has filed and of which no event was seen yet.
/// Its [`Thread::first`] says when it was filed.
pub const LATE: u32 = u32::MAX;

/// Switched in for another reason than the end of a block: after a preemption, or for the first
/// time.
pub const CAUSE_OTHER: u32 = u32::MAX;

/// Set beside a class in [`Thread::cause`]: the CPU had been idle or with somebody else than the
/// target. Above the bits of every class.
pub const CAUSE_AWAY: u32 = 1 << 6;

/// Buckets of the concurrency histogram: 0–7 exactly, then 8–15, 16–31 … and the last one open from
/// 1,024.
pub const CONCURRENCY_BUCKETS: usize = 16;

/// The bucket for a number of other threads.
#[inline(always)]
pub const fn concurrency_bucket(others: u64) -> usize {
    if others < 8 {
        others as usize
    } else {
        let b = crate::stat::bucket(others) + 5;
        if b < CONCURRENCY_BUCKETS { b } else { CONCURRENCY_BUCKETS - 1 }
    }
}

/// Blocks of one class.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSum {
    /// How often a thread was switched out to wait.
    pub blocks: u64,
    /// Switch-out to wake-up, ns.
    pub blocked: u64,
    /// Wake-up to switch-in, ns.
    pub run_delay: u64,
}

/// Sums of a thread over the measurement: counters only, so that they can be added as an array of
/// words.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// CPU in user mode (page faults and interrupts that hit it included), ns.
    pub user: u64,
    /// CPU inside syscalls, ns.
    pub kernel: u64,
    /// Of that: calls that blocked, before their first block, ns.
    pub kernel_before: u64,
    /// Of that: calls that blocked, after their first block, ns.
    pub kernel_after: u64,
    /// How many calls returned.
    pub calls: u64,
    /// Of those: calls that move bytes, blocked or not.
    pub io_calls: u64,
    /// Of those: waits on several descriptors, blocked or not.
    pub event_calls: u64,
    /// Calls that blocked and returned.
    pub blocked_calls: u64,
    /// `sys_exit` without `sys_enter`: a birth, or a call that began before the window.
    pub open_calls: u64,
    /// How often it left the CPU by its own will.
    pub voluntary: u64,
    /// How often it was preempted.
    pub involuntary: u64,
    /// How often it was switched in.
    pub switch_ins: u64,
    /// Run-queue delay after a preemption, ns.
    pub preempted: u64,
    /// CPU that the kernel charged to the thread for coming back from blocking-IO blocks, over what
    /// the tracepoints saw of it, ns (signed, two's complement). Where a wake-up interrupts the
    /// idle task, the kernel's clock starts at the wake-up, and the switch comes later
    /// (`rq_clock_skip_update` in `wakeup_preempt`, kernel/sched/core.c).
    pub charge_io: u64,
    /// Of that: for coming back to a CPU that had been idle or with somebody else than the target.
    pub charge_away: u64,
    /// As `charge_io`, for coming back from all other blocks, from preemptions, and for first runs.
    /// It also holds what moves from thread to thread because the clock stands still before a
    /// switch, which adds up to nothing.
    pub charge_other: u64,
    /// CPU between switch-in and switch-out that the kernel did not charge to the thread, ns: the
    /// hypervisor ran somebody else (steal), or, where the kernel keeps such an account, interrupts
    /// (`update_rq_clock_task`, kernel/sched/core.c).
    pub uncharged: u64,
    /// Run-queue delay of a newborn, ns.
    pub born_delay: u64,
    /// Wake-ups by a thread of the same process.
    pub woken_by_self: u64,
    /// Wake-ups by another process.
    pub woken_by_other: u64,
    /// Wake-ups by the kernel: an interrupt that found the CPU idle, or a kernel thread.
    pub woken_by_kernel: u64,
    /// Wake-ups from a blocking-IO block by a thread of the same process.
    pub woken_io_by_self: u64,
    /// Wake-ups of other processes' threads while this one had the CPU.
    pub woke_other: u64,
    /// Switch-ins after blocking-IO blocks to a CPU that had been idle or with somebody else than
    /// the target.
    pub away_io: u64,
    /// Involuntary switches that gave the CPU to another thread of the target.
    pub preempted_by_own: u64,
    /// Time blocked on a file while a request of its own was at the device, ns.
    pub device_wait: u64,
    /// By how much the kernel's own count of voluntary switches moved while the thread was
    /// measured.
    pub kernel_voluntary: u64,
    /// By how much the kernel's count of involuntary switches moved in that time.
    pub kernel_involuntary: u64,
    /// By how much `se.sum_exec_runtime` (what schedstat prints first) moved in that time, ns.
    pub kernel_runtime: u64,
    /// CPU between the same two moments as `kernel_runtime`, by our own account, ns.
    pub checked_cpu: u64,
    /// Sum of the bursts, ns; there are `voluntary` of them.
    pub burst_sum: u64,
    /// Waits on several descriptors that slept and that one of them ended.
    pub event_ends: u64,
    /// Of those: ended by another descriptor than such a wait before. Over `event_ends` it is the
    /// turnover: near 0 for a connection's own thread, near 1 for an event loop.
    pub event_turns: u64,
    /// Blocked time in which the kernel counted the thread in the load average
    /// (`sched_contributes_to_load`, kernel/sched/core.c), ns.
    pub loading: u64,
    /// Of that: asleep for the disk, ns.
    pub loading_disk: u64,
    /// Calls that returned and never began: a seccomp filter answered them, or a tracer.
    pub refused: u64,
    /// CPU in user mode that ended with such a return, from the return before it on, ns: these
    /// calls and the code before them.
    pub refused_user: u64,
    /// Blocks by class, indexed by [`crate::class::BlockClass::wire`].
    pub classes: [ClassSum; CLASS_COUNT],
    /// Bursts: CPU from switch-in to the next block, log2 histogram.
    pub bursts: [u32; BUCKETS],
    /// Other threads of the target running or runnable at each wake-up.
    pub concurrency: [u32; CONCURRENCY_BUCKETS],
}

/// Hands the names of the unsigned single words of [`Sums`] to a macro, so that whoever adds,
/// subtracts or checks them leaves none out.
#[macro_export]
macro_rules! counted_sums {
    ($do:ident) => {
        $do!(user kernel kernel_before kernel_after calls blocked_calls open_calls voluntary involuntary switch_ins
            preempted uncharged born_delay woken_by_self woken_by_other woken_by_kernel woken_io_by_self woke_other away_io
            preempted_by_own device_wait kernel_voluntary kernel_involuntary kernel_runtime checked_cpu burst_sum
            io_calls event_calls event_ends event_turns loading loading_disk refused refused_user)
    };
}

/// As [`counted_sums`], those that are signed, in two's complement.
#[macro_export]
macro_rules! signed_sums {
    ($do:ident) => {
        $do!(charge_io charge_away charge_other)
    };
}

macro_rules! number_of {
    ($($name:ident)*) => { [$(stringify!($name)),*].len() };
}

// The two lists have every word of `Sums` but its arrays.
const _: () = assert!(
    8 * (counted_sums!(number_of) + signed_sums!(number_of))
        == size_of::<Sums>()
            - size_of::<[ClassSum; CLASS_COUNT]>()
            - size_of::<[u32; BUCKETS]>()
            - size_of::<[u32; CONCURRENCY_BUCKETS]>()
);

impl Default for Sums {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Sums {
    /// Before the first event.
    pub const ZERO: Self = {
        // SAFETY: `Self` is `repr(C)` of integers alone: all zeroes is a value of it.
        unsafe { core::mem::zeroed() }
    };
}

/// From this much on, CPU time of a stretch that was charged to nobody counts as stolen, ns. It is
/// more than the two clocks differ by, and less than the way to a hypervisor and back takes.
pub const UNCHARGED: u64 = 1_000;

/// Remembers a site, so that the index is not asked at every call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CachedSite {
    /// Address after the syscall instruction.
    pub ip: u64,
    /// `nr`, `class`, `abi` and `size` of [`crate::site::SiteKey`]: 16, 8, 4 and 4 bits.
    pub call: u32,
    /// Index of the site.
    pub site: u32,
}

/// Places in a thread's cache of sites.
pub const CACHED_SITES: usize = 8;

/// The slot of one thread: all that the programs keep of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// The thread's `task_struct.pid`.
    pub tid: u32,
    /// The thread's `task_struct.tgid`.
    pub tgid: u32,
    /// Number of its address space, see [`crate::site::SiteKey::space`].
    pub space: u32,
    /// The window in which it was last seen.
    pub epoch: u32,
    /// Where it is, one of [`phase`].
    pub phase: u32,
    /// What is known of it, bits of [`mark`].
    pub marks: u32,
    /// The call it is in, or one of the pseudo numbers of [`crate::syscall`].
    pub nr: u32,
    /// Class that a block in this call has.
    pub class: u32,
    /// Table of this call.
    pub abi: u32,
    /// Descriptor of this call.
    pub fd: u32,
    /// Blocks in this call so far.
    pub call_blocks: u32,
    /// What came before its open user window, one of [`window`].
    pub window: u32,
    /// The site whose user window is open.
    pub window_site: u32,
    /// Class of the block it is in.
    pub block_class: u32,
    /// Requests of its own at a device.
    pub requests: u32,
    /// Why it was last switched in: the class of its block, with or without [`CAUSE_AWAY`]; or
    /// [`CAUSE_OTHER`].
    pub cause: u32,
    /// Blocked calls to go until a stack is taken.
    pub stack_in: u32,
    /// Blocked calls that the next stack stands for.
    pub stack_gap: u32,
    /// Who woke it last: `task_struct.pid`; 0 for the kernel.
    pub waker: u32,
    /// So many waits on several descriptors in a row were ended by the same one.
    pub steady: u32,
    /// Which descriptor ended the last wait on several of them: for a poll the length of the array
    /// and the place in it, for an epoll the word that is registered with the descriptor.
    pub ended_by: u64,
    /// Of no meaning between events: the verifier does not follow what goes through it.
    pub scratch: u64,
    /// When the measurement of this thread began (start of the window, or its birth), ns.
    pub first: u64,
    /// On CPU: up to when its time is accounted, ns.
    pub since: u64,
    /// When it left the CPU, ns.
    pub off: u64,
    /// When it was last woken, ns.
    pub wake: u64,
    /// When the first of `requests` was issued; with none, when the last interval began, ns.
    pub device_from: u64,
    /// When the last of them completed, ns.
    pub device_to: u64,
    /// Return address of the call it is in.
    pub ip: u64,
    /// Kernel CPU of this call so far, ns.
    pub call_cpu: u64,
    /// Of that, before the first block, ns.
    pub call_before: u64,
    /// Blocked time in this call, ns.
    pub call_blocked: u64,
    /// Run-queue delay after blocks in this call, ns.
    pub call_delay: u64,
    /// User CPU of the open window, ns.
    pub window_user: u64,
    /// CPU since the last block, ns.
    pub burst: u64,
    /// The burst that the last block ended, ns.
    pub ended_burst: u64,
    /// The kernel's count of voluntary switches when it was last read.
    pub seen_voluntary: u64,
    /// The kernel's count of involuntary switches when it was last read.
    pub seen_involuntary: u64,
    /// The kernel's `se.sum_exec_runtime` when it was last read, ns.
    pub seen_runtime: u64,
    /// CPU of this thread at that moment, by our own account, ns.
    pub seen_cpu: u64,
    /// By how much the thread of the target that had the CPU before it was charged less than it
    /// took, ns. The kernel may be about to charge that to this one.
    pub owed: u64,
    /// What has been counted of it.
    pub sums: Sums,
    /// Sites it called last.
    pub sites: [CachedSite; CACHED_SITES],
    /// The window that is open. Last, so that without counters nobody touches its cache lines.
    pub open: OpenWindow,
}

impl Thread {
    /// A slot that no thread has.
    pub const ZERO: Self = {
        // SAFETY: `Self` is `repr(C)` of integers alone: all zeroes is a value of it.
        unsafe { core::mem::zeroed() }
    };

    /// CPU accounted so far, ns.
    #[inline(always)]
    pub const fn cpu(&self) -> u64 {
        self.sums.user + self.sums.kernel
    }
}

// Copied as words, by both sides.
const _: () = assert!(size_of::<Thread>().is_multiple_of(8) && size_of::<Sums>().is_multiple_of(8));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_is_exact_below_eight_and_log2_above() {
        for n in 0..8 {
            assert_eq!(concurrency_bucket(n), n as usize);
        }
        assert_eq!(concurrency_bucket(8), 8);
        assert_eq!(concurrency_bucket(15), 8);
        assert_eq!(concurrency_bucket(16), 9);
        assert_eq!(concurrency_bucket(1 << 40), CONCURRENCY_BUCKETS - 1);
    }
}
