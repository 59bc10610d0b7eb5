//! Notes of costs: what a figure rests on, or why there is none.

use super::ipc;

/// What a cost rests on, or why it is not known.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Only this share of the blocks was in calls that also returned without blocking.
    PartOfBlocks(f64),
    /// No call that blocked also returned often enough without blocking.
    NoComparableCall,
    /// Calibrated with two threads whose working sets are small.
    SmallWorkingSets,
    /// This machine was not calibrated.
    NoCalibration,
    /// No sample of the CPU clock came.
    NoSamples,
    /// So few samples of the CPU clock came.
    FewSamples(u64),
    /// Samples of the CPU clock in the schedule path, of all of them.
    Samples {
        /// Samples whose kernel stack is below `__schedule`.
        schedule: u64,
        /// Samples of the target, in all.
        all: u64,
    },
    /// Windows after a block against windows after none, at the same site and of the same size.
    SameSiteAndSize,
    /// No site has enough user windows of both kinds.
    NoUserWindows,
    /// No site has enough calls both right after a block and after none.
    NoKernelWindows,
    /// By hardware counters, in the way that this note names.
    Counters(ipc::Note),
    /// The user part by hardware counters, the kernel part by windows of time.
    CountersAndTime(ipc::Note),
}

/// Why two estimators of the direct cost differ by more than a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Measured on the target it is more than calibrated: the target's switch path is cold.
    ColdSwitchPath,
    /// Measured on the target it is less than calibrated: the calls that did not block did more
    /// work.
    DearDirectCalls,
    /// Samples miss the part of the switch path that runs with interrupts off.
    InterruptsOff,
}
