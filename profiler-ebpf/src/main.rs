//! The kernel programs of should-i-async.
//!
//! Entry points only: each takes its tracepoint's arguments apart and calls an ordinary function.
//! Every program exists twice, as `tp_btf` (typed pointers, read directly) and, named `*_raw`, as
//! raw tracepoint for kernels that refuse BTF programs. Where a tracepoint's arguments changed
//! between kernels, there is an entry per order, and the loader picks the one that the running
//! kernel's BTF names.
//!
//! The verifier follows an inlined or local function once for each way that leads to it, and gives
//! up after a million instructions. An exported one (`extern "C"`; numbers in, a number out) it
//! follows once, so what has many ways through it is exported where it can be.
//!
//! The files, each of which uses only those above it:
//!
//! | file | owns |
//! |---|---|
//! | `access`, `maps`, `preempt` | reading the kernel, the maps, preemption |
//! | `descriptor` | what a descriptor is |
//! | `turnover` | which of several descriptors ends a wait |
//! | `ipc` | hardware counters and their windows |
//! | `stacks`, `samples`, `stream` | what goes to the user side through rings |
//! | `requests` | block requests |
//! | `wakers` | who woke whom |
//! | `turns` | turns of event loops |
//! | `charge` | whose CPU time it is |
//! | `call` | one system call and its site |
//! | `slots` | whose an event is, first sight, release |
//! | `births` | fork, exec, exit |
//! | `cycle` | the state machine of a thread |

#![no_std]
#![no_main]
// The only way to BPF's atomic add.
#![feature(core_intrinsics)]
#![allow(internal_features)]
// Helpers hand out references into maps; the verifier checks the bounds again.
#![allow(clippy::mut_from_ref, clippy::too_many_arguments)]

mod access;
mod births;
mod call;
mod charge;
mod cycle;
mod descriptor;
mod ipc;
mod maps;
mod preempt;
mod requests;
mod samples;
mod slots;
mod stacks;
mod state;
mod stream;
mod turnover;
mod turns;
mod wakers;

use access::{Probed, Typed};
use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, perf_event, raw_tracepoint},
    programs::{BtfTracePointContext, PerfEventContext, RawTracePointContext},
};

/// One entry point in both forms.
macro_rules! program {
    ($tracepoint:literal, $typed:ident, $probed:ident, |$ctx:ident, $access:ident| $body:expr) => {
        #[btf_tracepoint(function = $tracepoint)]
        pub fn $typed($ctx: BtfTracePointContext) -> i32 {
            type $access = Typed;
            $body;
            0
        }

        #[raw_tracepoint(tracepoint = $tracepoint)]
        pub fn $probed($ctx: RawTracePointContext) -> i32 {
            type $access = Probed;
            $body;
            0
        }
    };
}

// (preempt, prev, next): up to 5.17
program!("sched_switch", sia_switch_old, sia_switch_old_raw, |ctx, A| cycle::on_switch::<A>(
    ctx.as_ptr(),
    ctx.arg::<u8>(0) != 0,
    ctx.arg(1),
    ctx.arg(2),
    None
));
// (preempt, prev_state, prev, next): early 5.18
program!("sched_switch", sia_switch_518, sia_switch_518_raw, |ctx, A| cycle::on_switch::<A>(
    ctx.as_ptr(),
    ctx.arg::<u8>(0) != 0,
    ctx.arg(2),
    ctx.arg(3),
    Some(ctx.arg(1))
));
// (preempt, prev, next, prev_state): since
program!("sched_switch", sia_switch, sia_switch_raw, |ctx, A| cycle::on_switch::<A>(
    ctx.as_ptr(),
    ctx.arg::<u8>(0) != 0,
    ctx.arg(1),
    ctx.arg(2),
    Some(ctx.arg(3))
));
program!("sched_waking", sia_waking, sia_waking_raw, |ctx, A| cycle::on_waking::<A>(ctx.as_ptr(), ctx.arg(0)));
program!("sched_process_fork", sia_fork, sia_fork_raw, |ctx, A| births::on_fork::<A>(ctx.arg(0), ctx.arg(1)));
program!("sched_wakeup_new", sia_newborn, sia_newborn_raw, |ctx, A| births::on_new::<A>(ctx.arg(0)));
program!("sched_process_exec", sia_exec, sia_exec_raw, |ctx, A| births::on_exec::<A>(ctx.arg(0), ctx.arg(1)));
program!("sched_process_exit", sia_exit, sia_exit_raw, |ctx, A| births::on_exit::<A>(ctx.arg(0)));
program!("sys_enter", sia_sys_enter, sia_sys_enter_raw, |ctx, A| preempt::off(|| cycle::on_enter::<A>(
    ctx.arg(0),
    ctx.arg(1)
)));
program!("sys_exit", sia_sys_exit, sia_sys_exit_raw, |ctx, A| preempt::off(|| cycle::on_exit::<A>(
    ctx.arg(0),
    ctx.arg(1)
)));
// Spares: they do the same where the kernel left out the run above.
program!("sys_enter", sia_sys_enter_spare, sia_sys_enter_spare_raw, |ctx, A| if cycle::missed::<A>(true) {
    preempt::off(|| cycle::on_enter::<A>(ctx.arg(0), ctx.arg(1)));
});
program!("sys_exit", sia_sys_exit_spare, sia_sys_exit_spare_raw, |ctx, A| if cycle::missed::<A>(false) {
    preempt::off(|| cycle::on_exit::<A>(ctx.arg(0), ctx.arg(1)));
});
// (request): since 5.11
program!("block_rq_insert", sia_insert, sia_insert_raw, |ctx, A| requests::on_insert::<A>(ctx.arg(0)));
program!("block_rq_issue", sia_issue, sia_issue_raw, |ctx, A| requests::on_issue::<A>(ctx.arg(0)));
// (queue, request): before
program!("block_rq_insert", sia_insert_old, sia_insert_old_raw, |ctx, A| requests::on_insert::<A>(ctx.arg(1)));
program!("block_rq_issue", sia_issue_old, sia_issue_old_raw, |ctx, A| requests::on_issue::<A>(ctx.arg(1)));
program!("block_rq_complete", sia_complete, sia_complete_raw, |ctx, A| requests::on_complete::<A>(
    ctx.arg(0),
    ctx.arg(2)
));

/// The CPU clock, on every CPU.
#[perf_event]
pub fn sia_sample(ctx: PerfEventContext) -> u32 {
    samples::on_sample(&ctx);
    0
}

/// A number of instructions in user mode, on every CPU.
#[perf_event]
pub fn sia_ipc_sample(_ctx: PerfEventContext) -> u32 {
    ipc::on_overflow();
    0
}

// The floor: the same hooks with nothing in them, for `cargo xtask bench overhead`.
program!("sched_switch", sia_empty_switch, sia_empty_switch_raw, |_ctx, _A| {});
program!("sched_waking", sia_empty_waking, sia_empty_waking_raw, |_ctx, _A| {});
program!("sys_enter", sia_empty_enter, sia_empty_enter_raw, |_ctx, _A| {});
program!("sys_exit", sia_empty_exit, sia_empty_exit_raw, |_ctx, _A| {});

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The helpers that read kernel memory are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
