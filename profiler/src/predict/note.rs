//! Why a prediction says what it says, as values: what prices rest on, what has to be known with
//! it, why there is none.

use super::baseline::Drift;

/// What a price rests on, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// Measured, less what the target's many threads make of a switch.
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
    /// In place: so many calls that woke somebody against those at the same sites that did not.
    WakingCalls(u64),
    /// Calibrated on this machine.
    Calibrated,
    /// On a pipe of the profiler's own.
    OwnPipe,
    /// Neither a calibration nor a reference is there.
    NoWakePrice,
    /// What is left of a calibrated message that so many threads hand on to each other.
    HandedOn(f64),
    /// The cost of a block could not be told.
    NoBlockPrice,
}

/// What has to be known with a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Caveat {
    /// So many blocks are on files, where readiness gains nothing.
    FilesBlock(f64),
    /// The target changed while it was measured.
    Drifted(Drift),
    /// The hooks filled CPU that the target leaves free when nobody looks.
    HooksFilledCpu,
    /// The calibrated cost of many threads is more than this target's code can be cold, so it is
    /// not counted.
    IncredibleCrowd {
        /// Calibrated cost of the code after a block, ns.
        each: f64,
        /// Threads that take turns.
        threads: f64,
    },
    /// The cost of this share of the blocks could not be told.
    NotCovered(f64),
}

/// Why there is no prediction.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The target used next to no CPU.
    NoCpu,
    /// The cost of a block could not be told.
    NoBlockPrice,
    /// This machine was not calibrated, or not yet.
    NotCalibrated,
    /// This machine could not be calibrated.
    CalibrationFailed {
        /// As it was said where it was tried; a recording keeps that.
        said: String,
    },
    /// Its pool waits for work so often, and hardly for IO: what it is handed over for is done
    /// elsewhere.
    HandsOver {
        /// How often threads waited for work.
        waits: f64,
        blocks: f64,
    },
    /// Its blocks are on files, and none of the ways that were priced waits for those.
    NoWayForFiles,
    /// Too few blocks for a figure, and enough that they could matter.
    FewBlocks {
        /// Blocks that were seen.
        blocks: f64,
        /// How long a measurement would see enough of them, seconds.
        seconds: f64,
    },
}
