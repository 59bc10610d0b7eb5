//! event/ipc_layout: what the places of windows and curves mean.

use profiler_common::ipc;

/// What came before a window: its place in [`super::SiteWindows::kinds`] and among the curves.
pub mod before {
    use profiler_common::ipc::before;

    /// The thread's first return of a measurement, or its birth: what came before is not known.
    pub const NONE: u32 = before::NONE;
    /// A call that did not block.
    pub const DIRECT: u32 = before::DIRECT;
    /// A call that blocked.
    pub const BLOCKED: u32 = before::BLOCKED;
    /// The thread was preempted.
    pub const PREEMPTED: u32 = before::PREEMPTED;
    /// How many kinds there are.
    pub const KINDS: usize = before::KINDS;
}

/// Optional counters beside cycles and instructions: misses of the last-level cache, misses of the
/// data TLB, mispredicted branches.
pub mod extra {
    use profiler_common::ipc::extra;

    /// How many there are.
    pub const EXTRAS: usize = extra::EXTRAS;
}

/// Bins of one curve, four for every doubling of the instructions since the return.
pub const BINS: usize = ipc::BINS;

/// The bin of a curve that a number of instructions falls into.
pub fn bin(instructions: u64) -> usize {
    ipc::bin(instructions)
}
