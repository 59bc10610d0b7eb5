//! A worker whose page faults another thread answers (userfaultfd), as supervisors of virtual
//! machines and of restored processes do. The driver answers each after a while.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::args::Args;
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::worker::Worker;

const PAGE: usize = 4096;
/// `UFFDIO_API`, `UFFDIO_REGISTER` and `UFFDIO_COPY` of `include/uapi/linux/userfaultfd.h`
const API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
const REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
const COPY: libc::Ioctl = 0xc028_aa03_u32 as libc::Ioctl;
/// `UFFD_API` of linux/userfaultfd.h; below it `UFFDIO_REGISTER_MODE_MISSING`.
const VERSION: u64 = 0xaa;
const MISSING: u64 = 1;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let pages = args.calls();
    let hold = Duration::from_micros(args.us.unwrap_or(300));
    let length = usize::try_from(pages)? * PAGE;
    // SAFETY: a mapping of its own, never unmapped.
    let start = unsafe {
        let (read, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        libc::mmap(std::ptr::null_mut(), length, read, private, -1, 0)
    };
    ensure!(start != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    // SAFETY: takes flags only.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
    ensure!(fd >= 0, "userfaultfd: {}", std::io::Error::last_os_error());
    // SAFETY: the call just returned this open descriptor, and nobody else has it.
    let faults = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd)?) };
    ask(&faults, API, &mut [VERSION, 0, 0])?;
    ask(&faults, REGISTER, &mut [start as u64, length as u64, MISSING, 0])?;
    let start = start as usize;
    let worker = Worker::spawn("faults", move |_| {
        for page in 0..usize::try_from(pages)? {
            // SAFETY: inside the mapping, which is read only here.
            unsafe { std::ptr::read_volatile((start + page * PAGE) as *const u8) };
        }
        let mut deed = Deed::new("page-fault", "none");
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })?;
    let action = move |workers: &[Worker]| {
        workers.iter().try_for_each(Worker::release)?;
        (0..pages).try_for_each(|_| answer(&faults, hold))
    };
    Ok(Play { workers: vec![worker], action: Box::new(action), more_rows: Box::new(Vec::new), extra: Vec::new() })
}

/// Waits for a fault and brings its page, once the worker has slept on it.
fn answer(faults: &OwnedFd, hold: Duration) -> Result<()> {
    let mut message = [0u64; 4];
    // SAFETY: the buffer has the size of a message.
    let got = unsafe { libc::read(faults.as_raw_fd(), message.as_mut_ptr().cast(), size_of_val(&message)) };
    ensure!(got == 32, "a message of {got} bytes: {}", std::io::Error::last_os_error());
    std::thread::sleep(hold);
    let page = [0u8; PAGE];
    let address = message[2] & !(PAGE as u64 - 1);
    ask(faults, COPY, &mut [address, page.as_ptr() as u64, PAGE as u64, 0, 0])
}

fn ask(faults: &OwnedFd, request: libc::Ioctl, words: &mut [u64]) -> Result<()> {
    // SAFETY: each request takes a structure of as many words as its caller gives.
    let done = unsafe { libc::ioctl(faults.as_raw_fd(), request, words.as_mut_ptr()) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()).context("an ioctl of userfaultfd") }
}
