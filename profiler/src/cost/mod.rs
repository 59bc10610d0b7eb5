//! cost: what blocking costs the target today, directly and indirectly. Pure.

mod births;
mod direct;
mod effect;
mod estimators;
mod hand_over;
mod indirect;
pub mod ipc;
mod note;

pub use births::Births;
pub(crate) use direct::{Bases, Pools, RARE, mean, only_waits};
pub use direct::{Basis, DirectCost, MIN_CALLS, Reference};
pub use effect::Effect;
pub use estimators::Estimators;
pub(crate) use estimators::sampled;
pub use hand_over::HandOvers;
pub use indirect::Indirect;
pub use ipc::{Before, Curve, Ipc};
pub use note::{Disagreement, Note};
