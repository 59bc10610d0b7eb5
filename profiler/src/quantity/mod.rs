//! quantity: what a figure is. Units, intervals, provenance, and the statistics behind them. Pure,
//! and every other room rests on it.

pub(crate) mod bootstrap;
mod estimate;
mod figure;
mod id;
pub(crate) mod kib;
mod listed;
mod nanos;
mod repeats;
mod survival;
mod uncertain;

pub use estimate::{Estimate, Z90};
pub use figure::{Figure, Provenance};
pub use id::{Addr, Tgid, Tid};
pub(crate) use listed::listed;
pub use nanos::Nanos;
pub use repeats::{Repeats, median};
pub(crate) use survival::weights;
pub use survival::{Quantiles, SHOWN};
pub(crate) use uncertain::Uncertain;
