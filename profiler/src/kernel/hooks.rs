//! kernel/hooks: which entry point fits each tracepoint's order of arguments.

use std::collections::HashMap;

use super::{
    btf::{Argument, Btf, BtfError},
    version::programs_are_preempted,
};

/// A tracepoint that the programs hook, and the entry points for its argument orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    /// Name of the tracepoint.
    pub tracepoint: &'static str,
    /// The entry point that fits this kernel; its raw form has `_raw` behind it.
    pub program: &'static str,
    /// Whether `check` can do without it (devices are then not shown).
    pub optional: bool,
    /// The entry point that stands in where the kernel leaves out runs of `program`, see
    /// `kernel/spare.rs`.
    pub spare: Option<&'static str>,
}

/// Every tracepoint that is hooked.
pub const TRACEPOINTS: [&str; 11] = [
    "sched_switch",
    "sched_waking",
    "sched_process_fork",
    "sched_process_exec",
    "sched_wakeup_new",
    "sched_process_exit",
    "sys_enter",
    "sys_exit",
    "block_rq_insert",
    "block_rq_issue",
    "block_rq_complete",
];

/// Picks the entry point for each tracepoint from the order of its arguments.
///
/// # Errors
/// A tracepoint that is missing or passes its arguments in an order no entry point was written for.
pub(super) fn hooks(btf: &Btf) -> Result<Vec<Hook>, BtfError> {
    let preempted = programs_are_preempted();
    let mut hooks = Vec::new();
    for tracepoint in TRACEPOINTS {
        let optional = tracepoint.starts_with("block_");
        let Some(arguments) = btf.tracepoint_arguments(tracepoint) else {
            if optional {
                continue;
            }
            return Err(BtfError::Missing(format!("tracepoint {tracepoint}")));
        };
        let shape: Vec<&str> = arguments
            .iter()
            .map(|a| match a {
                Argument::Pointer(to) => to.as_str(),
                Argument::Scalar => "",
            })
            .collect();
        let program = match (tracepoint, shape.as_slice()) {
            ("sched_switch", ["", "task_struct", "task_struct"]) => "sia_switch_old",
            ("sched_switch", ["", "", "task_struct", "task_struct"]) => "sia_switch_518",
            ("sched_switch", ["", "task_struct", "task_struct", "", ..]) => "sia_switch",
            ("sched_waking", ["task_struct", ..]) => "sia_waking",
            ("sched_process_fork", ["task_struct", "task_struct", ..]) => "sia_fork",
            ("sched_wakeup_new", ["task_struct", ..]) => "sia_newborn",
            ("sched_process_exec", ["task_struct", "", ..]) => "sia_exec",
            ("sched_process_exit", ["task_struct", ..]) => "sia_exit",
            ("sys_enter", ["pt_regs", "", ..]) => "sia_sys_enter",
            ("sys_exit", ["pt_regs", "", ..]) => "sia_sys_exit",
            ("block_rq_insert", ["request", ..]) => "sia_insert",
            ("block_rq_insert", ["request_queue", "request", ..]) => "sia_insert_old",
            ("block_rq_issue", ["request", ..]) => "sia_issue",
            ("block_rq_issue", ["request_queue", "request", ..]) => "sia_issue_old",
            ("block_rq_complete", ["request", "", "", ..]) => "sia_complete",
            _ if optional => continue,
            _ => return Err(BtfError::Missing(format!("known order of arguments of tracepoint {tracepoint}"))),
        };
        let spare = spare_of(program).filter(|_| preempted);
        hooks.push(Hook { tracepoint, program, optional, spare });
    }
    Ok(hooks)
}

/// The spare of an entry point, in `profiler-ebpf/src/main.rs`.
fn spare_of(program: &str) -> Option<&'static str> {
    match program {
        "sia_sys_enter" => Some("sia_sys_enter_spare"),
        "sia_sys_exit" => Some("sia_sys_exit_spare"),
        _ => None,
    }
}

/// Runs that had been left out of each first program when its spare came; `None`: the spares are
/// not needed so far.
#[derive(Debug, Default)]
pub(super) struct Spares(pub(super) Option<HashMap<&'static str, u64>>);
