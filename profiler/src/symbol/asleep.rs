//! symbol/asleep: the stack of a thread that sleeps, without a kernel program: for threads that
//! slept through the whole measurement, which no event tells of.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::copy::{Registers, StackCopy};
use super::frame::{Frame, Origin};
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

/// Where /proc/PID/task/TID/syscall says the thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    syscall: Option<u64>,
    sp: u64,
    ip: u64,
}

/// The stack of a thread, if it sleeps and stays asleep while it is read. `None` also where it has
/// gone, where the rights are missing (`PTRACE_MODE_ATTACH`), or for a kernel thread.
pub fn sleeping_stack(tgid: Tgid, tid: Tid, max_bytes: usize) -> Option<SleepingStack> {
    let folder = format!("/proc/{tgid}/task/{tid}");
    let place = || parse_place(&std::fs::read_to_string(format!("{folder}/syscall")).ok()?);
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
                syscall: before.syscall,
                registers,
                bytes,
                kernel: kernel_frames(&kernel),
            });
        }
    }
    None
}

/// `running`, `-1 sp pc` or `nr a0 … a5 sp pc` (fs/proc/base.c, `proc_pid_syscall`).
fn parse_place(text: &str) -> Option<Place> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (sp, ip) = match words.len() {
        3 | 9 => (words.get(words.len() - 2)?, words.last()?),
        _ => return None,
    };
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let place = Place { syscall: words.first()?.parse().ok(), sp: hex(sp)?, ip: hex(ip)? };
    (place.sp != 0 && place.ip != 0).then_some(place)
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
    fn the_formats_of_syscall() {
        assert_eq!(parse_place("running\n"), None);
        let fault = parse_place("-1 0x7ffd 0x55\n").unwrap();
        assert_eq!(fault, Place { syscall: None, sp: 0x7ffd, ip: 0x55 });
        let call = parse_place("0 0x3 0xffffffffffffffff 0x3 0x4 0x5 0x6 0x7ffd 0x55\n").unwrap();
        assert_eq!(call, Place { syscall: Some(0), sp: 0x7ffd, ip: 0x55 });
        // A kernel thread.
        assert_eq!(parse_place("0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0"), None);
        assert_eq!(parse_place(""), None);
    }

    #[test]
    fn kernel_stacks_are_read_without_their_offsets() {
        let frames =
            kernel_frames("[<0>] pipe_read+0x3f6/0x4a0\n[<0>] ext4_x+0x1/0x2 [ext4]\n[<0>] 0xffffffff81000000\n");
        let seen: Vec<(&str, bool)> = frames.iter().map(|f| (f.name.as_str(), f.named)).collect();
        assert_eq!(seen, [("pipe_read", true), ("ext4_x", true), ("[0xffffffff81000000]", false)]);
    }
}
