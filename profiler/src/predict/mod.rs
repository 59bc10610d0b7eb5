//! predict: what another way of waiting would cost the same work. Pure: no IO, no clock.

mod baseline;
mod batch;
mod crowd;
mod doubt;
mod engine;
mod given;
mod grid;
mod interval;
mod kind;
mod missed;
mod note;
mod pool;
mod prices;
pub mod replay;
mod scenario;
mod sum;
mod term;
mod whatif;

pub(crate) use baseline::Alone;
pub use baseline::Baseline;
pub use doubt::{Assumption, Doubt};
pub use engine::Engine;
pub(crate) use given::Given;
pub use grid::{Answers, Grid, Question};
pub use interval::Unsure;
pub use kind::{Kind, Missed};
pub use note::{Caveat, Note, Refusal};
pub use prices::{Blocks, ByWorkers, DirectReads, Files, Prices};
pub use replay::Queues;
pub use scenario::{Ground, Scenario};
pub use term::{Term, TermBasis, TermKind};
pub use whatif::{MIN_BLOCKS, Priced, WhatIf};
