//! Slots: whose an event is, what a window begins with for a thread, and when a slot is free again.

use profiler_common::{
    class::BlockClass,
    control::Control,
    syscall,
    thread::{CAUSE_OTHER, CONCURRENCY_BUCKETS, LATE, Thread, concurrency_bucket, mark, phase, window},
};

use crate::{
    access::{Access, offset},
    call, charge, descriptor, ipc,
    maps::{SIA_EXECS, SIA_FREE_THREADS, bump, set_slot, slot_of, thread},
    state,
};

/// `PF_IO_WORKER` of `include/linux/sched.h`: one that polls for a ring, or works for it
pub const IO_WORKER: u32 = 0x10;

/// The slot of a task, 0 if it is not of the target.
#[inline(always)]
pub fn find(control: &Control, tid: u32, task: *const u8) -> u32 {
    let slot = slot_of(tid);
    if control.pending_exec == 0 {
        return slot;
    }
    find_in_exec(tid, slot, task as u64)
}

/// As [`find`], while some thread is inside `execve`.
///
/// A thread that execs without being the leader takes over the leader's tid halfway through, and
/// gives the leader its own (`exchange_tids` in `fs/exec.c`). Until `sched_process_exec` tells of
/// it, only the task's address is a name that holds.
#[inline(never)]
fn find_in_exec(tid: u32, slot: u32, task: u64) -> u32 {
    // SAFETY: the value is a plain number.
    if let Some(own) = unsafe { SIA_EXECS.get(task) } {
        return *own;
    }
    match thread(slot) {
        // The dead leader, under the tid of the thread that execs. Its own slot is still filed
        // under its old tid.
        Some(t) if t.tid == tid && t.marks & mark::EXECING != 0 => slot_of(t.tgid),
        _ => slot,
    }
}

/// What the first event of a thread in a window says about the time before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FirstSight {
    /// It was running in user mode.
    User,
    /// It was on the CPU, in a call or not.
    OnCpu,
    /// It was asleep until this wake-up.
    Asleep,
    /// It was waiting for a CPU.
    Runnable,
}

/// Prepares a thread that this window has not seen: its time begins with the window.
#[inline(always)]
pub fn first_sight<A: Access>(control: &mut Control, t: &mut Thread, sight: FirstSight, task: *const u8) {
    if t.epoch != control.epoch {
        begin::<A>(control, t, sight, task);
    }
}

#[inline(never)]
fn begin<A: Access>(control: &mut Control, t: &mut Thread, sight: FirstSight, task: *const u8) {
    // A thread that was filed in mid-window is measured from then on. (The kernel's own workers for
    // io_uring are born without the fork tracepoint.)
    let late = t.epoch == LATE && t.first > control.start;
    let start = if late { t.first } else { control.start };
    t.epoch = control.epoch;
    t.first = start;
    t.since = start;
    t.off = start;
    t.wake = 0;
    t.window = window::NONE;
    ipc::forget(t);
    t.requests = 0;
    t.burst = 0;
    t.call_blocks = 0;
    t.call_cpu = 0;
    t.call_before = 0;
    t.call_blocked = 0;
    t.call_delay = 0;
    t.marks &= mark::LEAVING | mark::EXECING | mark::OWN | mark::RELAY;
    t.cause = CAUSE_OTHER;
    t.owed = 0;
    if descriptor::is_unsure::<A>(task) {
        descriptor::be_unsure(control);
    }
    // SAFETY: the running task, or a task of a tracepoint's argument.
    if unsafe { A::field::<u32>(task, offset!(task_flags)) } & IO_WORKER != 0 {
        // It is never in user mode, and its registers are a copy of its creator's.
        t.marks |= mark::RING;
        t.nr = syscall::BORN;
        t.class = BlockClass::Kernel as u32;
    } else if sight == FirstSight::User {
        t.nr = syscall::NONE;
    } else {
        call::open_call::<A>(control, t, task);
    }
    t.phase = match sight {
        FirstSight::Asleep => {
            // Its counters are exact while it sleeps. They stay the base even if the kernel does
            // not tell of the switch-in.
            charge::begin_counters::<A>(t, task);
            t.block_class = t.class;
            // The wake-up has not changed the state yet.
            let state = state::state_left_with::<A>(task, None);
            t.marks |= mark::ASLEEP_AT_START | state::load_marks::<A>(task, state, t.class as u8);
            phase::BLOCKED
        }
        FirstSight::Runnable => {
            add_runnable(control, 1);
            t.block_class = t.class;
            t.wake = start;
            phase::WOKEN
        }
        FirstSight::User | FirstSight::OnCpu => {
            add_runnable(control, 1);
            phase::ON_CPU
        }
    };
}

/// Adds to the number of the target's threads that run or could run.
#[inline(always)]
pub fn add_runnable(control: &mut Control, by: i64) {
    bump(&mut control.runnable.value, by);
}

/// A thread became runnable: counts how many others are, and adds it to them.
#[inline(always)]
pub fn note_runnable(control: &mut Control, t: &mut Thread) {
    let others = control.runnable.value;
    let others = if others > 0 { others as u64 } else { 0 };
    let bucket = concurrency_bucket(others) & (CONCURRENCY_BUCKETS - 1);
    t.sums.concurrency[bucket] += 1;
    add_runnable(control, 1);
}

/// Frees the slot of a thread that has this tid now. A leader that another thread's `exec` replaces
/// has that one's tid at its end, and is filed under its own until `sched_process_exec`.
#[inline(always)]
pub fn release(slot: u32, tid: u32) {
    let filed = if slot_of(tid) == slot { tid } else { thread(slot).map_or(tid, |t| t.tid) };
    set_slot(filed, 0);
    let _ = SIA_FREE_THREADS.push(slot, 0);
}
