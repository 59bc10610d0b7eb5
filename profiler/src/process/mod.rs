//! process: from what the user names (PIDs, threads, programs, groups, a process tree) to the
//! processes to measure, and what is known of them: names, threads, the kernel's own counters,
//! descriptors, and their end. Everything comes from /proc; names of containers also from their
//! engines.

mod asleep;
mod children;
mod container;
mod deleted;
mod descriptor;
mod error;
mod exit;
mod list;
mod memory;
mod named;
mod proc;
mod quota;
mod resolve;
mod runtime;
mod single;
mod sockets;
mod stack_memory;
mod target;
mod thread;
mod unix_peer;
mod wanted;

pub use asleep::{SleepingPlace, SyscallState, sleeping_place};
pub use children::Children;
pub use deleted::without_deleted;
pub use descriptor::{
    Descriptor, DescriptorTable, Protocol, describe, device_of, file_system_of, only_watched, opened_direct,
    process_of, watched,
};
pub use error::{Candidate, TargetError};
pub use exit::{ExitWatch, is_alive, started};
pub use list::{Listed, list};
pub use memory::read_memory;
pub use named::{Group, Name};
pub use quota::{CpuQuota, QuotaWatch};
pub use resolve::{descendants, in_initial_pid_namespace, newcomers, resolve};
pub use runtime::{OtherRuntime, RunsIn, as_it_names, runs_in};
pub use single::Process;
pub use stack_memory::{KernelMemory, StackMemory, Stacks, kernel_memory};
pub use target::{Note, Target, TargetSpec};
pub use thread::{
    ThreadCounters, ThreadState, allowed_cpus, comm, counters, cpu_time, cpus, load_averages, online_cpus, own_tid,
    processor, snapshot_state, switches_of_all, thread_count, threads, works_for_ring,
};
pub use wanted::Wanted;

/// Reads files of /proc. For `fuzz/`.
#[cfg(fuzzing)]
pub fn fuzz_files(bytes: &[u8]) {
    proc::fuzz(bytes);
    sockets::fuzz(bytes);
    quota::fuzz(bytes);
    asleep::fuzz(bytes);
    let _ = container::from_cgroup(&String::from_utf8_lossy(bytes));
    let _ = crate::text::mountinfo::Mount::all(bytes).map(|mount| mount.cgroup_version()).count();
}
