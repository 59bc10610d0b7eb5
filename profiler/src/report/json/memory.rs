//! What the target's threads take of memory in JSON.

use super::figure::Figure;
use crate::{
    answer::{self, Note},
    quantity, words,
};
use schemars::JsonSchema;
use serde::Serialize;

/// What the threads take of the machine's memory. A rewrite that needs none of them gives back no
/// more than that.
#[derive(Serialize, JsonSchema)]
pub(super) struct Memory {
    /// Threads that it is of.
    threads_count: Figure<f64>,
    /// Threads whose stacks were looked at; the others are taken to be like them.
    looked_at_count: Figure<f64>,
    /// Addresses that the stacks reserve.
    reserved_bytes: Figure<f64>,
    /// Of them in memory.
    resident_bytes: Figure<f64>,
    /// Of them swapped out.
    swapped_bytes: Figure<f64>,
    /// What the kernel keeps for these threads: their stacks in the kernel and their `task_struct`.
    kernel_bytes: Figure<f64>,
    /// In memory, with the kernel's part, as a share of the machine's memory.
    machine_ratio: Figure<f64>,
}

impl Memory {
    pub(super) fn new(memory: &quantity::Figure<answer::Memory, Note>) -> Self {
        let of = |pick: fn(&answer::Memory) -> Option<f64>| {
            Figure::derived(memory, memory.value().and_then(pick), words::KERNEL_DOES_NOT_SAY)
        };
        Self {
            threads_count: of(|memory| Some(memory.threads as f64)),
            looked_at_count: of(|memory| Some(memory.looked_at as f64)),
            reserved_bytes: of(|memory| Some(memory.reserved)),
            resident_bytes: of(|memory| Some(memory.resident)),
            swapped_bytes: of(|memory| Some(memory.swapped)),
            kernel_bytes: of(|memory| memory.kernel),
            machine_ratio: of(|memory| memory.share),
        }
    }
}
