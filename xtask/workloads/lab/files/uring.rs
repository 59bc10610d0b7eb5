//! io_uring, one loop: one `io_uring_enter` per batch submits the reads and waits for at least one
//! to be done.

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use super::slot::Slot;
use crate::sys;

/// Reads until the last slot is done.
pub(super) fn serve(file: &OwnedFd, slots: &'static mut [Slot]) -> Result<()> {
    let entries = (slots.len() as u32).next_power_of_two();
    let mut ring = sys::ring(entries)?;
    let mut outstanding = 0;
    for (place, slot) in slots.iter_mut().enumerate() {
        outstanding += usize::from(queue(&mut ring, file, slot, place)?);
    }
    let mut batch: Vec<(u64, i32)> = Vec::with_capacity(slots.len());
    while outstanding > 0 {
        match ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) => return Err(error).context("io_uring_enter"),
        }
        batch.extend(ring.completion().map(|entry| (entry.user_data(), entry.result())));
        for (place, result) in batch.drain(..) {
            let place = place as usize;
            outstanding -= 1;
            slots[place].finish(i64::from(result))?;
            outstanding += usize::from(queue(&mut ring, file, &mut slots[place], place)?);
        }
    }
    Ok(())
}

/// Queues a slot's next read; false if there is none.
fn queue(ring: &mut IoUring, file: &OwnedFd, slot: &mut Slot, place: usize) -> Result<bool> {
    let Some(offset) = slot.next() else { return Ok(false) };
    let entry = opcode::Read::new(Fd(file.as_raw_fd()), slot.buffer.as_mut_ptr(), slot.buffer.length as u32)
        .offset(offset)
        .build()
        .user_data(place as u64);
    // SAFETY: the buffer keeps its address, and is left alone, until the completion.
    unsafe { ring.submission().push(&entry) }.map_err(|_| anyhow!("the submission queue is full"))?;
    Ok(true)
}
