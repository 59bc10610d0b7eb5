//! kernel/preflight/perf: perf_event_open(2): hardware counters, and who may sample.

use std::io;

use perf_event::Builder;
use perf_event::events::Hardware;

use super::rights::{Rights, sysctl};
use super::{Finding, plain};

/// The sysctl, Documentation/admin-guide/sysctl/kernel.rst: 1 forbids whole CPUs, 2 kernel stacks too, some
/// distributions' 3 and 4 everything; cap_perfmon lifts it.
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

/// Cycles and instructions, opened for this process and closed again.
pub(super) fn pmu(rights: &Rights) -> Finding {
    let open = |event: Hardware| Builder::new().kind(event).build().map(drop);
    pmu_of(open(Hardware::CPU_CYCLES).and_then(|()| open(Hardware::INSTRUCTIONS)), rights)
}

fn pmu_of(opened: io::Result<()>, rights: &Rights) -> Finding {
    let name = "pmu";
    let without = "IPC figures are unavailable";
    let Err(error) = opened else {
        return Finding::ok(name, "cycles and instructions can be counted");
    };
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV | libc::ENXIO) => Finding::degraded(
            name,
            format!("no PMU (usual in VMs): {without}"),
            "run on bare metal, or let the hypervisor pass the PMU on (`-cpu host,pmu=on` for QEMU)",
        ),
        Some(libc::EACCES | libc::EPERM | libc::ENOSYS) if rights.filtered => Finding::degraded(
            name,
            format!("a seccomp filter refuses perf_event_open: {without}"),
            "start the container with `docker run --pid=host --privileged`",
        ),
        Some(libc::EACCES | libc::EPERM) => {
            let value = sysctl("kernel/perf_event_paranoid").map(|value| format!(" = {value}")).unwrap_or_default();
            Finding::degraded(
                name,
                format!("refused (kernel.perf_event_paranoid{value}): {without}"),
                format!("`sudo sysctl kernel.perf_event_paranoid=1`, or {}", rights.mend()),
            )
        }
        Some(libc::EBUSY | libc::EMFILE) => Finding::degraded(
            name,
            format!("taken by another profiler ({}): {without}", plain(&error)),
            "stop it, or the NMI watchdog: `sudo sysctl kernel.nmi_watchdog=0`",
        ),
        _ => Finding::degraded(name, format!("{error}: {without}"), "see `perf stat -e cycles true` for the reason"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
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

    #[test]
    fn no_counters_degrade_and_say_why() {
        for (errno, word) in [(libc::ENOENT, "no PMU"), (libc::EACCES, "paranoid"), (libc::EBUSY, "taken")] {
            let finding = pmu_of(Err(io::Error::from_raw_os_error(errno)), &Rights::default());
            assert_eq!(finding.status, Status::Degraded);
            assert!(finding.detail.contains(word), "{finding:?}");
        }
        let filtered = Rights { filtered: true, ..Rights::default() };
        assert!(pmu_of(Err(io::Error::from_raw_os_error(libc::EPERM)), &filtered).detail.contains("seccomp"));
        assert_eq!(pmu_of(Ok(()), &Rights::default()).status, Status::Ok);
    }
}
