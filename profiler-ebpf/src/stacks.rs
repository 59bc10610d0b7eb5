//! Stacks of some blocks: one of `Control::stack_every` blocked calls a thread, chosen at random,
//! and every long one.
//!
//! The user stack is copied when the call returns: the thread's memory is mapped then, its stack is
//! what it was during the block, and how long the block took is known.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{bpf_get_current_pid_tgid, generated},
};
use profiler_common::{
    control::Control,
    since,
    stack::{COPY, FRAMES, StackCopy, StackHeader, kind},
    syscall,
    thread::Thread,
};

use crate::{
    access::{Access, now, offset, present},
    maps::{SIA_STACKS, bump},
};

/// Bytes of a page. Larger pages are a multiple.
const PAGE: u64 = 4096;

/// Whether the call that the thread is blocked in is one whose stack will be taken.
#[inline(always)]
fn chosen(control: &Control, t: &Thread, now: u64) -> bool {
    t.stack_in <= 1 || since(now, t.off) >= control.stack_long
}

/// A call that blocked returns.
#[inline(always)]
pub fn at_return<A: Access>(control: &mut Control, t: &mut Thread, nr: u32, regs: *const u8, now: u64) {
    let long = t.call_blocked >= control.stack_long;
    let due = t.stack_in <= 1;
    let weight = t.stack_gap + 1;
    if due {
        // Between 1 and twice the mean: a fixed stride would run in step with a program's own
        // rhythm.
        let scatter = ((now ^ now >> 9).wrapping_mul(0x9e37_79b1) >> 16) as u32;
        let every = control.stack_every;
        t.stack_in = 1 + scatter % (2 * every - 1);
        t.stack_gap = 0;
    } else {
        t.stack_in -= 1;
        // A long one stands for itself, whether or not its turn has come.
        t.stack_gap += !long as u32;
    }
    if due || long {
        take_return::<A>(control, t, nr, regs, if long { 1 } else { weight });
    }
}

#[inline(never)]
fn take_return<A: Access>(control: &mut Control, t: &Thread, nr: u32, regs: *const u8, weight: u32) {
    let Some(mut entry) = SIA_STACKS.reserve::<StackCopy>(0) else {
        bump(&mut control.counters.stacks_lost, 1);
        return;
    };
    let copy = entry.as_mut_ptr();
    // SAFETY: room for a `StackCopy`.
    unsafe {
        let header = &raw mut (*copy).header;
        describe(header, kind::RETURN, t, weight);
        (*header).blocked = t.call_blocked;
        (*header).delay = t.call_delay;
        (*header).cpu = t.call_cpu;
        (*header).nr = nr as u16;
        copy_user::<A>(copy, regs);
    }
    entry.submit(BPF_RB_NO_WAKEUP as u64);
}

/// A thread has left the CPU; it is still the running one.
#[inline(always)]
pub fn at_switch_out<A: Access>(ctx: *mut c_void, control: &mut Control, t: &mut Thread) {
    if t.stack_in > 1 {
        if t.nr == syscall::NONE {
            // Outside of calls no return will count it.
            t.stack_in -= 1;
            t.stack_gap += 1;
        }
        return;
    }
    if t.nr == syscall::NONE {
        let weight = t.stack_gap + 1;
        t.stack_in = control.stack_every;
        t.stack_gap = 0;
        take_both::<A>(ctx, control, t, kind::OFF, weight);
    } else {
        take_kernel(ctx, control, t);
    }
}

/// The kernel's frames alone.
#[inline(never)]
fn take_kernel(ctx: *mut c_void, control: &mut Control, t: &Thread) {
    let Some(mut entry) = SIA_STACKS.reserve::<StackHeader>(0) else {
        bump(&mut control.counters.stacks_lost, 1);
        return;
    };
    let header = entry.as_mut_ptr();
    // SAFETY: room for a `StackHeader`.
    unsafe {
        describe(header, kind::OFF, t, t.stack_gap + 1);
        kernel_frames(header, ctx);
    }
    entry.submit(BPF_RB_NO_WAKEUP as u64);
}

/// A thread that is blocked is woken, on its waker's CPU.
#[inline(always)]
pub fn at_waking<A: Access>(ctx: *mut c_void, control: &mut Control, t: &mut Thread, now: u64) {
    if t.nr != syscall::NONE && chosen(control, t, now) {
        take_both::<A>(ctx, control, t, kind::WAKER, 1);
    }
}

