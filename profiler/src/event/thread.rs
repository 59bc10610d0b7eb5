//! A thread's record, decoded.

use profiler_common::{
    syscall,
    thread::{Thread, mark, phase},
};

use super::{
    class::{BlockClass, class},
    error::DecodeError,
    sums::{Loads, Sums},
};
use crate::{
    kernel::{Chunks, RawPlace, Session, syscalls},
    quantity::{Nanos, Tgid, Tid},
};

/// Where a thread was when the record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No event of it in the last window.
    Unseen,
    /// On a CPU; accounted up to `since`.
    OnCpu {
        /// Its time is accounted up to this moment.
        since: Nanos,
    },
    /// Switched out, and not woken yet.
    Blocked {
        /// What it waits for.
        class: BlockClass,
        /// When it left the CPU.
        off: Nanos,
    },
    /// Woken, and waiting for a CPU.
    Woken {
        /// What it had waited for.
        class: BlockClass,
        /// When it left the CPU.
        off: Nanos,
        /// When it was woken; never before `off`.
        wake: Nanos,
    },
    /// Preempted, and waiting for a CPU.
    Preempted {
        /// When it left the CPU.
        off: Nanos,
    },
    /// Born, and waiting for its first CPU.
    Born {
        /// When it was born.
        at: Nanos,
    },
    /// The thread has ended.
    Dead { at: Nanos },
}

/// Which thread was where.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub tgid: Tgid,
    pub tid: Tid,
    pub phase: Phase,
    /// How a sleep that is open counts in the load average.
    pub loads: Loads,
}

/// Where a thread was in its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// In user mode, outside of calls.
    None,
    /// In the syscall of this name.
    In(String),
    /// In the kernel, and nothing says in which call.
    Unknown,
}

/// What the programs had of one thread when they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadRecord {
    pub tid: Tid,
    /// Process of the thread: its group leader, in the initial PID namespace.
    pub tgid: Tgid,
    /// Where in its life the thread was.
    pub phase: Phase,
    /// How a sleep that is open counts in the load average.
    pub loads: Loads,
    /// Where in its program.
    pub call: Call,
    /// Blocks of the call it was in.
    pub open_blocks: u32,
    /// Kernel CPU of that call so far.
    pub open_cpu: Nanos,
    /// Whether it was asleep when the window began.
    pub asleep_at_start: bool,
    /// Whether it was born inside the window.
    pub born_inside: bool,
    /// Whether it is a thread of the kernel's that works for a ring (`io_uring`).
    pub ring: bool,
    /// Number of its address space: that of its call places. What is forked without `exec` has its
    /// parent's.
    pub space: u32,
    /// When its measurement began.
    pub first: Nanos,
    /// What was counted of the thread.
    pub sums: Sums,
}

/// The threads of a batch: checked once, decoded one at a time. Ten thousand are 17 MB as they
/// come; they are never held in both forms at once.
#[derive(Clone, Debug)]
pub struct Threads {
    raw: Chunks<Thread>,
    epoch: u32,
}

impl Threads {
    pub(super) fn check(alive: Chunks<Thread>, departed: Chunks<Thread>, epoch: u32) -> Result<Self, DecodeError> {
        let mut raw = alive;
        raw.extend(departed);
        for raw in raw.iter() {
            check(raw, epoch)?;
        }
        Ok(Self { raw, epoch })
    }

    /// Where each of them was, the living first.
    pub fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        // `check` has seen that each of them decodes.
        self.raw.iter().filter_map(|raw| standing_of(&raw.into(), self.epoch).ok())
    }

    /// How many threads there are.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// All of them, the living first.
    pub fn iter(&self) -> impl Iterator<Item = ThreadRecord> + '_ {
        // `check` has seen that each of them decodes.
        self.raw.iter().filter_map(|raw| decode(raw, self.epoch).ok())
    }

    /// All of them, each gone once it was decoded.
    pub fn drain(self) -> impl Iterator<Item = ThreadRecord> {
        self.raw.into_iter().filter_map(move |raw| decode(&raw, self.epoch).ok())
    }
}

/// The threads that live, read while they go on: each is decoded on the way, and none is kept.
pub struct Living<'a> {
    session: &'a Session,
    epoch: u32,
}

impl<'a> Living<'a> {
    /// `epoch`: the window that is open.
    pub fn new(session: &'a Session, epoch: u32) -> Self {
        Self { session, epoch }
    }

    /// Where each of them is.
    ///
    /// # Errors
    /// A record that makes no sense.
    pub fn standings(&self) -> impl Iterator<Item = Result<Standing, DecodeError>> + '_ {
        self.session.places().map(|place| standing_of(&place, self.epoch))
    }

    /// What the programs have of each.
    ///
    /// # Errors
    /// A record that makes no sense.
    pub fn records(&self) -> impl Iterator<Item = Result<ThreadRecord, DecodeError>> + '_ {
        self.session.living().map(|raw| decode(&raw, self.epoch))
    }
}

