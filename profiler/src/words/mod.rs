//! words: what the answer says in English, once for all outputs: verdict, evidence, advice, terms,
//! notes and reasons.

mod answer;
mod cost;
mod in_words;
mod ipc;
mod ledger;
mod machine;
mod predict;
mod quality;
mod roles;
mod verdict;
mod wakeups;
mod ways;

pub use cost::disagreement;
pub use in_words::{InWords, note, provenance};
pub use ipc::{SURVIVORS, reason};
pub use machine::{MODELLED_RUNTIME, OF_FILE_SYSTEM, measured_runtime, origin, prices, runtime};
pub use predict::{base, missed, missed_on};
pub use quality::{CURVES, NO_CALL, NO_CPU, NO_THREAD, NO_WAKE_UP, counts, reference, times};
