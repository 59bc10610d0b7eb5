//! The stream of block ends, which the user side's replay runs on.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use profiler_common::{
    control::Control,
    stream::{ABI_SHIFT, BlockEnd, narrow},
    thread::Thread,
};

use crate::maps::{SIA_STREAM, bump};

/// A thread is back on a CPU after a block that a wake-up at `wake` ended.
#[inline(always)]
pub fn block_ended(control: &mut Control, t: &Thread, wake: u64, delay: u64, away: bool) {
    let end = BlockEnd {
        tid: t.tid,
        waker: t.waker,
        class: t.block_class as u8,
        flags: away as u8 | (t.abi << ABI_SHIFT) as u8,
        nr: t.nr as u16,
        fd: t.fd.wrapping_add(1),
        off: t.off,
        wake,
        burst: narrow(t.ended_burst),
        delay: narrow(delay),
    };
    if SIA_STREAM.output::<BlockEnd>(&end, BPF_RB_NO_WAKEUP as u64).is_err() {
        bump(&mut control.counters.stream_lost, 1);
    }
}
