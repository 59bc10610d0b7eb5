//! words: what the answer says in English, once for all outputs: verdict, evidence, advice, terms,
//! notes and reasons.

mod answer;
mod cost;
mod in_words;
mod ipc;
mod machine;
mod predict;
mod roles;
mod verdict;

pub use cost::disagreement;
pub use in_words::{InWords, note};
pub use ipc::{SURVIVORS, reason};
pub use machine::{MODELLED_RUNTIME, OF_FILE_SYSTEM, measured_runtime, origin, prices, runtime};
pub use predict::{missed, missed_on};
