//! The cycle of a thread: its states, and what each event makes of them.
//!
//! ```text
//!     fork
//!       v       switch-in      +---------------- ON_CPU ---------------+
//!      BORN ------------------>|                                       |
//!                              |             sys_enter                 |
//!               switch-in      |           ------------->              |
//!   PREEMPTED ---------------->|    user                   in a call   |
//!       ^                      |           <-------------              |
//!       |  forced switch-out   |              sys_exit                 |
//!       +----------------------|                                       |
//!                              +---------------------------------------+
//!                        voluntary |              ^            | switch-out
//!                       switch-out |              | switch-in  | in TASK_DEAD
//!                                  v              |            v
//!                              BLOCKED ------> WOKEN         DEAD
//!                                      wake-up
//! ```
//!
//! A thread that was there before the window is `UNSEEN` until its first event, which says whether
//! it is `ON_CPU`, `BLOCKED` or `WOKEN` (`slots::first_sight`).
//!
//! All events but the wake-up happen on the CPU that runs the thread. The wake-up comes from
//! another CPU and may be seen there before the switch-out is seen here (`try_to_wake_up` waits for
//! the CPU to let go only after the tracepoint). So the waker always notes the time, and the
//! switch-in compares: a wake-up noted before the switch-out has raced with it. The thread then
//! goes from `BLOCKED` straight to `ON_CPU`.
//!
//! The tracepoint does not fire at every switch of every kernel. A thread that has an event of the
//! CPU without being `ON_CPU` has its switch-in made up for (`made_up_switch_in`).

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use profiler_common::{
    class::{BlockClass, CLASS_COUNT},
    control::Control,
    ipc::before,
    since,
    site::OVERFLOW_SITE,
    stat, syscall,
    thread::{CAUSE_AWAY, CAUSE_OTHER, ClassSum, Thread, mark, phase, window},
};

use crate::{
    access::{Access, argument, keep, now, offset, recall},
    births::{begin_exec, depart, end_exec},
    call::{self, Returned},
    charge, descriptor, ipc,
    maps::{bump, measuring, thread},
    requests,
    slots::{FirstSight, add_runnable, find, first_sight, note_runnable},
    stacks,
    state::{
        DEAD, FROZEN, STOPPED, TRACED, UNINTERRUPTIBLE, is_frozen, is_waiting_for_disk, load_marks, state_left_with,
    },
    stream, turnover, turns, wakers,
};

/// `EAGAIN`, `ETIME`, `ETIMEDOUT` of `include/uapi/asm-generic/errno.h`
const TIMED_OUT: [i64; 3] = [-11, -62, -110];
/// `EPOLL_CTL_MOD` of `include/uapi/linux/eventpoll.h`: what is watched stays.
const EPOLL_CTL_MOD: u32 = 3;
/// `sched_switch`. `state` is the state that the thread leaves with, where the tracepoint gives it
/// (5.18 and later).
#[inline(always)]
pub fn on_switch<A: Access>(ctx: *mut c_void, preempt: bool, prev: *const u8, next: *const u8, state: Option<u32>) {
    let Some(control) = measuring() else { return };
    let prev_tid = bpf_get_current_pid_tgid() as u32;
    // SAFETY: a task of the tracepoint's arguments.
    let next_tid: u32 = unsafe { A::field(next, offset!(task_pid)) };
    let out = find(control, prev_tid, prev);
    let into = find(control, next_tid, next);
    if out | into == 0 {
        return;
    }
    let now = now();
    let mut owed = 0;
    if let Some(t) = thread(out) {
        owed = switch_out::<A>(control, t, out, now, preempt, prev, state, into != 0);
        if control.stack_every != 0 && t.phase == phase::BLOCKED && turns::wants_stack(control, t, out, now) {
            stacks::at_switch_out::<A>(ctx, control, t);
        }
        if control.stall_over != 0 && t.phase == phase::BLOCKED {
            turns::sia_turn_sleeps(out as u64, now);
        }
        if t.phase == phase::DEAD {
            depart(out, prev_tid, prev as u64);
        }
    }
    if let Some(t) = thread(into) {
        let ends_block = is_off(t);
        switch_in::<A>(control, t, now, next, out == 0, owed);
        turn_goes_on(control, t, into, now, ends_block);
    }
}

