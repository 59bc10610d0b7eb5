//! kernel: the only room that knows aya and the wire. Loads the programs, attaches them, reads
//! their maps back as plain records ([`Harvest`]).

mod batch;
mod btf;
mod chunks;
mod clock;
pub mod descriptors;
mod error;
mod harvest;
mod hooks;
mod ipc;
mod kfunc;
mod loader;
mod mapped;
pub mod memory;
mod offsets;
mod options;
mod per_cpu;
mod pmu;
pub mod preflight;
mod recorded;
mod sampler;
mod session;
mod site;
mod spare;
mod stacks;
mod statistics;
mod stream;
pub mod syscalls;
mod tids;
mod turns;
mod version;

pub use btf::{Btf, BtfError, VMLINUX};
pub use chunks::Chunks;
pub use clock::now;
pub use error::LoadError;
pub use harvest::Harvest;
pub use hooks::TRACEPOINTS;
pub use ipc::RawIpc;
pub use options::{Form, Options};
pub use per_cpu::possible_cpus;
pub use pmu::{Grade, Pmu};
pub use recorded::RecordedError;
pub use sampler::{SAMPLER, SampleCounts};
pub use session::{Passed, ProgramLog, RawPlace, Session};
pub use site::RawSite;
pub use stacks::{RawStack, StackRing};
pub use statistics::{ProgramCost, Statistics};
pub use stream::RawSpan;
pub use turns::{RawTurn, StallRing};
pub use version::{is_at_least, programs_are_preempted};

/// Reads a kernel's types and looks up all that is needed of them. For `fuzz/`.
#[cfg(fuzzing)]
pub fn fuzz_btf(bytes: &[u8]) {
    if let Some(btf) = btf::fuzz(bytes) {
        let _ = offsets::resolve(&btf, true);
        let _ = offsets::resolve(&btf, false);
    }
}
