//! Errors of `calibrate --runtime`.

use std::io;

use crate::quantity::Nanos;

/// Why a runtime could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried when the system refused.
        what: &'static str,
        source: io::Error,
    },
    /// It is not a program that can be run by itself.
    #[error("{0}")]
    NotRunnable(String),
    /// The child ended, and said this last.
    #[error("the interpreter ended before it was measured{0}")]
    Ended(String),
    /// The child was silent for too long.
    #[error(
        "the interpreter was silent for {waited}, and was ended: the machine may be too busy, try again when it is quieter"
    )]
    Silent {
        /// How long was waited.
        waited: Nanos,
    },
    /// The child said something else than it was asked for.
    #[error("the interpreter did not do as asked ({0}), and was ended")]
    Said(String),
}

impl RuntimeError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
