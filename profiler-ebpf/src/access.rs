//! How the kernel's memory and its clock are read.
//!
//! Memory is read directly where the verifier knows the pointer's type (`tp_btf`), and through
//! `bpf_probe_read_kernel` where it does not (raw tracepoints). One body serves both.

use aya_ebpf::helpers::{bpf_get_current_task, bpf_ktime_get_ns, bpf_probe_read_kernel, generated};
use profiler_common::offsets::{ABSENT, Offsets};

/// The time of `CLOCK_MONOTONIC`, ns.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// Filled in by the loader. In `.rodata`, which is frozen: to the verifier every field is a
/// constant, so that a typed pointer plus an offset stays a typed pointer, and code for absent
/// fields is dropped.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ABSENT;

/// The value that the loader wrote into a field of [`OFFSETS`].
macro_rules! offset {
    ($field:ident) => {
        crate::access::constant(&crate::access::OFFSETS.$field)
    };
}
pub(crate) use offset;

/// An argument of the call that a thread is in: `argument!(A, t, regs, 0..=3)`.
macro_rules! argument {
    ($access:ident, $t:expr, $regs:expr, 0) => {
        crate::access::argument!($access, $t, $regs, regs_arg0, compat_arg0)
    };
    ($access:ident, $t:expr, $regs:expr, 1) => {
        crate::access::argument!($access, $t, $regs, regs_arg1, compat_arg1)
    };
    ($access:ident, $t:expr, $regs:expr, 2) => {
        crate::access::argument!($access, $t, $regs, regs_arg2, compat_arg2)
    };
    ($access:ident, $t:expr, $regs:expr, 3) => {
        crate::access::argument!($access, $t, $regs, regs_arg3, compat_arg3)
    };
    ($access:ident, $t:expr, $regs:expr, $own:ident, $compat:ident) => {
        // SAFETY: the registers with which the running task entered the kernel.
        unsafe {
            if $t.abi == profiler_common::syscall::ABI_COMPAT as u32 {
                $access::field::<u32>($regs, crate::access::offset!($compat)) as u64
            } else {
                $access::field::<u64>($regs, crate::access::offset!($own))
            }
        }
    };
}
pub(crate) use argument;

/// Reads a constant that the loader rewrites.
#[inline(always)]
pub fn constant(field: &'static u32) -> usize {
    // Volatile, because the compiler would take the value that the object holds for the one that
    // the loader will write.
    // SAFETY: a reference is readable.
    unsafe { core::ptr::read_volatile(field) as usize }
}

/// Whether the running kernel has a field.
#[inline(always)]
pub fn present(offset: usize) -> bool {
    offset != ABSENT as usize
}

/// The same value, which the verifier knows nothing of any more: it went through a map's memory. A
/// value that has been compared is many to the verifier, and all that follows is verified once for
/// each of them.
#[inline(always)]
pub fn forgotten(scratch: &mut u64, value: u64) -> u64 {
    keep(scratch, value);
    recall(scratch)
}

/// Puts a value where [`recall`] finds it.
#[inline(always)]
pub fn keep(scratch: &mut u64, value: u64) {
    // Volatile, so that it is done.
    // SAFETY: a reference can be written.
    unsafe { core::ptr::write_volatile(scratch, value) };
}

/// The value last kept there, without what the verifier learnt of it since.
#[inline(always)]
pub fn recall(scratch: &u64) -> u64 {
    // SAFETY: a reference can be read.
    unsafe { core::ptr::read_volatile(scratch) }
}

/// A way to read kernel structures.
pub trait Access {
    /// Reads a field of a structure that a tracepoint's argument (or the current task) leads to by
    /// typed members.
    ///
    /// # Safety
    /// `base` points to a kernel structure that has a `T` at `offset`.
    unsafe fn field<T: Copy>(base: *const u8, offset: usize) -> T;

    /// The task that runs on this CPU.
    fn current() -> *const u8;

    /// The registers with which a task entered the kernel; null where this way of reading cannot
    /// have them.
    fn registers(task: *const u8) -> *const u8;
}

/// For `tp_btf`: the verifier knows the types.
pub struct Typed;

/// For raw tracepoints: pointers are plain numbers.
pub struct Probed;

impl Access for Typed {
    #[inline(always)]
    unsafe fn field<T: Copy>(base: *const u8, offset: usize) -> T {
        // SAFETY: by contract. A bad address reads as zero: the kernel has an exception table entry
        // for such loads.
        unsafe { core::ptr::read_volatile(base.add(offset).cast::<T>()) }
    }

    #[inline(always)]
    fn current() -> *const u8 {
        // SAFETY: no arguments.
        unsafe { generated::bpf_get_current_task_btf() as *const u8 }
    }

    #[inline(always)]
    fn registers(task: *const u8) -> *const u8 {
        // SAFETY: a task of a tracepoint's argument, or the running one. Only reached where the
        // kernel has the helper.
        unsafe { generated::bpf_task_pt_regs(task as *mut _) as *const u8 }
    }
}

impl Access for Probed {
    #[inline(always)]
    unsafe fn field<T: Copy>(base: *const u8, offset: usize) -> T {
        // SAFETY: by contract.
        unsafe { probe(base, offset) }
    }

    #[inline(always)]
    fn current() -> *const u8 {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_task() as *const u8 }
    }

    #[inline(always)]
    fn registers(_task: *const u8) -> *const u8 {
        core::ptr::null()
    }
}

/// Reads through a pointer whose type the verifier does not know. What cannot be read is zero.
///
/// # Safety
/// `base` is a kernel address or a number that the helper will refuse.
#[inline(always)]
pub unsafe fn probe<T: Copy>(base: *const u8, offset: usize) -> T {
    // SAFETY: the helper checks the address; all-zero is a value of the integers and pointers that
    // `T` is.
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast::<T>()).unwrap_or_else(|_| core::mem::zeroed()) }
}
