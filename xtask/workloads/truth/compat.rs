//! Calls of the 32-bit table, as a 32-bit program makes them: numbers, structures and addresses are
//! its own.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, ensure};

use crate::sys;

/// Numbers of `arch/x86/entry/syscalls/syscall_32.tbl`.
const READ: u32 = 3;
const GETPID: u32 = 20;
const SOCKETCALL: u32 = 102;
const NEWSELECT: u32 = 142;
const RECVFROM: u32 = 371;
const PPOLL_TIME64: u32 = 414;
/// `SYS_RECV` of `include/uapi/linux/net.h`
const RECV: u32 = 10;

/// What the worker calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// `read` of a pipe, a `getpid` before it.
    Read,
    /// `socketcall` to receive from a TCP connection.
    Recv,
    /// `ppoll_time64` of a TCP connection, then `recvfrom`.
    Poll,
    /// `_newselect` of a TCP connection and of a pipe that never ends it, then as [`Of::Recv`].
    Select,
}

/// A call of the 32-bit table that waits, and what ends the wait.
pub(crate) struct Waiting {
    pub(crate) class: &'static str,
    /// The name that the call is shown by.
    pub(crate) name: &'static str,
    /// The number that the kernel shows of a thread that is asleep in it.
    pub(crate) number: i64,
    /// Calls beside it that never block.
    pub(crate) beside: &'static [&'static str],
    /// So many of the first ones count as event waits.
    pub(crate) unknown: u64,
    /// Returns the bytes that the call that waits has moved.
    pub(crate) call: Box<dyn FnMut() -> Result<u64> + Send>,
    pub(crate) wake: Box<dyn FnMut() -> Result<()>>,
}

impl Of {
    /// Sets everything up.
    pub(crate) fn waiting(self) -> Result<Waiting> {
        compat_or_error()?;
        let low = Low::new()?;
        let (near, far) = sys::tcp()?;
        let (reader, writer) = sys::pipe()?;
        let socket = u32::try_from(far.as_raw_fd())?;
        let pipe = u32::try_from(reader.as_raw_fd())?;
        let (class, name, number, beside, unknown): (_, _, _, &[&str], _) = match self {
            Self::Read => ("pipe", "read (32-bit)", READ, &["getpid (32-bit)"], 0),
            Self::Recv => ("tcp", "recvfrom (32-bit)", SOCKETCALL, &[], 0),
            Self::Poll => ("tcp", "ppoll_time64 (32-bit)", PPOLL_TIME64, &["recvfrom (32-bit)"], 0),
            Self::Select => ("tcp", "_newselect (32-bit)", NEWSELECT, &["recvfrom (32-bit)"], 5),
        };
        let call = move || {
            let _open = (&far, &reader);
            match self {
                Self::Read => {
                    ensure!(int80(GETPID, [0; 5]) > 0, "32-bit getpid failed");
                    one(int80(READ, [pipe, low.at(0), 1, 0, 0]))?;
                    return Ok(1);
                }
                Self::Recv => {
                    low.receive(socket)?;
                    return Ok(1);
                }
                Self::Poll => {
                    // `struct pollfd`, `POLLIN`.
                    low.put(128, &[socket, 1]);
                    one(int80(PPOLL_TIME64, [low.at(128), 1, 0, 0, 0]))?;
                    one(int80(RECVFROM, [socket, low.at(0), 1, 0, 0]))?;
                }
                Self::Select => {
                    let mut set = [0u32; 32];
                    for fd in [socket, pipe] {
                        *set.get_mut(fd as usize / 32).context("a descriptor beyond the set")? |= 1 << (fd % 32);
                    }
                    low.put(256, &set);
                    one(int80(NEWSELECT, [socket.max(pipe) + 1, low.at(256), 0, 0, 0]))?;
                    low.receive(socket)?;
                }
            }
            // The row is about the wait, which moves no bytes.
            Ok(0)
        };
        let wake = move || {
            let byte = |end: &mut dyn std::io::Write| Ok(end.write_all(b"x")?);
            if self == Self::Read { byte(&mut &writer) } else { byte(&mut &near) }
        };
        let number = number.into();
        Ok(Waiting { class, name, number, beside, unknown, call: Box::new(call), wake: Box::new(wake) })
    }
}

/// A page at an address that fits into 32 bits.
#[derive(Clone, Copy)]
struct Low(u32);

impl Low {
    fn new() -> Result<Self> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choice aliases nothing.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        ensure!(page != libc::MAP_FAILED, "no memory below 2 GiB");
        Ok(Self(u32::try_from(page as usize)?))
    }

    /// The address of a byte of it.
    fn at(self, byte: u32) -> u32 {
        self.0 + byte
    }

    /// Writes words from a byte on.
    fn put(self, byte: u32, words: &[u32]) {
        let to = std::ptr::with_exposed_provenance_mut::<u32>(self.at(byte) as usize);
        for (i, &word) in words.iter().enumerate() {
            // SAFETY: inside the page, which nobody else writes.
            unsafe { to.add(i).write_volatile(word) };
        }
    }

    /// Receives a byte by `socketcall`.
    fn receive(self, socket: u32) -> Result<()> {
        self.put(64, &[socket, self.at(0), 1, 0]);
        one(int80(SOCKETCALL, [RECV, self.at(64), 0, 0, 0]))
    }
}

fn one(returned: i32) -> Result<()> {
    ensure!(returned == 1, "a 32-bit call returned {returned}");
    Ok(())
}

/// Makes a call of the 32-bit table.
fn int80(number: u32, [first, second, third, fourth, fifth]: [u32; 5]) -> i32 {
    let mut result = u64::from(number);
    // SAFETY: the callers pass valid arguments for the numbers they use. LLVM keeps rbx to itself,
    // so it is swapped in and out by hand; old kernels clear r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) u64::from(first) => _,
            inout("rax") result,
            in("rcx") u64::from(second),
            in("rdx") u64::from(third),
            in("rsi") u64::from(fourth),
            in("rdi") u64::from(fifth),
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel returns 32 bits.
    (result & 0xffff_ffff) as u32 as i32
}

/// An error where the kernel has no 32-bit table: `int 0x80` then kills whoever tries, so a child
/// tries.
fn compat_or_error() -> Result<()> {
    let (gate, mut opener) = sys::pipe()?;
    opener.write_all(b"x")?;
    let pid = sys::fork_gated(&gate, || {
        int80(GETPID, [0; 5]);
    })?;
    anyhow::ensure!(sys::wait_for(pid).is_ok(), "unsupported: this kernel refuses 32-bit calls (int 0x80)");
    Ok(())
}
