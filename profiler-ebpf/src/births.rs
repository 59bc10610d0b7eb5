//! Births and ends of threads, and `exec`: who joins the target, under which tid, and until when.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_log_ebpf::warn;
use profiler_common::{
    class::BlockClass,
    control::Control,
    syscall,
    thread::{CAUSE_OTHER, LATE, Sums, Thread, mark, phase},
};

use crate::{
    access::{Access, now, offset},
    call,
    charge::MARK_COUNTERS,
    descriptor,
    maps::{SIA_EXECS, SIA_EXITS, SIA_FREE_THREADS, SIA_GROUPS},
    maps::{bump, control, pool, set_slot, slot_of, thread},
    slots::{IO_WORKER, add_runnable, find, release},
    turns,
};

/// `sched_process_fork(parent, child)`, in the parent.
#[inline(always)]
pub fn on_fork<A: Access>(parent: *const u8, child: *const u8) {
    let Some(control) = control() else { return };
    if control.tracking == 0 {
        return;
    }
    // SAFETY: both are tasks of the tracepoint's arguments.
    let (parent_tid, parent_tgid, tid, tgid): (u32, u32, u32, u32) = unsafe {
        (
            A::field(parent, offset!(task_pid)),
            A::field(parent, offset!(task_tgid)),
            A::field(child, offset!(task_pid)),
            A::field(child, offset!(task_tgid)),
        )
    };
    let parent_slot = find(control, parent_tid, parent);
    // SAFETY: the value is a plain number.
    if parent_slot == 0 && unsafe { SIA_GROUPS.get(parent_tgid) }.is_none() {
        return;
    }
    // SAFETY: as above.
    let shares = unsafe { A::field::<u64>(parent, offset!(task_files)) == A::field::<u64>(child, offset!(task_files)) };
    if shares != (tgid == parent_tgid) {
        descriptor::be_unsure(control);
    }
    if tgid != parent_tgid && control.follow == 0 {
        return;
    }
    let space = thread(parent_slot).map_or(0, |parent| parent.space);
    if file(control, tid, tgid, space, 0) && tgid != parent_tgid && SIA_GROUPS.insert(tgid, 1, 0).is_err() {
        // The map has room for a process per thread's slot, so that this cannot be for want of it.
        warn!((), "process {} is followed by its known threads only", tgid);
    }
}

/// `sched_wakeup_new(p)`, in whoever makes it: threads that work for a ring are made without
/// `sched_process_fork` (`create_io_thread`, kernel/fork.c).
#[inline(always)]
pub fn on_new<A: Access>(task: *const u8) {
    let Some(control) = control() else { return };
    // SAFETY: the task of the tracepoint's argument.
    if control.tracking == 0 || unsafe { A::field::<u32>(task, offset!(task_flags)) } & IO_WORKER == 0 {
        return;
    }
    // SAFETY: as above.
    let (tid, tgid): (u32, u32) = unsafe { (A::field(task, offset!(task_pid)), A::field(task, offset!(task_tgid))) };
    // SAFETY: the value is a plain number.
    if unsafe { SIA_GROUPS.get(tgid) }.is_some() {
        file(control, tid, tgid, 0, mark::RING);
    }
}

/// Files a thread that is born now, with these marks. Whether there was room.
#[inline(always)]
fn file(control: &mut Control, tid: u32, tgid: u32, space: u32, marks: u32) -> bool {
    let counts = control.enabled != 0;
    if counts && marks & mark::RING == 0 {
        bump(&mut control.counters.forks, 1);
    }
    let Ok(Some(slot)) = SIA_FREE_THREADS.pop() else {
        // Between two windows user space looks for those that were left out, and counts them.
        if counts {
            if control.counters.threads_lost == 0 {
                warn!((), "no room for thread {}: raise --max-threads", tid);
            }
            bump(&mut control.counters.threads_lost, 1);
        }
        return false;
    };
    let Some(t) = thread(slot) else { return false };
    clear(t);
    t.tid = tid;
    t.tgid = tgid;
    t.space = space;
    t.nr = syscall::BORN;
    if marks & mark::RING != 0 {
        t.class = BlockClass::Kernel as u32;
    }
    t.cause = CAUSE_OTHER;
    t.first = now();
    if counts {
        t.epoch = control.epoch;
        t.phase = phase::BORN;
        t.off = t.first;
        // The kernel's counters of a new task start at zero (`copy_process`), and so do ours.
        t.marks = mark::BORN_INSIDE | MARK_COUNTERS | marks;
        add_runnable(control, 1);
    } else {
        // Of no window yet, and of none that ended before.
        t.epoch = LATE;
    }
    set_slot(tid, slot);
    true
}