/// The CPU clock hit a thread of the target.
#[inline(always)]
pub fn at_clock<A: Access>(ctx: *mut c_void, control: &mut Control, t: &Thread) {
    take_both::<A>(ctx, control, t, kind::CLOCK, 1);
}

/// Kernel frames and user stack of whoever runs.
#[inline(never)]
fn take_both<A: Access>(ctx: *mut c_void, control: &mut Control, t: &Thread, kind: u32, weight: u32) {
    let Some(mut entry) = SIA_STACKS.reserve::<StackCopy>(0) else {
        bump(&mut control.counters.stacks_lost, 1);
        return;
    };
    let copy = entry.as_mut_ptr();
    // SAFETY: room for a `StackCopy`.
    unsafe {
        let header = &raw mut (*copy).header;
        describe(header, kind, t, weight);
        if kind == kind::CLOCK {
            (*header).off = now();
        }
        kernel_frames(header, ctx);
        let ids = bpf_get_current_pid_tgid();
        (*header).waker_tid = ids as u32;
        (*header).waker_tgid = (ids >> 32) as u32;
        let mut regs = core::ptr::null();
        // The idle task has no user side.
        if ids != 0 && present(offset!(regs_nr)) {
            regs = A::registers(A::current());
        }
        copy_user::<A>(copy, regs);
    }
    entry.submit(BPF_RB_NO_WAKEUP as u64);
}

/// # Safety
/// Room for a `StackHeader`.
#[inline(always)]
unsafe fn describe(header: *mut StackHeader, kind: u32, t: &Thread, weight: u32) {
    // SAFETY: by contract.
    unsafe {
        (*header).kind = kind;
        (*header).weight = weight;
        (*header).tid = t.tid;
        (*header).tgid = t.tgid;
        (*header).waker_tid = 0;
        (*header).waker_tgid = 0;
        (*header).off = t.off;
        (*header).blocked = 0;
        (*header).delay = 0;
        (*header).cpu = 0;
        (*header).site_ip = t.ip;
        (*header).nr = t.nr as u16;
        (*header).class = if kind == kind::RETURN { t.class as u8 } else { t.block_class as u8 };
        (*header).abi = t.abi as u8;
        (*header).space = t.space;
        (*header).ip = 0;
        (*header).sp = 0;
        (*header).fp = 0;
        (*header).lr = 0;
        (*header).kernel_bytes = 0;
        (*header).user_bytes = 0;
    }
}

/// # Safety
/// Room for a `StackHeader`.
#[inline(always)]
unsafe fn kernel_frames(header: *mut StackHeader, ctx: *mut c_void) {
    // SAFETY: the helper writes at most the bytes that it is told.
    unsafe {
        let frames = (&raw mut (*header).frames).cast();
        (*header).kernel_bytes = generated::bpf_get_stack(ctx, frames, (FRAMES * 8) as u32, 0) as i32;
    }
}

/// Copies as much of the user stack as can be read: what cannot be read begins with a page.
///
/// # Safety
/// Room for a `StackCopy`; `regs` is null or a register set.
#[inline(always)]
unsafe fn copy_user<A: Access>(copy: *mut StackCopy, regs: *const u8) {
    if regs.is_null() {
        return;
    }
    // SAFETY: by contract; the helper writes at most the bytes that it is told.
    unsafe {
        let header = &raw mut (*copy).header;
        let sp: u64 = A::field(regs, offset!(regs_sp));
        (*header).sp = sp;
        (*header).ip = A::field(regs, offset!(regs_ip));
        (*header).fp = A::field(regs, offset!(regs_fp));
        if present(offset!(regs_lr)) {
            (*header).lr = A::field(regs, offset!(regs_lr));
        }
        let to = (&raw mut (*copy).user).cast::<c_void>();
        // Words up to the end of the stack pointer's page, and up to that of the next one.
        let first = (PAGE - (sp & (PAGE - 1))) & !7;
        for bytes in [COPY as u64, first + PAGE, first] {
            if (*header).user_bytes == 0 && generated::bpf_probe_read_user(to, bytes as u32, sp as *const c_void) == 0 {
                (*header).user_bytes = bytes as u32;
            }
        }
    }
}
