//! kernel/preflight/rights: what this user may do: capabilities (capabilities(7)), namespaces,
//! lockdown.

use std::fs;

use super::finding::Finding;

/// `PROC_PID_INIT_INO` and `PROC_USER_INIT_INO` of include/linux/proc_ns.h.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

// Bit numbers of include/uapi/linux/capability.h.
pub(super) const CAP_DAC_READ_SEARCH: u32 = 2;
pub(super) const CAP_SYS_PTRACE: u32 = 19;
pub(super) const CAP_SYS_ADMIN: u32 = 21;
pub(super) const CAP_SYS_RESOURCE: u32 = 24;
pub(super) const CAP_PERFMON: u32 = 38;
pub(super) const CAP_BPF: u32 = 39;

/// What this process may do.
#[derive(Clone, Debug, Default)]
pub(super) struct Rights {
    /// Effective capabilities, bit by bit.
    pub(super) capabilities: u64,
    /// A seccomp filter stands between this process and the kernel.
    pub(super) filtered: bool,
    /// Capabilities count only in the initial user namespace.
    pub(super) own_user_namespace: bool,
    /// Value of the sysctl `kernel.unprivileged_bpf_disabled`; `None`: it cannot be read.
    pub(super) unprivileged_bpf_disabled: Option<u32>,
    /// Where this executable lies, for setcap.
    pub(super) exe: String,
}

impl Rights {
    pub(super) fn read_own() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let namespace = fs::read_link("/proc/self/ns/user").ok();
        let exe = std::env::current_exe();
        Self {
            capabilities: field("CapEff:").and_then(|bits| u64::from_str_radix(bits, 16).ok()).unwrap_or_default(),
            filtered: field("Seccomp:") == Some("2"),
            own_user_namespace: namespace.is_some_and(|link| link.as_os_str() != INITIAL_USER_NAMESPACE),
            unprivileged_bpf_disabled: sysctl("kernel/unprivileged_bpf_disabled"),
            exe: exe.map_or_else(|_| "$(command -v should-i-async)".into(), |path| quoted(&path.to_string_lossy())),
        }
    }

    pub(super) fn has(&self, capability: u32) -> bool {
        self.capabilities & (1 << capability) != 0
    }

    /// CAP_SYS_ADMIN contains the two that were split off in 5.8.
    pub(super) fn may_load(&self) -> bool {
        self.has(CAP_SYS_ADMIN) || (self.has(CAP_BPF) && self.has(CAP_PERFMON))
    }

    pub(super) fn may_perf(&self) -> bool {
        self.has(CAP_SYS_ADMIN) || self.has(CAP_PERFMON)
    }

    /// How to get every capability that is of use.
    pub(super) fn mend(&self) -> String {
        if self.own_user_namespace {
            return "run it outside of the user namespace, on the host: `sudo should-i-async`; rootless containers \
                    cannot be given these rights"
                .into();
        }
        format!(
            "run it with sudo, or once: \
             `sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep {}`",
            self.exe
        )
    }

    /// Whether kernel programs may be loaded.
    pub(super) fn measuring(&self) -> Finding {
        let name = "capabilities";
        if self.own_user_namespace {
            let detail = "this is a user namespace, where capabilities do not count for bpf(2)";
            return Finding::missing(name, detail, self.mend());
        }
        match (self.has(CAP_SYS_ADMIN), self.has(CAP_BPF), self.has(CAP_PERFMON)) {
            (_, true, true) => Finding::ok(name, "cap_bpf and cap_perfmon: kernel programs may be loaded"),
            (true, ..) => Finding::ok(name, "cap_sys_admin: kernel programs may be loaded"),
            (_, true, false) => Finding::missing(name, "cap_bpf, but no cap_perfmon", self.mend()),
            (_, false, true) => Finding::missing(name, "cap_perfmon, but no cap_bpf", self.mend()),
            (_, false, false) => {
                Finding::missing(name, "neither cap_bpf and cap_perfmon nor cap_sys_admin", self.mend())
            }
        }
    }

    /// Whether other users' processes may be looked into.
    pub(super) fn looking(&self) -> Finding {
        let wanted = [(CAP_SYS_PTRACE, "cap_sys_ptrace"), (CAP_DAC_READ_SEARCH, "cap_dac_read_search")];
        let lacking: Vec<_> = wanted.iter().filter(|(bit, _)| !self.has(*bit)).map(|(_, name)| *name).collect();
        if lacking.is_empty() {
            return Finding::ok("proc access", "descriptors, system calls and symbols of every user's processes");
        }
        let detail =
            format!("no {}: other users' processes cannot be measured with names and symbols", lacking.join(", no "));
        Finding::degraded("proc access", detail, self.mend())
    }
}

