//! Where prices come from.

use serde::{Deserialize, Serialize};

/// Where prices come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// When they were measured.
    pub taken: Taken,
    /// Share of the CPUs that others used while they were measured, 0 to 1.
    pub others: f64,
}

/// When prices were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// By `calibrate`, so many seconds before they were used.
    Earlier {
        /// The seconds.
        seconds: u64,
    },
    /// Right after the target was measured.
    OnTheSpot,
}

/// An [`Origin`] in words: recordings have always kept it so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(String);

impl Source {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Source {
    fn from(words: String) -> Self {
        Self(words)
    }
}
