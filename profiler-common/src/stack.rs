//! Stacks: copies of user stacks, and kernel frames. They are taken at some blocks, at their
//! wake-ups, and by the CPU clock.
//!
//! The user side unwinds them: most programs have no frame pointers, and a kernel program cannot
//! work through `.eh_frame`.

/// Bytes of a user stack that are copied at most.
pub const COPY: usize = 8192;
/// Kernel frames kept; deeper stacks are cut at the far end.
pub const FRAMES: usize = 32;

/// When a stack was taken.
pub mod kind {
    /// At the return of a call that blocked: the caller's stack, with what the block cost.
    pub const RETURN: u32 = 1;
    /// At the switch-out of a block that is chosen: the kernel's frames; outside of calls the user
    /// stack too.
    pub const OFF: u32 = 2;
    /// At the wake-up from a block that is chosen: the waker's stack.
    pub const WAKER: u32 = 3;
    /// At a tick of the CPU clock.
    pub const CLOCK: u32 = 4;
}

/// What is known of a stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackHeader {
    /// Why it was taken, one of [`kind`].
    pub kind: u32,
    /// Blocked calls that this one stands for.
    pub weight: u32,
    /// The thread that blocked, or ran.
    pub tid: u32,
    /// The process of that thread.
    pub tgid: u32,
    /// [`kind::WAKER`]: the waker's thread; 0: an interrupt that found the CPU idle.
    pub waker_tid: u32,
    /// [`kind::WAKER`]: the waker's process.
    pub waker_tgid: u32,
    /// When the block began, `CLOCK_MONOTONIC` ns: what belongs together has the same.
    /// [`kind::CLOCK`]: when it was taken.
    pub off: u64,
    /// [`kind::RETURN`]: blocked time of the call, ns.
    pub blocked: u64,
    /// [`kind::RETURN`]: run-queue delay of the call, ns.
    pub delay: u64,
    /// [`kind::RETURN`]: kernel CPU of the call, ns.
    pub cpu: u64,
    /// [`crate::site::SiteKey::ip`] of the call.
    pub site_ip: u64,
    /// [`crate::site::SiteKey::nr`] of the call.
    pub nr: u16,
    /// [`crate::site::SiteKey::class`] of the call.
    pub class: u8,
    /// [`crate::site::SiteKey::abi`] of the call.
    pub abi: u8,
    /// [`crate::site::SiteKey::space`] of the call.
    pub space: u32,
    /// Instruction pointer in user mode.
    pub ip: u64,
    /// Stack pointer in user mode.
    pub sp: u64,
    /// Frame pointer in user mode.
    pub fp: u64,
    /// User link register; arm64 only.
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
