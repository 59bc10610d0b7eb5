//! symbol/tests/capture: children that block at a known place, and their stacks, taken as a
//! debugger does.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process;
use crate::quantity::{Tgid, Tid};
use crate::symbol::{Registers, StackCopy, sleeping_stack};

const MODE: &str = "SYMBOL_TEST_CHILD";

/// A stack copy that owns its bytes.
#[derive(Clone)]
pub(super) struct Stack {
    pub(super) tgid: Tgid,
    pub(super) registers: Registers,
    pub(super) bytes: Vec<u8>,
}

impl Stack {
    pub(super) fn copy(&self) -> StackCopy<'_> {
        StackCopy { tgid: self.tgid, registers: self.registers, bytes: &self.bytes }
    }
}

/// A process with one thread that waits in `read` of its standard input, or in a sleep. It ends
/// when its input is closed.
pub(super) struct Child {
    process: std::process::Child,
    tid: Tid,
}

impl Child {
    /// This test program, in one of the ways of [`child`].
    pub(super) fn of_this_program(mode: &str) -> Self {
        Self::of_copy(Path::new("/proc/self/exe"), mode)
    }

    pub(super) fn of_copy(program: &Path, mode: &str) -> Self {
        let mut command = Command::new(program);
        command.args(["--exact", "symbol::tests::capture::child", "--nocapture", "--test-threads=1"]).env(MODE, mode);
        Self::start(&mut command, libc::SYS_read)
    }

    pub(super) fn of_program(name: &str) -> Self {
        let (args, call) = match name {
            "sleep" => (&["1000"][..], libc::SYS_clock_nanosleep),
            _ => (&[][..], libc::SYS_read),
        };
        Self::start(Command::new(name).args(args), call)
    }

    fn start(command: &mut Command, call: libc::c_long) -> Self {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (tgid, leader) = (Tgid::from_raw(process.id()), Tid::from_raw(process.id()));
        let mut child = Self { process, tid: leader };
        let deadline = Instant::now() + Duration::from_secs(60);
        // The dynamic loader reads too: the thread must stay where it is.
        let mut before = None;
        while Instant::now() < deadline {
            let mut threads = process::threads(tgid).into_iter();
            let here = threads.find_map(|tid| {
                let asleep = sleeping_stack(tgid, tid, 64).filter(|stack| stack.syscall == Some(call as u64))?;
                Some((tid, asleep.registers))
            });
            match here {
                Some((tid, _)) if here == before => {
                    child.tid = tid;
                    return child;
                }
                _ => before = here,
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the child does not block");
    }

    pub(super) fn tgid(&self) -> Tgid {
        Tgid::from_raw(self.process.id())
    }

    pub(super) fn tid(&self) -> Tid {
        self.tid
    }

    /// Without the frame pointer.
    pub(super) fn asleep(&self) -> Stack {
        // After a look at its registers it needs a moment to fall asleep again.
        let attempt = |_| {
            std::thread::sleep(Duration::from_millis(1));
            sleeping_stack(self.tgid(), self.tid, 32 << 10)
        };
        let asleep = (0..1000).find_map(attempt).unwrap();
        Stack { tgid: self.tgid(), registers: asleep.registers, bytes: asleep.bytes }
    }

    /// The stack of the child, with all registers.
    pub(super) fn stack(&self) -> Stack {
        let mut stack = self.asleep();
        stack.registers = registers(self.tid);
        stack
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.process.try_wait(), Ok(None)) {
            // `sleep` does not listen.
            if process::comm(self.tgid(), self.tid).as_deref() == Some("sleep") {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn registers(tid: Tid) -> Registers {
    let pid = tid.as_raw() as libc::pid_t;
    // SAFETY: plain integers.
    let mut regs: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    let mut area = libc::iovec { iov_base: (&raw mut regs).cast(), iov_len: size_of_val(&regs) };
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: our own child; `area` describes `regs`, which outlives the calls.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, pid, none, none), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, pid, none, none), 0);
        assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL), pid);
        let general = std::ptr::without_provenance_mut::<libc::c_void>(1);
        assert_eq!(libc::ptrace(libc::PTRACE_GETREGSET, pid, general, &raw mut area), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_DETACH, pid, none, none), 0);
    }
    of_native(&regs)
}

#[cfg(target_arch = "x86_64")]
fn of_native(regs: &libc::user_regs_struct) -> Registers {
    Registers { ip: regs.rip, sp: regs.rsp, fp: regs.rbp, lr: 0 }
}

#[cfg(target_arch = "aarch64")]
fn of_native(regs: &libc::user_regs_struct) -> Registers {
    Registers { ip: regs.pc, sp: regs.sp, fp: regs.regs[29], lr: regs.regs[30] }
}

/// Not a test: what the children run.
#[test]
fn child() {
    match std::env::var(MODE).as_deref() {
        Ok("read") => {
            known_outer(3);
        }
        Ok("jit") => jit(CODE),
        Ok("trampoline") => jit(TRAMPOLINE),
        _ => {}
    }
}

#[inline(never)]
fn known_outer(n: u64) -> u64 {
    std::hint::black_box(known_middle(n + 1) + 1)
}

#[inline(never)]
fn known_middle(n: u64) -> u64 {
    std::hint::black_box(known_inlined(n) + 1)
}

#[inline(always)]
fn known_inlined(n: u64) -> u64 {
    let mut byte = [n as u8; 1];
    // SAFETY: one byte of room.
    unsafe { libc::read(0, byte.as_mut_ptr().cast(), 1) as u64 }
}

extern "C" fn known_callback() {
    known_inlined(1);
}

/// `push rbp; mov rbp, rsp; call rdi; pop rbp; ret`.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3];

/// `stp x29, x30, [sp, -16]!; mov x29, sp; blr x0; ldp x29, x30, [sp], 16; ret`.
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[
    0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91, 0x00, 0x00, 0x3f, 0xd6, 0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f,
    0xd6,
];

/// As Python's: `sub rsp, 8; call rdi; add rsp, 8; ret`.
#[cfg(target_arch = "x86_64")]
const TRAMPOLINE: &[u8] = &[0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3];

#[cfg(target_arch = "aarch64")]
const TRAMPOLINE: &[u8] = CODE;

/// Calls back through code made at run time, and writes the perf map when that returns.
fn jit(bytes: &[u8]) {
    let mut map = memmap2::MmapMut::map_anon(4096).unwrap();
    map[..bytes.len()].copy_from_slice(bytes);
    let code = map.make_exec().unwrap();
    // SAFETY: the bytes are a function of this signature.
    let call: extern "C" fn(extern "C" fn()) = unsafe { std::mem::transmute(code.as_ptr()) };
    call(known_callback);
    let map = format!("{:x} {:x} JS:~known a.js\n", code.as_ptr() as usize, bytes.len());
    std::fs::write(format!("/tmp/perf-{}.map", std::process::id()), map).unwrap();
}
