//! An effect of blocks on the code that runs after them.

use crate::quantity::Estimate;

/// Extra CPU after blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// What it adds to one block, ns.
    pub per_block: f64,
    /// All of it, ns.
    pub total: Estimate,
    /// Blocks at sites where it could be told.
    pub matched: u64,
}
