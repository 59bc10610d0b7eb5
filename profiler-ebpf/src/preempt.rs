//! Programs that must not lose the CPU in the middle.
//!
//! Since 7.0 the kernel runs programs on tracepoints with preemption on (`__bpf_trace_run` of
//! `kernel/trace/bpf_trace.c`). If a program on a system call were preempted between reading a
//! thread's state and writing it, it would overwrite what the program on `sched_switch` wrote
//! meanwhile. Before 7.0 the calls here are nothing.

use profiler_common::kfunc::{PREEMPT_DISABLE, PREEMPT_ENABLE};

/// Runs `body` with preemption off.
#[inline(always)]
pub fn off(body: impl FnOnce()) {
    call::<PREEMPT_DISABLE>();
    body();
    call::<PREEMPT_ENABLE>();
}

#[inline(always)]
fn call<const FUNCTION: u32>() {
    // SAFETY: how the library itself calls helpers. The loader puts a function without arguments
    // there, or nothing.
    unsafe {
        let function: unsafe extern "C" fn() = core::mem::transmute(FUNCTION as usize);
        function();
    }
}
