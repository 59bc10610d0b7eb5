//! Linux AIO, one loop: io_submit a batch of reads, io_getevents until at least one is done.

use std::io::Error;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};

use super::slot::Slot;

/// `IOCB_CMD_PREAD` of linux/aio_abi.h.
const COMMAND_PREAD: u16 = 0;

/// `struct iocb` of linux/aio_abi.h, on little-endian machines (the key comes before the flags
/// there).
#[derive(Clone, Default)]
#[repr(C)]
struct ControlBlock {
    data: u64,
    key: u32,
    rw_flags: i32,
    opcode: u16,
    priority: i16,
    descriptor: u32,
    buffer: u64,
    length: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

const _: () = assert!(size_of::<ControlBlock>() == 64 && cfg!(target_endian = "little"));

/// `struct io_event` of linux/aio_abi.h.
#[derive(Clone, Default)]
#[repr(C)]
struct Event {
    data: u64,
    object: u64,
    result: i64,
    result2: i64,
}

/// An `aio_context_t`: what `io_setup` gives.
struct AioContext(libc::c_ulong);

impl AioContext {
    fn new(depth: usize) -> Result<Self> {
        let mut context: libc::c_ulong = 0;
        // SAFETY: the kernel writes one word.
        let done = unsafe { libc::syscall(libc::SYS_io_setup, depth, &raw mut context) };
        if done == 0 { Ok(Self(context)) } else { Err(Error::last_os_error()).context("io_setup") }
    }
}

impl Drop for AioContext {
    fn drop(&mut self) {
        // SAFETY: waits for what is under way, so that nothing is written after it is freed.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.0) };
    }
}

/// Reads until the last slot is done.
pub(super) fn serve(file: &OwnedFd, slots: &'static mut [Slot]) -> Result<()> {
    let mut blocks = vec![ControlBlock::default(); slots.len()];
    let mut events = vec![Event::default(); slots.len()];
    let mut batch: Vec<*mut ControlBlock> = Vec::with_capacity(slots.len());
    // Declared last, so dropped first: nothing is under way when the control blocks go.
    let context = AioContext::new(slots.len())?;
    for (place, slot) in slots.iter_mut().enumerate() {
        prepare(file, slot, place, &mut blocks[place], &mut batch);
    }
    let mut outstanding = 0;
    loop {
        outstanding += batch.len();
        submit(&context, &mut batch)?;
        if outstanding == 0 {
            return Ok(());
        }
        // SAFETY: the events' buffer has room for all, and no timeout is given.
        let found = unsafe {
            let nothing = std::ptr::null::<libc::timespec>();
            libc::syscall(libc::SYS_io_getevents, context.0, 1usize, events.len(), events.as_mut_ptr(), nothing)
        };
        let Ok(found) = usize::try_from(found) else {
            let error = Error::last_os_error();
            if error.raw_os_error() == Some(libc::EINTR) {
                continue;
            }
            return Err(error).context("io_getevents");
        };
        outstanding -= found;
        for event in &events[..found] {
            let place = event.data as usize;
            slots[place].finish(event.result)?;
            prepare(file, &mut slots[place], place, &mut blocks[place], &mut batch);
        }
    }
}

/// Adds a slot's next read, if there is one, to the batch.
fn prepare(
    file: &OwnedFd,
    slot: &mut Slot,
    place: usize,
    block: &mut ControlBlock,
    batch: &mut Vec<*mut ControlBlock>,
) {
    let Some(offset) = slot.next() else { return };
    block.data = place as u64;
    block.opcode = COMMAND_PREAD;
    block.descriptor = file.as_raw_fd().unsigned_abs();
    block.buffer = slot.buffer.as_mut_ptr() as u64;
    block.length = slot.buffer.length as u64;
    block.offset = offset.cast_signed();
    batch.push(block);
}

/// Submits the whole batch.
fn submit(context: &AioContext, batch: &mut Vec<*mut ControlBlock>) -> Result<()> {
    let mut at = 0;
    while at < batch.len() {
        // SAFETY: each pointer is to a block that keeps its address, and whose buffer is left
        // alone, until its event.
        let taken =
            unsafe { libc::syscall(libc::SYS_io_submit, context.0, batch.len() - at, batch.as_mut_ptr().add(at)) };
        let Ok(taken) = usize::try_from(taken) else { return Err(Error::last_os_error()).context("io_submit") };
        ensure!(taken > 0, "io_submit took nothing");
        at += taken;
    }
    batch.clear();
    Ok(())
}
