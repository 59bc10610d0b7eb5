//! CPU-clock samples: kernel stacks of the target's threads, for the sampled estimator of the
//! direct cost.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_stack},
    programs::PerfEventContext,
};
use profiler_common::sample::{FRAMES, Sample};

use crate::{
    access::{Typed, now},
    maps::{SIA_SAMPLES, bump, measuring, slot_of, thread},
    stacks, turns,
};

/// A tick of the CPU clock on this CPU.
#[inline(always)]
pub fn on_sample(ctx: &PerfEventContext) {
    let Some(control) = measuring() else { return };
    let tid = bpf_get_current_pid_tgid() as u32;
    if tid == 0 || slot_of(tid) == 0 {
        return;
    }
    let Some(mut entry) = SIA_SAMPLES.reserve::<Sample>(0) else {
        bump(&mut control.counters.samples_lost, 1);
        return;
    };
    let sample = entry.as_mut_ptr();
    // SAFETY: room for a `Sample`; the helper writes at most the bytes that it is told.
    unsafe {
        (*sample).tid = tid;
        (*sample).bytes = 0;
        let frames = (&raw mut (*sample).frames).cast();
        let bytes = bpf_get_stack(ctx.ctx.cast(), frames, (FRAMES * 8) as u32, 0);
        (*sample).bytes = bytes as i32;
    }
    entry.submit(BPF_RB_NO_WAKEUP as u64);
    if control.stack_every == 0 {
        return;
    }
    let slot = slot_of(tid);
    if let Some(t) = thread(slot)
        && turns::wants_stack(control, t, slot, now())
    {
        stacks::at_clock::<Typed>(ctx.ctx.cast(), control, t);
    }
}
