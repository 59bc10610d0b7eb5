//! model: from a window to what it means: ledgers, costs, score, verdict. Pure: no IO, no clock.
//!
//! Everything that a screen or a report prints is in [`Report`], with its provenance; renderers only choose the words.

mod advice;
mod baseline;
mod bootstrap;
mod calibration;
mod check;
mod cost;
mod diff;
mod engine;
mod estimate;
mod figure;
mod indirect;
pub mod ipc;
mod ledger;
mod live;
mod prices;
mod profile;
pub mod replay;
mod report;
mod sampled;
mod score;
mod verdict;
mod view;
mod whatif;

pub use baseline::Baseline;
pub use calibration::{BlockCost, Calibration, Cost, Crowd, DirectRead, FileCost, ReadCost, Step, Way};
pub use check::{Check, Counted};
pub use cost::{Basis, DirectCost, MIN_CALLS, Reference};
pub use diff::{Change, Compared, Diff, Measure, Per, PredictionCheck};
pub use engine::Engine;
pub use estimate::Estimators;
pub use figure::{Figure, Interval, Provenance};
pub use indirect::{Effect, Indirect};
pub use ipc::{Before, Curve, Estimate, Ipc};
pub use ledger::{CpuLedger, WallLedger, WallLine};
pub use live::{Command, Feed, Snapshot, State, Update};
pub use prices::{Blocks, DirectReads, Prices};
pub use profile::{Profile, Stack, StackQuality, Weight, Weights, call_mark};
pub use replay::Queues;
pub use report::{Facts, Inputs, ProcessFacts, Report, SelfCost, Slice, WindowFacts};
pub use sampled::{Sampled, SampledStack, Taken};
pub use score::Score;
pub use verdict::{Answer, Verdict};
pub use view::{DeviceView, SiteView, ThreadView, Wakeups};
pub use whatif::{Ground, MIN_BLOCKS, Saving, Scenario, Term, WhatIf};

pub use crate::symbol::{Frame, Origin};

pub use crate::aggregate::{
    BlockClass, BlockEnd, ClassSum, DeviceRecord, Family, Histogram, OpenEnd, Place, Quality, SampleCounts, Side,
    SiteRecord, Span, Stat, Sums, ThreadTotals, Window,
};
