//! kernel/pmu/event: one perf event of one CPU. The crate describes it; opening is our own, because
//! its groups begin with an event of the calling process, and one CPU's events of any process
//! cannot be in such a group.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use perf_event::{
    Builder,
    events::{Cache, CacheOp, CacheResult, Hardware, WhichCache},
};

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Cycles, of the kernel too or in user mode only.
    Cycles { kernel: bool },
    /// Instructions, of the kernel too or in user mode only.
    Instructions { kernel: bool },
    /// Misses of the last-level cache, user mode.
    LastLevelMisses,
    /// Misses of the data TLB, user mode.
    DataTlbMisses,
    /// Mispredicted branches, user mode.
    BranchMisses,
}

// include/uapi/linux/perf_event.h
const ENABLE: libc::Ioctl = 0x2400;
const DISABLE: libc::Ioctl = 0x2401;
const PERIOD: libc::Ioctl = 0x4008_2404;
const SET_BPF: libc::Ioctl = 0x4004_2408;
const FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// `BPF_MAP_UPDATE_ELEM` of include/uapi/linux/bpf.h.
const MAP_UPDATE_ELEM: libc::c_int = 2;

fn described(which: Which) -> Builder<'static> {
    let builder = Builder::new();
    match which {
        Which::Cycles { .. } => builder.kind(Hardware::CPU_CYCLES),
        Which::Instructions { .. } => builder.kind(Hardware::INSTRUCTIONS),
        Which::LastLevelMisses => builder.kind(Hardware::CACHE_MISSES),
        Which::BranchMisses => builder.kind(Hardware::BRANCH_MISSES),
        Which::DataTlbMisses => {
            builder.kind(Cache { which: WhichCache::DTLB, operation: CacheOp::READ, result: CacheResult::MISS })
        }
    }
}

/// Opens an event of whatever runs on a CPU; with a leader, as a member of its group. It does not
/// count yet.
pub(super) fn open(which: Which, cpu: u32, leader: Option<BorrowedFd>) -> io::Result<OwnedFd> {
    let mut builder = described(which);
    let kernel = matches!(which, Which::Cycles { kernel: true } | Which::Instructions { kernel: true });
    // A member is enabled: it counts while its leader does.
    builder.exclude_kernel(!kernel).pinned(leader.is_none()).enabled(leader.is_some());
    open_described(builder, cpu, leader)
}

/// Opens a counter of instructions in user mode that overflows every `period` instructions.
pub(super) fn open_overflows(cpu: u32, period: u64) -> io::Result<OwnedFd> {
    let mut builder = described(Which::Instructions { kernel: false });
    builder.pinned(true).sample_period(period);
    open_described(builder, cpu, None)
}

fn open_described(mut builder: Builder, cpu: u32, leader: Option<BorrowedFd>) -> io::Result<OwnedFd> {
    let group = leader.map_or(-1, |fd| fd.as_raw_fd());
    // SAFETY: the kernel reads the attributes, whose size is in them; the result is a new
    // descriptor or an error.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw mut *builder.attrs_mut(), -1, cpu, group, FLAG_FD_CLOEXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// Whether a pinned event gets to run: switches it on, looks, and switches it off again.
pub(super) fn tried(fd: &OwnedFd) -> io::Result<()> {
    enable(fd)?;
    let running = count(fd);
    disable(fd)?;
    running.map(drop)
}

pub(super) fn enable(fd: &OwnedFd) -> io::Result<()> {
    control(fd, ENABLE, 0)
}

pub(super) fn disable(fd: &OwnedFd) -> io::Result<()> {
    control(fd, DISABLE, 0)
}

/// Every so many events overflow from now on.
pub(super) fn set_period(fd: &OwnedFd, period: u64) -> io::Result<()> {
    control(fd, PERIOD, (&raw const period) as libc::c_ulong)
}

/// Runs a program at every overflow.
pub(super) fn attach(event: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    control(&event, SET_BPF, program.as_raw_fd() as libc::c_ulong)
}

fn control(fd: &impl AsFd, request: libc::Ioctl, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: a perf event's requests; the one with a pointer is given one to a word that lives
    // until it returns.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What it counted so far.
pub(super) fn count(fd: &OwnedFd) -> io::Result<u64> {
    // PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING, which the crate sets: three words.
    let mut words = [0u64; 3];
    // SAFETY: the kernel writes at most as many bytes as it is told.
    let bytes = unsafe { libc::read(fd.as_raw_fd(), words.as_mut_ptr().cast(), size_of_val(&words)) };
    match bytes {
        // A pinned event that found no counter is in error, and reads as the end of a file.
        0 => Err(io::Error::from_raw_os_error(libc::EBUSY)),
        bytes if bytes < 0 => Err(io::Error::last_os_error()),
        _ => Ok(words[0]),
    }
}

#[repr(C)]
struct UpdateElement {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Puts an event into a map of perf events: aya only makes events of its own.
pub(super) fn put(map: BorrowedFd, index: u32, event: BorrowedFd) -> io::Result<()> {
    let value = event.as_raw_fd() as u32;
    let mut request = UpdateElement {
        map: map.as_raw_fd() as u32,
        reserved: 0,
        key: (&raw const index) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: the kernel reads a key and a value of four bytes each, as the map has them.
    let result = unsafe { libc::syscall(libc::SYS_bpf, MAP_UPDATE_ELEM, &raw mut request, size_of::<UpdateElement>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
