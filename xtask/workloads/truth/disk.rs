//! Waits for the disk, by calls whose first argument is not the file, and by none. The device
//! decides how often they block: the truth is what for.

use std::fs::{File, OpenOptions};
use std::io::{PipeWriter, Read as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::args::Kind;
use crate::row::{Certainty, Deed};
use crate::worker::Worker;

/// What the calls move, and how far apart: no readahead brings the next one.
const STEP: usize = 256 << 10;
const PAGE: usize = 4 << 10;

/// A worker that waits for the disk.
pub(crate) fn worker(kind: Kind, dir: &Path, index: usize, calls: u64) -> Result<Worker> {
    let calls = calls.min(200);
    let path = dir.join(format!("truth-disk-{}-{index}", std::process::id()));
    let file = cold_file(&path, usize::try_from(calls)? * STEP).with_context(|| format!("making {}", path.display()));
    // The open descriptor keeps the file; its name would outlive a killed process.
    let _ = std::fs::remove_file(&path);
    let file = file?;
    let (class, syscall) = match kind {
        Kind::Fsync => ("journal", "fsync"),
        Kind::Msync => ("journal", "msync"),
        Kind::Sendfile => ("file", "sendfile"),
        Kind::Splice => ("file", "splice"),
        Kind::IoSubmit => ("file", "io_submit"),
        Kind::MajorFault => ("page-fault", "none"),
        other => bail!("{other:?} does not wait for the disk"),
    };
    let map = Map::new(&file, usize::try_from(calls)? * STEP)?;
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let (mut from_pipe, into_pipe) = std::io::pipe()?;
    let mut aio: libc::c_ulong = 0;
    if kind == Kind::IoSubmit {
        // SAFETY: the kernel writes one context.
        let made = unsafe { libc::syscall(libc::SYS_io_setup, 8, &raw mut aio) };
        ensure!(made == 0, "io_setup: {}", std::io::Error::last_os_error());
    }
    Worker::spawn("disk", move |_| {
        let mut deed = Deed::new(class, syscall);
        for call in 0..usize::try_from(calls)? {
            match kind {
                Kind::Fsync => {
                    file.write_all_at(&[1; PAGE], (call * STEP) as u64)?;
                    file.sync_all()?;
                }
                Kind::Msync => map.sync(call * STEP)?,
                Kind::Sendfile => send(&null, &file, call * STEP)?,
                Kind::Splice => {
                    splice(&into_pipe, &file, call * STEP)?;
                    from_pipe.read_exact(&mut [0; PAGE])?;
                }
                Kind::IoSubmit => submit(aio, &file, call * STEP)?,
                _ => map.touch(call * STEP),
            }
        }
        // Closing would free the blocks of the file, which could wait for the disk, too.
        std::mem::forget(file);
        deed.calls = calls;
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })
}

/// A file that is on the disk and not in memory.
fn cold_file(path: &Path, bytes: usize) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    for at in (0..bytes).step_by(STEP) {
        file.write_all_at(&[0x5a; STEP], at as u64)?;
    }
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random)?;
    Ok(file)
}

/// The file in memory, as far as it was touched.
struct Map {
    at: usize,
}

impl Map {
    fn new(file: &File, bytes: usize) -> Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        ensure!(at != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        // SAFETY: the mapping, as long as it is.
        unsafe { libc::madvise(at, bytes, libc::MADV_RANDOM) };
        Ok(Self { at: at as usize })
    }

    /// Reads a byte, so that its page is faulted in.
    fn touch(&self, offset: usize) {
        // SAFETY: inside the mapping, which lives as long as the process.
        std::hint::black_box(unsafe { ((self.at + offset) as *const u8).read_volatile() });
    }

    /// Changes a page and has it written.
    fn sync(&self, offset: usize) -> Result<()> {
        let page = (self.at + offset) as *mut u8;
        // SAFETY: inside the mapping, which nothing else writes.
        let done = unsafe {
            page.write_volatile(1);
            libc::msync(page.cast(), PAGE, libc::MS_SYNC)
        };
        ensure!(done == 0, "msync: {}", std::io::Error::last_os_error());
        Ok(())
    }
}

fn send(to: &File, from: &File, offset: usize) -> Result<()> {
    let sent = rustix::fs::sendfile(to, from, Some(&mut (offset as u64)), PAGE)?;
    ensure!(sent == PAGE, "sendfile moved {sent} bytes");
    Ok(())
}

fn splice(to: &PipeWriter, from: &File, offset: usize) -> Result<()> {
    let flags = rustix::pipe::SpliceFlags::empty();
    let moved = rustix::pipe::splice(from, Some(&mut (offset as u64)), to, None, PAGE, flags)?;
    ensure!(moved == PAGE, "splice moved {moved} bytes");
    Ok(())
}

/// `struct iocb` of `include/uapi/linux/aio_abi.h`, on little-endian machines.
#[repr(C)]
#[derive(Default)]
struct Iocb {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: i16,
    descriptor: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    event: u32,
}

/// Submits a read of a file that is not opened for direct IO: the call itself waits for the disk.
fn submit(aio: libc::c_ulong, file: &File, offset: usize) -> Result<()> {
    let mut page = [0u8; PAGE];
    let descriptor = u32::try_from(file.as_raw_fd())?;
    let (bytes, offset) = (PAGE as u64, i64::try_from(offset)?);
    let mut iocb = Iocb { descriptor, buffer: page.as_mut_ptr() as u64, bytes, offset, ..Iocb::default() };
    let mut list = [&raw mut iocb];
    // SAFETY: one block of the kernel's layout; the page outlives the read, which is over when its
    // event was taken.
    let submitted = unsafe { libc::syscall(libc::SYS_io_submit, aio, 1, list.as_mut_ptr()) };
    ensure!(submitted == 1, "io_submit: {}", std::io::Error::last_os_error());
    let mut event = [0u64; 4];
    // SAFETY: room for one event.
    let got = unsafe { libc::syscall(libc::SYS_io_getevents, aio, 1, 1, event.as_mut_ptr(), std::ptr::null::<u8>()) };
    ensure!(got == 1, "io_getevents: {}", std::io::Error::last_os_error());
    Ok(())
}
