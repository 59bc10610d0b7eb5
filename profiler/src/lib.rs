//! should-i-async: how much CPU time a running process spends because its threads block on IO, and whether async would
//! give it back. `docs/architecture.md` is the map of these rooms.

pub mod aggregate;
pub mod answer;
pub mod calibrate;
pub mod cli;
pub mod cost;
pub mod demo;
pub mod event;
pub mod export;
pub mod feed;
pub mod kernel;
pub mod machine;
pub mod pipeline;
pub mod predict;
pub mod process;
pub mod quantity;
pub mod record;
pub mod report;
pub mod symbol;
pub mod text;
pub mod tui;
