//! kernel/preflight: what this kernel and this user can and cannot measure, each with the exact
//! mend. It tries the real thing wherever that leaves nothing behind, works without any rights, and
//! never fails: what cannot be found out is a finding too.

mod bpf;
mod finding;
mod machine;
mod perf;
mod render;
mod rights;

pub use finding::{Finding, Status};
pub use render::render;

use super::version::{Version, kernel_version};
use rights::Rights;

/// What hardware counters there are, in one line.
pub fn pmu_words() -> String {
    perf::pmu(&Rights::read_own()).detail
}

/// What the caller has read from BTF, and what it plans.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    /// The id of the typedef `btf_trace_sched_switch`; `None` where BTF cannot be read or lacks it.
    pub sched_switch_btf_id: Option<u32>,
    /// Tracepoints by name (`sched_switch`, `block_rq_issue`) and whether the kernel has them. What
    /// is not listed is reported as unknown.
    pub tracepoints: Vec<(&'static str, bool)>,
    /// Whether programs may read the registers of a thread that sleeps; `None` where BTF cannot be
    /// read.
    pub task_registers: Option<bool>,
    /// Bytes that the maps will take.
    pub map_bytes: u64,
}

/// Looks at everything, in the order in which one thing needs the other.
pub fn examine(probes: &Probes) -> Vec<Finding> {
    let rights = Rights::read_own();
    let version = kernel_version();
    let mut findings = vec![
        machine::kernel(),
        machine::btf(),
        rights::pid_namespace(),
        rights.measuring(),
        rights.looking(),
        rights::lockdown(),
    ];
    findings.extend(bpf::programs(&rights, version, probes.sched_switch_btf_id));
    findings.extend(bpf::maps(&rights, version));
    findings.extend(TRACEPOINTS.iter().map(|wanted| tracepoint(wanted, probes)));
    findings.extend(probes.task_registers.map(open_waits));
    findings.extend(version.map(system_calls));
    findings.push(bpf::statistics(&rights));
    findings.extend(bpf::jit());
    findings.push(perf::paranoid(&rights));
    findings.push(perf::pmu(&rights));
    findings.push(machine::memory(probes.map_bytes));
    findings.push(machine::memlock(&rights, version, probes.map_bytes));
    findings.push(machine::schedstat());
    findings.push(machine::clock_source());
    findings.push(machine::tracefs());
    findings
}

/// Whether `check` could work: nothing is missing.
pub fn verdict(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.status != Status::Missing)
}

/// Name, whether measuring needs it, what it is for.
const TRACEPOINTS: [(&str, bool, &str); 11] = [
    ("sched_switch", true, "blocks and bursts"),
    ("sched_waking", true, "wake-ups and run-queue delay"),
    ("sched_process_fork", true, "new threads and processes"),
    ("sched_process_exec", true, "new programs"),
    ("sched_wakeup_new", true, "new threads of io_uring"),
    ("sched_process_exit", true, "exits"),
    ("sys_enter", true, "system calls"),
    ("sys_exit", true, "results of system calls"),
    ("block_rq_insert", false, "queue times of block devices"),
    ("block_rq_issue", false, "latencies of block devices"),
    ("block_rq_complete", false, "latencies of block devices"),
];

fn tracepoint(&(name, needed, what): &(&'static str, bool, &str), probes: &Probes) -> Finding {
    let option = match name {
        "sys_enter" | "sys_exit" => "CONFIG_FTRACE_SYSCALLS=y",
        name if name.starts_with("block") => "CONFIG_BLOCK=y and CONFIG_TRACEPOINTS=y",
        _ => "CONFIG_TRACEPOINTS=y",
    };
    let detail = match probes.tracepoints.iter().find(|(listed, _)| *listed == name) {
        Some((_, true)) => return Finding::ok("tracepoint", format!("{name}: {what}")),
        Some((_, false)) => format!("{name} is not in this kernel: no {what}"),
        None => format!("{name} cannot be looked up without BTF: no {what}"),
    };
    let mend = format!("boot a kernel with {option} and CONFIG_DEBUG_INFO_BTF=y, as every large distribution's");
    if needed { Finding::missing("tracepoint", detail, mend) } else { Finding::degraded("tracepoint", detail, mend) }
}

/// A program that is preempted keeps itself from running for the threads that the CPU turns to. See
/// `kernel/spare.rs`.
fn system_calls(version: Version) -> Finding {
    let name = "system calls";
    if !version.preempts_programs() {
        return Finding::ok(name, "programs on them are not preempted: every call is seen");
    }
    Finding::degraded(
        name,
        "since 7.0 a program on a system call can be preempted. Ours keep the CPU while they count (bpf_preempt_disable), but \
         one may lose it right before or after: calls made meanwhile on that CPU are not seen until a second copy of the \
         program is attached, and are counted among the losses; time, blocks and switches stay exact",
        "where a report shows such losses, leave the target more CPUs, or measure on a kernel before 7.0",
    )
}

/// Waits that began before the measurement.
fn open_waits(task_registers: bool) -> Finding {
    let name = "open waits";
    if task_registers {
        return Finding::ok(name, "registers tell in which call a thread sleeps when the measurement begins");
    }
    Finding::degraded(
        name,
        "no bpf_task_pt_regs: a wait that has begun before the measurement and ends in it is of class unknown",
        "boot a kernel of 5.15 or later",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_looked_at_and_nothing_panics() {
        let findings = examine(&Probes::default());
        for name in ["kernel", "btf", "capabilities", "raw tracepoint", "ring buffer", "pmu", "memory", "tracefs"] {
            assert!(findings.iter().any(|finding| finding.name == name), "{name}");
        }
        for finding in &findings {
            assert!(finding.status == Status::Ok || finding.mend.is_some(), "{finding:?}");
        }
        // Without BTF ids there are no tracepoints, so no measuring.
        assert!(!verdict(&findings));
    }

    #[test]
    fn only_what_is_missing_stops_measuring() {
        let tracepoints = |present| Probes {
            tracepoints: TRACEPOINTS.iter().map(|&(name, needed, _)| (name, needed || present)).collect(),
            ..Probes::default()
        };
        let find = |probes: &Probes| TRACEPOINTS.iter().map(|wanted| tracepoint(wanted, probes)).collect::<Vec<_>>();
        let (all, without_block) = (find(&tracepoints(true)), find(&tracepoints(false)));
        assert!(all.iter().all(|finding| finding.status == Status::Ok));
        assert!(verdict(&without_block));
        assert_eq!(without_block.iter().filter(|finding| finding.status == Status::Degraded).count(), 3);
        assert!(!verdict(&find(&Probes::default())));
    }
}
