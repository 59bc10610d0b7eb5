//! symbol/stub: code without unwind information that keeps no frame pointer either, but is so short
//! that it can be read: the trampolines of Python's `-X perf`, which do `sub $8, %rsp; call …; add
//! $8, %rsp; ret`. What follows the call tells where the return address is.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::quantity::Tgid;

/// Addresses remembered at most; JIT compilers make new ones for as long as they run.
const MOST: usize = 1 << 14;

/// What is known of a process's stubs.
#[derive(Default)]
pub(super) struct Stubs {
    memory: Option<File>,
    /// By return address: how far above the stack pointer the next return address is.
    known: HashMap<u64, Option<u64>>,
}

impl Stubs {
    /// Where the caller's return address is, as a distance from the stack pointer, if the code
    /// after `address` says so.
    pub(super) fn distance(&mut self, tgid: Tgid, address: u64) -> Option<u64> {
        if cfg!(not(target_arch = "x86_64")) {
            // Calls leave the return address in a register, so that such code keeps a frame.
            return None;
        }
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        if self.memory.is_none() {
            self.memory = File::open(format!("/proc/{tgid}/mem")).ok();
        }
        let mut code = [0; 5];
        let read = self.memory.as_ref()?.read_exact_at(&mut code, address).is_ok();
        let distance = if read { after_call(code) } else { None };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(address, distance);
        distance
    }
}

/// `ret`, or `add $n, %rsp; ret`.
fn after_call(code: [u8; 5]) -> Option<u64> {
    match code {
        [0xc3, ..] => Some(0),
        [0x48, 0x83, 0xc4, n, 0xc3] if n < 0x80 && n % 8 == 0 => Some(u64::from(n)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_returns_at_once_is_understood() {
        assert_eq!(after_call([0x48, 0x83, 0xc4, 0x08, 0xc3]), Some(8));
        assert_eq!(after_call([0xc3, 0, 0, 0, 0]), Some(0));
        // `add $8, %rsp; pop %rbp`, `sub $8, %rsp`, a misaligned stack.
        assert_eq!(after_call([0x48, 0x83, 0xc4, 0x08, 0x5d]), None);
        assert_eq!(after_call([0x48, 0x83, 0xec, 0x08, 0xc3]), None);
        assert_eq!(after_call([0x48, 0x83, 0xc4, 0x07, 0xc3]), None);
    }
}
