//! The clock of the kernel programs: `bpf_ktime_get_ns` is `CLOCK_MONOTONIC`.

use crate::quantity::Nanos;

/// Now, on the clock that the programs stamp events with.
pub fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Nanos::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
