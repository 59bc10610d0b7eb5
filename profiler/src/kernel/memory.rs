//! kernel/memory: how much memory the machine can still give.

use crate::quantity::kib;

/// Bytes that are available, by `/proc/meminfo`; `None` where it does not say.
pub fn available() -> Option<u64> {
    kib::bytes_of(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}
