//! Notes of the ledger, the score and the self-cost: what a figure rests on, or why there is none.

/// What a figure rests on, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// So many calls that blocked have no base to compare with.
    NoBase(u64),
    /// Kernel CPU of calls that blocked less that of calls that did not, pooled or against the
    /// reference.
    AgainstOthers,
    /// What the direct cost leaves of the time in syscalls.
    RestOfCalls,
    /// Direct costs that could not be estimated are still in it.
    WithDirectCosts,
    /// Softirqs are not hooked: they are inside user and syscalls.
    SoftirqsNotHooked,
    /// The target used no CPU.
    NoCpu,
    /// The kernel's statistics of BPF programs need `CAP_SYS_ADMIN`.
    NoStatistics,
    /// Mean run time of a program and of the kernel's way into it, times the target's events.
    MeanRunTime,
    /// What a hook costs threads of our own, times what the target did.
    Toll,
    /// It was not counted.
    NotCounted,
    /// No thread's stack could be told: none slept, or they lie in a heap of the program's.
    NoStackSeen,
    /// No thread waited for a client's connection by itself.
    NoRequests,
    /// So many requests began, and none was seen to its end.
    LongRequests(u64),
    /// So few requests were seen.
    FewRequests(u64),
    /// What a hook costs threads of our own that nobody measures, times what all others did.
    OthersToll,
    /// The same, but for calls, which the kernel counts only with `CAP_SYS_ADMIN`.
    OthersSwitches,
    /// The target was not seen without the programs often enough.
    NotSeenAlone,
}
