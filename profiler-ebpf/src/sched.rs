//! The scheduler's side: switch-out, wake-up, switch-in.
//!
//! A thread's cycle is `ON_CPU → BLOCKED → WOKEN → ON_CPU`, or `ON_CPU → PREEMPTED → ON_CPU`. All of it but the wake-up
//! happens on the CPU that runs the thread. The wake-up comes from another CPU and may be seen there before the
//! switch-out is seen here (`try_to_wake_up` waits for the CPU to let go only after the tracepoint). So the waker always
//! notes the time, and the switch-in compares: a wake-up noted before the switch-out is one that raced.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
};
use profiler_common::{
    class::{BLOCKING_IO_MASK, BlockClass},
    control::Control,
    ipc::before,
    since, stat,
    stream::{BlockEnd, narrow},
    syscall,
    thread::{CAUSE_AWAY, CAUSE_OTHER, Thread, concurrency_bucket, mark, phase, window},
};

use crate::{
    access::{Access, offset, present},
    ipc,
    maps::{SIA_STREAM, bump, control, slot_of, thread},
    stacks,
    threads::{FirstSight, MARK_COUNTERS, add_runnable, begin_counters, depart, find, first_sight, read_counters},
};

/// `__TASK_STOPPED | __TASK_TRACED` of `include/linux/sched.h`.
const STOPPED: u32 = 0x4 | 0x8;
/// `TASK_UNINTERRUPTIBLE`
const UNINTERRUPTIBLE: u32 = 0x2;
/// `TASK_DEAD`
const DEAD: u32 = 0x80;
/// `PF_KTHREAD`
const KTHREAD: u32 = 0x0020_0000;

/// Adds the time since the last boundary to the mode the thread was in.
#[inline(always)]
pub fn account(t: &mut Thread, now: u64) {
    let ns = since(now, t.since);
    t.since = now;
    t.burst += ns;
    if t.nr == syscall::NONE {
        t.sums.user += ns;
        t.window_user += ns;
    } else {
        t.sums.kernel += ns;
        t.call_cpu += ns;
    }
}

/// An event of a thread that runs, whose switch-in was not seen: the tracepoint does not fire at every switch of every kernel.
/// It has been on the CPU for an unknown while; that while counts as run-queue delay, and the occasion is counted.
#[inline(always)]
pub fn caught_on_cpu<A: Access>(control: &mut Control, t: &mut Thread, now: u64, task: *const u8) {
    if t.phase != phase::ON_CPU {
        catch_up::<A>(control, t, now, task);
    }
}

#[inline(never)]
fn catch_up<A: Access>(control: &mut Control, t: &mut Thread, now: u64, task: *const u8) {
    bump(&mut control.counters.missed_switch_ins, 1);
    switch_in::<A>(control, t, now, task, false, 0);
}

/// `sched_switch`. `state` is the state that the thread leaves with, where the tracepoint gives it (5.18 and later).
#[inline(always)]
pub fn on_switch<A: Access>(ctx: *mut c_void, preempt: bool, prev: *const u8, next: *const u8, state: Option<u32>) {
    let Some(control) = control() else { return };
    if control.enabled == 0 {
        return;
    }
    let prev_tid = bpf_get_current_pid_tgid() as u32;
    // SAFETY: a task of the tracepoint's arguments.
    let next_tid: u32 = unsafe { A::field(next, offset!(task_pid)) };
    let out = find(control, prev_tid, prev);
    let into = find(control, next_tid, next);
    if out | into == 0 {
        return;
    }
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let mut owed = 0;
    if out != 0
        && let Some(t) = thread(out)
    {
        owed = switch_out::<A>(control, t, now, preempt, prev, state, into != 0);
        if control.stack_every != 0 && t.phase == phase::BLOCKED {
            stacks::at_switch_out::<A>(ctx, control, t);
        }
        if t.phase == phase::DEAD {
            depart(out, prev_tid, prev as u64);
        }
    }
    if into != 0
        && let Some(t) = thread(into)
    {
        switch_in::<A>(control, t, now, next, out == 0, owed);
    }
}