/// A number from /proc/sys; `None` where the kernel lacks it or keeps it from this user.
pub(super) fn sysctl(path: &str) -> Option<u32> {
    fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().parse().ok()
}

fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The kernel programs see the initial namespace's PIDs.
pub(super) fn pid_namespace() -> Finding {
    let name = "pid namespace";
    match fs::read_link("/proc/self/ns/pid") {
        Ok(link) if link.as_os_str() == INITIAL_PID_NAMESPACE => Finding::ok(name, "the host's"),
        Ok(link) => Finding::missing(
            name,
            format!("{}: not the host's, so PIDs here are not those that the kernel reports", link.display()),
            "start the container with `docker run --pid=host --privileged`, or run on the host",
        ),
        Err(error) => Finding::degraded(
            name,
            format!("/proc/self/ns/pid cannot be read: {error}"),
            "mount /proc: `sudo mount -t proc proc /proc`",
        ),
    }
}

/// Kernel lockdown, kernel_lockdown(7). That reading memory truly works is tried with a program of
/// its own.
pub(super) fn lockdown() -> Finding {
    lockdown_of(fs::read_to_string("/sys/kernel/security/lockdown").ok().as_deref())
}

fn lockdown_of(text: Option<&str>) -> Finding {
    let name = "lockdown";
    match text {
        Some(text) if text.contains("[confidentiality]") => Finding::missing(
            name,
            "confidentiality: kernel programs may not read kernel memory",
            "boot with `lockdown=integrity`, or switch Secure Boot off in the firmware",
        ),
        Some(text) if text.contains("[integrity]") => Finding::ok(name, "integrity, which leaves reading allowed"),
        Some(_) => Finding::ok(name, "none"),
        None => Finding::ok(name, "not known here (no securityfs), see `kernel reads` below"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn rights(capabilities: &[u32]) -> Rights {
        let capabilities = capabilities.iter().fold(0, |bits, bit| bits | 1 << bit);
        Rights { capabilities, exe: "/usr/bin/should-i-async".into(), ..Rights::default() }
    }

    #[test]
    fn the_capabilities_that_suffice() {
        for (capabilities, status) in [
            (&[][..], Status::Missing),
            (&[CAP_BPF], Status::Missing),
            (&[CAP_PERFMON], Status::Missing),
            (&[CAP_BPF, CAP_PERFMON], Status::Ok),
            (&[CAP_SYS_ADMIN], Status::Ok),
        ] {
            let rights = rights(capabilities);
            assert_eq!(rights.measuring().status, status, "{capabilities:?}");
            assert_eq!(rights.may_load(), status == Status::Ok);
        }
        assert_eq!(rights(&[CAP_SYS_PTRACE]).looking().status, Status::Degraded);
        assert_eq!(rights(&[CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH]).looking().status, Status::Ok);
    }

    #[test]
    fn in_a_user_namespace_no_capability_suffices() {
        let inside = Rights { own_user_namespace: true, ..rights(&[CAP_SYS_ADMIN]) };
        assert_eq!(inside.measuring().status, Status::Missing);
        assert!(!inside.mend().contains("setcap"));
    }

    #[test]
    fn the_mend_names_this_executable_so_that_a_shell_takes_it() {
        assert!(rights(&[]).mend().ends_with("cap_dac_read_search+ep /usr/bin/should-i-async`"));
        assert_eq!(quoted("/home/a b/it's"), r"'/home/a b/it'\''s'");
    }

    #[test]
    fn only_confidentiality_blocks_reading() {
        assert_eq!(lockdown_of(Some("none integrity [confidentiality]\n")).status, Status::Missing);
        assert_eq!(lockdown_of(Some("none [integrity] confidentiality\n")).status, Status::Ok);
        assert_eq!(lockdown_of(Some("[none] integrity confidentiality\n")).status, Status::Ok);
        assert_eq!(lockdown_of(None).status, Status::Ok);
    }
}
