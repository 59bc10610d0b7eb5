//! The kind whose instructions are known, one by one: a call, a spin of so many rounds, and another
//! call, with nothing in between that a compiler wrote.

use std::arch::asm;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::args::Args;
use crate::play::Play;
use crate::row::Deed;
use crate::sys;
use crate::worker::{Cell, Worker};

/// Rounds of the spin after each call that does not block, one place each. Two instructions a
/// round.
const ROUNDS: [u64; 4] = [1, 1_000, 10_000, 1_000_000];
/// Rounds of the spin after each call that blocks.
const ROUNDS_BLOCKED: u64 = 100_000;
/// The longest spin is taken so much more rarely.
const RARER: u64 = 5;
/// The driver keeps off the CPU for so long at a time while nobody needs it: a switch would cut a
/// window.
const AWAY: Duration = Duration::from_millis(50);

/// One worker: `--n` calls at each place, and as many that block.
pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let calls = args.calls();
    let rare = calls.div_ceil(RARER);
    let (reader, mut writer) = sys::pipe()?;
    // Its code is in memory when the counting begins.
    direct::<1>();
    let spun = Arc::new(AtomicBool::new(false));
    let worker_spun = Arc::clone(&spun);
    let worker = Worker::spawn("ipc", move |cell| {
        (0..calls).for_each(|_| direct::<{ ROUNDS[0] }>());
        (0..calls).for_each(|_| direct::<{ ROUNDS[1] }>());
        (0..calls).for_each(|_| direct::<{ ROUNDS[2] }>());
        (0..rare).for_each(|_| direct::<{ ROUNDS[3] }>());
        worker_spun.store(true, Ordering::Release);
        for turn in 1..=calls {
            blocking(cell, turn, reader.as_raw_fd())?;
        }
        let mut deed = Deed::new("pipe", "read");
        (deed.calls, deed.blocks, deed.bytes) = (calls, calls, calls);
        deed.other_calls = vec![("getppid", 3 * calls + rare), ("getuid", 4 * calls + rare)];
        Ok(deed)
    })?;
    Ok(Play {
        workers: vec![worker],
        action: Box::new(move |workers| {
            for worker in workers {
                worker.release()?;
                while !spun.load(Ordering::Acquire) {
                    std::thread::sleep(AWAY);
                }
                for turn in 1..=calls {
                    worker.await_asleep(turn, &[libc::SYS_read])?;
                    writer.write_all(b"x")?;
                }
            }
            Ok(())
        }),
        more_rows: Box::new(Vec::new),
        extra: vec![
            ("rounds", format!("{ROUNDS:?}")),
            ("calls", format!("{:?}", [calls, calls, calls, rare])),
            ("rounds_blocked", ROUNDS_BLOCKED.to_string()),
        ],
    })
}

#[inline(never)]
fn direct<const ROUNDS: u64>() {
    call_and_spin(libc::SYS_getppid, 0, std::ptr::null_mut(), ROUNDS);
}

#[inline(never)]
fn blocking(cell: &Cell, turn: u64, fd: i32) -> Result<()> {
    let mut byte = 0u8;
    cell.begin(turn);
    let got = call_and_spin(libc::SYS_read, fd, &raw mut byte, ROUNDS_BLOCKED);
    ensure!(got == 1, "a read of {got}");
    Ok(())
}

/// A call with room for one byte, then the spin, then `getuid`. Instructions from the first return
/// to the second entry: two a round and a few, the same for each place.
#[inline(always)]
#[allow(clippy::inline_always, reason = "each place is to have a call of its own")]
fn call_and_spin(nr: libc::c_long, fd: i32, byte: *mut u8, rounds: u64) -> i64 {
    let result: i64;
    #[cfg(target_arch = "aarch64")]
    // SAFETY: two system calls, of which the first writes at most one byte to where it is told.
    unsafe {
        asm!(
            "svc #0",
            "mov {result}, x0",
            "mov x8, {last}",
            "2: subs {rounds}, {rounds}, #1",
            "b.ne 2b",
            "svc #0",
            result = out(reg) result,
            rounds = inout(reg) rounds => _,
            last = in(reg) libc::SYS_getuid,
            inout("x0") i64::from(fd) => _,
            in("x1") byte,
            in("x2") 1u64,
            inout("x8") nr => _,
        );
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above; `syscall` overwrites rcx and r11.
    unsafe {
        asm!(
            "syscall",
            "mov {result}, rax",
            "mov rax, {last}",
            "2: dec {rounds}",
            "jnz 2b",
            "syscall",
            result = out(reg) result,
            rounds = inout(reg) rounds => _,
            last = in(reg) libc::SYS_getuid,
            inout("rax") nr => _,
            in("rdi") i64::from(fd),
            in("rsi") byte,
            in("rdx") 1u64,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}
