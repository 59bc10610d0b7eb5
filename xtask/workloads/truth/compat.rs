//! Calls of the 32-bit table.

use std::io::Write as _;

use anyhow::Result;

use crate::sys;

/// Makes a call of the 32-bit table.
pub(crate) fn int80(number: u32, first: u32, second: u32, third: u32) -> i32 {
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
pub(crate) fn compat_or_error() -> Result<()> {
    let (gate, mut opener) = sys::pipe()?;
    opener.write_all(b"x")?;
    let pid = sys::fork_gated(&gate, || {
        int80(20, 0, 0, 0);
    })?;
    anyhow::ensure!(sys::wait_for(pid).is_ok(), "unsupported: this kernel refuses 32-bit calls (int 0x80)");
    Ok(())
}
