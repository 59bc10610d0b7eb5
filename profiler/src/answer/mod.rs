//! answer: what a measurement means: ledgers, score, verdict, tables, and the [`Report`] that holds them all. Pure.

mod advice;
mod check;
mod diff;
mod ledger;
mod profile;
mod report;
mod sampled;
mod score;
mod verdict;
mod view;

pub use check::{Check, Counted};
pub use diff::{Change, Compared, Diff, Measure, Per, PredictionCheck};
pub use ledger::{CpuLedger, WallLedger, WallLine};
pub use profile::{Profile, Stack, StackQuality, Weight, Weights, call_mark};
pub use report::{Facts, Inputs, ProcessFacts, Report, SelfCost, Slice, WindowFacts};
pub use sampled::{Sampled, SampledStack, Taken};
pub use score::Score;
pub use verdict::{Answer, Verdict};
pub use view::{DeviceView, SiteView, ThreadView, Wakeups};
