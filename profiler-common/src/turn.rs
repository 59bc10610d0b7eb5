//! Turns of event loops: what a thread did from the return of one event wait to the next. Kept
//! while the user side asks for stalls; a turn that was too long is one.

use crate::{class::CLASS_COUNT, stat::BUCKETS};

/// The bits of [`Turn::marks`].
pub mod mark {
    /// The thread has slept in an event wait.
    pub const SLEPT: u32 = 1;
    /// Other threads of the process wait by the same descriptor: a pool's workers, one of which
    /// waits for events while the others park on a futex. Such a park is a wait, too.
    pub const SHARED: u32 = 2;
    /// The turn ended in a park.
    pub const PARKED: u32 = 4;
    /// The thread ended in the turn.
    pub const ENDED: u32 = 8;
}

/// What [`Turn::fd`] is where the wait has no descriptor of its own.
pub const NO_FD: u32 = u32::MAX;
/// What [`Turn::ready`] is where nothing tells.
pub const NOT_KNOWN: u32 = u32::MAX;
/// What [`loop_key`] leads to once more than one thread waits by that descriptor.
pub const MANY: u32 = u32::MAX;

/// A descriptor that is waited by, in a process.
#[inline(always)]
pub const fn loop_key(tgid: u32, fd: u32) -> u64 {
    (tgid as u64) << 32 | fd as u64
}

/// The turn that a thread is in or that it has ended, and what all of its turns add up to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The thread's `task_struct.pid`.
    pub tid: u32,
    /// Its `task_struct.tgid`.
    pub tgid: u32,
    /// Number of its address space, see [`crate::site::SiteKey::space`].
    pub space: u32,
    /// The window that all of this is of.
    pub epoch: u32,
    /// What is known of the thread and the turn, bits of [`mark`].
    pub marks: u32,
    /// The descriptor that it waits by; [`NO_FD`] where it has none of its own.
    pub fd: u32,
    /// Events that the wait after the turn returned without a sleep; 0: it slept, so nothing was
    /// ready.
    pub ready: u32,
    /// Blocks in the turn.
    pub blocks: u32,
    /// When it began, ns; 0: the thread is in no turn.
    pub from: u64,
    /// When it ended, ns; 0: it goes on.
    pub to: u64,
    /// CPU in user mode, ns; while the turn goes on, that of the thread when it began.
    pub user: u64,
    /// CPU inside syscalls, ns; while the turn goes on, that of the thread when it began.
    pub kernel: u64,
    /// Run-queue delay after preemptions, ns; while the turn goes on, that of the thread when it
    /// began.
    pub preempted: u64,
    /// Run-queue delay after blocks, ns.
    pub delay: u64,
    /// Classes that [`Self::blocked`] has time of: a bit each. What has no bit is of an earlier
    /// turn.
    pub classes: u64,
    /// Blocked time by class, ns.
    pub blocked: [u64; CLASS_COUNT],
    /// The longest block, ns.
    pub longest: u64,
    /// When that block began, ns.
    pub longest_off: u64,
    /// [`crate::site::SiteKey::ip`] of its call.
    pub longest_ip: u64,
    /// Number of its call, or one of the pseudo numbers of [`crate::syscall`].
    pub longest_nr: u32,
    /// Its class.
    pub longest_class: u32,
    /// Table of its call.
    pub longest_abi: u32,
    /// Descriptor of its call; [`NO_FD`]: none.
    pub longest_fd: u32,
    /// When the thread was first seen at an event wait in this window, ns.
    pub since: u64,
    /// How often the thread came to an event wait.
    pub waits: u64,
    /// Of these waits: for one descriptor that always ends them.
    pub own: u64,
    /// How many turns have ended.
    pub turns: u64,
    /// Their time, ns.
    pub turned: u64,
    /// The longest of them, ns.
    pub most: u64,
    /// How many were how long, log2 histogram.
    pub buckets: [u32; BUCKETS],
}

impl Turn {
    /// Of no thread.
    pub const ZERO: Self = {
        // SAFETY: `Self` is `repr(C)` of integers alone: all zeroes is a value of it.
        unsafe { core::mem::zeroed() }
    };
}

const _: () = assert!(CLASS_COUNT <= 64 && size_of::<Turn>().is_multiple_of(8));
