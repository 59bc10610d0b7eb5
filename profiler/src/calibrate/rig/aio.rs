//! Linux AIO by its syscalls, as far as calibration needs it: reads from one file.

use std::{io, os::fd::RawFd};

/// `struct iocb`, include/uapi/linux/aio_abi.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Iocb {
    data: u64,
    #[cfg(target_endian = "little")]
    key: u32,
    rw_flags: i32,
    #[cfg(target_endian = "big")]
    key: u32,
    opcode: u16,
    priority: i16,
    fd: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event` of include/uapi/linux/aio_abi.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct IoEvent {
    data: u64,
    object: u64,
    result: i64,
    result2: i64,
}

const PREAD: u16 = 0;

/// A context, and room for what is in flight.
pub(crate) struct Context {
    id: libc::c_ulong,
    iocbs: Vec<Iocb>,
    pointers: Vec<*mut Iocb>,
    events: Vec<IoEvent>,
}

impl Context {
    /// A context for `depth` reads at once.
    pub(crate) fn new(depth: usize) -> Result<Self, String> {
        let mut id: libc::c_ulong = 0;
        // SAFETY: the kernel writes the context's id.
        if unsafe { libc::syscall(libc::SYS_io_setup, depth as libc::c_long, &raw mut id) } != 0 {
            let error = io::Error::last_os_error();
            return Err(match error.raw_os_error() {
                Some(libc::ENOSYS) => "this kernel has no Linux AIO (CONFIG_AIO)".into(),
                Some(libc::EAGAIN) => "fs.aio-max-nr is used up".into(),
                _ => format!("io_setup: {error}"),
            });
        }
        Ok(Self {
            id,
            iocbs: vec![Iocb::default(); depth],
            pointers: Vec::with_capacity(depth),
            events: vec![IoEvent::default(); depth],
        })
    }

    /// Reads `bytes` at each offset into its buffer with one submit, and waits until all are there.
    ///
    /// # Safety
    /// Each buffer has room for `bytes`, and is touched by nobody else until this returns.
    pub(crate) unsafe fn read(&mut self, fd: RawFd, bytes: usize, reads: &[(u64, *mut u8)]) -> Result<(), String> {
        self.pointers.clear();
        for (iocb, &(offset, buffer)) in self.iocbs.iter_mut().zip(reads) {
            *iocb = Iocb {
                opcode: PREAD,
                fd: fd as u32,
                buffer: buffer as u64,
                bytes: bytes as u64,
                offset: offset as i64,
                ..Iocb::default()
            };
            self.pointers.push(iocb);
        }
        let mut done = 0;
        while done < self.pointers.len() {
            let rest = &mut self.pointers[done..];
            // SAFETY: the iocbs live in self; the caller vouches for the buffers.
            let submitted =
                unsafe { libc::syscall(libc::SYS_io_submit, self.id, rest.len() as libc::c_long, rest.as_mut_ptr()) };
            if submitted <= 0 {
                let error = io::Error::last_os_error();
                self.wait(done)?;
                return Err(format!("io_submit: {error}"));
            }
            done += submitted as usize;
        }
        if self.wait(done)?.iter().all(|event| event.result == bytes as i64) {
            Ok(())
        } else {
            Err("Linux AIO: a read came short".into())
        }
    }

    /// Waits for `count` completions.
    fn wait(&mut self, count: usize) -> Result<&[IoEvent], String> {
        let mut got = 0;
        while got < count {
            let rest = &mut self.events[got..count];
            let n = rest.len() as libc::c_long;
            let forever = std::ptr::null_mut::<libc::timespec>();
            // SAFETY: the kernel writes at most `n` events.
            let found = unsafe { libc::syscall(libc::SYS_io_getevents, self.id, n, n, rest.as_mut_ptr(), forever) };
            if found < 0 {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(format!("io_getevents: {error}"));
            }
            got += found as usize;
        }
        Ok(&self.events[..count])
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ends the context; it waits for what is in flight.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.id) };
    }
}
