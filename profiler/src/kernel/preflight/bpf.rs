//! kernel/preflight/bpf: bpf(2) by hand: the smallest program and map of each kind that measuring
//! needs, made and dropped again. By hand, because a refusal's errno is the finding, and nothing
//! else may stand in its way.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use super::super::version::Version;
use super::finding::{Finding, plain};
use super::rights::{CAP_SYS_ADMIN, Rights, sysctl};

// Commands, program, attach and map types of include/uapi/linux/bpf.h.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_ENABLE_STATS: libc::c_long = 32;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_RINGBUF: u32 = 27;
const BPF_F_MMAPABLE: u32 = 1 << 10;

/// `r0 = 0; exit`.
const NOTHING: [u64; 2] = [0xb7, 0x95];
/// `bpf_probe_read_kernel(fp - 8, 8, 0); r0 = 0; exit`: helper 113, which lockdown takes away.
const READS_KERNEL: [u64; 7] =
    [0xa1bf, 0xffff_fff8_0000_0107, 0x0000_0008_0000_02b7, 0x03b7, 0x0000_0071_0000_0085, 0xb7, 0x95];

/// The head of `union bpf_attr` for BPF_PROG_LOAD, as far as any program here needs it. The kernel
/// takes a shorter attribute than its own, and a longer one whose end is zero.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[repr(C)]
struct EnableStats {
    /// What to count; `BPF_STATS_RUN_TIME` is 0.
    kind: u32,
}

fn bpf<T>(command: libc::c_long, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: `attr` is a readable plain structure of the given size, and the buffers that it
    // points to outlive the call. The kernel checks everything else.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), size_of::<T>()) };
    match i32::try_from(fd) {
        // SAFETY: each of the commands used here returns a new descriptor that nobody else owns.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn load(prog_type: u32, expected_attach_type: u32, attach_btf_id: u32, program: &[u64]) -> io::Result<()> {
    let attr = ProgLoad {
        prog_type,
        insn_cnt: u32::try_from(program.len()).unwrap_or_default(),
        insns: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        prog_name: *b"preflight\0\0\0\0\0\0\0",
        expected_attach_type,
        attach_btf_id,
        ..ProgLoad::default()
    };
    bpf(BPF_PROG_LOAD, &attr).map(drop)
}

/// The program types, and reading kernel memory.
pub(super) fn programs(rights: &Rights, version: Option<Version>, sched_switch: Option<u32>) -> Vec<Finding> {
    let raw = load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, &NOTHING);
    let tracing = sched_switch.map(|id| load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id, &NOTHING));
    let reads = load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, &READS_KERNEL);
    let mut findings = vec![match &raw {
        Ok(()) => Finding::ok("raw tracepoint", "programs of this type load"),
        Err(error) => refused("raw tracepoint", error, rights, version),
    }];
    // Each of the two types does; tp_btf is the faster one.
    let (name, fallback) = ("tp_btf", "raw tracepoints do the same, with a little more code");
    findings.push(match (tracing, raw.is_ok()) {
        (Some(Ok(())), _) => Finding::ok(name, "programs of this type load"),
        (Some(Err(error)), true) => Finding::degraded(
            name,
            format!("refused ({}); {fallback}", plain(&error)),
            explain(&error, rights, version).1,
        ),
        (Some(Err(error)), false) => refused(name, &error, rights, version),
        (None, true) => Finding::degraded(
            name,
            format!("not tried, BTF has no btf_trace_sched_switch; {fallback}"),
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y",
        ),
        (None, false) => Finding::missing(name, "not tried, BTF has no btf_trace_sched_switch", rights.mend()),
    });
    findings.push(match (&raw, reads) {
        (_, Ok(())) => Finding::ok("kernel reads", "programs may read kernel memory"),
        (Ok(()), Err(error)) => Finding::missing(
            "kernel reads",
            format!("programs load, but may not read kernel memory ({}): lockdown, or no cap_perfmon", plain(&error)),
            "boot with `lockdown=integrity`, or switch Secure Boot off in the firmware",
        ),
        (Err(_), Err(error)) => refused("kernel reads", &error, rights, version),
    });
    findings
}

/// Whether this kernel has the map types that are needed.
pub(super) fn maps(rights: &Rights, version: Option<Version>) -> Vec<Finding> {
    let page = u32::try_from(rustix::param::page_size()).unwrap_or(1 << 16);
    let ring =
        MapCreate { map_type: BPF_MAP_TYPE_RINGBUF, key_size: 0, value_size: 0, max_entries: page, map_flags: 0 };
    let array = MapCreate {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        map_flags: BPF_F_MMAPABLE,
    };
    let made = |name, map: &MapCreate| match bpf(BPF_MAP_CREATE, map) {
        Ok(_) => Finding::ok(name, "maps of this type can be made"),
        Err(error) => refused(name, &error, rights, version),
    };
    vec![made("ring buffer", &ring), made("mmap array", &array)]
}

/// Run time of programs, from which the self-cost comes.
pub(super) fn statistics(rights: &Rights) -> Finding {
    let name = "bpf statistics";
    if sysctl("kernel/bpf_stats_enabled") == Some(1) {
        return Finding::ok(name, "on for the whole machine (kernel.bpf_stats_enabled): self-cost is measured");
    }
    match bpf(BPF_ENABLE_STATS, &EnableStats { kind: 0 }) {
        Ok(_) => Finding::ok(name, "can be switched on: self-cost is measured"),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) && !rights.has(CAP_SYS_ADMIN) => Finding::degraded(
            name,
            "only cap_sys_admin may switch them on: self-cost is modelled, not measured",
            "switch them on for the whole machine: `sudo sysctl kernel.bpf_stats_enabled=1`, or run with sudo",
        ),
        Err(error) => Finding::degraded(
            name,
            format!("cannot be switched on ({}): self-cost is modelled, not measured", plain(&error)),
            "`sudo sysctl kernel.bpf_stats_enabled=1`",
        ),
    }
}

