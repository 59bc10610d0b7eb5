//! wakers: who woke whom.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use profiler_common::{
    class::BlockClass,
    control::Control,
    syscall,
    thread::{Thread, mark},
};

use crate::{
    access::{Access, offset, present},
    maps::{slot_of, thread},
};

/// `PF_KTHREAD` of `include/linux/sched.h`
const KTHREAD: u32 = 0x0020_0000;

/// Counts a wake-up by who is running: the kernel, the thread's own process, or another one.
#[inline(always)]
pub fn count<A: Access>(control: &Control, t: &mut Thread) {
    let waker = bpf_get_current_pid_tgid();
    t.waker = 0;
    if waker == 0 {
        t.sums.woken_by_kernel += 1;
    } else if (waker >> 32) as u32 == t.tgid {
        match thread(slot_of(waker as u32)) {
            // In user mode it wakes nobody: an interrupt hit it.
            Some(w) if w.nr == syscall::NONE && w.epoch == control.epoch => {
                t.sums.woken_by_kernel += 1;
            }
            waking => {
                if let Some(w) = waking {
                    w.marks |= mark::WOKE;
                    // A timer's interrupt that hits a thread in some call ends waits, too; and
                    // whoever exits ends that of who joins it, which is no hand-over.
                    let futex = BlockClass::Futex as u32;
                    if t.block_class != futex || w.class == futex {
                        t.waker = waker as u32;
                    }
                }
                t.sums.woken_by_self += 1;
                if BlockClass::blocks_on_io(t.block_class) {
                    t.sums.woken_io_by_self += 1;
                }
            }
        }
    } else if is_kernel_thread::<A>() {
        t.sums.woken_by_kernel += 1;
    } else {
        t.waker = waker as u32;
        t.sums.woken_by_other += 1;
    }
}

/// Whether the running task is a thread of the kernel's own.
#[inline(always)]
fn is_kernel_thread<A: Access>() -> bool {
    let flags: u32 = if present(offset!(task_flags)) {
        // SAFETY: the running task.
        unsafe { A::field(A::current(), offset!(task_flags)) }
    } else {
        0
    };
    flags & KTHREAD != 0
}

/// A thread that is not of the target is woken, perhaps by one that is, or by an interrupt that hit
/// one in a call.
#[inline(always)]
pub fn count_other(control: &Control) {
    if let Some(t) = thread(slot_of(bpf_get_current_pid_tgid() as u32))
        && t.epoch == control.epoch
        && t.nr != syscall::NONE
    {
        t.sums.woke_other += 1;
        t.marks |= mark::WOKE;
    }
}
