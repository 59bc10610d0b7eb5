//! should-i-async: how much CPU time a running process spends because its threads block on IO, and whether async would
//! give it back. `docs/architecture.md` is the map of these rooms.

pub mod aggregate;
pub mod calibrate;
pub mod cli;
pub mod demo;
pub mod event;
pub mod export;
pub mod kernel;
pub mod model;
pub mod pipeline;
pub mod record;
pub mod report;
pub mod symbol;
pub mod target;
pub mod tui;
pub mod units;
