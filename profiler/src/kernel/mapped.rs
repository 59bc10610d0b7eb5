//! Array maps as memory (`BPF_F_MMAPABLE`): reading ten thousand threads is then a copy, not ten
//! thousand system calls.

use std::{os::fd::AsFd, ptr::NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A map of `T`, mapped shared with the kernel.
pub(super) struct Mapped<T> {
    base: NonNull<T>,
    len: usize,
    bytes: usize,
}

impl<T: Copy> Mapped<T> {
    /// Maps the `len` values of an array map whose value type is `T`.
    ///
    /// # Safety
    /// The map is an array of at least `len` values of `T`'s size, made with `BPF_F_MMAPABLE`, and
    /// `T` is made of integers alone (any bit pattern is a value).
    pub(super) unsafe fn new(fd: impl AsFd, len: usize) -> rustix::io::Result<Self> {
        let page = rustix::param::page_size();
        let bytes = (len * size_of::<T>()).next_multiple_of(page);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base =
            unsafe { mmap(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)? };
        let base = NonNull::new(base.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { base, len, bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Copies a value out. The kernel may be writing it: each word is whole, the value as a whole
    /// may be of two moments, unless the programs are stopped.
    pub(super) fn read(&self, index: usize) -> T {
        assert!(index < self.len, "index {index} of {}", self.len);
        // SAFETY: inside the mapping; volatile, because the kernel writes it.
        unsafe { self.base.as_ptr().add(index).read_volatile() }
    }

    /// A pointer to a value, for single fields.
    pub(super) fn at(&self, index: usize) -> *mut T {
        assert!(index < self.len, "index {index} of {}", self.len);
        // SAFETY: inside the mapping.
        unsafe { self.base.as_ptr().add(index) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nobody holds a pointer into it any more.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

// SAFETY: the mapping belongs to the value and is not tied to a thread.
unsafe impl<T: Send> Send for Mapped<T> {}
