//! Turns of event loops, while `Control::stall_over` asks for them: from the return of an event
//! wait until the thread comes back to one. A long one is a stall, and goes to the user side once
//! the next wait has said how much was ready by then.
//!
//! Of what is exported, numbers go in and come out: the verifier follows each such function once.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use profiler_common::{
    class::{BlockClass, CLASS_COUNT},
    control::Control,
    since, stat, syscall,
    thread::{Thread, mark},
    turn::{self, MANY, NO_FD, NOT_KNOWN, Turn, loop_key},
};

use crate::{
    access::{Access, argument},
    call,
    maps::{SIA_LOOPS, SIA_STALLS, SIA_TURNS, bump, control, thread},
};

/// `IORING_ENTER_GETEVENTS` of `include/uapi/linux/io_uring.h`
const GETEVENTS: u64 = 1;

/// Stacks are taken in turns that have lasted for this part of what makes a stall.
const LONG_SO_FAR: u64 = 4;

/// A call begins. Beside the hook itself, which so has one test where nobody asks for stalls.
#[inline(never)]
pub fn at_enter<A: Access>(t: &Thread, slot: u32, what: u32, regs: *const u8, now: u64) {
    if is_wait::<A>(t, what, regs) {
        sia_turn_ends(slot as u64, now);
    }
}

/// A call returns `value`; the thread's number of it still stands.
#[inline(never)]
pub fn at_exit<A: Access>(t: &Thread, slot: u32, regs: *const u8, value: i64, now: u64) {
    if t.marks & mark::AT_WAIT != 0 || t.marks & mark::OPEN_CALL != 0 && was_wait::<A>(t, regs) {
        sia_turn_begins(slot as u64, now, ready(t, value));
    }
}

/// Events that a wait returned; the return value of a ring's is what it took in.
#[inline(always)]
fn ready(t: &Thread, value: i64) -> u64 {
    if t.class == BlockClass::IoUring as u32 {
        NOT_KNOWN as u64
    } else if value > 0 {
        value as u64
    } else {
        0
    }
}

/// Whether a call is a wait for events: for several descriptors, even where it is always the same
/// one that ends it, or for completions.
#[inline(always)]
fn is_wait<A: Access>(t: &Thread, what: u32, regs: *const u8) -> bool {
    if what & syscall::POLL == 0 {
        return waits_for_completions::<A>(t, what, regs);
    }
    if what & syscall::EPOLL == syscall::EPOLL || t.class == BlockClass::EventWait as u32 {
        return true;
    }
    let several = what & syscall::SELECT == syscall::SELECT || argument!(A, t, regs, 1) as u32 > 1;
    several && t.class != BlockClass::Timeout as u32 && t.marks & (mark::OWN | mark::RELAY) != 0
}

/// Whether a call that was open when the window began, and that returns now, was an event wait.
/// What a `poll` of one descriptor or a `select` waited for is not known then.
#[inline(always)]
fn was_wait<A: Access>(t: &Thread, regs: *const u8) -> bool {
    if t.nr >= syscall::UNKNOWN {
        return false;
    }
    let what = call::described(t, t.nr);
    what & syscall::EPOLL == syscall::EPOLL
        || what & syscall::SELECT == syscall::POLL && argument!(A, t, regs, 1) as u32 > 1
        || waits_for_completions::<A>(t, what, regs)
}

#[inline(always)]
fn waits_for_completions<A: Access>(t: &Thread, what: u32, regs: *const u8) -> bool {
    // Other calls on a ring's descriptor have its class too.
    let enters = t.class == BlockClass::IoUring as u32 && what & syscall::UNSURE != 0;
    t.class == BlockClass::LinuxAio as u32 || enters && argument!(A, t, regs, 3) & GETEVENTS != 0
}

#[inline(always)]
fn turn_in(slot: u64) -> Option<&'static mut Turn> {
    // SAFETY: plain integers in a map's value; written on the CPU that runs the thread.
    unsafe { SIA_TURNS.get_ptr_mut(slot as u32).map(|p| &mut *p) }
}

/// The turns of a thread in this window.
#[inline(always)]
fn turn_of(control: &Control, t: &Thread, slot: u64) -> Option<&'static mut Turn> {
    turn_in(slot).filter(|turn| turn.epoch == control.epoch && turn.tid == t.tid)
}

