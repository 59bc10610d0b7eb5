//! symbol/copy: what an unwinder is given and what it makes of it: a copy of a stack, and a trace.

use super::address::CodeAddress;
use crate::quantity::Tgid;

/// User-mode registers at the moment of the copy. 0: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    pub ip: u64,
    pub sp: u64,
    /// Frame pointer: `rbp`, `x29`.
    pub fp: u64,
    /// Link register, aarch64 only.
    pub lr: u64,
}

/// A copy of the inner end of a thread's stack.
#[derive(Clone, Copy, Debug)]
pub struct StackCopy<'a> {
    /// The process whose stack it is.
    pub tgid: Tgid,
    /// The registers when the copy was made.
    pub registers: Registers,
    /// From the stack pointer upwards.
    pub bytes: &'a [u8],
}

impl StackCopy<'_> {
    /// The word at a distance from the stack pointer.
    pub(super) fn word(&self, distance: u64) -> Option<u64> {
        let start = usize::try_from(distance).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// A stack as code addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace {
    /// Code addresses, the innermost first.
    pub frames: Vec<CodeAddress>,
    /// Whether the thread's outermost frame was reached.
    pub complete: bool,
}
