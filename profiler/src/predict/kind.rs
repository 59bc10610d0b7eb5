//! Kinds of predictions, told apart because their errors differ, and how large the errors were.

/// A kind of prediction. Each has errors of its own size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Machine code that blocks on sockets, pipes and the like.
    Sockets,
    /// Blocks on files, whatever it is written in.
    Files,
    /// The ways of an interpreter or virtual machine.
    Runtime,
    /// Machine code with a pool of threads that comes, goes or changes. What that costs depends on
    /// how the pool is written.
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

/// The error that nine of ten predictions kept to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missed {
    /// The error in units of the model's own standard error.
    pub times: f64,
    /// Rows of the lab and the pairs that it was found in.
    pub rows: u32,
    /// Programs that these rows are of.
    pub programs: u32,
}