/// Whether stacks of the thread are wanted now: of all threads where nobody asks for stalls, else
/// where its turn has lasted for a while.
#[inline(always)]
pub fn wants_stack(control: &Control, t: &Thread, slot: u32, now: u64) -> bool {
    control.stall_over == 0 || t.marks & mark::AT_WAIT == 0 && sia_turn_is_long(slot as u64, now) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_turn_is_long(slot: u64, now: u64) -> u64 {
    let (Some(control), Some(t)) = (control(), thread(slot as u32)) else { return 0 };
    let Some(turn) = turn_of(control, t, slot) else { return 0 };
    let open = turn.from != 0 && turn.to == 0;
    (open && since(now, turn.from) >= control.stall_over / LONG_SO_FAR) as u64
}

/// The thread comes back to an event wait.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_turn_ends(slot: u64, now: u64) -> u64 {
    let (Some(control), Some(t), Some(turn)) = (control(), thread(slot as u32), turn_in(slot)) else { return 0 };
    if turn.epoch != control.epoch || turn.tid != t.tid {
        begin_window(control, t, turn, now);
    }
    note_loop(t, turn);
    turn.waits += 1;
    let of_several = t.class == BlockClass::EventWait as u32
        || t.class == BlockClass::IoUring as u32
        || t.class == BlockClass::LinuxAio as u32;
    turn.own += !of_several as u64;
    t.marks |= mark::AT_WAIT;
    end(control, t, turn, now);
    0
}

/// The first turn of a thread in a window.
#[inline(always)]
fn begin_window(control: &Control, t: &Thread, turn: &mut Turn, now: u64) {
    let words = (&raw mut *turn).cast::<u64>();
    for i in 0..size_of::<Turn>() / 8 {
        // SAFETY: inside `Turn`, which is a whole number of words.
        unsafe { core::ptr::write_volatile(words.add(i), 0) };
    }
    turn.tid = t.tid;
    turn.tgid = t.tgid;
    turn.space = t.space;
    turn.epoch = control.epoch;
    turn.since = now;
    turn.fd = NO_FD;
}

/// Notes by which descriptor the thread waits, and whether others do.
#[inline(always)]
fn note_loop(t: &Thread, turn: &mut Turn) {
    if turn.fd == t.fd {
        return;
    }
    turn.fd = t.fd;
    if t.fd == NO_FD {
        return;
    }
    let key = loop_key(t.tgid, t.fd);
    // BPF_NOEXIST: another CPU may be as far.
    if SIA_LOOPS.insert(key, t.tid, 1).is_ok() {
        return;
    }
    // SAFETY: the value is a plain number.
    if unsafe { SIA_LOOPS.get(key) }.is_some_and(|&by| by != t.tid) {
        let _ = SIA_LOOPS.insert(key, MANY, 0);
    }
}

/// A turn is over.
#[inline(always)]
fn end(control: &Control, t: &mut Thread, turn: &mut Turn, now: u64) {
    if turn.from == 0 || turn.to != 0 {
        return;
    }
    let length = since(now, turn.from);
    turn.to = now;
    turn.user = t.sums.user - turn.user;
    turn.kernel = t.sums.kernel - turn.kernel;
    turn.preempted = t.sums.preempted - turn.preempted;
    turn.turns += 1;
    turn.turned += length;
    stat::count(&mut turn.buckets, length);
    if length > turn.most {
        turn.most = length;
    }
    if length >= control.stall_over {
        t.marks |= mark::STALLED;
    }
}

/// An event wait returns `ready` events, after a sleep or at once: a turn begins.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_turn_begins(slot: u64, now: u64, ready: u64) -> u64 {
    let (Some(control), Some(t), Some(turn)) = (control(), thread(slot as u32), turn_in(slot)) else { return 0 };
    if turn.epoch != control.epoch || turn.tid != t.tid {
        // It was in its wait when the window began.
        let start = control.start;
        begin_window(control, t, turn, start);
        note_loop(t, turn);
    }
    let slept = t.call_blocks != 0;
    if t.marks & mark::STALLED != 0 {
        tell(control, t, turn, if slept { 0 } else { ready as u32 });
    }
    t.marks &= !mark::AT_WAIT;
    turn.marks |= if slept { turn::mark::SLEPT } else { 0 };
    begin(t, turn, now);
    0
}