/// A thread leaves the CPU. Returns what the CPU's next thread is owed; see `charge`.
#[inline(always)]
fn switch_out<A: Access>(
    control: &mut Control,
    t: &mut Thread,
    slot: u32,
    now: u64,
    preempt: bool,
    task: *const u8,
    state: Option<u32>,
    to_own: bool,
) -> u64 {
    first_sight::<A>(control, t, FirstSight::OnCpu, task);
    ensure_on_cpu::<A>(control, t, slot, now, task);
    charge::account(t, now);
    ipc::cut(t);
    t.off = now;
    let state = state_left_with::<A>(task, state);
    // A signal can end a wait before the thread has left. From 6.13 on the state then reads as
    // running although the kernel counts the switch as voluntary. `sched_yield` looks the same and
    // counts as involuntary, so the kernel's counter decides.
    let voluntary = !preempt && (state != 0 || charge::counted_voluntary::<A>(t, task));
    let owed = charge::read_counters::<A>(t, task, voluntary, to_own);
    if voluntary {
        let class = block_class::<A>(t, task, state);
        t.block_class = class as u32;
        if class as u32 != t.class || state & UNINTERRUPTIBLE != 0 {
            t.marks |= mark::MIXED | load_marks::<A>(task, state, class);
        }
        t.phase = phase::BLOCKED;
        t.sums.voluntary += 1;
        if let Some(sum) = sum_of(t, class as u32) {
            sum.blocks += 1;
        }
        if t.call_blocks == 0 {
            t.call_before = t.call_cpu;
        }
        t.call_blocks += 1;
        end_burst(t);
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

/// A block ends the burst: the CPU that the thread used since the block before.
#[inline(always)]
fn end_burst(t: &mut Thread) {
    stat::count(&mut t.sums.bursts, t.burst);
    t.sums.burst_sum += t.burst;
    t.ended_burst = t.burst;
    t.burst = 0;
}

/// The sums of a class.
#[inline(always)]
fn sum_of(t: &mut Thread, class: u32) -> Option<&mut ClassSum> {
    let i = class as usize;
    if i < CLASS_COUNT { Some(&mut t.sums.classes[i]) } else { None }
}

/// What a block waits for: the call's class, or what the state says.
#[inline(always)]
fn block_class<A: Access>(t: &Thread, task: *const u8, state: u32) -> u8 {
    if state & DEAD != 0 || t.marks & mark::LEAVING != 0 {
        return BlockClass::Exit as u8;
    }
    if state & (UNINTERRUPTIBLE | STOPPED | TRACED | FROZEN) != 0 || t.nr >= syscall::UNKNOWN {
        return special_class::<A>(t, task, state);
    }
    t.class as u8
}

/// The class of a sleep that is not plainly the call's: stopped, frozen, for the disk, outside of
/// any call.
#[inline(always)]
fn special_class<A: Access>(t: &Thread, task: *const u8, state: u32) -> u8 {
    if state & TRACED != 0 {
        return BlockClass::Traced as u8;
    }
    if state & STOPPED != 0 {
        return BlockClass::Stopped as u8;
    }
    if state & FROZEN != 0 || is_frozen::<A>(t, task) {
        return BlockClass::Frozen as u8;
    }
    if state & UNINTERRUPTIBLE == 0 {
        return match t.nr {
            // Some faults can be interrupted, those that a supervisor answers above all
            // (`userfaultfd_get_blocking_state`, fs/userfaultfd.c).
            syscall::NONE if call::came_by_exception::<A>(task) => BlockClass::PageFault as u8,
            syscall::NONE | syscall::BORN => BlockClass::Kernel as u8,
            syscall::UNKNOWN => BlockClass::Unknown as u8,
            _ => t.class as u8,
        };
    }
    match t.nr {
        syscall::NONE => BlockClass::PageFault as u8,
        syscall::BORN => BlockClass::Kernel as u8,
        nr if is_waiting_for_disk::<A>(task) => match t.class {
            class if nr != syscall::UNKNOWN && class == BlockClass::BlockDevice as u32 => class as u8,
            _ => BlockClass::File as u8,
        },
        syscall::UNKNOWN => BlockClass::Unknown as u8,
        nr if call::described(t, nr) & syscall::SYNC != 0 => BlockClass::Journal as u8,
        _ => t.class as u8,
    }
}

/// Whether a thread is blocked, or was and has not run since.
#[inline(always)]
fn is_off(t: &Thread) -> bool {
    t.phase == phase::BLOCKED || t.phase == phase::WOKEN
}

/// Counts a block that is over in the turn of an event loop. Called by the programs themselves:
/// before 6.13 all frames of a chain of calls together have 512 bytes (`MAX_BPF_STACK`).
#[inline(always)]
fn turn_goes_on(control: &Control, t: &Thread, slot: u32, now: u64, ends_block: bool) {
    if control.stall_over != 0 && ends_block && t.marks & mark::AT_WAIT == 0 {
        turns::sia_turn_blocked(slot as u64, now, recall(&t.scratch));
    }
}

/// A thread gets the CPU, which was idle before or with somebody else than the target (`away`).
/// `owed`: see `charge`.
#[inline(always)]
fn switch_in<A: Access>(control: &mut Control, t: &mut Thread, now: u64, task: *const u8, away: bool, owed: u64) {
    first_sight::<A>(control, t, FirstSight::Runnable, task);
    // Still open where the kernel did not tell of the switch-out.
    ipc::cut(t);
    t.sums.switch_ins += 1;
    if t.marks & charge::MARK_COUNTERS == 0 {
        charge::begin_counters::<A>(t, task);
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
        phase::BLOCKED | phase::WOKEN => end_block(control, t, now, away),
        _ => {}
    }
    t.phase = phase::ON_CPU;
}

/// A thread is back on a CPU after a block.
#[inline(always)]
fn end_block(control: &mut Control, t: &mut Thread, now: u64, away: bool) {
    let mut wake = t.wake;
    if wake < t.off {
        // A wake-up within the burst before the block raced with the switch-out. An older one is
        // another block's: the kernel did not tell of this one's, and how much of the time the
        // thread waited for the CPU is not known.
        wake = if wake.saturating_add(t.ended_burst) < t.off { now } else { t.off };
        bump(&mut control.counters.raced_wakes, 1);
    }
    if t.phase == phase::BLOCKED {
        // The waker saw it still on the CPU, and left the counting to the switch-in.
        note_runnable(control, t);
    }
    // For `turn_goes_on`.
    keep(&mut t.scratch, wake);
    let blocked = since(wake, t.off);
    let delay = since(now, wake);
    let class = t.block_class;
    t.cause = class;
    if let Some(sum) = sum_of(t, class) {
        sum.blocked += blocked;
        sum.run_delay += delay;
    }
    t.call_blocked += blocked;
    t.call_delay += delay;
    if t.marks & mark::LOADS != 0 {
        count_load(t, blocked);
    }
    if away {
        t.cause |= CAUSE_AWAY;
        t.marks |= mark::AWAY;
        if BlockClass::blocks_on_io(class) {
            t.sums.away_io += 1;
        }
    }
    if control.stream != 0 {
        stream::block_ended(control, t, wake, delay, away);
    }
    if class == BlockClass::File as u32
        || class == BlockClass::BlockDevice as u32
        || class == BlockClass::PageFault as u32
    {
        t.sums.device_wait += requests::device_share(t, wake);
    }
}

/// Adds a sleep that the kernel counted in the load average.
#[inline(always)]
fn count_load(t: &mut Thread, blocked: u64) {
    t.sums.loading += blocked;
    if t.marks & mark::ON_DISK != 0 {
        t.sums.loading_disk += blocked;
    }
    t.marks &= !(mark::LOADS | mark::ON_DISK);
}

/// Makes up for the switch-in of a thread that runs, where the tracepoint did not fire.
///
/// The thread has been on the CPU for an unknown while. That while counts as run-queue delay, and
/// the occasion is counted.
#[inline(always)]
fn ensure_on_cpu<A: Access>(control: &mut Control, t: &mut Thread, slot: u32, now: u64, task: *const u8) {
    if t.phase != phase::ON_CPU {
        let ends_block = is_off(t);
        made_up_switch_in::<A>(control, t, now, task);
        turn_goes_on(control, t, slot, now, ends_block);
    }
}

#[inline(never)]
fn made_up_switch_in<A: Access>(control: &mut Control, t: &mut Thread, now: u64, task: *const u8) {
    bump(&mut control.counters.missed_switch_ins, 1);
    switch_in::<A>(control, t, now, task, false, 0);
}

/// `sched_waking`, on the waker's CPU.
#[inline(always)]
pub fn on_waking<A: Access>(ctx: *mut c_void, task: *const u8) {
    let Some(control) = measuring() else { return };
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    let slot = find(control, tid, task);
    let Some(t) = thread(slot) else {
        wakers::count_other(control);
        return;
    };
    let now = now();
    first_sight::<A>(control, t, FirstSight::Asleep, task);
    t.wake = now;
    if control.stack_every != 0 && t.phase == phase::BLOCKED && turns::wants_stack(control, t, slot, now) {
        stacks::at_waking::<A>(ctx, control, t, now);
    }
    if t.phase == phase::BLOCKED {
        t.phase = phase::WOKEN;
        note_runnable(control, t);
    }
    wakers::count::<A>(control, t);
}

/// The thread of the target that a system call's event is about.
struct Caller {
    control: &'static mut Control,
    t: &'static mut Thread,
    slot: u32,
    task: *const u8,
    tid: u32,
    tgid: u32,
    now: u64,
}

/// What both events of a system call begin with: the caller, accounted for up to now.
#[inline(always)]
fn caller<A: Access>(sight: FirstSight) -> Option<Caller> {
    let control = measuring()?;
    let ids = bpf_get_current_pid_tgid();
    let tid = ids as u32;
    let task = A::current();
    let slot = find(control, tid, task);
    let t = thread(slot)?;
    let now = now();
    first_sight::<A>(control, t, sight, task);
    ensure_on_cpu::<A>(control, t, slot, now, task);
    charge::account(t, now);
    Some(Caller { control, t, slot, task, tid, tgid: (ids >> 32) as u32, now })
}

/// Whether a thread of the target enters the kernel, or leaves it, and its state says that the
/// program for that did not run.
#[inline(always)]
pub fn missed<A: Access>(entering: bool) -> bool {
    let Some(control) = measuring() else { return false };
    let slot = find(control, bpf_get_current_pid_tgid() as u32, A::current());
    let Some(t) = thread(slot) else { return false };
    t.epoch != control.epoch || (t.nr == syscall::NONE) == entering
}

/// Calls that need more at their start than a note that they began.
const MEANS_MORE: u32 = syscall::POLL
    | syscall::CLOSE
    | syscall::DUP
    | syscall::EXEC
    | syscall::LEAVE
    | syscall::FORGET_ALL
    | syscall::UNSURE
    | syscall::SOCKETCALL;

/// The tracepoint `sys_enter(regs, id)`: a call begins.
#[inline(always)]
pub fn on_enter<A: Access>(regs: *const u8, id: u64) {
    let Some(caller) = caller::<A>(FirstSight::User) else { return };
    let Caller { control, t, slot, task, tid, tgid, now } = caller;
    let what = begin_call::<A>(control, t, slot, task, (tid, tgid), regs, id);
    if control.stall_over != 0 {
        turns::at_enter::<A>(t, slot, what, regs, now);
    }
}

/// Notes what a call is, and what it changes of what later ones mean. Returns the table's word.
#[inline(always)]
fn begin_call<A: Access>(
    control: &mut Control,
    t: &mut Thread,
    slot: u32,
    task: *const u8,
    (tid, tgid): (u32, u32),
    regs: *const u8,
    id: u64,
) -> u32 {
    ipc::close(t);
    call::close_window(t);
    call::reset(t);
    let mut what = call::identify::<A>(control, t, task, regs, id);
    if what & MEANS_MORE == 0 {
        return what;
    }
    if what & syscall::SOCKETCALL != 0 {
        what = call::identify_socketcall::<A>(control, t, task, regs);
    }
    if what & syscall::POLL != 0 {
        // What an epoll is waited on for is remembered with its descriptor.
        if what & syscall::FD == 0 {
            call::identify_polled::<A>(control, t, task, regs, what);
        }
        return what;
    }
    // It changes what later calls mean.
    if what & syscall::CLOSE != 0 {
        if what & syscall::FD == 0 {
            t.fd = argument!(A, t, regs, 0) as u32;
            if argument!(A, t, regs, 1) as u32 == EPOLL_CTL_MOD {
                return what;
            }
        }
        descriptor::forget(tgid, t.fd);
    }
    if what & syscall::DUP != 0 {
        t.fd = argument!(A, t, regs, 1) as u32;
        descriptor::forget(tgid, t.fd);
    }
    if what & syscall::EXEC != 0 && tid != tgid {
        begin_exec(control, t, slot, task);
    }
    if what & syscall::LEAVE != 0 {
        t.marks |= mark::LEAVING;
    }
    if what & syscall::FORGET_ALL != 0 {
        control.fd_generation += 1;
    }
    if what & syscall::UNSURE != 0 {
        descriptor::be_unsure(control);
    }
    what
}

/// Whether a call that slept returns because its own time limit was over: a wait for descriptors
/// without any, and others with an error.
#[inline(always)]
fn timed_out(what: u32, value: i64) -> bool {
    // A poll that a signal interrupted goes on as a restarted call.
    if value == 0 {
        return what & (syscall::POLL | syscall::RESTART) != 0;
    }
    value == TIMED_OUT[0] || value == TIMED_OUT[1] || value == TIMED_OUT[2]
}

/// Counts the call's blocks as waits for a timer: its time-out ended them, not its descriptor.
#[inline(always)]
fn count_as_timeout(t: &mut Thread) {
    let (blocks, blocked, run_delay) = (t.call_blocks as u64, t.call_blocked, t.call_delay);
    let class = t.class;
    // The blocks are not told apart here: if one was of another kind (stopped, a disk, a lock in
    // the kernel), none is moved.
    let is_timer = class == BlockClass::Sleep as u32 || class == BlockClass::Timeout as u32;
    if is_timer || t.marks & mark::MIXED != 0 {
        return;
    }
    let Some(sum) = sum_of(t, class) else { return };
    if sum.blocks < blocks || sum.blocked < blocked || sum.run_delay < run_delay {
        return;
    }
    sum.blocks -= blocks;
    sum.blocked -= blocked;
    sum.run_delay -= run_delay;
    t.class = BlockClass::Timeout as u32;
    // What the kernel charges for the way back is not IO's either.
    if t.cause & !CAUSE_AWAY == class {
        if BlockClass::blocks_on_io(class) && t.cause != class && t.sums.away_io > 0 {
            t.sums.away_io -= 1;
        }
        t.cause = BlockClass::Timeout as u32 | t.cause & CAUSE_AWAY;
    }
    if let Some(sum) = sum_of(t, BlockClass::Timeout as u32) {
        sum.blocks += blocks;
        sum.blocked += blocked;
        sum.run_delay += run_delay;
    }
}

/// The tracepoint `sys_exit(regs, value)`: a call returns.
#[inline(always)]
pub fn on_exit<A: Access>(regs: *const u8, value: i64) {
    let Some(caller) = caller::<A>(FirstSight::OnCpu) else { return };
    let Caller { control, t, slot, task, tgid, now, .. } = caller;
    let nr = t.nr;
    if control.stall_over != 0 {
        turns::at_exit::<A>(t, slot, regs, value, now);
    }
    t.nr = syscall::NONE;
    if nr >= syscall::UNKNOWN || t.marks & mark::OPEN_CALL != 0 {
        // A birth, or a call from before the window. Its CPU is in the thread's sums, but it is no
        // whole call.
        if nr == syscall::NONE && !call::came_by_exception::<A>(task) {
            // `seccomp` and tracers come before the tracepoint of the entry
            // (`syscall_trace_enter`, kernel/entry/common.c), so the call looks like user mode.
            t.sums.refused += 1;
            t.sums.refused_user += t.window_user;
        } else {
            t.sums.open_calls += 1;
        }
        t.window_user = 0;
        t.marks &= !mark::OPEN_CALL;
        t.window = window::NONE;
        ipc::open(control, t, OVERFLOW_SITE, before::NONE);
        return;
    }
    t.window_user = 0;
    let blocked = t.call_blocks != 0;
    t.sums.calls += 1;
    if blocked {
        t.sums.blocked_calls += 1;
        t.sums.kernel_before += t.call_before;
        t.sums.kernel_after += t.call_cpu - t.call_before;
    }
    keep(&mut t.scratch, value as u64);
    let what = call::described(t, nr);
    if what & (syscall::CLOSE | syscall::DUP | syscall::EXEC) != 0 {
        // Another thread may have asked for the class between this call's start and its end.
        descriptor::forget(tgid, t.fd);
        if what & syscall::EXEC != 0 {
            end_exec(control, t, task);
        }
    }
    t.sums.io_calls += (what & syscall::SELECT == syscall::BYTES) as u64;
    if blocked && timed_out(what, value) {
        count_as_timeout(t);
    }
    t.sums.event_calls += (what & syscall::POLL != 0 && t.class == BlockClass::EventWait as u32) as u64;
    let returned = Returned { nr, what, value: recall(&t.scratch) as i64, tgid };
    let Some(site) = call::count_at_site(control, t, &returned) else { return };
    if blocked && control.stack_every != 0 && turns::wants_stack(control, t, slot, now) {
        stacks::at_return::<A>(control, t, nr, regs, now);
    }
    ipc::open(control, t, site, if blocked { before::BLOCKED } else { before::DIRECT });
    // Last: the verifier follows what comes after it once for each way through it.
    let what = call::described(t, nr);
    if blocked && what & syscall::POLL != 0 && recall(&t.scratch) as i64 > 0 {
        turnover::ended::<A>(control, t, task, regs, what);
    }
}
