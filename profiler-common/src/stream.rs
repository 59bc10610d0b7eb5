//! The stream of block ends, which the replay of the model runs on. The user side turns it on for
//! some of the time; its ring bounds it.

/// The end of a block: a thread is back on a CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockEnd {
    /// The thread's `task_struct.pid`.
    pub tid: u32,
    /// `task_struct.pid` of who woke it; 0 for the kernel.
    pub waker: u32,
    /// Block class, as [`crate::class::BlockClass::wire`] numbers it.
    pub class: u8,
    /// Bit 0: before it, the CPU was idle or ran something else than the target. From
    /// [`ABI_SHIFT`] on: the table of the call that it blocked in, see [`crate::syscall`].
    pub flags: u8,
    /// Number of the call that it blocked in, 0xffff outside of one; 0 with no descriptor in
    /// recordings from before 2026-12-01.
    pub nr: u16,
    /// Descriptor of that call, plus one; 0: it has none.
    pub fd: u32,
    /// When it left the CPU, `CLOCK_MONOTONIC` ns.
    pub off: u64,
    /// When it was woken, ns.
    pub wake: u64,
    /// CPU that it had used between the block before and this one, ns; 4.29 s stands for more.
    pub burst: u32,
    /// Wake-up to switch-in, ns; 4.29 s stands for more.
    pub delay: u32,
}

const _: () = assert!(size_of::<BlockEnd>() == 40);

/// The bit of [`BlockEnd::flags`] for a CPU that was idle or with somebody else.
pub const AWAY: u8 = 1;
/// Where in [`BlockEnd::flags`] the call's table begins.
pub const ABI_SHIFT: u32 = 1;

/// A duration in 32 bits.
#[inline(always)]
pub const fn narrow(ns: u64) -> u32 {
    if ns > u32::MAX as u64 { u32::MAX } else { ns as u32 }
}
