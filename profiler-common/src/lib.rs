//! The boundary between the kernel programs and the user side. Every byte that crosses it is laid
//! out here, once.
//!
//! Only integers cross. The kernel writes discriminants as plain numbers; the user side decodes
//! them with a check. Layouts are `repr(C)`, a multiple of eight bytes, without implicit padding,
//! so that a map's value can be copied whole.

#![no_std]

pub mod class;
pub mod control;
pub mod device;
pub mod ipc;
pub mod kfunc;
pub mod offsets;
pub mod sample;
pub mod site;
pub mod stack;
pub mod stat;
pub mod stream;
pub mod syscall;
pub mod thread;
pub mod turn;

/// Raised whenever a layout changes. The user side and the object are built together; a recording
/// may be older.
pub const LAYOUT_VERSION: u32 = 10;

// Records of another size are another layout; a class more makes a thread's record larger.
const _: () = assert!(
    LAYOUT_VERSION == 10 && size_of::<thread::Thread>() == 1840 && size_of::<site::Site>() == 1648,
    "a record's size has changed: raise LAYOUT_VERSION, and set both here"
);

/// The time from `then` to `now`; 0 where `then` is later. The kernel side never traps.
#[inline(always)]
pub const fn since(now: u64, then: u64) -> u64 {
    now.saturating_sub(then)
}
