//! POSIX AIO, one loop: aio_read for every slot, aio_suspend until one is done. On Linux the C
//! library does the reads in threads, and those of one descriptor one after the other.

use std::io::Error;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};

use super::slot::Slot;

/// Reads until the last slot is done.
pub(super) fn serve(file: &OwnedFd, slots: &'static mut [Slot]) -> Result<()> {
    // SAFETY: an aiocb of zeros is valid: no notification, no priority.
    let blocks: Vec<libc::aiocb> = slots.iter().map(|_| unsafe { std::mem::zeroed() }).collect();
    // They are never freed, like the slots: the library's threads may still write into them when an
    // error ends the loop.
    let blocks = blocks.leak();
    let mut waiting: Vec<*const libc::aiocb> = vec![std::ptr::null(); slots.len()];
    let mut outstanding = 0;
    for (place, slot) in slots.iter_mut().enumerate() {
        outstanding += usize::from(start(file, slot, &mut blocks[place], &mut waiting[place])?);
    }
    while outstanding > 0 {
        // SAFETY: each entry is null, which is skipped, or a block under way; no timeout.
        let done = unsafe { libc::aio_suspend(waiting.as_ptr(), waiting.len() as libc::c_int, std::ptr::null()) };
        if done != 0 {
            let error = Error::last_os_error();
            if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) {
                continue;
            }
            return Err(error).context("aio_suspend");
        }
        for (place, slot) in slots.iter_mut().enumerate() {
            if waiting[place].is_null() {
                continue;
            }
            // SAFETY: the block was given to aio_read and stays where it is until it is done.
            let errno = unsafe { libc::aio_error(&raw const blocks[place]) };
            if errno == libc::EINPROGRESS {
                continue;
            }
            // SAFETY: done, and its result not yet taken.
            let read = unsafe { libc::aio_return(&raw mut blocks[place]) };
            slot.finish(if errno == 0 { read as i64 } else { -i64::from(errno) })?;
            outstanding -= 1;
            outstanding += usize::from(start(file, slot, &mut blocks[place], &mut waiting[place])?);
        }
    }
    Ok(())
}

/// Begins a slot's next read; false if there is none.
fn start(file: &OwnedFd, slot: &mut Slot, block: &mut libc::aiocb, waiting: &mut *const libc::aiocb) -> Result<bool> {
    *waiting = std::ptr::null();
    let Some(offset) = slot.next() else { return Ok(false) };
    block.aio_fildes = file.as_raw_fd();
    block.aio_buf = slot.buffer.as_mut_ptr().cast();
    block.aio_nbytes = slot.buffer.length;
    block.aio_offset = offset.cast_signed();
    block.aio_sigevent.sigev_notify = libc::SIGEV_NONE;
    // SAFETY: block and buffer keep their addresses, and are left alone, until the read is done.
    if unsafe { libc::aio_read(block) } != 0 {
        return Err(Error::last_os_error()).context("aio_read");
    }
    *waiting = block;
    Ok(true)
}
