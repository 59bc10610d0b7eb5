//! kernel/preflight/machine: the kernel's version and options, memory, and the clock.

use std::fs;
use std::io::{self, Read as _};

use rustix::process::{Resource, getrlimit};

use super::super::{
    memory::{self, Room},
    version::Version,
};
use super::finding::Finding;
use super::rights::{CAP_SYS_RESOURCE, Rights};
use crate::text::{mountinfo::Mount, numbers::bytes};

/// The oldest kernel that is supported.
const OLDEST: Version = Version(5, 10);
/// Since then maps are accounted to the memory cgroup, and RLIMIT_MEMLOCK does not bind them.
const CGROUP_ACCOUNTING: Version = Version(5, 11);
/// Magic of a BTF blob, include/uapi/linux/btf.h.
const BTF_MAGIC: u16 = 0xeb9f;
/// Reading them leaves the CPU for a device or another world, microseconds each.
const SLOW_CLOCKS: [&str; 4] = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];

pub(super) fn kernel() -> Finding {
    let uname = rustix::system::uname();
    kernel_of(&uname.release().to_string_lossy(), &uname.machine().to_string_lossy())
}

fn kernel_of(release: &str, machine: &str) -> Finding {
    let name = "kernel";
    let detail = format!("{release}, {machine}");
    if !["x86_64", "aarch64"].contains(&machine) {
        return Finding::missing(name, format!("{detail}: only x86_64 and aarch64 are known"), "use such a machine");
    }
    match Version::parse(release) {
        Some(version) if version >= OLDEST => Finding::ok(name, detail),
        Some(_) => Finding::missing(name, format!("{detail}: too old"), "boot a kernel of 5.10 or later"),
        None => Finding::degraded(name, format!("{detail}: not a version"), "5.10 or later is needed: see `uname -r`"),
    }
}

/// The kernel's own type information, from which every field offset comes.
pub(super) fn btf() -> Finding {
    let (name, path) = ("btf", "/sys/kernel/btf/vmlinux");
    let mut magic = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| {
        file.read_exact(&mut magic)?;
        file.metadata()
    });
    match read {
        Ok(data) if u16::from_ne_bytes(magic) == BTF_MAGIC => {
            Finding::ok(name, format!("{path}, {}", bytes(data.len())))
        }
        Ok(_) => Finding::missing(name, format!("{path} is no BTF"), "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::missing(
            name,
            format!("no {path}: field offsets are unknown"),
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container mount /sys: `-v /sys:/sys:ro`",
        ),
        Err(error) => Finding::missing(name, format!("{path}: {error}"), format!("`sudo chmod a+r {path}`")),
    }
}

/// Whether the maps fit.
pub(super) fn memory(needed: u64) -> Finding {
    memory_of(memory::room(), needed + memory::OWN_BYTES)
}

fn memory_of(room: Option<Room>, needed: u64) -> Finding {
    let name = "memory";
    let Some(room) = room else {
        return Finding::degraded(name, "/proc/meminfo does not say", "mount /proc: `sudo mount -t proc proc /proc`");
    };
    let whose = match room.limit {
        Some(limit) => format!("left of the {} of this cgroup", bytes(limit)),
        None => "available".to_owned(),
    };
    let detail = format!("{} {whose}, {} needed", bytes(room.bytes), bytes(needed));
    if room.bytes < needed {
        let mend = "free memory, raise the limit of the cgroup (memory.max), or ask for smaller maps: `check --help`";
        return Finding::missing(name, detail, mend);
    }
    Finding::ok(name, detail)
}

/// RLIMIT_MEMLOCK, which binds maps before 5.11 only.
pub(super) fn memlock(rights: &Rights, version: Option<Version>, needed: u64) -> Finding {
    let limit = getrlimit(Resource::Memlock);
    memlock_of(limit.current, limit.maximum, rights, version, needed)
}

fn memlock_of(
    current: Option<u64>,
    maximum: Option<u64>,
    rights: &Rights,
    version: Option<Version>,
    needed: u64,
) -> Finding {
    let name = "locked memory";
    let shown = current.map_or_else(|| "unlimited".into(), bytes);
    if version.is_none_or(|version| version >= CGROUP_ACCOUNTING) {
        return Finding::ok(name, format!("limit {shown}, which does not bind maps (since 5.11)"));
    }
    let fits = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if fits(current) {
        return Finding::ok(name, format!("limit {shown}, {} needed", bytes(needed)));
    }
    if fits(maximum) || rights.has(CAP_SYS_RESOURCE) {
        return Finding::ok(name, format!("limit {shown}, which will be raised to {}", bytes(needed)));
    }
    let mend = "`ulimit -l unlimited` in a root shell that then starts it; in a systemd unit LimitMEMLOCK=infinity";
    Finding::missing(name, format!("limit {shown}, {} needed for maps (kernels before 5.11)", bytes(needed)), mend)
}

/// CPU time and run-queue delay of each thread, against which reports check themselves.
pub(super) fn schedstat() -> Finding {
    schedstat_of(fs::read_to_string("/proc/self/schedstat").ok().as_deref())
}

