//! kernel/tids: the table from a thread's id to its slot.

/// Thread ids per value of `SIA_TIDS`, as in `profiler-ebpf/src/maps.rs`.
pub(super) const TIDS_PER_CHUNK: usize = 1 << 14;
pub(super) type TidChunk = [u32; TIDS_PER_CHUNK];

/// Values that `SIA_TIDS` needs on this machine.
pub(super) fn tid_chunks() -> usize {
    pid_max().div_ceil(TIDS_PER_CHUNK) + 1
}

/// One more than the largest thread id of this machine.
pub(super) fn pid_max() -> usize {
    std::fs::read_to_string("/proc/sys/kernel/pid_max")
        .ok()
        .and_then(|s| s.trim().parse().ok())
        // PID_MAX_LIMIT of include/linux/threads.h
        .unwrap_or(4 << 20)
}
