//! Streamed block ends, decoded.

use profiler_common::stream::{ABI_SHIFT, AWAY, BlockEnd as Raw};

use super::{
    class::{BlockClass, class},
    error::DecodeError,
    mark::sends,
};
use crate::{
    kernel::{RawSpan, syscalls},
    quantity::{Nanos, Tid},
};

/// The end of a block: the thread is back on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BlockEnd {
    pub tid: Tid,
    /// Who woke it; `None` for the kernel.
    #[serde(default)]
    pub waker: Option<Tid>,
    /// What it had waited for.
    pub class: BlockClass,
    /// The descriptor of the call that it waited in, where that has one.
    #[serde(default)]
    pub fd: Option<i32>,
    /// Whether that call sends something.
    #[serde(default)]
    pub sends: bool,
    /// Whether the CPU had been idle, or with somebody else than the target.
    pub away: bool,
    /// When it left the CPU.
    pub off: Nanos,
    /// When it was woken; never before `off`.
    pub wake: Nanos,
    /// CPU between the block before and this one.
    pub burst: Nanos,
    /// Time from the wake-up to the switch-in.
    pub delay: Nanos,
}

/// A stretch of time in which every block end was streamed.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    pub start: Nanos,
    pub end: Nanos,
    /// The block ends, by wake-up.
    pub ends: Vec<BlockEnd>,
}

pub(super) fn decode(raw: &RawSpan) -> Result<Span, DecodeError> {
    let mut ends = raw.ends.iter().map(block_end).collect::<Result<Vec<_>, _>>()?;
    // Each CPU wrote for itself.
    ends.sort_by_key(|e| e.wake);
    Ok(Span { start: raw.start, end: raw.end.max(raw.start), ends })
}

fn block_end(raw: &Raw) -> Result<BlockEnd, DecodeError> {
    let off = Nanos::from_nanos(raw.off);
    Ok(BlockEnd {
        tid: Tid::from_raw(raw.tid),
        waker: (raw.waker != 0).then(|| Tid::from_raw(raw.waker)),
        class: class("block end", raw.tid, u32::from(raw.class))?,
        fd: raw.fd.checked_sub(1).map(|fd| fd as i32),
        sends: raw.fd != 0 && syscalls::bare_name(raw.nr, raw.flags >> ABI_SHIFT).is_some_and(sends),
        away: raw.flags & AWAY != 0,
        off,
        wake: Nanos::from_nanos(raw.wake).max(off),
        burst: Nanos::from_nanos(u64::from(raw.burst)),
        delay: Nanos::from_nanos(u64::from(raw.delay)),
    })
}
