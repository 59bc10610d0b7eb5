//! calibrate: what syscalls, switches and each IO interface cost on this machine, measured on threads, pipes, sockets and a
//! file of our own. It knows no target; the model gets its numbers as values.

mod aio;
pub mod cache;
mod clock;
pub mod essentials;
pub mod full;
pub(crate) mod pace;
mod peers;
mod ring;
mod scratch;
pub mod stats;
pub mod sweet;
mod text;
mod trip;

pub use cache::Calibration;
pub(crate) use essentials::Usage;
pub use essentials::{
    Beyond, BlockCost, CrowdCost, Essentials, FileStep, Medium, Missing, ReadCost, Step, cached, measure,
};
pub use stats::Cost;
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
        sweet_spots: Option<sweet::SweetSpots>,
    }
    let sweet_spots = calibration.full.as_ref().map(sweet::SweetSpots::of);
    let document = Document { schema: SCHEMA, calibration, sweet_spots };
    // Plain structures with text keys and finite numbers: there is nothing that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// Sockets, pipes, files and threads of our own.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The cache.
    #[error(transparent)]
    Cache(#[from] cache::CacheError),
    /// A measurement that came to nothing.
    #[error("{0}")]
    Failed(String),
}

impl CalibrateError {
    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
