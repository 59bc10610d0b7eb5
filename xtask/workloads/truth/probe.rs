//! Asks the kernel whether a thread is asleep in a given call.
//!
//! The state letter of `/proc/…/stat` is not enough: a thread is `S` a moment before it has left
//! the CPU, and a wake-up that comes in that moment cancels the block. `/proc/…/syscall` waits
//! until the thread is off the CPU and only then names the call (`task_current_syscall` in the
//! kernel's lib/syscall.c); for a thread that runs it says `running`.
//!
//! A thread that is being woken may still be named there. So the asker first waits for a sign that
//! the thread itself gave after its last wake-up (its turn), and only then for sleep.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};

/// Whether thread `tid` of process `tgid` is off the CPU inside one of `calls` (numbers of the
/// caller's own table). A thread that is gone is not asleep.
pub(crate) fn asleep_in(tgid: u32, tid: i32, calls: &[i64]) -> Result<bool> {
    let path = format!("/proc/{tgid}/task/{tid}/syscall");
    let mut text = [0u8; 256];
    let length = match File::open(&path).and_then(|mut file| file.read(&mut text)) {
        Ok(length) => length,
        Err(error) if gone(&error) => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("reading {path}")),
    };
    let first = std::str::from_utf8(&text[..length])?.split_ascii_whitespace().next().unwrap_or_default();
    Ok(first.parse::<i64>().is_ok_and(|number| calls.contains(&number)))
}

/// Whether the thread has left the process.
pub(crate) fn is_gone(tgid: u32, tid: i32) -> bool {
    matches!(std::fs::metadata(format!("/proc/{tgid}/task/{tid}")), Err(error) if gone(&error))
}

/// Yields the CPU between two looks: the thread that is looked at may need it.
pub(crate) fn pause() {
    std::thread::yield_now();
}

fn gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}
