//! event/program: what a program of ours cost.

use crate::{
    kernel::{ProgramCost, SAMPLER},
    quantity::Nanos,
};

/// What one kernel program cost.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProgramRecord {
    /// Name of the program.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// Time in these runs.
    pub time: Nanos,
    /// Runs left out by the kernel.
    pub missed: u64,
}

impl ProgramRecord {
    /// Whether it runs by the CPU clock, and not at an event of the target.
    pub fn is_sampler(&self) -> bool {
        self.name == SAMPLER
    }
}

impl From<&ProgramCost> for ProgramRecord {
    fn from(raw: &ProgramCost) -> Self {
        Self { name: raw.name.clone(), runs: raw.runs, time: raw.time, missed: raw.missed }
    }
}
