//! Why there is no calibration, and why a kept one is of no use.

use std::{io, path::PathBuf};

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// Sockets, pipes, files and threads of our own.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A measurement that came to nothing.
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
    /// There is none.
    #[error("no calibration of this machine yet: run should-i-async calibrate")]
    None,
    /// It is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Cut, or not ours.
    #[error("{} is damaged ({reason}): run should-i-async calibrate to write it anew", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// The parser's reason.
        reason: String,
    },
    /// Sound, and from elsewhere.
    #[error(
        "{} is from another {what}: it has {theirs}, and this is {ours}; run should-i-async calibrate",
        path.display()
    )]
    Foreign {
        /// Where.
        path: PathBuf,
        /// Kernel, machine, version or layout.
        what: &'static str,
        /// In the file.
        theirs: String,
        /// Here.
        ours: String,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` names a folder.
    #[error("no place for the cache: set HOME or XDG_CACHE_HOME to an absolute path")]
    NoPlace,
}
