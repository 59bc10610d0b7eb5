//! Whose CPU time it is: by the tracepoints' clock, and by the kernel's own counters.
//!
//! The tracepoints give a thread's time in user mode and in calls. The kernel's counters
//! (`nvcsw`, `nivcsw`, `se.sum_exec_runtime`) say how many switches there were and what the kernel
//! charged. They are read at each switch-out, and the difference goes to the switch-in before it.

use profiler_common::{
    class::{BlockClass, CLASS_COUNT},
    since, syscall,
    thread::{CAUSE_AWAY, Thread, UNCHARGED},
};

use crate::access::{Access, offset};

/// Beside the marks of `profiler-common`: the kernel's counters were read at least once in this
/// window.
pub const MARK_COUNTERS: u32 = 1 << 8;

/// Adds the time since the last boundary to the mode that the thread was in.
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

/// The kernel's own counters of a task.
struct Counters {
    voluntary: u64,
    involuntary: u64,
    runtime: u64,
}

#[inline(always)]
fn counters_of<A: Access>(task: *const u8) -> Counters {
    // SAFETY: `task` is the task of a tracepoint's argument, the offsets are its fields'.
    unsafe {
        Counters {
            voluntary: A::field(task, offset!(task_nvcsw)),
            involuntary: A::field(task, offset!(task_nivcsw)),
            runtime: A::field(task, offset!(task_runtime)),
        }
    }
}

/// Takes the kernel's counters as the base of what follows. They must be exact: the task sleeps, or
/// it has not run in this window yet.
#[inline(always)]
pub fn begin_counters<A: Access>(t: &mut Thread, task: *const u8) {
    let kernel = counters_of::<A>(task);
    t.marks |= MARK_COUNTERS;
    t.seen_voluntary = kernel.voluntary;
    t.seen_involuntary = kernel.involuntary;
    t.seen_runtime = kernel.runtime;
    t.seen_cpu = t.cpu();
}

/// Whether the kernel counted this switch as voluntary.
#[inline(always)]
pub fn counted_voluntary<A: Access>(t: &Thread, task: *const u8) -> bool {
    // SAFETY: the task of the tracepoint's argument.
    let voluntary: u64 = unsafe { A::field(task, offset!(task_nvcsw)) };
    t.marks & MARK_COUNTERS != 0 && voluntary != t.seen_voluntary
}

/// Reads the kernel's counters of a task at a switch-out, where the kernel has just brought them up
/// to date (`__schedule` and `update_curr` in `kernel/sched`), and adds what they moved by.
///
/// Returns what the CPU's next thread is owed; see [`charge_switch_in`].
#[inline(always)]
pub fn read_counters<A: Access>(t: &mut Thread, task: *const u8, voluntary_now: bool, to_own: bool) -> u64 {
    let kernel = counters_of::<A>(task);
    let cpu = t.cpu();
    if t.marks & MARK_COUNTERS == 0 {
        t.marks |= MARK_COUNTERS;
        // This very switch is already in the kernel's counters, and it is part of the measurement.
        t.seen_voluntary = kernel.voluntary - voluntary_now as u64;
        t.seen_involuntary = kernel.involuntary - !voluntary_now as u64;
        t.seen_runtime = kernel.runtime;
        t.seen_cpu = cpu;
    }
    t.sums.kernel_voluntary += kernel.voluntary - t.seen_voluntary;
    t.sums.kernel_involuntary += kernel.involuntary - t.seen_involuntary;
    let charged = kernel.runtime - t.seen_runtime;
    let counted = cpu - t.seen_cpu;
    t.sums.kernel_runtime += charged;
    t.sums.checked_cpu += counted;
    t.seen_voluntary = kernel.voluntary;
    t.seen_involuntary = kernel.involuntary;
    t.seen_runtime = kernel.runtime;
    t.seen_cpu = cpu;
    charge_switch_in(t, charged.wrapping_sub(counted), voluntary_now, to_own)
}

/// Adds to the cause of the last switch-in what the kernel charged for the stretch on the CPU
/// beyond what the tracepoints saw of it (`charge`: signed, in two's complement).
///
/// The kernel's clock for charges stands still from a short while before each switch. Where a
/// wake-up asked for the switch it stands still from that wake-up on, and the rest of a softirq may
/// come in between (`rq_clock_skip_update` in `wakeup_preempt`, `kernel/sched/core.c`). By that
/// much the one thread is charged less, and the next one more. This is no cost of any block, and
/// within the target it adds up to nothing. So the next thread is *owed* what this one was charged
/// less, and only what a thread is charged beyond what it is owed is the way out of idle.
///
/// Stolen time is charged to nobody, so the next thread does not get it either. A thread that is
/// preempted for another one of the target has had what it was owed, and may just have lost as much
/// again to its successor. The next switch that is no preemption tells the two apart.
///
/// Returns what the CPU's next thread is owed.
#[inline(always)]
fn charge_switch_in(t: &mut Thread, charge: u64, voluntary: bool, to_own: bool) -> u64 {
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
    if class < CLASS_COUNT as u32 && BlockClass::blocks_on_io(class) {
        sums.charge_io += gain;
        if t.cause != class {
            sums.charge_away += gain;
        }
    } else {
        sums.charge_other = sums.charge_other.wrapping_add(gain);
    }
    owed
}
