//! event/turn: turns of event loops, decoded.

use profiler_common::{
    syscall,
    thread::{Thread, phase},
    turn::{NOT_KNOWN, Turn as Raw, mark},
};

use super::{
    class::{BlockClass, class},
    error::DecodeError,
    place::{Place, place},
    stat::BUCKETS,
};
use crate::{
    kernel::RawTurn,
    quantity::{Nanos, Tgid, Tid},
};

/// The longest block of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct LongestBlock {
    /// When it began.
    pub off: Nanos,
    pub length: Nanos,
    pub class: BlockClass,
    /// The call that it was in; `None` outside of calls.
    pub place: Option<Place>,
}

/// From the return of an event wait until the thread came back to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub from: Nanos,
    pub to: Nanos,
    /// Whether it was not over when the window ended. Such a turn is in no sum.
    pub open: bool,
    /// Whether it was not over when the thread ended.
    pub ended: bool,
    /// CPU in user mode.
    pub user: Nanos,
    /// CPU inside syscalls.
    pub kernel: Nanos,
    /// Time in which it could run and got no CPU.
    pub delay: Nanos,
    /// Blocked time by class.
    pub blocked: Vec<(BlockClass, Nanos)>,
    pub blocks: u32,
    pub longest: Option<LongestBlock>,
    /// Events that the wait after it returned without a sleep; `None` where nothing tells.
    pub ready: Option<u32>,
}

/// What the turns of a thread add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnSums {
    /// Time from the thread's first event wait on.
    pub watched: Nanos,
    /// How often it came to an event wait.
    pub waits: u64,
    /// Of these waits: for one descriptor that always ends them.
    pub own: u64,
    /// How many turns have ended.
    pub turns: u64,
    /// Their time.
    pub turned: Nanos,
    /// The longest of them.
    pub most: Nanos,
    /// How many were how long, log2 histogram of ns.
    pub buckets: [u32; BUCKETS],
}

/// A thread that waits for events.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopRecord {
    pub tgid: Tgid,
    pub tid: Tid,
    /// Whether it has slept in an event wait.
    pub slept: bool,
    /// Whether other threads wait by the same descriptor, while this one parks on a futex.
    pub shared: bool,
    /// A turn that was too long, or that goes on.
    pub turn: Option<Turn>,
    pub sums: TurnSums,
}

/// Decodes a record of the ring: a stall, or what the turns of a thread that has ended add up to.
///
/// # Errors
/// A field that makes no sense.
pub fn decode_turn(raw: &RawTurn) -> Result<LoopRecord, DecodeError> {
    let raw = &raw.turn;
    let turn = if raw.from != 0 && raw.to >= raw.from { Some(turn(raw)?) } else { None };
    Ok(record(raw, turn, Nanos::from_nanos(raw.to)))
}

/// Decodes the turns of a living thread at the end of a window, `end`. Its turn is given where it
/// goes on, or has ended and was not told.
///
/// # Errors
/// A field that makes no sense.
pub fn decode_living_turn(raw: &RawTurn, end: Nanos) -> Result<LoopRecord, DecodeError> {
    if raw.is_untold() {
        let mut record = decode_turn(raw)?;
        if let Some(turn) = record.turn.as_mut() {
            turn.ready = None;
        }
        record.sums.watched = end.saturating_sub(Nanos::from_nanos(raw.turn.since));
        return Ok(record);
    }
    let Some(thread) = raw.thread.as_ref().filter(|_| raw.is_open() && end.as_nanos() >= raw.turn.from) else {
        return Ok(record(&raw.turn, None, end));
    };
    let (mut open, sums) = (raw.turn, &thread.sums);
    open.to = end.as_nanos();
    open.ready = NOT_KNOWN;
    open.user = sums.user.saturating_sub(open.user);
    open.kernel = sums.kernel.saturating_sub(open.kernel);
    open.preempted = sums.preempted.saturating_sub(open.preempted);
    let mut open = turn(&open)?;
    open.open = true;
    match thread.phase {
        phase::BLOCKED => {
            let off = Nanos::from_nanos(thread.off);
            add_block(&mut open, thread, off, end.saturating_sub(off))?;
        }
        phase::ON_CPU => {
            let more = end.saturating_sub(Nanos::from_nanos(thread.since));
            if thread.nr == syscall::NONE { open.user += more } else { open.kernel += more }
        }
        phase::WOKEN => {
            let (off, wake) = (Nanos::from_nanos(thread.off), Nanos::from_nanos(thread.wake.max(thread.off)));
            add_block(&mut open, thread, off, wake.saturating_sub(off))?;
            open.delay += end.saturating_sub(wake);
        }
        phase::PREEMPTED => open.delay += end.saturating_sub(Nanos::from_nanos(thread.off)),
        _ => {}
    }
    Ok(record(&raw.turn, Some(open), end))
}