/// Answers what the thread is owed that the CPU turns to.
#[inline(always)]
fn switch_out<A: Access>(
    control: &mut Control,
    t: &mut Thread,
    now: u64,
    preempt: bool,
    task: *const u8,
    state: Option<u32>,
    to_own: bool,
) -> u64 {
    first_sight::<A>(control, t, FirstSight::OnCpu, task);
    caught_on_cpu::<A>(control, t, now, task);
    account(t, now);
    ipc::cut(t);
    t.off = now;
    let state = match state {
        Some(state) => state,
        // Before 5.18 the tracepoint does not say. A wake-up may already have written TASK_WAKING over it: still no 0.
        // SAFETY: the task of the tracepoint's argument.
        None => unsafe { A::field::<u32>(task, offset!(task_state)) },
    };
    // A signal can end a wait before the thread has left; from 6.13 on the state then reads as running although the
    // kernel counts the switch as voluntary. `sched_yield` looks the same and counts as involuntary: ask the counter.
    let voluntary = !preempt && (state != 0 || counted_voluntary::<A>(t, task));
    let owed = read_counters::<A>(t, task, voluntary, to_own);
    if voluntary {
        let class = block_class(t, state);
        t.block_class = class as u32;
        t.phase = phase::BLOCKED;
        t.sums.voluntary += 1;
        t.sums.classes[class as usize & 31].blocks += 1;
        if t.call_blocks == 0 {
            t.call_before = t.call_cpu;
        }
        t.call_blocks += 1;
        stat::count(&mut t.sums.bursts, t.burst);
        t.sums.burst_sum += t.burst;
        t.ended_burst = t.burst;
        t.burst = 0;
        add_runnable(control, -1);
        if state == 0 {
            // It never slept: it waits for the CPU.
            t.wake = now;
        }
        if state & DEAD != 0 {
            t.phase = phase::DEAD;
        }
    } else {
        t.phase = phase::PREEMPTED;
        t.sums.involuntary += 1;
        t.sums.preempted_by_own += to_own as u64;
        if t.window != window::NONE {
            t.window = window::SPOILED;
        }
    }
    owed
}

/// Whether the kernel counted this switch as voluntary; only asked where state and preemption do not tell.
#[inline(always)]
fn counted_voluntary<A: Access>(t: &Thread, task: *const u8) -> bool {
    // SAFETY: the task of the tracepoint's argument.
    let voluntary: u64 = unsafe { A::field(task, offset!(task_nvcsw)) };
    t.marks & MARK_COUNTERS != 0 && voluntary != t.seen_voluntary
}

/// What a block waits for: the call's class, or, outside a call, what the state says.
#[inline(always)]
fn block_class(t: &Thread, state: u32) -> u8 {
    if state & DEAD != 0 || t.marks & mark::LEAVING != 0 {
        return BlockClass::Exit as u8;
    }
    if state & STOPPED != 0 {
        return BlockClass::Stopped as u8;
    }
    match t.nr {
        syscall::NONE if state & UNINTERRUPTIBLE != 0 => BlockClass::PageFault as u8,
        syscall::NONE | syscall::BORN => BlockClass::Kernel as u8,
        syscall::UNKNOWN => BlockClass::Unknown as u8,
        _ => t.class as u8,
    }
}

#[inline(always)]
fn switch_in<A: Access>(control: &mut Control, t: &mut Thread, now: u64, task: *const u8, away: bool, owed: u64) {
    first_sight::<A>(control, t, FirstSight::Runnable, task);
    // Still open where the kernel did not tell of the switch-out.
    ipc::cut(t);
    t.sums.switch_ins += 1;
    if t.marks & MARK_COUNTERS == 0 {
        begin_counters::<A>(t, task);
    }
    t.since = now;
    t.owed = owed;
    t.cause = CAUSE_OTHER;
    match t.phase {
        phase::PREEMPTED => {
            t.sums.preempted += since(now, t.off);
            if t.nr == syscall::NONE {
                ipc::open(control, t, ipc::site_of(t), before::PREEMPTED);
            }
        }
        phase::BORN => t.sums.born_delay += since(now, t.off),
        phase::BLOCKED | phase::WOKEN => {
            let mut wake = t.wake;
            if wake < t.off {
                // Of the burst before it, a wake-up raced with the switch-out. An older one is another block's: the kernel
                // did not tell of this one's, and nobody knows how much of the time was waiting for the CPU.
                wake = if wake.saturating_add(t.ended_burst) < t.off { now } else { t.off };
                bump(&mut control.counters.raced_wakes, 1);
            }
            if t.phase == phase::BLOCKED {
                // The waker saw it still on the CPU, and left the counting to us.
                note_runnable(control, t);
            }
            let blocked = since(wake, t.off);
            let delay = since(now, wake);
            let class = t.block_class;
            t.cause = class;
            let sum = &mut t.sums.classes[class as usize & 31];
            sum.blocked += blocked;
            sum.run_delay += delay;
            t.call_blocked += blocked;
            t.call_delay += delay;
            if away {
                t.cause |= CAUSE_AWAY;
                t.marks |= mark::AWAY;
                if BLOCKING_IO_MASK >> (class & 31) & 1 != 0 {
                    t.sums.away_io += 1;
                }
            }
            if control.stream != 0 {
                stream(control, t, wake, delay, away);
            }
            if class == BlockClass::File as u32
                || class == BlockClass::BlockDevice as u32
                || class == BlockClass::PageFault as u32
            {
                t.sums.device_wait += device_share(t, wake);
            }
        }
        _ => {}
    }
    t.phase = phase::ON_CPU;
}