#[inline(always)]
fn begin(t: &Thread, turn: &mut Turn, now: u64) {
    turn.marks &= !turn::mark::PARKED;
    // Another one after `exec`.
    turn.space = t.space;
    turn.from = now;
    turn.to = 0;
    turn.user = t.sums.user;
    turn.kernel = t.sums.kernel;
    turn.preempted = t.sums.preempted;
    turn.delay = 0;
    turn.blocks = 0;
    turn.classes = 0;
    turn.longest = 0;
}

/// Sends a stall to the user side.
#[inline(always)]
fn tell(control: &mut Control, t: &mut Thread, turn: &mut Turn, ready: u32) {
    t.marks &= !mark::STALLED;
    turn.ready = ready;
    if SIA_STALLS.output::<Turn>(&*turn, BPF_RB_NO_WAKEUP as u64).is_err() {
        bump(&mut control.counters.stalls_lost, 1);
    }
}

/// The thread leaves the CPU to wait. In an event wait that means that nothing was ready. A futex
/// is where the workers of a pool park that share a loop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sia_turn_sleeps(slot: u64, now: u64) -> u64 {
    let (Some(control), Some(t)) = (control(), thread(slot as u32)) else { return 0 };
    let Some(turn) = turn_of(control, t, slot) else { return 0 };
    if t.marks & mark::AT_WAIT != 0 {
        if t.marks & mark::STALLED != 0 {
            tell(control, t, turn, 0);
        }
        return 0;
    }
    if t.block_class != BlockClass::Futex as u32 || turn.from == 0 || turn.to != 0 || !is_shared(t, turn) {
        return 0;
    }
    turn.marks |= turn::mark::SHARED | turn::mark::PARKED;
    end(control, t, turn, now);
    if t.marks & mark::STALLED != 0 {
        tell(control, t, turn, NOT_KNOWN);
    }
    0
}

/// Whether other threads wait by the descriptor that this one waits by.
#[inline(always)]
fn is_shared(t: &Thread, turn: &Turn) -> bool {
    // SAFETY: the value is a plain number.
    turn.fd != NO_FD && unsafe { SIA_LOOPS.get(loop_key(t.tgid, turn.fd)) }.is_some_and(|&by| by == MANY)
}

/// A block within a turn is over: a wake-up at `wake` ended it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sia_turn_blocked(slot: u64, now: u64, wake: u64) -> u64 {
    let (Some(control), Some(t)) = (control(), thread(slot as u32)) else { return 0 };
    let Some(turn) = turn_of(control, t, slot) else { return 0 };
    // Whether others share the loop may only be known by now.
    let parked = t.block_class == BlockClass::Futex as u32 && turn.from != 0 && is_shared(t, turn);
    if parked || turn.marks & turn::mark::PARKED != 0 {
        turn.marks |= turn::mark::SHARED;
        begin(t, turn, now);
        return 0;
    }
    let blocked = since(wake, t.off);
    turn.delay += since(now, wake);
    turn.blocks += 1;
    let class = t.block_class as usize;
    if class >= CLASS_COUNT {
        return 0;
    }
    let bit = 1 << class;
    let before = if turn.classes & bit != 0 { turn.blocked[class] } else { 0 };
    turn.classes |= bit;
    turn.blocked[class] = before + blocked;
    if blocked > turn.longest {
        turn.longest = blocked;
        turn.longest_off = t.off;
        turn.longest_ip = t.ip;
        turn.longest_nr = t.nr;
        turn.longest_class = class as u32;
        turn.longest_abi = t.abi;
        turn.longest_fd = t.fd;
    }
    0
}

/// The thread has ended: the turn that it ended in, where that was long, and what its turns added
/// up to go to the user side.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sia_turn_gone(slot: u64, now: u64) -> u64 {
    let (Some(control), Some(t)) = (control(), thread(slot as u32)) else { return 0 };
    let Some(turn) = turn_of(control, t, slot) else { return 0 };
    turn.marks |= turn::mark::ENDED;
    end(control, t, turn, now);
    if t.marks & mark::STALLED != 0 {
        tell(control, t, turn, NOT_KNOWN);
    }
    turn.from = 0;
    turn.to = now;
    tell(control, t, turn, NOT_KNOWN);
    turn.epoch = 0;
    0
}
