//! Births, deaths and the first sight of threads; whose slot an event belongs to.

use aya_ebpf::{EbpfContext, bindings::BPF_RB_NO_WAKEUP, helpers::bpf_ktime_get_ns};
use aya_log_ebpf::warn;
use profiler_common::{
    class::BLOCKING_IO_MASK,
    control::Control,
    syscall,
    thread::{CACHED_SITES, CAUSE_AWAY, CAUSE_OTHER, CachedSite, LATE, Sums, Thread, UNCHARGED, mark, phase, window},
};

use crate::{
    access::{Access, offset},
    calls, ipc,
    maps::{SIA_EXECS, SIA_EXITS, SIA_FREE_THREADS, SIA_GROUPS, bump, control, set_slot, slot_of, thread},
};

/// Beside the marks of `profiler-common`: the kernel's own counters were read at least once in this window.
pub const MARK_COUNTERS: u32 = 1 << 8;

/// The slot of a task, 0 if it is not of the target.
#[inline(always)]
pub fn find(control: &Control, tid: u32, task: *const u8) -> u32 {
    let slot = slot_of(tid);
    if control.pending_exec == 0 {
        return slot;
    }
    find_in_exec(tid, slot, task as u64)
}

/// A thread that execs without being the leader takes over the leader's tid halfway through, and gives it its own
/// (`exchange_tids` in `fs/exec.c`): until `sched_process_exec` tells, the task's address is the only name that holds.
#[inline(never)]
fn find_in_exec(tid: u32, slot: u32, task: u64) -> u32 {
    // SAFETY: the value is a plain number.
    if let Some(own) = unsafe { SIA_EXECS.get(task) } {
        return *own;
    }
    // The dead leader under the tid of the thread that execs: its own slot is still filed under its old tid.
    match thread(slot) {
        Some(t) if slot != 0 && t.tid == tid && t.marks & mark::EXECING != 0 => slot_of(t.tgid),
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
    // A thread that was filed in mid-window (the kernel's own workers for io_uring are born without the fork tracepoint)
    // is measured from then on.
    let start = if t.epoch == LATE && t.first > control.start { t.first } else { control.start };
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
    t.marks &= mark::LEAVING | mark::EXECING;
    t.cause = CAUSE_OTHER;
    t.owed = 0;
    if sight == FirstSight::User {
        t.nr = syscall::NONE;
    } else {
        calls::open_call::<A>(control, t, task);
    }
    t.phase = match sight {
        FirstSight::Asleep => {
            // It sleeps: its counters are exact now, and stay the base even if the kernel does not tell of the switch-in.
            begin_counters::<A>(t, task);
            t.block_class = t.class;
            t.marks |= mark::ASLEEP_AT_START;
            phase::BLOCKED
        }
        FirstSight::Runnable => {
            add_runnable(control, 1);
            t.block_class = t.class;
            t.wake = start;
            phase::WOKEN
        }
        _ => {
            add_runnable(control, 1);
            phase::ON_CPU
        }
    };
}

/// One more or one fewer thread of the target that runs or could run.
#[inline(always)]
pub fn add_runnable(control: &mut Control, by: i64) {
    bump(&mut control.runnable.value, by);
}

/// The kernel's own counters of a task: voluntary and involuntary switches, run time.
#[inline(always)]
fn kernel_counters<A: Access>(task: *const u8) -> (u64, u64, u64) {
    // SAFETY: `task` is the task of a tracepoint's argument, the offsets are its fields'.
    unsafe {
        (
            A::field(task, offset!(task_nvcsw)),
            A::field(task, offset!(task_nivcsw)),
            A::field(task, offset!(task_runtime)),
        )
    }
}

/// Reads the kernel's own counters of a task at a switch-out, where they have just been brought up to date
/// (`__schedule` and `update_curr` in `kernel/sched`), and adds how far they moved while the thread was measured. Answers as
/// [`book`].
#[inline(always)]
pub fn read_counters<A: Access>(t: &mut Thread, task: *const u8, voluntary_now: bool, to_own: bool) -> u64 {
    let (voluntary, involuntary, runtime) = kernel_counters::<A>(task);
    let cpu = t.cpu();
    if t.marks & MARK_COUNTERS == 0 {
        t.marks |= MARK_COUNTERS;
        // This very switch is already in the kernel's counters, and belongs to us.
        t.seen_voluntary = voluntary - voluntary_now as u64;
        t.seen_involuntary = involuntary - !voluntary_now as u64;
        t.seen_runtime = runtime;
        t.seen_cpu = cpu;
    }
    t.sums.kernel_voluntary += voluntary - t.seen_voluntary;
    t.sums.kernel_involuntary += involuntary - t.seen_involuntary;
    let charged = runtime - t.seen_runtime;
    let counted = cpu - t.seen_cpu;
    t.sums.kernel_runtime += charged;
    t.sums.checked_cpu += counted;
    t.seen_voluntary = voluntary;
    t.seen_involuntary = involuntary;
    t.seen_runtime = runtime;
    t.seen_cpu = cpu;
    book(t, charged.wrapping_sub(counted), voluntary_now, to_own)
}

/// Books what the kernel charged for a stretch on the CPU beyond what the tracepoints saw of it (signed, two's complement), and
/// answers what the thread is owed that the CPU turns to.
///
/// The kernel's clock for charges stands still from a short while before each switch; where a wake-up asked for the switch, from that
/// wake-up on, and the rest of a softirq may come in between (`rq_clock_skip_update` in `wakeup_preempt`, kernel/sched/core.c).
/// So much less the one thread is charged, and the next one more: no cost of any block, and within the target no time at all.
/// Stolen time is charged to nobody: it is what the next one does not get either. Whoever is preempted for another thread of the target has
/// had what it was owed, and may just have lost as much again to its successor: that is told apart at the next switch that nobody forced.
/// What is charged without being owed is the way out of idle.
#[inline(always)]
fn book(t: &mut Thread, charge: u64, voluntary: bool, to_own: bool) -> u64 {
    let short = t.owed.wrapping_sub(charge);
    let (short, gain) = if (short as i64) < 0 { (0, short.wrapping_neg()) } else { (short, 0) };
    let settled = if to_own && t.owed < short {
        t.owed
    } else if to_own && !voluntary {
        0
    } else {
        short
    };
    let uncharged = if settled < UNCHARGED { 0 } else { settled };
    let owed = short - uncharged;
    t.sums.uncharged += uncharged;
    let sums = &mut t.sums;
    sums.charge_other = sums.charge_other.wrapping_add(t.owed.wrapping_sub(owed));
    // CAUSE_OTHER has bits that neither a class nor CAUSE_AWAY has.
    let class = t.cause & !CAUSE_AWAY;
    if class < 32 && BLOCKING_IO_MASK >> class & 1 != 0 {
        sums.charge_io += gain;
        if t.cause != class {
            sums.charge_away += gain;
        }
    } else {
        sums.charge_other = sums.charge_other.wrapping_add(gain);
    }
    owed
}

/// Where the kernel's counters of a task stand at its first switch-in: it has not run in this window yet, so that they are
/// exact, and what follows is all the measurement's.
#[inline(always)]
pub fn begin_counters<A: Access>(t: &mut Thread, task: *const u8) {
    let (voluntary, involuntary, runtime) = kernel_counters::<A>(task);
    t.marks |= MARK_COUNTERS;
    t.seen_voluntary = voluntary;
    t.seen_involuntary = involuntary;
    t.seen_runtime = runtime;
    t.seen_cpu = t.cpu();
}

/// `sched_process_fork(parent, child)`, in the parent.
#[inline(always)]
pub fn on_fork<A: Access, C: EbpfContext>(ctx: &C, parent: *const u8, child: *const u8, now: u64) {
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
    if tgid != parent_tgid {
        if control.follow == 0 {
            return;
        }
        let _ = SIA_GROUPS.insert(tgid, 1, 0);
    }
    bump(&mut control.counters.forks, 1);
    let Ok(Some(slot)) = SIA_FREE_THREADS.pop() else {
        if control.counters.threads_lost == 0 {
            warn!(ctx, "no room for thread {}: raise --max-threads", tid);
        }
        bump(&mut control.counters.threads_lost, 1);
        return;
    };
    let space = match thread(parent_slot) {
        Some(p) if parent_slot != 0 => p.space,
        _ => 0,
    };
    let Some(t) = thread(slot) else { return };
    clear(t);
    t.tid = tid;
    t.tgid = tgid;
    t.space = space;
    t.nr = syscall::BORN;
    t.cause = CAUSE_OTHER;
    if control.enabled != 0 {
        t.epoch = control.epoch;
        t.phase = phase::BORN;
        t.first = now;
        t.off = now;
        // The kernel's counters of a new task start at zero (`copy_process`), and so do ours.
        t.marks = mark::BORN_INSIDE | MARK_COUNTERS;
        add_runnable(control, 1);
    }
    set_slot(tid, slot);
}

/// `sched_process_exec(p, old_pid, …)`: the program is another one now, and its thread may have the leader's tid.
#[inline(always)]
pub fn on_exec<A: Access>(task: *const u8, old_tid: u32) {
    let Some(control) = control() else { return };
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    let slot = find(control, tid, task);
    let Some(t) = thread(slot) else { return };
    if slot == 0 {
        return;
    }
    bump(&mut control.counters.execs, 1);
    // Two programs that begin at the same 64 ns would share a number; a counter would need an atomic with a result,
    // which kernels before 5.12 lack.
    // SAFETY: no arguments.
    t.space = unsafe { (bpf_ktime_get_ns() >> 6) as u32 } | 1;
    control.fd_generation += 1;
    forget_sites(t);
    if t.marks & mark::EXECING != 0 {
        let leader = slot_of(tid);
        // Should the old leader still have its last switch before it, it does that under the tid it was given.
        set_slot(old_tid, if leader == slot { 0 } else { leader });
        set_slot(tid, slot);
        t.tid = tid;
        exec_over(control, t, task);
    }
}

#[inline(always)]
fn add_pending(control: &mut Control, by: i32) {
    bump(&mut control.pending_exec, by);
}

/// Before `execve` in a thread that is not the leader.
#[inline(always)]
pub fn exec_begins(control: &mut Control, t: &mut Thread, slot: u32, task: *const u8) {
    if SIA_EXECS.insert(task as u64, slot, 0).is_ok() {
        t.marks |= mark::EXECING;
        add_pending(control, 1);
    }
}

/// After `execve`, whether it failed or not; or at the thread's end.
#[inline(always)]
pub fn exec_over(control: &mut Control, t: &mut Thread, task: *const u8) {
    if t.marks & mark::EXECING != 0 {
        t.marks &= !mark::EXECING;
        let _ = SIA_EXECS.remove(task as u64);
        add_pending(control, -1);
    }
}

/// The last switch-out: hands the record over and frees the slot.
#[inline(never)]
pub fn depart(slot: u32, tid: u32, task: u64) {
    let (Some(control), Some(t)) = (control(), thread(slot)) else { return };
    exec_over(control, t, task as *const u8);
    t.phase = phase::DEAD;
    bump(&mut control.counters.exits, 1);
    if SIA_EXITS.output::<Thread>(&*t, BPF_RB_NO_WAKEUP as u64).is_err() {
        pool(t);
        bump(&mut control.counters.exits_pooled, 1);
    }
    release(slot, tid);
}

/// The slot is free for another thread.
#[inline(always)]
pub fn release(slot: u32, tid: u32) {
    set_slot(tid, 0);
    let _ = SIA_FREE_THREADS.push(slot, 0);
}

/// Adds a record's sums to slot 0: nothing is lost but the thread's name.
#[inline(always)]
fn pool(t: &Thread) {
    let Some(pool) = thread(0) else { return };
    let from = (&raw const t.sums).cast::<u64>();
    let to = (&raw mut pool.sums).cast::<u64>();
    // The histograms at the end are pairs of u32: adding them as u64 is right as long as no low half overflows.
    for i in 0..size_of::<Sums>() / 8 {
        // SAFETY: inside `Sums`, which is a whole number of words.
        unsafe { bump(&mut *to.add(i), core::ptr::read_volatile(from.add(i))) };
    }
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

/// After `exec`, the same addresses are other places.
#[inline(always)]
fn forget_sites(t: &mut Thread) {
    for i in 0..CACHED_SITES {
        t.sites[i] = CachedSite { ip: 0, call: 0, site: 0 };
    }
    t.window = window::NONE;
}
