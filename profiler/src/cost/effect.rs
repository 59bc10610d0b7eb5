//! An effect of blocks on the code that runs after them.

use crate::quantity::Estimate;

/// Extra CPU after blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// What it adds to one block, ns.
    pub per_block: f64,
    /// The extra CPU of all blocks together, ns.
    pub total: Estimate,
    /// Blocks at the sites where the extra CPU is known.
    pub matched: u64,
}
