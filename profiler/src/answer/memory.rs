//! answer/memory: what the target's threads take of the machine's memory: stacks, and what the
//! kernel keeps for each.

use super::{
    inputs::{Inputs, ThreadMemory},
    note::Note,
};
use crate::quantity::Figure;

/// Memory of less than this share of the machine's is little.
const LITTLE: f64 = 0.01;

/// What the threads take, bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Threads that it is of.
    pub threads: u64,
    /// Threads whose stacks were looked at; the others are taken to be like them.
    pub looked_at: u64,
    /// Addresses that all stacks reserve.
    pub reserved: f64,
    /// Of them in memory.
    pub resident: f64,
    /// Of them swapped out.
    pub swapped: f64,
    /// What the kernel keeps for all of them; `None` where it does not say.
    pub kernel: Option<f64>,
    /// In memory, with the kernel's part, as a share of the machine's memory.
    pub share: Option<f64>,
}

impl Memory {
    pub(crate) fn new(inputs: &Inputs) -> Figure<Self, Note> {
        let runtime = inputs.facts.runtime.as_ref();
        let parks = runtime.is_some_and(|runtime| runtime.language.parks_its_tasks());
        match inputs.memory {
            None => Figure::unavailable(Note::NotCounted),
            Some(ThreadMemory { found: 0, .. }) => Figure::unavailable(Note::NoStackSeen),
            // Its stacks are pieces of its heap.
            Some(_) if parks => Figure::unavailable(Note::NoStackSeen),
            Some(memory) => Figure::measured(Self::from_stacks(memory)),
        }
    }

    fn from_stacks(memory: ThreadMemory) -> Self {
        let ThreadMemory { threads, found, reserved, resident, swapped, kernel_stack, task, machine } = memory;
        let all = |bytes: u64| bytes as f64 * threads as f64 / found as f64;
        let kernel = kernel_stack.map(|stack| stack.saturating_add(task.unwrap_or(0)) as f64 * threads as f64);
        let in_memory = all(resident) + kernel.unwrap_or(0.0);
        Self {
            threads,
            looked_at: found,
            reserved: all(reserved),
            resident: all(resident),
            swapped: all(swapped),
            kernel,
            share: machine.filter(|&machine| machine > 0).map(|machine| in_memory / machine as f64),
        }
    }

    /// Bytes that are in memory, the kernel's part included.
    pub fn in_memory(&self) -> f64 {
        self.resident + self.kernel.unwrap_or(0.0)
    }

    /// Whether it is not worth a thought.
    pub fn is_little(&self) -> bool {
        self.share.is_some_and(|share| share < LITTLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_were_not_looked_at_are_like_the_others() {
        let stacks = ThreadMemory {
            threads: 100,
            found: 50,
            reserved: 50 << 23,
            resident: 50 << 14,
            swapped: 0,
            kernel_stack: Some(16 << 10),
            task: Some(8 << 10),
            machine: Some(1 << 30),
        };
        let memory = Memory::from_stacks(stacks);
        assert_eq!((memory.reserved, memory.resident), (f64::from(100 << 23), f64::from(100 << 14)));
        assert_eq!(memory.kernel, Some(f64::from(100 * (24 << 10))));
        assert_eq!(memory.in_memory(), f64::from(100 * (40 << 10)));
        assert!(memory.is_little() && memory.share.unwrap() > 0.003);
        let without = Memory::from_stacks(ThreadMemory { kernel_stack: None, machine: None, ..stacks });
        assert_eq!((without.kernel, without.share, without.is_little()), (None, None, false));
    }

    #[test]
    fn what_was_not_seen_is_no_zero() {
        assert_eq!(Memory::new(&Inputs::default()).value(), None);
        let none = ThreadMemory { threads: 3, ..ThreadMemory::default() };
        let inputs = Inputs { memory: Some(none), ..Inputs::default() };
        assert_eq!(Memory::new(&inputs), Figure::unavailable(Note::NoStackSeen));
    }
}