/// Tells the user side of the end of a block.
#[inline(always)]
fn stream(control: &mut Control, t: &Thread, wake: u64, delay: u64, away: bool) {
    let end = BlockEnd {
        tid: t.tid,
        class: t.block_class as u8,
        away: away as u8,
        reserved: 0,
        off: t.off,
        wake,
        burst: narrow(t.ended_burst),
        delay: narrow(delay),
    };
    if SIA_STREAM.output::<BlockEnd>(&end, BPF_RB_NO_WAKEUP as u64).is_err() {
        bump(&mut control.counters.stream_lost, 1);
    }
}

/// How much of the wait that ends at `wake` the thread's own requests were at the device: the overlap with the last
/// stretch of time in which at least one of them was.
#[inline(always)]
fn device_share(t: &Thread, wake: u64) -> u64 {
    let from = if t.device_from > t.off { t.device_from } else { t.off };
    let to = if t.requests > 0 || t.device_to > wake { wake } else { t.device_to };
    since(to, from)
}

/// `sched_waking`, on the waker's CPU.
#[inline(always)]
pub fn on_waking<A: Access>(ctx: *mut c_void, task: *const u8) {
    let Some(control) = control() else { return };
    if control.enabled == 0 {
        return;
    }
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    let slot = find(control, tid, task);
    if slot == 0 {
        note_woken_other(control);
        return;
    }
    let Some(t) = thread(slot) else { return };
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    first_sight::<A>(control, t, FirstSight::Asleep, task);
    t.wake = now;
    if control.stack_every != 0 && t.phase == phase::BLOCKED {
        stacks::at_waking::<A>(ctx, control, t, now);
    }
    if t.phase == phase::BLOCKED {
        t.phase = phase::WOKEN;
        note_runnable(control, t);
    }
    let waker = bpf_get_current_pid_tgid();
    if waker == 0 {
        t.sums.woken_by_kernel += 1;
    } else if (waker >> 32) as u32 == t.tgid {
        // An interrupt may have hit the target's own thread; where that was in user mode, it was not the thread's doing.
        match thread(slot_of(waker as u32)) {
            Some(w) if slot_of(waker as u32) != 0 && w.nr == syscall::NONE && w.epoch == control.epoch => {
                t.sums.woken_by_kernel += 1;
            }
            waking => {
                if let Some(w) = waking {
                    w.marks |= mark::WOKE;
                }
                t.sums.woken_by_self += 1;
                if BLOCKING_IO_MASK >> (t.block_class & 31) & 1 != 0 {
                    t.sums.woken_io_by_self += 1;
                }
            }
        }
    } else {
        let flags: u32 = if present(offset!(task_flags)) {
            // SAFETY: the running task.
            unsafe { A::field(A::current(), offset!(task_flags)) }
        } else {
            0
        };
        if flags & KTHREAD != 0 {
            t.sums.woken_by_kernel += 1;
        } else {
            t.sums.woken_by_other += 1;
        }
    }
}

/// Somebody else is woken, perhaps by a thread of the target or by an interrupt that hit it in a call.
#[inline(always)]
fn note_woken_other(control: &Control) {
    let slot = slot_of(bpf_get_current_pid_tgid() as u32);
    if slot != 0
        && let Some(t) = thread(slot)
        && t.epoch == control.epoch
        && t.nr != syscall::NONE
    {
        t.sums.woke_other += 1;
        t.marks |= mark::WOKE;
    }
}

/// A thread became runnable: how many others are, and one more is now.
#[inline(always)]
fn note_runnable(control: &mut Control, t: &mut Thread) {
    let others = control.runnable.value;
    let others = if others > 0 { others as u64 } else { 0 };
    let bucket = concurrency_bucket(others) & (profiler_common::thread::CONCURRENCY_BUCKETS - 1);
    t.sums.concurrency[bucket] += 1;
    add_runnable(control, 1);
}
