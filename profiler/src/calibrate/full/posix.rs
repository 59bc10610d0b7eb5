//! POSIX AIO: `aio_read` and `lio_listio`. The C library does it with threads of its own; glibc
//! takes one request at a time per descriptor.

use std::{io, os::fd::RawFd};

use crate::calibrate::rig::scratch::Aligned;

/// The control blocks of reads in flight. The library keeps pointers to them.
pub(super) struct Requests {
    blocks: Vec<libc::aiocb>,
}

impl Requests {
    pub(super) fn new(depth: usize) -> Self {
        // SAFETY: all zero is a valid aiocb, and the standard asks for it before use.
        let blank: libc::aiocb = unsafe { std::mem::zeroed() };
        Self { blocks: vec![blank; depth] }
    }

    fn prepare(&mut self, i: usize, fd: RawFd, buffer: &mut Aligned, offset: u64) {
        let bytes = buffer.bytes();
        let block = &mut self.blocks[i];
        block.aio_fildes = fd;
        block.aio_buf = bytes.as_mut_ptr().cast();
        block.aio_nbytes = bytes.len();
        block.aio_offset = offset as libc::off_t;
        block.aio_lio_opcode = libc::LIO_READ;
        block.aio_sigevent.sigev_notify = libc::SIGEV_NONE;
    }

    /// Reads with one `aio_read` for each buffer, then `aio_suspend` until all are there.
    pub(super) fn each(&mut self, fd: RawFd, buffers: &mut [Aligned], offsets: &[u64]) -> io::Result<()> {
        for (i, (buffer, &offset)) in buffers.iter_mut().zip(offsets).enumerate() {
            self.prepare(i, fd, buffer, offset);
            // SAFETY: block and buffer stay where they are until `wait` has seen the end of them.
            if unsafe { libc::aio_read(&raw mut self.blocks[i]) } != 0 {
                let error = io::Error::last_os_error();
                self.wait(i)?;
                return Err(error);
            }
        }
        self.wait(buffers.len())
    }

    /// Reads with one `lio_listio` for all, which waits.
    pub(super) fn list(&mut self, fd: RawFd, buffers: &mut [Aligned], offsets: &[u64]) -> io::Result<()> {
        for (i, (buffer, &offset)) in buffers.iter_mut().zip(offsets).enumerate() {
            self.prepare(i, fd, buffer, offset);
        }
        let mut list: Vec<*mut libc::aiocb> = self.blocks.iter_mut().map(std::ptr::from_mut).collect();
        // SAFETY: the list is read during the call; blocks and buffers stay until `wait` has seen
        // the end of them.
        let result = unsafe {
            libc::lio_listio(libc::LIO_WAIT, list.as_mut_ptr(), list.len() as libc::c_int, std::ptr::null_mut())
        };
        let error = io::Error::last_os_error();
        self.wait(buffers.len())?;
        if result == 0 { Ok(()) } else { Err(error) }
    }

    /// Waits until the first `count` reads are over.
    fn wait(&mut self, count: usize) -> io::Result<()> {
        let mut bad = None;
        for block in &mut self.blocks[..count] {
            let block = std::ptr::from_mut(block);
            loop {
                // SAFETY: a block of ours that was handed in.
                match unsafe { libc::aio_error(block) } {
                    libc::EINPROGRESS => {
                        let list = [block.cast_const()];
                        // SAFETY: a list of one; an interrupted wait is begun again.
                        unsafe { libc::aio_suspend(list.as_ptr(), 1, std::ptr::null()) };
                    }
                    0 => break,
                    error => {
                        bad = Some(io::Error::from_raw_os_error(error));
                        break;
                    }
                }
            }
            // SAFETY: it is over, and this is asked once.
            let bytes = unsafe { libc::aio_return(block) };
            // SAFETY: the block is ours, and its read is over.
            if bytes != unsafe { (*block).aio_nbytes } as isize && bad.is_none() {
                bad = Some(io::ErrorKind::UnexpectedEof.into());
            }
        }
        bad.map_or(Ok(()), Err)
    }
}