#[inline(always)]
fn clear(t: &mut Thread) {
    let words = (&raw mut *t).cast::<u64>();
    for i in 0..size_of::<Thread>() / 8 {
        // Volatile, so that it stays a loop: a call of memset would be one byte at a time.
        // SAFETY: inside `Thread`, which is a whole number of words.
        unsafe { core::ptr::write_volatile(words.add(i), 0) };
    }
}

/// `sched_process_exec(p, old_pid, …)`: another program from now on, and perhaps the leader's tid.
#[inline(always)]
pub fn on_exec<A: Access>(task: *const u8, old_tid: u32) {
    let Some(control) = control() else { return };
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    let slot = find(control, tid, task);
    let Some(t) = thread(slot) else { return };
    if control.enabled != 0 {
        bump(&mut control.counters.execs, 1);
    }
    // Two programs that begin within the same 64 ns share a number. A counter would need an atomic
    // with a result, which kernels before 5.12 lack.
    t.space = (now() >> 6) as u32 | 1;
    control.fd_generation += 1;
    call::forget_sites(t);
    // The leader that another thread's exec replaces has left, and its process goes on.
    let _ = SIA_GROUPS.insert(t.tgid, 1, 0);
    if t.marks & mark::EXECING != 0 {
        let leader = slot_of(tid);
        // If the old leader still has its last switch to come, it does that under the tid that it
        // was given.
        set_slot(old_tid, if leader == slot { 0 } else { leader });
        set_slot(tid, slot);
        t.tid = tid;
        end_exec(control, t, task);
    }
}

/// Before `execve` in a thread that is not the leader: its tid is about to change.
#[inline(always)]
pub fn begin_exec(control: &mut Control, t: &mut Thread, slot: u32, task: *const u8) {
    if SIA_EXECS.insert(task as u64, slot, 0).is_ok() {
        t.marks |= mark::EXECING;
        bump(&mut control.pending_exec, 1);
    }
}

/// After `execve`, whether it failed or not, or at the thread's end.
#[inline(always)]
pub fn end_exec(control: &mut Control, t: &mut Thread, task: *const u8) {
    if t.marks & mark::EXECING != 0 {
        t.marks &= !mark::EXECING;
        let _ = SIA_EXECS.remove(task as u64);
        bump(&mut control.pending_exec, -1);
    }
}

/// `sched_process_exit`: whatever the thread still waits for, it waits for its end.
#[inline(always)]
pub fn on_exit<A: Access>(task: *const u8) {
    let Some(control) = control() else { return };
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    // SAFETY: as above.
    let tgid: u32 = unsafe { A::field(task, offset!(task_tgid)) };
    if tid == tgid && control.tracking != 0 {
        // Somebody else may get the number. Threads that outlive their leader have slots.
        let _ = SIA_GROUPS.remove(tgid);
    }
    let slot = find(control, tid, task);
    if slot == 0 {
        return;
    }
    let Some(t) = thread(slot) else { return };
    if control.enabled != 0 {
        t.marks |= mark::LEAVING;
        return;
    }
    // Nobody will see its last switch. Its window may be over and not yet read: what it did there
    // must not go with it.
    end_exec(control, t, task);
    if t.epoch == control.epoch {
        hand_over(control, t);
    }
    release(slot, tid);
}

/// The last switch-out: hands the record over and frees the slot.
#[inline(never)]
pub fn depart(slot: u32, tid: u32, task: u64) {
    let (Some(control), Some(t)) = (control(), thread(slot)) else { return };
    end_exec(control, t, task as *const u8);
    t.phase = phase::DEAD;
    bump(&mut control.counters.exits, 1);
    if control.stall_over != 0 {
        turns::sia_turn_gone(slot as u64, now());
    }
    hand_over(control, t);
    release(slot, tid);
}

/// Hands a thread's record over, or adds it to the pool.
#[inline(always)]
fn hand_over(control: &mut Control, t: &mut Thread) {
    if SIA_EXITS.output::<Thread>(&*t, BPF_RB_NO_WAKEUP as u64).is_err() {
        add_to_pool(t);
        bump(&mut control.counters.exits_pooled, 1);
    }
}

/// Adds a record's sums to the pool: nothing is lost but the thread's name.
#[inline(always)]
fn add_to_pool(t: &Thread) {
    let Some(pool) = pool() else { return };
    let from = (&raw const t.sums).cast::<u64>();
    let to = (&raw mut pool.sums).cast::<u64>();
    // The histograms at the end are pairs of u32. To add them as u64 is right as long as no low
    // half overflows.
    for i in 0..size_of::<Sums>() / 8 {
        // SAFETY: inside `Sums`, which is a whole number of words.
        unsafe { bump(&mut *to.add(i), core::ptr::read_volatile(from.add(i))) };
    }
}
