//! should-i-async: how much CPU time a running process spends because its threads block on IO, and whether async would
//! give it back. `docs/architecture.md` is the map of these rooms.

pub mod aggregate;
pub mod event;
pub mod kernel;
pub mod model;
pub mod target;
pub mod units;
