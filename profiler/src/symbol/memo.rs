//! symbol/memo: traces that were unwound before. The same call path leaves the same return
//! addresses at the same places of the stack, whatever the data between them: so what unwinding
//! read is compared, and nothing is unwound again.
//!
//! Unwinding is a function of the registers and of the words it reads. Addresses inside the copy
//! count by their distance from the stack pointer, because a path may be taken at any depth and on
//! any thread. Any other word that is no return address was a register's old content, and led
//! nowhere. It matches every word of its kind.

use std::collections::HashMap;

use super::copy::{StackCopy, Trace};
use crate::quantity::Tgid;

/// Traces kept in all, and for one instruction pointer. Beyond that everything is forgotten, and
/// frequent traces come back at once.
const MOST_TRACES: usize = 1 << 15;
const MOST_OF_ONE: usize = 16;

/// What a word of the stack must be for a trace to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Exactly this return address.
    Exactly(u64),
    /// An address inside the copy, this far above the stack pointer.
    Inside(u64),
    /// Anything that points outside the copy.
    Outside,
    /// Beyond the end of the copy.
    Missing,
}

impl Word {
    /// A register's content, which is no return address.
    pub(super) fn from_register(value: u64, copy: &StackCopy<'_>) -> Self {
        match value.checked_sub(copy.registers.sp) {
            Some(distance) if distance < copy.bytes.len() as u64 => Self::Inside(distance),
            _ => Self::Outside,
        }
    }
}

/// What was read, by its distance from the stack pointer.
pub(super) type Reads = Vec<(u64, Word)>;

struct Known {
    generation: u32,
    frame_pointer: Word,
    link: u64,
    reads: Box<[(u64, Word)]>,
    trace: Trace,
}

/// The traces that are known.
#[derive(Default)]
pub(super) struct Memo {
    traces: HashMap<(Tgid, u64), Vec<Known>>,
    kept: usize,
}

impl Memo {
    pub(super) fn find(&self, copy: &StackCopy<'_>, generation: u32) -> Option<&Trace> {
        let known = self.traces.get(&(copy.tgid, copy.registers.ip))?;
        let frame_pointer = Word::from_register(copy.registers.fp, copy);
        let same = |known: &&Known| {
            known.generation == generation
                && known.frame_pointer == frame_pointer
                && known.link == copy.registers.lr
                && known.reads.iter().all(|&(distance, expected)| matches(copy, distance, expected))
        };
        known.iter().find(same).map(|known| &known.trace)
    }

    pub(super) fn keep(&mut self, copy: &StackCopy<'_>, generation: u32, reads: Reads, trace: &Trace) {
        if self.kept >= MOST_TRACES {
            self.traces.clear();
            self.kept = 0;
        }
        let frame_pointer = Word::from_register(copy.registers.fp, copy);
        let link = copy.registers.lr;
        let reads = reads.into_boxed_slice();
        let known = Known { generation, frame_pointer, link, reads, trace: trace.clone() };
        let of_one = self.traces.entry((copy.tgid, copy.registers.ip)).or_default();
        if of_one.len() >= MOST_OF_ONE {
            of_one.remove(0);
        } else {
            self.kept += 1;
        }
        of_one.push(known);
    }

    pub(super) fn forget(&mut self, tgid: Tgid) {
        self.traces.retain(|(of, _), _| *of != tgid);
        self.kept = self.traces.values().map(Vec::len).sum();
    }
}

fn matches(copy: &StackCopy<'_>, distance: u64, expected: Word) -> bool {
    match (copy.word(distance), expected) {
        (None, Word::Missing) => true,
        (Some(value), Word::Exactly(same)) => value == same,
        (Some(value), Word::Inside(_) | Word::Outside) => Word::from_register(value, copy) == expected,
        _ => false,
    }
}