/// Without the compiler the programs are interpreted. `None` where this user may not know.
pub(super) fn jit() -> Option<Finding> {
    Some(match sysctl("net/core/bpf_jit_enable")? {
        0 => Finding::degraded(
            "bpf jit",
            "off: programs are interpreted, several times slower",
            "`sudo sysctl net.core.bpf_jit_enable=1`",
        ),
        _ => Finding::ok("bpf jit", "on"),
    })
}

fn refused(name: &'static str, error: &io::Error, rights: &Rights, version: Option<Version>) -> Finding {
    let (detail, mend) = explain(error, rights, version);
    Finding::missing(name, detail, mend)
}

/// What an errno of bpf(2) most probably means for this user on this kernel, and what mends it.
fn explain(error: &io::Error, rights: &Rights, version: Option<Version>) -> (String, String) {
    let charged_to_memlock = version.is_some_and(|version| version < Version(5, 11));
    match error.raw_os_error() {
        Some(libc::EPERM) if rights.own_user_namespace => {
            ("refused: the capabilities of a user namespace do not count".into(), rights.mend())
        }
        Some(libc::EPERM) if !rights.may_load() => {
            let disabled = rights.unprivileged_bpf_disabled;
            let disabled = disabled.map(|value| format!(" (kernel.unprivileged_bpf_disabled = {value})"));
            (format!("refused without capabilities{}", disabled.unwrap_or_default()), rights.mend())
        }
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) if rights.filtered => (
            "bpf(2) is refused in spite of the capabilities: a seccomp filter is on".into(),
            "start the container with `docker run --pid=host --privileged` (or add \
             `--security-opt seccomp=unconfined`); in a systemd unit add bpf and perf_event_open to SystemCallFilter="
                .into(),
        ),
        Some(libc::EPERM) if charged_to_memlock => (
            "bpf(2) is refused in spite of the capabilities: before 5.11 maps count as locked memory".into(),
            "`ulimit -l unlimited` in the shell that starts it; in a systemd unit LimitMEMLOCK=infinity".into(),
        ),
        Some(libc::EPERM | libc::EACCES) => (
            format!("bpf(2) is refused in spite of the capabilities: a security module or lockdown ({})", plain(error)),
            "see who refused with `sudo dmesg | grep -iE 'denied|lockdown'`, and allow it there".into(),
        ),
        Some(libc::ENOSYS) => ("the kernel has no bpf(2)".into(), "boot a kernel with CONFIG_BPF_SYSCALL=y".into()),
        Some(libc::EINVAL) => (
            format!("the kernel does not know this type ({})", plain(error)),
            "boot a kernel of 5.10 or later with CONFIG_BPF_EVENTS=y".into(),
        ),
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => (
            format!("memory or descriptors are short ({})", plain(error)),
            "free memory (`free -m`), or raise the limit of the cgroup or of open files (`ulimit -n 4096`)".into(),
        ),
        _ => (format!("bpf(2) failed: {error}"), "run it with sudo; where that fails too, report this line".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::rights::{CAP_BPF, CAP_PERFMON};
    use super::*;

    #[test]
    fn each_refusal_has_its_own_mend() {
        let able = Rights { capabilities: 1 << CAP_BPF | 1 << CAP_PERFMON, ..Rights::default() };
        let none = Rights { unprivileged_bpf_disabled: Some(2), exe: "/x".into(), ..Rights::default() };
        let inside = Rights { own_user_namespace: true, ..able.clone() };
        let filtered = Rights { filtered: true, ..able.clone() };
        let (old, new) = (Some(Version(5, 10)), Some(Version(6, 1)));
        for (errno, rights, version, detail, mend) in [
            (libc::EPERM, &none, new, "unprivileged_bpf_disabled = 2", "setcap"),
            (libc::EPERM, &inside, new, "user namespace", "on the host"),
            (libc::EPERM, &filtered, new, "seccomp", "--privileged"),
            (libc::ENOSYS, &filtered, new, "seccomp", "SystemCallFilter"),
            (libc::EPERM, &able, old, "locked memory", "ulimit -l unlimited"),
            (libc::EPERM, &able, new, "security module", "dmesg"),
            (libc::ENOSYS, &able, new, "no bpf(2)", "CONFIG_BPF_SYSCALL"),
            (libc::EINVAL, &able, new, "does not know", "5.10"),
            (libc::E2BIG, &able, new, "failed", "report"),
        ] {
            let found = explain(&io::Error::from_raw_os_error(errno), rights, version);
            assert!(found.0.contains(detail) && found.1.contains(mend), "{errno}: {found:?}");
        }
    }

    #[test]
    fn what_the_capabilities_promise_the_kernel_keeps() {
        let rights = Rights::read_own();
        let found = programs(&rights, None, None);
        assert_eq!(found.len(), 3);
        if !rights.may_load() {
            assert!(found.iter().all(|finding| finding.status == Status::Missing), "{found:?}");
        }
        assert_eq!(maps(&rights, None).len(), 2);
    }
}
