//! The state that a thread sleeps in: what the scheduler makes of it.

use profiler_common::{
    class::BlockClass,
    syscall,
    thread::{Thread, mark},
};

use crate::access::{Access, offset, present};

/// `__TASK_STOPPED` of `include/linux/sched.h`
pub const STOPPED: u32 = 0x4;
/// `__TASK_TRACED` of `include/linux/sched.h`
pub const TRACED: u32 = 0x8;
/// `TASK_FROZEN`, 6.1 and later
pub const FROZEN: u32 = 0x8000;
/// `PF_FROZEN`, before 6.1; later kernels use the bit for one of their own threads
const FLAG_FROZEN: u32 = 0x1_0000;
/// `TASK_UNINTERRUPTIBLE` of `include/linux/sched.h`
pub const UNINTERRUPTIBLE: u32 = 0x2;
/// `TASK_NOLOAD` of `include/linux/sched.h`: such a sleep is not in the load average.
const NOLOAD: u32 = 0x400;
/// `TASK_DEAD` of `include/linux/sched.h`
pub const DEAD: u32 = 0x80;

/// The state that a thread leaves the CPU with.
#[inline(always)]
pub fn state_left_with<A: Access>(task: *const u8, told: Option<u32>) -> u32 {
    match told {
        Some(state) => state,
        // Before 5.18 the tracepoint does not say. A wake-up may already have written TASK_WAKING
        // over it, which is not 0 either.
        // SAFETY: the task of the tracepoint's argument.
        None => unsafe { A::field::<u32>(task, offset!(task_state)) },
    }
}

/// The marks of a sleep that the kernel counts in the load average: its own rule
/// (`__block_task`, kernel/sched/core.c; before 6.11 in `__schedule`).
#[inline(always)]
pub fn load_marks<A: Access>(task: *const u8, state: u32, class: u8) -> u32 {
    if state & UNINTERRUPTIBLE == 0 || state & (NOLOAD | FROZEN) != 0 || class == BlockClass::Frozen as u8 {
        return 0;
    }
    if is_waiting_for_disk::<A>(task) { mark::LOADS | mark::ON_DISK } else { mark::LOADS }
}

/// Whether the freezer of its cgroup holds a thread on its way back to user mode, or, before 6.1,
/// the refrigerator anywhere.
#[inline(always)]
pub fn is_frozen<A: Access>(t: &Thread, task: *const u8) -> bool {
    // SAFETY: a task of the tracepoint's arguments.
    let held = t.nr == syscall::NONE && bit_of::<A>(task, offset!(task_frozen), offset!(frozen_mask));
    // SAFETY: as above.
    held || unsafe { A::field::<u32>(task, offset!(task_flags)) } & FLAG_FROZEN != 0
}

/// Whether the kernel counts a sleeping thread as waiting for IO (`io_schedule`,
/// kernel/sched/core.c): for the disk, whatever the call.
#[inline(always)]
pub fn is_waiting_for_disk<A: Access>(task: *const u8) -> bool {
    bit_of::<A>(task, offset!(task_iowait), offset!(iowait_mask))
}

#[inline(always)]
fn bit_of<A: Access>(task: *const u8, byte: usize, mask: usize) -> bool {
    // SAFETY: the byte of a bit-field of the task of a tracepoint's argument.
    present(byte) && unsafe { A::field::<u8>(task, byte) } as usize & mask != 0
}
