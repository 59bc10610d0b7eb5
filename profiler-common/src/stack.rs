//! Stacks: copies of user stacks and kernel frames, taken at some blocks, at their wake-ups, and by the CPU clock.
//!
//! Unwinding is left to the user side: most programs have no frame pointers, and `.eh_frame` is nothing for a kernel program.

/// Bytes of a user stack that are copied at most.
pub const COPY: usize = 8192;
/// Kernel frames kept; deeper stacks are cut at the far end.
pub const FRAMES: usize = 32;

/// When a stack was taken.
pub mod kind {
    /// At the return of a call that blocked: the caller's stack, with what the block cost.
    pub const RETURN: u32 = 1;
    /// At the switch-out of a block that is chosen: the kernel's frames; outside of calls the user stack too.
    pub const OFF: u32 = 2;
    /// At the wake-up from a block that is chosen: the waker's stack.
    pub const WAKER: u32 = 3;
    /// The CPU clock.
    pub const CLOCK: u32 = 4;
}

/// What is known of a stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackHeader {
    /// See [`kind`].
    pub kind: u32,
    /// Blocked calls that this one stands for.
    pub weight: u32,
    /// The thread that blocked, or ran.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// [`kind::WAKER`]: the waker's thread and process; 0: an interrupt that found the CPU idle.
    pub waker_tid: u32,
    /// Likewise.
    pub waker_tgid: u32,
    /// When the block began, `CLOCK_MONOTONIC` ns: what belongs together has the same.
    pub off: u64,
    /// [`kind::RETURN`]: blocked time, run-queue delay and kernel CPU of the call, ns.
    pub blocked: u64,
    /// Likewise.
    pub delay: u64,
    /// Likewise.
    pub cpu: u64,
    /// The place of the call, as in [`crate::site::SiteKey`].
    pub site_ip: u64,
    /// Likewise.
    pub nr: u16,
    /// Likewise.
    pub class: u8,
    /// Likewise.
    pub abi: u8,
    /// Likewise.
    pub space: u32,
    /// User registers.
    pub ip: u64,
    /// Likewise.
    pub sp: u64,
    /// Likewise.
    pub fp: u64,
    /// Likewise; arm64 only.
    pub lr: u64,
    /// Bytes of `frames` that are filled; negative where the stack could not be read.
    pub kernel_bytes: i32,
    /// Bytes of the copy that are filled.
    pub user_bytes: u32,
    /// Kernel return addresses, the innermost first.
    pub frames: [u64; FRAMES],
}

/// A stack with its copy. Records without one are a [`StackHeader`] alone.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StackCopy {
    /// What is known of it.
    pub header: StackHeader,
    /// The user stack, from the stack pointer up.
    pub user: [u8; COPY],
}

const _: () = assert!(size_of::<StackHeader>().is_multiple_of(8) && size_of::<StackCopy>().is_multiple_of(8));
