//! Memory that is short, in words.

use crate::text::numbers::bytes;

/// What is needed, and what can be had of the machine, or of a cgroup with this limit.
pub fn memory_needed(needed: u64, left: u64, limit: Option<u64>) -> String {
    let (needed, left) = (bytes(needed), bytes(left));
    match limit {
        Some(limit) => format!(
            "measuring takes {needed}, and {left} are left of the {} of this memory cgroup; raise its limit, memory.max",
            bytes(limit)
        ),
        None => format!("measuring takes {needed}, and {left} are available"),
    }
}
