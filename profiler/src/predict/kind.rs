//! What predictions are of, as far as their errors differ, and by how much they were off.

/// What a prediction is of, as far as its errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Machine code that blocks on sockets, pipes and the like.
    Sockets,
    /// Blocks on files, whatever it is written in.
    Files,
    /// The ways of an interpreter or virtual machine.
    Runtime,
    /// Machine code that a pool of threads does a part of, be it that it comes, goes or changes:
    /// what that takes is up to how the pool is written.
    Pools,
}

impl Kind {
    /// Its name in reports and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Files => "files",
            Self::Runtime => "runtime",
            Self::Pools => "pools",
        }
    }
}

/// By how much predictions were off, in nine of ten programs at the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missed {
    /// Times what the model says of its own uncertainty.
    pub times: f64,
    /// Over so many rows.
    pub rows: u32,
    /// Of so many programs.
    pub programs: u32,
}
