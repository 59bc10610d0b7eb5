//! machine: what this machine charges for calls, blocks and each way of waiting, as values. Pure.

mod language;
mod medium;
mod modelled;
mod origin;
mod pace;
mod price_list;
mod queue;
mod row;
mod runtime;
mod way;

pub use language::Language;
pub use medium::Medium;
pub use origin::{Beside, Origin, Source, Taken};
pub(crate) use pace::slower;
pub use price_list::{At, PriceList};
pub use queue::Queue;
pub use row::{BlockCost, Crowd, DirectRead, FileCost, HandOverCost, ReadCost, Step};
pub use runtime::{EventCost, Runtime, RuntimePrices, SleepCost, SleptFor};
pub use way::{Pool, Way};
