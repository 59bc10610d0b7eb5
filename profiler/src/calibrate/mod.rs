//! calibrate: measures what syscalls, switches and each IO interface cost on this machine, on
//! threads, pipes, sockets and a file of its own, and keeps the result. It knows no target.
//! Predictions get a price list from it.
//!
//! The order of the files: `result` (what is found) and `error` rest on nothing in here; `rig` has
//! the tools; `essentials` and `full` measure with them; `cache` keeps the result, `prices` makes a
//! price list of it, and `sweet_spots` compares interfaces. `volume` measures one file system that
//! is named, and `runtime` one interpreter.

pub mod cache;
mod error;
mod essentials;
mod full;
mod prices;
mod result;
mod rig;
pub mod runtime;
mod sweet_spots;
mod volume;

pub use cache::Calibration;
pub use error::{CacheError, CalibrateError, VolumeError};
pub use essentials::measure;
pub use full::measure as measure_all;
pub use prices::prices;
pub use result::{
    Beyond, BlockRow, CrowdRow, DiskRow, EpollRow, Essentials, Figure, FileInterface, FileRow, Full, HandOverRow,
    Interrupts, LONG_IDLE, Missing, ReadRow, ReadyInterface, ReadyRow, SHORT_IDLE, SizeRow, SteadyRow, StepRow,
    WorkingSetRow,
};
pub(crate) use rig::{host::Usage, pace};
pub use sweet_spots::{Choice, FileSpot, ReadySpot, SweetSpots};
pub use volume::VolumeCalibration;