fn standing_of(raw: &RawPlace, epoch: u32) -> Result<Standing, DecodeError> {
    Ok(Standing {
        tgid: Tgid::from_raw(raw.tgid),
        tid: Tid::from_raw(raw.tid),
        phase: phase_of(raw, epoch)?,
        loads: loads_of(raw.marks),
    })
}

fn loads_of(marks: u32) -> Loads {
    match marks {
        marks if marks & mark::LOADS == 0 => Loads::No,
        marks if marks & mark::ON_DISK == 0 => Loads::Yes,
        _ => Loads::OnDisk,
    }
}

/// Its sums and where it was, if all of it decodes.
fn check(raw: &Thread, epoch: u32) -> Result<(Sums, Phase), DecodeError> {
    let sums = Sums::from(&raw.sums);
    if let Some(field) = sums.insane() {
        return Err(DecodeError { record: "thread", id: raw.tid, field, value: u32::MAX });
    }
    let phase = phase_of(&raw.into(), epoch)?;
    match raw.nr {
        syscall::NONE | syscall::UNKNOWN | syscall::BORN => Ok((sums, phase)),
        nr if u16::try_from(nr).is_ok() && u8::try_from(raw.abi).is_ok() => Ok((sums, phase)),
        value => Err(DecodeError { record: "thread", id: raw.tid, field: "nr", value }),
    }
}

fn phase_of(raw: &RawPlace, epoch: u32) -> Result<Phase, DecodeError> {
    let at = Nanos::from_nanos;
    let block = || class("thread", raw.tid, raw.block_class);
    Ok(match raw.phase {
        phase::DEAD => Phase::Dead { at: at(raw.off) },
        _ if raw.epoch != epoch => Phase::Unseen,
        phase::UNSEEN => Phase::Unseen,
        phase::ON_CPU => Phase::OnCpu { since: at(raw.since) },
        phase::BLOCKED => Phase::Blocked { class: block()?, off: at(raw.off) },
        // A wake-up noted before the switch-out raced with it: the thread was runnable from the
        // start.
        phase::WOKEN => Phase::Woken { class: block()?, off: at(raw.off), wake: at(raw.wake.max(raw.off)) },
        phase::PREEMPTED => Phase::Preempted { off: at(raw.off) },
        phase::BORN => Phase::Born { at: at(raw.off) },
        value => return Err(DecodeError { record: "thread", id: raw.tid, field: "phase", value }),
    })
}

pub(super) fn decode(raw: &Thread, epoch: u32) -> Result<ThreadRecord, DecodeError> {
    let (sums, phase) = check(raw, epoch)?;
    let at = Nanos::from_nanos;
    let call = match raw.nr {
        syscall::NONE => Call::None,
        syscall::UNKNOWN => Call::Unknown,
        // A ring's thread makes no call.
        syscall::BORN if raw.marks & mark::RING != 0 => Call::Unknown,
        syscall::BORN => Call::In("clone".to_owned()),
        nr => match (u16::try_from(nr), u8::try_from(raw.abi)) {
            (Ok(nr), Ok(abi)) => Call::In(syscalls::name(nr, abi)),
            _ => return Err(DecodeError { record: "thread", id: raw.tid, field: "nr", value: nr }),
        },
    };
    Ok(ThreadRecord {
        tid: Tid::from_raw(raw.tid),
        tgid: Tgid::from_raw(raw.tgid),
        phase,
        loads: loads_of(raw.marks),
        call,
        open_blocks: raw.call_blocks,
        open_cpu: at(raw.call_cpu),
        asleep_at_start: raw.marks & mark::ASLEEP_AT_START != 0,
        born_inside: raw.marks & mark::BORN_INSIDE != 0,
        ring: raw.marks & mark::RING != 0,
        space: raw.space,
        first: at(raw.first),
        sums,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> Thread {
        Thread { tid: 7, epoch: 1, phase: phase::BLOCKED, block_class: 5, off: 10, ..Thread::ZERO }
    }

    #[test]
    fn a_phase_that_means_nothing_is_an_error_that_names_the_field() {
        let error = decode(&Thread { phase: 99, ..raw() }, 1).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("thread 7: phase holds 99, which means nothing"));
        assert!(decode(&Thread { block_class: 200, ..raw() }, 1).is_err());
    }

    #[test]
    fn a_record_of_an_earlier_window_is_unseen_in_this_one() {
        assert_eq!(decode(&raw(), 2).map(|t| t.phase), Ok(Phase::Unseen));
        assert!(matches!(decode(&raw(), 1).map(|t| t.phase), Ok(Phase::Blocked { class: BlockClass::Pipe, .. })));
    }

    #[test]
    fn a_wakeup_that_raced_never_comes_before_its_switch_out() {
        let woken = Thread { phase: phase::WOKEN, wake: 3, ..raw() };
        let Ok(ThreadRecord { phase: Phase::Woken { off, wake, .. }, .. }) = decode(&woken, 1) else {
            panic!("not woken");
        };
        assert_eq!(off, wake);
    }
}
