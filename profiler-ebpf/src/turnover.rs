//! Which of several descriptors ends a wait. An event loop is woken by one and then by another; a
//! connection's own thread that also watches a pipe is always woken by its connection, and blocks
//! as if it read from it.
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
    access::{Access, forgotten, offset, present},
    call::argument,
    descriptor,
};

/// More descriptors than that are an event loop's, whoever ends its waits.
pub const FEW: u32 = 3;
/// Bits for a descriptor of a `select`, plus one: below 511.
pub const SELECTED_BITS: u32 = 9;
/// What ends the wait is a descriptor of a `select`.
const SELECTED: u64 = 1 << 63;
/// Words of a set of descriptors that are looked at when the wait has ended.
const SELECTED_WORDS: u64 = 4;
/// As often a loop whose waits one descriptor always ends is looked at again: a power of two.
const AGAIN: u32 = 64;
/// Entries of a poll's array that are looked at: the verifier follows each.
const POLLED: u64 = 16;
/// None of them has an event.
const NONE_POLLED: u64 = u64::MAX;

/// The place in a poll's array of the only descriptor that is waited for: of one, or of a few where
/// the same one has always ended the wait.
#[inline(always)]
pub fn place_waited_for(t: &Thread, length: u32) -> Option<u64> {
    if length == 1 {
        return Some(0);
    }
    let own = t.marks & mark::OWN != 0 && length <= FEW && t.ended_by >> 32 == length as u64;
    own.then_some(t.ended_by & 3)
}

/// The descriptor that a `select` waits for: of one, or of a few where the same one has always ended
/// the wait; -1 where there is none. `selected` is what `call::sia_selected` found.
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
    if t.marks & mark::OWN == 0 {
        if t.steady & (AGAIN - 1) != STEADY {
            return -1;
        }
        // A loop with one busy client also waits for the socket by which others would come.
        for i in 0..FEW {
            let one = number(i);
            if one != own && one != 0 {
                let class = descriptor::class_of::<A>(control, task, t.tgid, one as u32 - 1) as u64;
                if forgotten(&mut t.scratch, class) == BlockClass::Accept as u64 {
                    return -1;
                }
            }
        }
        t.marks |= mark::OWN;
    }
    own as i32 - 1
}

/// A wait that slept has returned events.
#[inline(always)]
pub fn ended<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8, what: u32) {
    let is_event = t.class == BlockClass::EventWait as u32;
    let is_select = what & syscall::SELECT == syscall::SELECT;
    if !is_event && t.marks & mark::OWN == 0 {
        // For one descriptor alone.
        return;
    }
    // Only the first argument is written over by what the call returns, on arm64, and is kept
    // beside.
    let (first, second) = (argument!(A, t, regs, 0), argument!(A, t, regs, 1));
    if !is_event && what & syscall::FD == 0 && !is_select && second as u32 == 1 {
        return;
    }
    let by = if what & syscall::EPOLL == syscall::EPOLL {
        first_event(second)
    } else if is_select {
        let third = argument!(A, t, regs, 2);
        match sia_first_selected(first, second, third) {
            0 => None,
            by => Some(by),
        }
    } else {
        match sia_first_polled(first, second) {
            NONE_POLLED => None,
            by => Some(by),
        }
    };
    let Some(by) = by else { return };
    let by = forgotten(&mut t.scratch, by);
    t.sums.event_ends += 1;
    if t.ended_by != by {
        t.ended_by = by;
        t.steady = 0;
        t.marks &= !mark::OWN;
        t.sums.event_turns += 1;
        if what & syscall::FD != 0 && !is_event {
            descriptor::forget(t.tgid, t.fd);
        }
        return;
    }
    t.steady += 1;
    // What was known before a window began, or before another descriptor was watched, is looked up
    // again at once.
    if is_event && !is_select && (t.steady & (AGAIN - 1) == STEADY || t.marks & mark::OWN != 0) {
        t.marks &= !mark::OWN;
        if what & syscall::EPOLL == syscall::EPOLL {
            let class = descriptor::sia_class_in_few(descriptor::file_of::<A>(task, t.fd), by);
            if class != BlockClass::EventWait as u8 {
                descriptor::remember::<A>(control, task, t.tgid, t.fd, class);
                t.marks |= mark::OWN;
            }
        } else if what & syscall::SELECT == syscall::POLL
            && second as u32 <= FEW
            && !another_listens::<A>(control, t, task, first, second as u32)
        {
            t.marks |= mark::OWN;
        }
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

/// The lowest descriptor that can be read, else the lowest that can be written, as what ends a wait;
/// 0 where there is none.
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

/// Whether a poll's array has a socket that listens, beside the one that ended the wait.
#[inline(always)]
fn another_listens<A: Access>(control: &Control, t: &mut Thread, task: *const u8, array: u64, length: u32) -> bool {
    for i in 0..FEW {
        if i < length && i as u64 != t.ended_by & 3 {
            // SAFETY: the helper checks the address.
            let fd = unsafe { bpf_probe_read_user((array + i as u64 * 8) as *const u32) }.unwrap_or(u32::MAX);
            let class = descriptor::class_of::<A>(control, task, t.tgid, fd) as u64;
            if forgotten(&mut t.scratch, class) == BlockClass::Accept as u64 {
                return true;
            }
        }
    }
    false
}
