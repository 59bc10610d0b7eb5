//! Ways to wait for many descriptors.

use super::row::Step;
use crate::quantity::Estimate;

/// A way to wait for many descriptors in one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Way {
    /// A hand-written loop over `epoll_wait`, one extra attempt per event.
    Naive,
    /// An async runtime.
    Runtime,
    /// `io_uring`, batched.
    Tuned,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Naive, Self::Runtime, Self::Tuned];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Runtime => "runtime",
            Self::Tuned => "tuned",
        }
    }

    /// What it is, in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Naive => "readiness: epoll, one extra attempt per wait",
            Self::Runtime => "readiness through a runtime (tokio, one thread per loop)",
            Self::Tuned => "completion: io_uring, batched",
        }
    }

    /// What a server step costs in this way.
    pub(super) fn cost_of(self, step: &Step) -> Option<Estimate> {
        match self {
            Self::Naive => Some(step.again),
            Self::Runtime => step.runtime,
            Self::Tuned => step.uring,
        }
    }
}
