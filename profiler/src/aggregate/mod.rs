//! aggregate: from decoded records to a [`Window`], in which every interval is closed and every
//! loss has a count. No IO, no clock.
//!
//! The programs leave intervals open: a thread that is blocked when the measurement ends has its
//! switch-out on record and no switch-in. Here they are closed at the window's end, and counted as
//! open.

mod bonds;
mod brief;
mod histogram;
mod load;
mod quality;
mod requests;
mod role;
mod roles;
mod signs;
mod silent;
mod since;
mod split;
mod totals;
mod window;

pub use brief::BriefServers;
pub use histogram::Histogram;
pub use load::LoadTimes;
pub use quality::{Loss, Quality};
pub use requests::{Clients, Connection, Request, Requests, Spent, runs_of};
pub use role::{Role, RoleBasis, RoleLine, Scheduling, ThreadRole};
pub use roles::Roles;
pub use silent::{Doing, Silent};
pub use totals::{OpenEnd, ThreadTotals};
pub use window::Window;
