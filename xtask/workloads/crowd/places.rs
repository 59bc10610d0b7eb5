//! Places to wait at: a call of `read` each, in memory of our own.

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};

/// `xor eax, eax` (the number of `read`), `syscall`, `ret`: the arguments are where the call of a
/// C function has them.
const CODE: [u8; PLACE] = [0x31, 0xc0, 0x0f, 0x05, 0xc3, 0xcc, 0xcc, 0xcc];
/// Bytes of a place.
const PLACE: usize = 8;

/// Calls of `read` at addresses of their own. With one place it is that of rustix.
pub(crate) struct Places {
    code: Option<NonNull<u8>>,
    count: u32,
    next: AtomicU32,
}

// SAFETY: the code is written before a second thread is there, and only executed after.
unsafe impl Send for Places {}
// SAFETY: as above; the counter is atomic.
unsafe impl Sync for Places {}

impl Places {
    pub(crate) fn new(count: u32) -> Result<Self> {
        let next = AtomicU32::new(0);
        if count == 1 {
            return Ok(Self { code: None, count, next });
        }
        ensure!(cfg!(target_arch = "x86_64"), "more than one site only on x86_64, whose code this has");
        let bytes = count as usize * PLACE;
        // SAFETY: a new mapping at an address of the kernel's choice, written within its length and
        // then made executable; nothing else points into it.
        let code = unsafe {
            let code =
                mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
                    .context("memory for code")?;
            std::slice::from_raw_parts_mut(code.cast::<u8>(), bytes)
                .chunks_exact_mut(PLACE)
                .for_each(|place| place.copy_from_slice(&CODE));
            mprotect(code, bytes, MprotectFlags::READ | MprotectFlags::EXEC).context("making code executable")?;
            code
        };
        Ok(Self { code: NonNull::new(code.cast()), count, next })
    }

    /// Waits at the next place until the eventfd is written to. False where that fails.
    pub(crate) fn read(&self, bell: BorrowedFd) -> bool {
        let mut count = [0_u8; 8];
        let Some(code) = self.code else {
            return rustix::io::read(bell, &mut count).is_ok();
        };
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.count;
        // SAFETY: there is a function of this signature at each place: see CODE. It writes at most
        // eight bytes to `count`.
        let got = unsafe {
            let read: unsafe extern "C" fn(i32, *mut u8, usize) -> isize =
                std::mem::transmute(code.as_ptr().add(place as usize * PLACE));
            read(bell.as_raw_fd(), count.as_mut_ptr(), count.len())
        };
        got == count.len() as isize
    }
}
