//! A thread per outstanding read: pread.

use std::io::Error;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::slot::Slot;
use crate::session::Tally;

/// Starts the threads that read.
pub(super) fn start(tally: &Arc<Tally>, file: OwnedFd, slots: Vec<Slot>) -> Result<()> {
    let left = Arc::new(AtomicUsize::new(slots.len()));
    let file = Arc::new(file);
    for slot in slots {
        let (own, file) = (Arc::clone(&left), Arc::clone(&file));
        tally.spawn("reads", move |tally| {
            let done = serve(&file, slot);
            if own.fetch_sub(1, Ordering::Relaxed) == 1 {
                tally.finish();
            }
            done
        })?;
    }
    Ok(())
}

fn serve(file: &OwnedFd, mut slot: Slot) -> Result<()> {
    let (descriptor, length) = (file.as_raw_fd(), slot.buffer.length);
    while let Some(offset) = slot.next() {
        // SAFETY: the buffer is `length` long, and nobody else has it.
        let read = unsafe { libc::pread(descriptor, slot.buffer.as_mut_ptr().cast(), length, offset.cast_signed()) };
        let result = match read {
            -1 => -i64::from(Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
            read => read as i64,
        };
        slot.finish(result)?;
    }
    Ok(())
}
