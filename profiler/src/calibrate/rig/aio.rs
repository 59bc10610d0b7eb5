//! Linux AIO by its syscalls, as far as calibration needs it.

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
pub(crate) struct IoEvent {
    data: u64,
    object: u64,
    result: i64,
    result2: i64,
}

impl IoEvent {
    /// The request's slot, and what it gave.
    pub(crate) fn ended(&self) -> (u64, i64) {
        (self.data, self.result)
    }
}

const PREAD: u16 = 0;
const PWRITE: u16 = 1;

/// A context, and room for what is in flight.
pub(crate) struct Context {
    id: libc::c_ulong,
    iocbs: Vec<Iocb>,
    /// Slots of the next submit.
    noted: Vec<usize>,
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
            noted: Vec::with_capacity(depth),
            pointers: Vec::with_capacity(depth),
            events: vec![IoEvent::default(); depth],
        })
    }

    /// Reads a block at each offset into its buffer with one submit, and waits until all are there.
    ///
    /// # Safety
    /// Each buffer has room for `bytes`, and is touched by nobody else until this returns.
    pub(crate) unsafe fn read(&mut self, fd: RawFd, bytes: usize, reads: &[(u64, *mut u8)]) -> Result<(), String> {
        for (slot, &(offset, buffer)) in reads.iter().enumerate() {
            self.note(slot, PREAD, fd, (buffer, bytes), offset);
        }
        if let Err((done, why)) = self.submit_all() {
            self.wait(done)?;
            return Err(why);
        }
        if self.wait(reads.len())?.iter().all(|event| event.result == bytes as i64) {
            Ok(())
        } else {
            Err("Linux AIO: a read came short".into())
        }
    }

    /// Notes a read into `buffer`, or a write of it, for the next submit. `slot` names it.
    ///
    /// # Safety
    /// The buffer stays, and is touched by nobody else, until the request has ended or this context
    /// has.
    pub(crate) unsafe fn queue(&mut self, slot: usize, fd: RawFd, write: bool, buffer: &mut [u8], offset: u64) {
        let opcode = if write { PWRITE } else { PREAD };
        self.note(slot, opcode, fd, (buffer.as_mut_ptr(), buffer.len()), offset);
    }

    fn note(&mut self, slot: usize, opcode: u16, fd: RawFd, (buffer, bytes): (*mut u8, usize), offset: u64) {
        self.iocbs[slot] = Iocb {
            data: slot as u64,
            opcode,
            fd: fd as u32,
            buffer: buffer as u64,
            bytes: bytes as u64,
            offset: offset as i64,
            ..Iocb::default()
        };
        self.noted.push(slot);
    }

    /// Submits what is noted.
    pub(crate) fn submit(&mut self) -> Result<(), String> {
        self.submit_all().map_err(|(_, why)| why)
    }

    /// An error comes with how many were submitted before it.
    fn submit_all(&mut self) -> Result<(), (usize, String)> {
        self.pointers.clear();
        for slot in self.noted.drain(..) {
            self.pointers.push(&raw mut self.iocbs[slot]);
        }
        let mut done = 0;
        while done < self.pointers.len() {
            let rest = &mut self.pointers[done..];
            // SAFETY: the iocbs live in self; who noted them vouches for the buffers.
            let submitted =
                unsafe { libc::syscall(libc::SYS_io_submit, self.id, rest.len() as libc::c_long, rest.as_mut_ptr()) };
            if submitted <= 0 {
                return Err((done, format!("io_submit: {}", io::Error::last_os_error())));
            }
            done += submitted as usize;
        }
        Ok(())
    }

    /// Waits for `count` completions.
    pub(crate) fn wait(&mut self, count: usize) -> Result<&[IoEvent], String> {
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
