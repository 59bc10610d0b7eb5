//! calibrate: what syscalls, switches and each IO interface cost on this machine, measured on
//! threads, pipes, sockets and a file of our own. It knows no target; the model gets its numbers as
//! values.

pub mod cache;
mod error;
mod essentials;
mod full;
mod prices;
mod result;
mod rig;
mod sweet_spots;

pub use cache::Calibration;
pub use error::{CacheError, CalibrateError};
pub use essentials::measure;
pub use full::measure as measure_all;
pub use prices::prices;
pub use result::{
    Beyond, BlockRow, CrowdRow, DiskRow, EpollRow, Essentials, Figure, FileInterface, FileRow, Full, Interrupts,
    LONG_IDLE, Missing, ReadRow, ReadyInterface, ReadyRow, SHORT_IDLE, SizeRow, StepRow, WorkingSetRow,
};
pub(crate) use rig::{host::Usage, pace};
pub use sweet_spots::{Choice, FileSpot, ReadySpot, SweetSpots};
