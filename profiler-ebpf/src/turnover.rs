//! Which of several descriptors ends a wait. An event loop is woken by one and then by another; a
//! connection's own thread that also watches a pipe is always woken by its connection, and blocks
//! as if it read from it. A thread that polls two or three connections and nothing else (no socket
//! that listens, no waker) serves these, whichever ends the wait: a proxy's thread.
//!
//! Looked at when a wait that slept returns: what the call left in the caller's memory names the
//! descriptor. Which one it is, is known by its place (poll), by the word that it is registered
//! with (epoll) or by its number (select); so a connection's own thread stays one when its next
//! connection has another number.

use aya_ebpf::helpers::bpf_probe_read_user;
use profiler_common::{
    class::BlockClass,
    control::Control,
    syscall,
    thread::{STEADY, Thread, mark},
};

use crate::{
    access::{Access, argument, forgotten, offset, present},
    descriptor,
};

/// A wait on more descriptors than that is an event loop's, whichever of them ends it.
pub const FEW: u32 = 3;
/// Bits for a descriptor of a `select`, plus one: below 511.
pub const SELECTED_BITS: u32 = 9;
/// What ends the wait is a descriptor of a `select`.
const SELECTED: u64 = 1 << 63;
/// Words of a set of descriptors that are looked at when the wait has ended.
const SELECTED_WORDS: u64 = 4;
/// After so many waits a thread's few descriptors are looked at again: a power of two.
const AGAIN: u32 = 64;
/// Entries of a poll's array that are looked at: the verifier follows each.
const POLLED: u64 = 16;
/// None of them has an event.
const NONE_POLLED: u64 = u64::MAX;

/// The waits of a thread on a few descriptors are for the one that ended the last of them.
const FOR_THE_LAST: u32 = mark::OWN | mark::RELAY;

/// The place in a poll's array of the descriptor that is waited for: of one; of a few, that which
/// ended the wait before, where it has always been the same or all are connections.
#[inline(always)]
pub fn place_waited_for(t: &Thread, length: u32) -> Option<u64> {
    if length == 1 {
        return Some(0);
    }
    let last = t.marks & FOR_THE_LAST != 0 && length <= FEW && t.ended_by >> 32 == length as u64;
    last.then_some(t.ended_by & 3)
}

/// The descriptor that a `select` waits for, as [`place_waited_for`] has it; -1 where there is
/// none. `selected` is what `call::sia_selected` found.
#[inline(always)]
pub fn selected_waited_for<A: Access>(control: &Control, t: &mut Thread, task: *const u8, selected: u64) -> i32 {
    const { assert!(SELECTED_WORDS * 64 < 1 << SELECTED_BITS) };
    let number = |i: u32| selected >> (i * SELECTED_BITS) & ((1 << SELECTED_BITS) - 1);
    if number(1) == 0 {
        return number(0) as i32 - 1;
    }
    let own = (t.ended_by & !SELECTED) + 1;
    if t.ended_by & SELECTED == 0 || number(0) != own && number(1) != own && number(2) != own {
        return -1;
    }
    if is_due(t) {
        let (mut listens, mut connections) = (false, true);
        for i in 0..FEW {
            let one = number(i);
            if one != 0 {
                let class = descriptor::class_of::<A>(control, task, t.tgid, one as u32 - 1) as u64;
                let class = forgotten(&mut t.scratch, class) as u8;
                connections &= BlockClass::is_connection(class);
                listens |= one != own && class == BlockClass::Accept as u8;
            }
        }
        mark_few(t, listens, connections);
    }
    if t.marks & FOR_THE_LAST != 0 { own as i32 - 1 } else { -1 }
}

/// Whether it is time to look at the classes of the few descriptors of a poll or a `select`: after
/// the first wait of a window, after every 64th, and when the same descriptor has ended the last
/// few.
#[inline(always)]
fn is_due(t: &Thread) -> bool {
    t.sums.event_ends as u32 & (AGAIN - 1) == 1 || t.marks & FOR_THE_LAST == 0 && t.steady & (AGAIN - 1) == STEADY
}

/// Marks a thread by the few descriptors that it polls. One of them always ends its waits if it is
/// steady. A loop with one busy client also waits for the socket by which others would come.
#[inline(always)]
fn mark_few(t: &mut Thread, another_listens: bool, all_connections: bool) {
    t.marks &= !FOR_THE_LAST;
    if all_connections {
        t.marks |= mark::RELAY;
    } else if t.steady >= STEADY && !another_listens {
        t.marks |= mark::OWN;
    }
}

