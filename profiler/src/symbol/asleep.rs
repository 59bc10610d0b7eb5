//! symbol/asleep: the stack of a thread that sleeps, without a kernel program: for threads that
//! slept through the whole measurement, which no event tells of.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::copy::{Registers, StackCopy};
use super::frame::{Frame, Origin};
use crate::process;
use crate::quantity::{Tgid, Tid};
use crate::text::clean::as_read;

/// How often a stack is read again because its thread moved meanwhile.
const ATTEMPTS: usize = 3;

const PAGE: u64 = 4096;

/// A thread's stack while it slept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SleepingStack {
    /// The thread that slept.
    pub tgid: Tgid,
    /// The system call it is in, by the numbering of the thread's own ABI; `None`: asleep outside
    /// of one (page fault).
    pub syscall: Option<u64>,
    /// Instruction and stack pointer; the kernel does not tell the others.
    pub registers: Registers,
    /// From the stack pointer upwards, to the stack's end at most.
    pub bytes: Vec<u8>,
    /// Its kernel stack, the innermost first; empty without CAP_SYS_ADMIN.
    pub kernel: Vec<Frame>,
}

impl SleepingStack {
    /// The copy as [`super::Unwinder::unwind`] takes it.
    pub fn copy(&self) -> StackCopy<'_> {
        StackCopy { tgid: self.tgid, registers: self.registers, bytes: &self.bytes }
    }
}

/// The stack of a thread, if it sleeps and stays asleep while it is read. `None` also where it has
/// gone, where the rights are missing (`PTRACE_MODE_ATTACH`), or for a kernel thread.
pub fn sleeping_stack(tgid: Tgid, tid: Tid, max_bytes: usize) -> Option<SleepingStack> {
    let folder = format!("/proc/{tgid}/task/{tid}");
    // A kernel thread has neither stack pointer nor instruction pointer here.
    let place = || process::sleeping_place(tgid, tid).filter(|place| place.sp != 0 && place.ip != 0);
    let memory = File::open(format!("{folder}/mem")).ok()?;
    for _ in 0..ATTEMPTS {
        let before = place()?;
        let bytes = read_up(&memory, before.sp, max_bytes);
        let kernel = std::fs::read_to_string(format!("{folder}/stack")).unwrap_or_default();
        // If the thread was awake in between and came back to the same place, only the stack below
        // it has changed.
        if place()? == before && !bytes.is_empty() {
            let registers = Registers { ip: before.ip, sp: before.sp, fp: 0, lr: 0 };
            return Some(SleepingStack {
                tgid,
                syscall: before.syscall.map(|call| call.nr),
                registers,
                bytes,
                kernel: kernel_frames(&kernel),
            });
        }
    }
    None
}

/// Page by page: a read that reaches past the stack's end fails as a whole.
fn read_up(memory: &File, start: u64, max_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(max_bytes);
    let mut page = [0; PAGE as usize];
    while bytes.len() < max_bytes {
        let at = start.wrapping_add(bytes.len() as u64);
        let to_page_end = (PAGE - at % PAGE) as usize;
        let wanted = to_page_end.min(max_bytes - bytes.len());
        match memory.read_at(&mut page[..wanted], at) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&page[..n]),
            _ => break,
        }
    }
    bytes
}

/// Lines of `[<0>] pipe_read+0x3f6/0x4a0` (fs/proc/base.c, `proc_pid_stack`), of modules with `
/// [name]` behind.
fn kernel_frames(text: &str) -> Vec<Frame> {
    let name = |line: &str| {
        let symbol = line.split_once("] ")?.1;
        let name = symbol.split(['+', ' ']).next().filter(|name| !name.is_empty())?;
        let named = !name.starts_with("0x");
        let name = if named { as_read(name) } else { format!("[{name}]") };
        Some(Frame { module: "[kernel]".to_owned(), origin: Origin::Kernel, named, ..Frame::mark(name) })
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_stacks_are_read_without_their_offsets() {
        let frames =
            kernel_frames("[<0>] pipe_read+0x3f6/0x4a0\n[<0>] ext4_x+0x1/0x2 [ext4]\n[<0>] 0xffffffff81000000\n");
        let seen: Vec<(&str, bool)> = frames.iter().map(|f| (f.name.as_str(), f.named)).collect();
        assert_eq!(seen, [("pipe_read", true), ("ext4_x", true), ("[0xffffffff81000000]", false)]);
    }
}
