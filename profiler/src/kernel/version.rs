//! kernel/version: the kernel's version, and what follows from it.

/// A kernel's version, without the patch level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl Version {
    /// From `uname -r`: `6.18.44-cloud`, `5.10-rc1`.
    pub(super) fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Whether programs on tracepoints run with preemption on: since 7.0, where `__bpf_trace_run`
    /// takes `rcu_read_lock_dont_migrate`.
    pub(super) fn preempts_programs(self) -> bool {
        self >= Self(7, 0)
    }
}

/// The running kernel's; `None` where it is not a version.
pub(super) fn kernel_version() -> Option<Version> {
    Version::parse(&rustix::system::uname().release().to_string_lossy())
}

/// Whether the running kernel is of this version or a later one; `false` where it cannot be told.
pub fn is_at_least(major: u32, minor: u32) -> bool {
    kernel_version().is_some_and(|version| version >= Version(major, minor))
}

/// Whether the running kernel may preempt a program on a system call.
pub fn programs_are_preempted() -> bool {
    kernel_version().is_some_and(Version::preempts_programs)
}
