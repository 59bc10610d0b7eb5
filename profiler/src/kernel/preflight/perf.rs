//! kernel/preflight/perf: perf_event_open(2): hardware counters, and who may sample.

use std::io;

use profiler_common::ipc::extra::EXTRAS;

use super::super::pmu::{Grade, Pmu};
use super::finding::{Finding, plain};
use super::rights::{Rights, sysctl};

/// The sysctl, Documentation/admin-guide/sysctl/kernel.rst: 1 forbids whole CPUs, 2 kernel stacks
/// too, some distributions' 3 and 4 everything; cap_perfmon lifts it.
pub(super) fn paranoid(rights: &Rights) -> Finding {
    let value = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    paranoid_of(value.ok().and_then(|text| text.trim().parse().ok()), rights)
}

fn paranoid_of(value: Option<i32>, rights: &Rights) -> Finding {
    let name = "perf events";
    match value {
        None => Finding::degraded(
            name,
            "the kernel has none: no samples of the switch path, no counters",
            "boot a kernel with CONFIG_PERF_EVENTS=y",
        ),
        Some(value) if rights.may_perf() => {
            Finding::ok(name, format!("kernel.perf_event_paranoid = {value}, which does not bind this user"))
        }
        Some(value) if value <= 0 => Finding::ok(name, format!("kernel.perf_event_paranoid = {value}")),
        Some(value) => Finding::degraded(
            name,
            format!("kernel.perf_event_paranoid = {value}: no samples of the switch path"),
            format!("`sudo sysctl kernel.perf_event_paranoid=0`, or {}", rights.mend()),
        ),
    }
}

/// What the CPUs' counters gave when they were opened as a measurement opens them.
struct Counters {
    grade: Grade,
    /// The kernel's part is counted too.
    with_kernel: bool,
    /// Which optional counters run, see `profiler_common::ipc::extra`.
    extras: [bool; EXTRAS],
    /// Why it is not more.
    refused: Option<io::Error>,
    /// The NMI watchdog holds one counter of each CPU.
    watchdog: bool,
}

/// The counters of every CPU, opened and closed again.
pub(super) fn pmu(rights: &Rights) -> Finding {
    let pmu = Pmu::open();
    let counters = Counters {
        grade: pmu.grade(),
        with_kernel: pmu.with_kernel(),
        extras: pmu.extras(),
        refused: pmu.refused().map(again),
        watchdog: sysctl("kernel/nmi_watchdog") == Some(1),
    };
    pmu_of(&counters, rights)
}

fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}

fn pmu_of(counters: &Counters, rights: &Rights) -> Finding {
    let name = "pmu";
    let extras: Vec<&str> = ["LLC misses", "dTLB misses", "branch misses"]
        .into_iter()
        .zip(counters.extras)
        .filter_map(|(what, has)| has.then_some(what))
        .collect();
    let beside = if extras.is_empty() { String::new() } else { format!(", {}", extras.join(", ")) };
    let (why, mend) = match &counters.refused {
        Some(error) => refusal(error, counters, rights),
        None => (String::new(), String::new()),
    };
    match counters.grade {
        Grade::None => {
            Finding::degraded(name, format!("no hardware counters: {why}; so there are no IPC figures"), mend)
        }
        Grade::CyclesOnly => {
            Finding::degraded(name, format!("cycles only, no instructions: {why}; so there are no IPC figures"), mend)
        }
        Grade::CyclesAndInstructions => Finding::degraded(
            name,
            format!("cycles and instructions{beside}, but no sampling: {why}; so there are no recovery curves"),
            mend,
        ),
        Grade::Sampling if counters.with_kernel => {
            Finding::ok(name, format!("sampling: cycles and instructions{beside}, and samples at overflow"))
        }
        Grade::Sampling => Finding::degraded(
            name,
            format!("sampling: cycles and instructions{beside}, and samples at overflow, but not the kernel's: {why}"),
            mend,
        ),
    }
}

