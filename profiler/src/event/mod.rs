//! event: what came over the wire, decoded with checks into owned records. No IO, no clock.
//!
//! The wire ends here: its types are copied into event's own. What is signed is an `i64`, a sum of
//! 128 bits is a `u128`, and everything that is a discriminant, an id or a moment gets its type. A
//! record that makes no sense is an error that says which field. Recordings keep these types under
//! the names and in the shapes that the wire gave them, so that every build reads them.

mod batch;
mod class;
mod counters;
mod device;
mod error;
mod ipc;
mod ipc_counts;
pub mod ipc_layout;
mod join;
mod mark;
mod place;
mod program;
mod sample;
mod seen;
mod site;
mod stack;
mod stat;
mod stream;
mod sums;
mod thread;
mod turn;
mod windows;

pub use batch::{Batch, decode};
pub use class::{BlockClass, CLASS_COUNT, Family};
pub use counters::Counters;
pub use device::{DeviceRecord, Side};
pub use error::DecodeError;
pub use ipc::{IpcRecord, SiteIpc};
pub use ipc_counts::IpcCounts;
pub use place::Place;
pub use program::ProgramRecord;
pub use sample::SampleCounts;
pub use seen::Site;
pub use site::{SiteRecord, SizeWindows, decode_sites, join_sites};
pub use stack::{StackMoment, StackRecord, StackRegisters, decode_stack};
pub use stat::{BUCKETS, Stat};
pub use stream::{BlockEnd, Span};
pub use sums::{CONCURRENCY_BUCKETS, ClassSum, Loads, Sums};
pub use thread::{Call, Living, Phase, Standing, ThreadRecord, Threads};
pub use turn::{LongestBlock, LoopRecord, Turn, TurnSums, decode_living_turn, decode_turn};
pub use windows::{Pairs, SiteWindows, Windows};
