//! Errors of a calibration, of its cache file, and of measuring a file system.

use std::{io, path::PathBuf};

use crate::text::numbers::per_second;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// A socket, pipe, file or thread could not be had.
    #[error("{what}: {source}")]
    System {
        /// What was tried when the system refused.
        what: &'static str,
        source: io::Error,
    },
    /// The cache file could not be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A measurement gave no result.
    #[error("{0}")]
    Failed(String),
}

impl CalibrateError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Why a cache file is of no use here.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no cache file.
    #[error("no calibration of this machine yet: run should-i-async calibrate")]
    None,
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The file is cut, or no calibration.
    #[error("{} is damaged ({reason}): run should-i-async calibrate to write it anew", path.display())]
    Damaged {
        path: PathBuf,
        /// What the parser says is wrong.
        reason: String,
    },
    /// The file is sound and comes from another machine, kernel or version.
    #[error(
        "{} is from another {what}: it has {theirs}, and this is {ours}; run should-i-async calibrate",
        path.display()
    )]
    Foreign {
        path: PathBuf,
        /// What differs: kernel, machine, version or layout.
        what: &'static str,
        /// What the file has.
        theirs: String,
        /// What this machine has.
        ours: String,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is an absolute path.
    #[error("no place for the cache: set HOME or XDG_CACHE_HOME to an absolute path")]
    NoPlace,
}

/// Why a file system was not measured.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// It could not be looked at, or no file made there.
    #[error("{}: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
    /// Less than 1 GiB is free.
    #[error("less than 1 GiB is free on the file system of {}: it is left alone", path.display())]
    NoRoom { path: PathBuf },
    /// Other programs use the device.
    #[error(
        "the device of {} serves requests at {} already: it is left alone; try again when it is quiet",
        path.display(),
        per_second(*rate as f64)
    )]
    Busy {
        path: PathBuf,
        /// Requests that the device serves, a second.
        rate: u64,
    },
    /// It takes no requests past the page cache.
    #[error("{}: {why}", path.display())]
    Refused {
        path: PathBuf,
        /// The error of the system.
        why: String,
    },
}