fn schedstat_of(text: Option<&str>) -> Finding {
    let name = "schedstat";
    let slices = text.and_then(|text| text.split_ascii_whitespace().nth(2)?.parse::<u64>().ok());
    match slices {
        Some(1..) => Finding::ok(name, "CPU times are checked against the kernel's own"),
        // This process runs, so it has had a slice of CPU time: three zeroes mean that nobody
        // counts.
        Some(0) => Finding::degraded(
            name,
            "switched off: CPU times cannot be checked against the kernel's own",
            "boot without nodelayacct, or a kernel with CONFIG_SCHEDSTATS=y",
        ),
        None => Finding::degraded(
            name,
            "absent: CPU times cannot be checked against the kernel's own",
            "boot a kernel with CONFIG_SCHED_INFO=y (CONFIG_SCHEDSTATS or CONFIG_TASK_DELAY_ACCT selects it)",
        ),
    }
}

/// What the kernel programs read the time from, twice for every event.
pub(super) fn clock_source() -> Finding {
    let dir = "/sys/devices/system/clocksource/clocksource0";
    let read = |file: &str| fs::read_to_string(format!("{dir}/{file}")).unwrap_or_default();
    clock_source_of(read("current_clocksource").trim(), read("available_clocksource").trim(), dir)
}

fn clock_source_of(current: &str, available: &str, dir: &str) -> Finding {
    let name = "clock source";
    if current.is_empty() {
        return Finding::degraded(name, "not known: /sys does not say", "mount /sys: `sudo mount -t sysfs sysfs /sys`");
    }
    if !SLOW_CLOCKS.contains(&current) {
        return Finding::ok(name, current);
    }
    let mend = match available.split_ascii_whitespace().find(|name| !SLOW_CLOCKS.contains(name)) {
        Some(better) => format!("`echo {better} | sudo tee {dir}/current_clocksource`"),
        None => "boot with `tsc=reliable` where the firmware's clock can be trusted".into(),
    };
    Finding::degraded(name, format!("{current}: each event costs microseconds more"), mend)
}

/// Not needed here, but the peers that people compare with do.
pub(super) fn tracefs() -> Finding {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    tracefs_of(&mounts)
}

fn tracefs_of(mounts: &[u8]) -> Finding {
    // Debugfs mounts it inside itself once someone looks there.
    if Mount::all(mounts).any(|mount| mount.kind == "tracefs") {
        return Finding::ok("tracefs", "mounted (not needed here)");
    }
    Finding {
        mend: Some("for bpftrace, perf trace and the like: `sudo mount -t tracefs tracefs /sys/kernel/tracing`".into()),
        ..Finding::ok("tracefs", "not mounted, and not needed here")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (release, machine, status) in [
            ("6.18.44-cloud", "x86_64", Status::Ok),
            ("5.10.0-30-amd64", "x86_64", Status::Ok),
            ("5.9.16", "aarch64", Status::Missing),
            ("4.19", "x86_64", Status::Missing),
            ("6.1", "riscv64", Status::Missing),
            ("next", "x86_64", Status::Degraded),
        ] {
            assert_eq!(kernel_of(release, machine).status, status, "{release} {machine}");
        }
    }

    #[test]
    fn memory_says_whose_it_is() {
        let room = |limit| Some(Room { bytes: 100, limit });
        assert_eq!(memory_of(room(None), 99).status, Status::Ok);
        let narrow = memory_of(room(Some(200)), 101);
        assert_eq!(narrow.status, Status::Missing);
        assert!(narrow.detail.contains("200 B of this cgroup"), "{}", narrow.detail);
        assert_eq!(memory_of(None, 99).status, Status::Degraded);
    }

    #[test]
    fn locked_memory_binds_old_kernels_only() {
        let (none, raise) = (Rights::default(), Rights { capabilities: 1 << CAP_SYS_RESOURCE, ..Rights::default() });
        let (old, new) = (Some(Version(5, 10)), Some(Version(5, 11)));
        let status = |current, maximum, rights, version| memlock_of(current, maximum, rights, version, 100).status;
        assert_eq!(status(Some(1), Some(1), &none, new), Status::Ok);
        assert_eq!(status(Some(1), Some(1), &none, old), Status::Missing);
        assert_eq!(status(Some(1), Some(1), &raise, old), Status::Ok);
        assert_eq!(status(Some(1), None, &none, old), Status::Ok);
        assert_eq!(status(None, None, &none, old), Status::Ok);
    }

    #[test]
    fn zeroes_in_schedstat_are_not_taken_for_figures() {
        assert_eq!(schedstat_of(Some("0 0 1\n")).status, Status::Ok);
        assert_eq!(schedstat_of(Some("0 0 0\n")).status, Status::Degraded);
        assert_eq!(schedstat_of(None).status, Status::Degraded);
    }

    #[test]
    fn a_slow_clock_is_named_with_the_better_one() {
        let clock = |current, available| clock_source_of(current, available, "/d");
        assert_eq!(clock("tsc", "tsc hpet").status, Status::Ok);
        assert_eq!(clock("arch_sys_counter", "arch_sys_counter").status, Status::Ok);
        let slow = clock("hpet", "hpet acpi_pm kvm-clock");
        assert_eq!(slow.mend.as_deref(), Some("`echo kvm-clock | sudo tee /d/current_clocksource`"));
        assert!(clock("acpi_pm", "hpet acpi_pm").mend.is_some_and(|mend| mend.contains("tsc=reliable")));
    }
}
