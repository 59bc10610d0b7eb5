//! answer: what a measurement means: ledgers, score, verdict, tables, and the [`Report`] that holds
//! them all. Pure.

mod advice;
mod capacity;
mod check;
mod decide;
mod diff;
mod gain;
mod inputs;
mod latency;
mod ledger;
mod load;
mod memory;
mod metrics;
mod note;
mod possible;
mod profile;
mod report;
mod sampled;
mod score;
mod stalls;
mod top;
mod verdict;
mod view;
mod work;

pub use advice::{Advice, SmallCalls};
pub use capacity::{Capacity, InWay, Limit, Workers};
pub use check::{Check, Counted};
pub use diff::{Change, Compared, Diff, Measure, NoPrediction, PredictionCheck, Side};
pub use gain::{Blockers, Decision, Gain, WORTH};
pub use inputs::{
    Bystanders, ChildrenFacts, ConnectionFacts, Ended, Facts, Inputs, LoadAverages, ProcessFacts, Quota, Slice,
    ThreadMemory, Toll, WindowFacts,
};
pub use latency::{Latency, Part as LatencyPart};
pub use ledger::{CpuLedger, WallLedger, WallLine};
pub use load::{Load, MachineLoad};
pub use memory::Memory;
pub use metrics::{Metrics, Tally, Turns};
pub use note::Note;
pub use possible::{Impossible, Whose, possible};
pub use profile::{Profile, Stack, Weight, Weights};
pub use report::{OthersPay, Report, SelfCost};
pub(crate) use sampled::share_out;
pub use sampled::{Sampled, SampledStack, StackQuality, Taken};
pub use score::{Score, direct_share};
pub use stalls::{Caught, Cause, EventLoop, Instead, Part, Stall, StallStack, Stalls};
pub use top::{By, Member, Overhead, Told, Top, TopRow};
pub use verdict::{Answer, Evidence, HandOver, NoGain, Reason, Verdict, Work};
pub use view::{DeviceView, SiteView, ThreadView, Wakeups};
pub use work::{NoUnits, NotSameWork, Per, Unit, Which, Why};
