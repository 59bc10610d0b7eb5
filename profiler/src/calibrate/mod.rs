//! calibrate: what syscalls, switches and each IO interface cost on this machine, measured on threads, pipes, sockets and a
//! file of our own. It knows no target; the model gets its numbers as values.

pub mod cache;
mod error;
mod essentials;
mod full;
mod prices;
mod result;
mod rig;
mod sweet_spots;
mod text;

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
pub use text::text;

/// The format of [`json`], raised when a field changes its meaning.
const SCHEMA: &str = "should-i-async/calibration/1";

/// One JSON object for machines: the calibration and its sweet spots.
pub fn json(calibration: &Calibration) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        calibration: &'a Calibration,
        sweet_spots: Option<SweetSpots>,
    }
    let sweet_spots = calibration.full.as_ref().map(SweetSpots::new);
    let document = Document { schema: SCHEMA, calibration, sweet_spots };
    // Plain structures with text keys and finite numbers: there is nothing that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