/// Adds the block that a thread was in when the window ended.
fn add_block(open: &mut Turn, thread: &Thread, off: Nanos, length: Nanos) -> Result<(), DecodeError> {
    let class = class("turn", thread.tid, thread.block_class)?;
    match open.blocked.iter_mut().find(|(known, _)| *known == class) {
        Some((_, time)) => *time += length,
        None => open.blocked.push((class, length)),
    }
    open.blocks += 1;
    if open.longest.as_ref().is_none_or(|longest| length > longest.length) {
        let place = place_of(thread.nr, class, thread.abi, thread.ip, thread.space)?;
        open.longest = Some(LongestBlock { off, length, class, place });
    }
    Ok(())
}

fn record(raw: &Raw, turn: Option<Turn>, until: Nanos) -> LoopRecord {
    LoopRecord {
        tgid: Tgid::from_raw(raw.tgid),
        tid: Tid::from_raw(raw.tid),
        slept: raw.marks & mark::SLEPT != 0,
        shared: raw.marks & mark::SHARED != 0,
        turn,
        sums: TurnSums {
            watched: until.saturating_sub(Nanos::from_nanos(raw.since)),
            waits: raw.waits,
            own: raw.own,
            turns: raw.turns,
            turned: Nanos::from_nanos(raw.turned),
            most: Nanos::from_nanos(raw.most),
            buckets: raw.buckets,
        },
    }
}

fn turn(raw: &Raw) -> Result<Turn, DecodeError> {
    let mut blocked = Vec::new();
    for known in BlockClass::ALL {
        let time = raw.blocked[known as usize];
        if raw.classes & 1 << known as u32 != 0 && time > 0 {
            blocked.push((known, Nanos::from_nanos(time)));
        }
    }
    let longest = if raw.longest == 0 {
        None
    } else {
        let class = class("turn", raw.tid, raw.longest_class)?;
        let place = place_of(raw.longest_nr, class, raw.longest_abi, raw.longest_ip, raw.space)?;
        let (off, length) = (Nanos::from_nanos(raw.longest_off), Nanos::from_nanos(raw.longest));
        Some(LongestBlock { off, length, class, place })
    };
    Ok(Turn {
        from: Nanos::from_nanos(raw.from),
        to: Nanos::from_nanos(raw.to),
        open: false,
        ended: raw.marks & mark::ENDED != 0,
        user: Nanos::from_nanos(raw.user),
        kernel: Nanos::from_nanos(raw.kernel),
        delay: Nanos::from_nanos(raw.delay.saturating_add(raw.preempted)),
        blocked,
        blocks: raw.blocks,
        longest,
        ready: (raw.ready != NOT_KNOWN).then_some(raw.ready),
    })
}

/// `None` outside of calls.
fn place_of(nr: u32, class: BlockClass, abi: u32, ip: u64, space: u32) -> Result<Option<Place>, DecodeError> {
    if nr >= syscall::UNKNOWN {
        return Ok(None);
    }
    place(nr as u16, class as u8, abi as u8, ip, space).map(Some)
}

impl Turn {
    /// How long it was; so far, where it is not over.
    pub fn length(&self) -> Nanos {
        self.to.saturating_sub(self.from)
    }
}

impl LoopRecord {
    /// Adds what the same thread had in another window.
    pub fn absorb(&mut self, other: &Self) {
        self.slept |= other.slept;
        self.shared |= other.shared;
        let (sums, more) = (&mut self.sums, &other.sums);
        sums.watched += more.watched;
        sums.waits += more.waits;
        sums.own += more.own;
        sums.turns += more.turns;
        sums.turned += more.turned;
        sums.most = sums.most.max(more.most);
        sums.buckets.iter_mut().zip(more.buckets).for_each(|(sum, n)| *sum = sum.saturating_add(n));
    }
}
