//! kernel: the only room that knows aya and the wire. Loads the programs, attaches them, reads their maps back as plain
//! records ([`Harvest`]).

mod btf;
mod chunks;
mod clock;
mod harvest;
mod ipc;
mod kfunc;
mod loader;
mod mapped;
mod offsets;
mod per_cpu;
mod pmu;
pub mod preflight;
mod recorded;
mod sampler;
mod session;
mod spare;
mod stacks;
mod statistics;
mod stream;
pub mod syscalls;

pub use btf::{Btf, BtfError, VMLINUX};
pub use chunks::Chunks;
pub use clock::now;
pub use harvest::{Harvest, RawSite};
pub use ipc::RawIpc;
pub use loader::{Form, LoadError, Options};
pub use offsets::TRACEPOINTS;
pub use pmu::{Grade, Pmu};
pub use recorded::RecordedError;
pub use sampler::SampleCounts;
pub use session::{ProgramLog, Session};
pub use stacks::{RawStack, StackRing};
pub use statistics::{ProgramCost, Statistics};
pub use stream::RawSpan;
