//! event/stack: copies of stacks from the ring, decoded.

use profiler_common::stack::{FRAMES, kind};

use super::{
    class::{BlockClass, class},
    error::DecodeError,
    place::{Place, place},
};
use crate::{
    kernel::RawStack,
    quantity::{Nanos, Tgid, Tid},
};

/// User registers at the moment a stack was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackRegisters {
    pub ip: u64,
    pub sp: u64,
    /// Frame pointer register (`rbp`, `x29`).
    pub fp: u64,
    /// Link register; arm64 only.
    pub lr: u64,
}

/// When a stack was taken, and what that moment tells.
#[derive(Clone, Debug, PartialEq)]
pub enum StackMoment {
    /// A call that blocked returned.
    Return {
        /// Where it was made.
        place: Place,
        /// Blocked time in it.
        blocked: Nanos,
        /// Run-queue delay after its blocks.
        delay: Nanos,
        /// Kernel CPU of the call.
        cpu: Nanos,
    },
    /// The thread left the CPU; outside of calls it has a user stack.
    Off {
        /// Whether it was outside of calls.
        outside: bool,
    },
    /// The thread was woken. An interrupt that found the CPU idle has no thread and no stack.
    Waker {
        /// The thread that woke it.
        by: Option<(Tgid, Tid)>,
    },
    /// The CPU clock hit it.
    Clock,
}

/// A copy of a stack, with what was known when it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct StackRecord {
    /// The thread that blocked, or ran.
    pub tid: Tid,
    /// The process that it was taken in: addresses are of its maps.
    pub tgid: Tgid,
    /// When the block began. Stacks of one block have the same.
    pub off: Nanos,
    /// What it waited for.
    pub class: BlockClass,
    /// Blocked calls that it stands for.
    pub weight: u32,
    /// When it was taken.
    pub moment: StackMoment,
    /// Registers of the user side: of the waker, for a waker's stack.
    pub registers: StackRegisters,
    /// The user stack from the stack pointer up; empty where there is none.
    pub user: Box<[u8]>,
    /// Kernel return addresses, the innermost first.
    pub kernel: Vec<u64>,
}

/// Decodes a stack.
///
/// # Errors
/// A field that makes no sense.
pub fn decode_stack(raw: RawStack) -> Result<StackRecord, DecodeError> {
    let h = &raw.header;
    let bytes = usize::try_from(h.kernel_bytes).unwrap_or(0);
    let moment = match h.kind {
        kind::RETURN => StackMoment::Return {
            place: place(h.nr, h.class, h.abi, h.site_ip, h.space)?,
            blocked: Nanos::from_nanos(h.blocked),
            delay: Nanos::from_nanos(h.delay),
            cpu: Nanos::from_nanos(h.cpu),
        },
        kind::OFF => StackMoment::Off { outside: h.nr == profiler_common::syscall::NONE as u16 },
        kind::WAKER => StackMoment::Waker {
            by: (h.waker_tid != 0).then(|| (Tgid::from_raw(h.waker_tgid), Tid::from_raw(h.waker_tid))),
        },
        kind::CLOCK => StackMoment::Clock,
        other => return Err(DecodeError { record: "stack", id: h.tid, field: "kind", value: other }),
    };
    Ok(StackRecord {
        tid: Tid::from_raw(h.tid),
        tgid: Tgid::from_raw(h.tgid),
        off: Nanos::from_nanos(h.off),
        class: class("stack", h.tid, u32::from(h.class))?,
        weight: h.weight.max(1),
        moment,
        registers: StackRegisters { ip: h.ip, sp: h.sp, fp: h.fp, lr: h.lr },
        kernel: h.frames[..(bytes / 8).min(FRAMES)].to_vec(),
        user: raw.user,
    })
}
