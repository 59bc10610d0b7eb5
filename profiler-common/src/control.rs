//! Control and counters: one page that both sides write.

/// State of a measurement. What the kernel writes at every wake-up has a cache line of its own.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// 1 while events count, 0 otherwise.
    pub enabled: u32,
    /// 1 while births are followed: from the attachment on, before events count.
    pub tracking: u32,
    /// Number of the current window. A thread whose own number differs has not been seen in it yet.
    pub epoch: u32,
    /// 1 where a descriptor's number may become another file unseen: what it is gets looked up by
    /// its open file. Until the window ends.
    pub fd_unsure: u32,
    /// When the window began, `CLOCK_MONOTONIC` ns.
    pub start: u64,
    /// 1: processes forked by the target belong to it.
    pub follow: u32,
    /// Bumped when every cached descriptor class is to be forgotten.
    pub fd_generation: u32,
    /// Threads inside `execve` that are not their group's leader: their tid is about to change.
    pub pending_exec: i32,
    /// 1 while block ends are streamed, see [`crate::stream`].
    pub stream: u32,
    /// Blocked calls from one stack to the next, on average and per thread; 0: no stacks are taken.
    /// See [`crate::stack`].
    pub stack_every: u32,
    /// Returns from one whose hardware counters are read to the next, on average and per thread; 0:
    /// none are read. See [`crate::ipc`].
    pub ipc_every: u32,
    /// A call that was blocked for at least this long always has its stack taken, ns.
    pub stack_long: u64,
    /// From what length on a turn of an event loop is a stall, ns; 0: turns are not looked at. See
    /// [`crate::turn`].
    pub stall_over: u64,
    /// Threads of the target that run or could run. Written at every block and wake-up.
    pub runnable: Padded,
    /// What did not fit, and what happened.
    pub counters: Counters,
}

/// A counter on a cache line of its own.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Padded {
    /// The number counted; a loss or an event adds one.
    pub value: i64,
}

/// Losses and rare events. Every loss that the kernel side can have is counted here.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Threads that found no free slot: not measured.
    pub threads_lost: u64,
    /// Calls that found no free site: counted per class, but not per site.
    pub calls_without_site: u64,
    /// Threads that ended and whose record found no room in the ring. Their sums are added to the
    /// pool in slot 0 instead.
    pub exits_pooled: u64,
    /// Block requests that found no room among those in flight.
    pub requests_lost: u64,
    /// Devices that found no room.
    pub devices_lost: u64,
    /// Threads that were born.
    pub forks: u64,
    /// Programs that were executed.
    pub execs: u64,
    /// Threads that have ended.
    pub exits: u64,
    /// Switch-ins whose wake-up came before the switch-out was seen (another CPU was faster), or
    /// was not seen at all. Where it was not seen, all of the time off the CPU counts as blocked.
    pub raced_wakes: u64,
    /// Threads found on a CPU without a switch-in before: the tracepoint did not fire. Counts stay
    /// exact; the time since the wake-up counts as run-queue delay.
    pub missed_switch_ins: u64,
    /// Block ends that found no room in the stream.
    pub stream_lost: u64,
    /// CPU-clock samples that found no room.
    pub samples_lost: u64,
    /// Stacks that found no room.
    pub stacks_lost: u64,
    /// Stalls of event loops that found no room.
    pub stalls_lost: u64,
}
