//! predict: what another way of waiting would cost the same work. Pure: no IO, no clock.

mod baseline;
mod engine;
mod prices;
pub mod replay;
mod whatif;

pub use baseline::Baseline;
pub(crate) use baseline::{Alone, slower};
pub use engine::Engine;
pub use prices::{Blocks, DirectReads, Prices};
pub use replay::Queues;
pub(crate) use whatif::Given;
pub use whatif::{Ground, MIN_BLOCKS, Saving, Scenario, Term, WhatIf};
