//! words: what the answer says in English, once for all outputs. So far what the hardware counters
//! told; verdict, evidence, advice and notes are still made beside their figures.

mod ipc;
mod machine;

pub use ipc::{SURVIVORS, reason};
pub use machine::{origin, prices};
