//! model: from a window to what it means: ledgers, costs, score, verdict. Pure: no IO, no clock.
//!
//! Everything that a screen or a report prints is in [`Report`], with its provenance; renderers only choose the words.

mod check;
mod cost;
mod figure;
mod ledger;
mod report;
mod verdict;
mod view;

pub use check::{Check, Counted};
pub use cost::{Basis, DirectCost, MIN_CALLS, Reference};
pub use figure::{Figure, Interval, Provenance};
pub use ledger::{CpuLedger, WallLedger, WallLine};
pub use report::{Facts, Inputs, ProcessFacts, Report, Score, SelfCost, Slice, WindowFacts};
pub use verdict::{Answer, Verdict};
pub use view::{DeviceView, SiteView, ThreadView, Wakeups};

pub use crate::aggregate::{
    BlockClass, DeviceRecord, Family, Histogram, OpenEnd, Place, Quality, Side, SiteRecord, Stat, Sums, ThreadTotals,
    Window,
};