/// A wait that slept has returned events.
#[inline(always)]
pub fn ended<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8, what: u32) {
    let is_event = t.class == BlockClass::EventWait as u32;
    let is_select = what & syscall::SELECT == syscall::SELECT;
    let is_epoll = what & syscall::EPOLL == syscall::EPOLL;
    if !is_event && t.marks & if is_epoll { mark::OWN } else { FOR_THE_LAST } == 0 {
        // For one descriptor alone.
        return;
    }
    // Only the first argument is written over by what the call returns, on arm64, and is kept
    // beside.
    let (first, second) = (argument!(A, t, regs, 0), argument!(A, t, regs, 1));
    if !is_event && what & syscall::FD == 0 && !is_select && second as u32 == 1 {
        return;
    }
    let Some(by) = first_ready::<A>(t, regs, what, first, second) else { return };
    let by = forgotten(&mut t.scratch, by);
    t.sums.event_ends += 1;
    let same = t.ended_by == by;
    if same {
        t.steady += 1;
    } else {
        t.ended_by = by;
        t.steady = 0;
        t.marks &= !mark::OWN;
        t.sums.event_turns += 1;
    }
    if is_epoll {
        if !same && !is_event {
            descriptor::forget(t.tgid, t.fd);
        }
        // What was known before a window began, or before another descriptor was watched, is looked
        // up again at once.
        if same && is_event && (t.steady & (AGAIN - 1) == STEADY || t.marks & mark::OWN != 0) {
            t.marks &= !mark::OWN;
            let class = descriptor::sia_class_in_few(descriptor::file_of::<A>(task, t.fd), by);
            if class != BlockClass::EventWait as u8 {
                descriptor::remember::<A>(control, task, t.tgid, t.fd, class);
                t.marks |= mark::OWN;
            }
        }
    } else if !is_select {
        if second as u32 > FEW {
            t.marks &= !FOR_THE_LAST;
        } else if is_due(t) {
            mark_polled::<A>(control, t, task, first, second as u32);
        }
    }
}

/// The descriptor that ended a wait: the first that is ready.
#[inline(always)]
fn first_ready<A: Access>(t: &Thread, regs: *const u8, what: u32, first: u64, second: u64) -> Option<u64> {
    if what & syscall::EPOLL == syscall::EPOLL {
        return first_event(second);
    }
    if what & syscall::SELECT == syscall::SELECT {
        let third = argument!(A, t, regs, 2);
        return match sia_first_selected(first, second, third) {
            0 => None,
            by => Some(by),
        };
    }
    match sia_first_polled(first, second) {
        NONE_POLLED => None,
        by => Some(by),
    }
}

/// The word that the first event's descriptor is registered with.
#[inline(always)]
fn first_event(events: u64) -> Option<u64> {
    if !present(offset!(epoll_data)) {
        return None;
    }
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user((events + offset!(epoll_data) as u64) as *const u64) }.ok()
}

/// The length of a poll's array and the place of the first entry with an event.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_first_polled(array: u64, length: u64) -> u64 {
    for i in 0..POLLED {
        if i >= length {
            break;
        }
        // SAFETY: the helper checks the address. `struct pollfd` has eight bytes, `revents` are the
        // last two.
        let Ok(entry) = (unsafe { bpf_probe_read_user((array + i * 8) as *const u64) }) else { break };
        if entry >> 48 != 0 {
            return length << 32 | i;
        }
    }
    NONE_POLLED
}

/// The lowest descriptor that can be read, else the lowest that can be written, as what ends a
/// wait; 0 where there is none.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_first_selected(beyond: u64, read: u64, write: u64) -> u64 {
    for set in [read, write] {
        for i in 0..SELECTED_WORDS {
            if set == 0 || i * 64 >= beyond & 0xffff_ffff {
                break;
            }
            // SAFETY: the helper checks the address.
            let bits = unsafe { bpf_probe_read_user((set + i * 8) as *const u64) }.unwrap_or(0);
            if bits != 0 {
                return SELECTED | (i * 64 + bits.trailing_zeros() as u64);
            }
        }
    }
    0
}

/// Marks a thread by the few descriptors of a poll's array.
#[inline(always)]
fn mark_polled<A: Access>(control: &Control, t: &mut Thread, task: *const u8, array: u64, length: u32) {
    let (mut listens, mut connections) = (false, true);
    for i in 0..FEW {
        if i < length {
            // SAFETY: the helper checks the address.
            let fd = unsafe { bpf_probe_read_user((array + i as u64 * 8) as *const u32) }.unwrap_or(u32::MAX);
            let class = descriptor::class_of::<A>(control, task, t.tgid, fd) as u64;
            let class = forgotten(&mut t.scratch, class) as u8;
            connections &= BlockClass::is_connection(class);
            listens |= i as u64 != t.ended_by & 3 && class == BlockClass::Accept as u8;
        }
    }
    mark_few(t, listens, connections);
}
