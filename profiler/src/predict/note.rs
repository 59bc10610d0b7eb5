//! Notes of a prediction, as values: what its prices rest on, its caveats, and why there is none.

use super::baseline::Drift;

/// What a price rests on, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// Measured, less what a switch costs more because the target has many threads.
    LessCrowd {
        /// The measured cost of a sleep, ns.
        measured: f64,
        /// What was taken off, ns.
        colder: f64,
    },
    /// Calibrated, because too few blocks of the target left the CPU idle.
    CalibratedSleep,
    /// A switch between threads, because too few blocks of the target left the CPU idle.
    SwitchForSleep,
    /// Measured on the target: so many calls that woke a thread, against calls at the same sites
    /// that woke none.
    WakingCalls(u64),
    /// Calibrated on this machine.
    Calibrated,
    /// Measured on a pipe of the profiler's own.
    OwnPipe,
    /// Neither a calibration nor a reference is there.
    NoWakePrice,
    /// The calibrated cost of a message that so many threads hand on to each other, less the block
    /// and the cold code after it.
    HandedOn(f64),
    /// The cost of a block is not known.
    NoBlockPrice,
}

/// What a reader has to know with a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Caveat {
    /// So many blocks are on files, where readiness gains nothing.
    FilesBlock(f64),
    /// The target's CPU per switch changed while it was measured.
    Drifted(Drift),
    /// A quota kept the target from running: it has more work than it may use CPU for.
    HeldBack,
    /// The hooks filled CPU that the target leaves free when it is not measured.
    HooksFilledCpu,
    /// The calibrated cost of many threads is more than this target's code can be cold, so it is
    /// not counted.
    IncredibleCrowd {
        /// Calibrated cost of the code after a block, ns.
        each: f64,
        /// Threads that take turns.
        threads: f64,
    },
    /// The cost of this share of the blocks is not known.
    NotCovered(f64),
    /// asyncio is offered, whose read buffer may be mapped anew for each read.
    MappedBuffer,
}

/// Why there is no prediction.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The target used next to no CPU.
    NoCpu,
    /// The cost of a block is not known.
    NoBlockPrice,
    /// This machine was not calibrated, or not yet.
    NotCalibrated,
    /// This machine could not be calibrated.
    CalibrationFailed {
        /// The error in words, as the calibration gave it. Recordings keep it as text.
        said: String,
    },
    /// Its pool waits for work often and hardly for IO: something else waits for its IO.
    HandsOver {
        /// How often threads waited for work.
        waits: f64,
        blocks: f64,
    },
    /// Its blocks are on files, and none of the ways that were priced waits for those.
    NoWayForFiles,
    /// In some way more would come back than there is beside its own code: a price that was found
    /// does not fit this target.
    MoreThanThereIs {
        /// The sum of that way, a share of the target's CPU.
        saving: f64,
        /// What there is, a share of the target's CPU.
        most: f64,
    },
    /// Too few blocks for a figure, and enough that they could matter.
    FewBlocks {
        /// Blocks that were seen.
        blocks: f64,
        /// How long a measurement would see enough of them, seconds.
        seconds: f64,
    },
}