/// Why a counter was refused, and the mend.
fn refusal(error: &io::Error, counters: &Counters, rights: &Rights) -> (String, String) {
    let pass_on = "run on bare metal, or let the hypervisor pass the PMU on (`-cpu host,pmu=on` for QEMU)";
    let (why, mend): (String, String) = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) if counters.grade == Grade::None => {
            ("no PMU (usual in VMs)".into(), pass_on.into())
        }
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => ("this PMU has no such event".into(), pass_on.into()),
        Some(libc::EOPNOTSUPP) if counters.grade == Grade::CyclesAndInstructions => {
            ("this PMU raises no interrupt at overflow".into(), pass_on.into())
        }
        Some(libc::EOPNOTSUPP) => ("this PMU cannot count user mode apart".into(), pass_on.into()),
        Some(libc::EACCES | libc::EPERM | libc::ENOSYS) if rights.filtered => (
            "a seccomp filter refuses perf_event_open".into(),
            "start the container with `docker run --pid=host --privileged`".into(),
        ),
        Some(libc::EACCES | libc::EPERM) => {
            let value = sysctl("kernel/perf_event_paranoid").map(|value| format!(" = {value}")).unwrap_or_default();
            (
                format!("refused (kernel.perf_event_paranoid{value})"),
                format!("`sudo sysctl kernel.perf_event_paranoid=0`, or {}", rights.mend()),
            )
        }
        // Both ways of the kernel to say that no counter is left: at the opening, and when it is to
        // run.
        Some(libc::EBUSY | libc::ENOSPC | libc::EINVAL) if counters.watchdog => (
            "the NMI watchdog holds one of the counters, and the others do not suffice".into(),
            "`sudo sysctl kernel.nmi_watchdog=0` for the time of the measurement".into(),
        ),
        Some(libc::EBUSY | libc::ENOSPC | libc::EINVAL) => (
            "the counters are too few, or taken by another profiler".into(),
            "stop it, for the time of the measurement".into(),
        ),
        Some(libc::EMFILE | libc::ENFILE) => ("too few descriptors".into(), "raise the limit: `ulimit -n 4096`".into()),
        _ => (plain(error), "see `perf stat -a -e cycles:u true` for the reason".into()),
    };
    (why, mend)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::rights::CAP_PERFMON;
    use super::*;

    #[test]
    fn paranoid_binds_only_those_without_the_capability() {
        let (able, none) = (Rights { capabilities: 1 << CAP_PERFMON, ..Rights::default() }, Rights::default());
        assert_eq!(paranoid_of(Some(4), &able).status, Status::Ok);
        assert_eq!(paranoid_of(Some(2), &none).status, Status::Degraded);
        assert_eq!(paranoid_of(Some(-1), &none).status, Status::Ok);
        assert_eq!(paranoid_of(None, &able).status, Status::Degraded);
    }

    fn counters(grade: Grade, errno: i32) -> Counters {
        let refused = (errno != 0).then(|| io::Error::from_raw_os_error(errno));
        Counters { grade, with_kernel: true, extras: [false; EXTRAS], refused, watchdog: false }
    }

    #[test]
    fn each_refusal_has_words_and_a_mend_of_its_own() {
        let mut seen = Vec::new();
        for (grade, errno, word) in [
            (Grade::None, libc::ENOENT, "no PMU"),
            (Grade::None, libc::EOPNOTSUPP, "user mode"),
            (Grade::None, libc::EACCES, "paranoid"),
            (Grade::None, libc::EBUSY, "another profiler"),
            (Grade::None, libc::EMFILE, "descriptors"),
            (Grade::None, libc::EIO, "Input/output"),
            (Grade::CyclesOnly, libc::ENOENT, "no such event"),
            (Grade::CyclesAndInstructions, libc::EOPNOTSUPP, "no interrupt"),
        ] {
            let finding = pmu_of(&counters(grade, errno), &Rights::default());
            assert_eq!(finding.status, Status::Degraded);
            assert!(finding.detail.contains(word) && finding.mend.is_some(), "{finding:?}");
            assert!(!seen.contains(&finding.detail), "{finding:?}");
            seen.push(finding.detail);
        }
    }

    #[test]
    fn the_watchdog_and_a_filter_are_named() {
        let watched = Counters { watchdog: true, ..counters(Grade::None, libc::EBUSY) };
        let finding = pmu_of(&watched, &Rights::default());
        assert!(finding.detail.contains("NMI watchdog"), "{finding:?}");
        assert!(finding.mend.is_some_and(|mend| mend.contains("nmi_watchdog=0")));
        let filtered = Rights { filtered: true, ..Rights::default() };
        assert!(pmu_of(&counters(Grade::None, libc::EPERM), &filtered).detail.contains("seccomp"));
    }

    #[test]
    fn each_grade_is_named() {
        for (grade, words) in [
            (Grade::None, "no hardware counters: "),
            (Grade::CyclesOnly, "cycles only"),
            (Grade::CyclesAndInstructions, "cycles and instructions, but no sampling"),
        ] {
            let detail = pmu_of(&counters(grade, libc::ENOENT), &Rights::default()).detail;
            assert!(detail.starts_with(words), "{detail}");
        }
        let all = Counters { extras: [true, false, true], ..counters(Grade::Sampling, 0) };
        let finding = pmu_of(&all, &Rights::default());
        assert_eq!(finding.status, Status::Ok);
        assert!(finding.detail.contains("LLC misses, branch misses"), "{finding:?}");
        let user = Counters { with_kernel: false, watchdog: true, ..counters(Grade::Sampling, libc::EBUSY) };
        let finding = pmu_of(&user, &Rights::default());
        assert_eq!((finding.status, finding.detail.contains("NMI watchdog")), (Status::Degraded, true), "{finding:?}");
    }
}
