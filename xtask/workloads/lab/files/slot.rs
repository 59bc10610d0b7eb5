//! One of the outstanding reads, whatever does it, and the memory that it reads to.

use std::ptr::NonNull;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use crate::work::Job;

/// Buffers and offsets of O_DIRECT reads are multiples of this on every disk.
const ALIGNMENT: usize = 4096;

/// One of the outstanding reads, whatever does it: its buffer, its own order of blocks, its job.
pub(super) struct Slot {
    pub(super) buffer: Buffer,
    pub(super) generator: Rng,
    pub(super) blocks: u64,
    pub(super) job: Job,
}

impl Slot {
    /// Where the next read begins, in bytes; `None` if this was the last.
    pub(super) fn next(&mut self) -> Option<u64> {
        self.job.more().then(|| self.generator.u64(0..self.blocks) * self.buffer.length as u64)
    }

    /// The read is done: `result` as pread gives it, or a negative errno.
    pub(super) fn finish(&mut self, result: i64) -> Result<()> {
        if result < 0 {
            let errno = i32::try_from(-result).unwrap_or(libc::EIO);
            return Err(std::io::Error::from_raw_os_error(errno)).context("reading a block");
        }
        let length = self.buffer.length;
        ensure!(usize::try_from(result) == Ok(length), "a block of {length} bytes came as {result}");
        self.job.perform(self.buffer.bytes());
        Ok(())
    }
}

/// Memory for one block, aligned for O_DIRECT. It keeps its address, so a read may be under way
/// while the slot moves.
pub(super) struct Buffer {
    start: NonNull<u8>,
    pub(super) length: usize,
}

// SAFETY: the memory belongs to the buffer alone.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(super) fn new(length: usize) -> Result<Self> {
        let layout = Self::layout(length)?;
        // SAFETY: the layout's size is not zero: a block has 512 bytes at least.
        let start = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).context("no memory for a block")?;
        Ok(Self { start, length })
    }

    fn layout(length: usize) -> Result<std::alloc::Layout> {
        std::alloc::Layout::from_size_align(length, ALIGNMENT).context("the block's layout")
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// What was read. Only between reads: the kernel writes while one is under way.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is `length` long and initialised, and no read is under way.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Ok(layout) = Self::layout(self.length) {
            // SAFETY: allocated with the same layout, once.
            unsafe { std::alloc::dealloc(self.start.as_ptr(), layout) };
        }
    }
}
