//! A workload that is set up: what is parked, and what is done with it.

use anyhow::Result;

use crate::row::Row;
use crate::worker::Worker;

/// What the driver does with the parked workers.
pub(crate) type Action = Box<dyn FnMut(&[Worker]) -> Result<()>>;

/// A kind, ready to start: parked workers, and what the driver does once the profiler is attached.
pub(crate) struct Play {
    pub(crate) workers: Vec<Worker>,
    /// Releases the workers and sees them through; runs on the main thread.
    pub(crate) action: Action,
    /// Rows of threads that are not parked workers (churn).
    pub(crate) more_rows: Box<dyn FnOnce() -> Vec<Row>>,
    /// Facts beside the rows, as (key, JSON value).
    pub(crate) extra: Vec<(&'static str, String)>,
}
