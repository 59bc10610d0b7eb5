//! Cgroups with a quota of CPU that a test makes for itself, and what the kernel counts of them,
//! read by code of the tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tool::within;

/// The kernel frees a group's last process a moment after that has ended.
const EMPTY: Duration = Duration::from_secs(3);
/// Microseconds of each period.
const PERIOD: u64 = 100_000;

/// A group of the hierarchy that has the CPU controller. Removed when dropped.
pub(crate) struct Cgroup {
    folder: PathBuf,
    version: u32,
}

/// What a group was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) periods: u64,
    pub(crate) throttled_periods: u64,
    pub(crate) nanos: u64,
}

impl Cgroup {
    /// A group below the root; `None` where no hierarchy with the controller is mounted. In CI that
    /// fails if the kernel has the controller.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mounted = |kind: &str, option: &str| {
            let of = |line: &str| -> Option<PathBuf> {
                let fields: Vec<&str> = line.split(' ').collect();
                let has = option.is_empty() || fields[3].split(',').any(|o| o == option);
                (fields[2] == kind && has).then(|| PathBuf::from(fields[1]))
            };
            mounts.lines().find_map(of)
        };
        let (root, version) = match (mounted("cgroup", "cpu"), mounted("cgroup2", "")) {
            (Some(root), _) => (root, 1),
            (None, Some(root)) if offers_cpu(&root) => (root, 2),
            _ => {
                let known = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
                let exists = known.lines().any(|line| line.starts_with("cpu\t"));
                assert!(!exists || std::env::var_os("CI").is_none(), "no hierarchy with the CPU controller is mounted");
                return None;
            }
        };
        Some(Self::make(&root, version, name))
    }

    /// A group inside this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self::make(&self.folder, self.version, name)
    }

    /// A group inside this one, with this very name.
    #[allow(dead_code, reason = "not every test names one")]
    pub(crate) fn called(&self, name: &str) -> Self {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        Self { folder, version: self.version }
    }

    /// Where it is mounted.
    #[allow(dead_code, reason = "not every test names one")]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn make(parent: &Path, version: u32, name: &str) -> Self {
        if version == 2 {
            std::fs::write(parent.join("cgroup.subtree_control"), "+cpu").unwrap();
        }
        let folder = parent.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self { folder, version }
    }

    /// Lets its processes use so many thousandths of a CPU.
    pub(crate) fn limit(&self, thousandths: u64) {
        let quota = PERIOD * thousandths / 1_000;
        match self.version {
            1 => {
                self.write("cpu.cfs_period_us", &PERIOD.to_string());
                self.write("cpu.cfs_quota_us", &quota.to_string());
            }
            _ => self.write("cpu.max", &format!("{quota} {PERIOD}")),
        }
    }

    /// Moves a process into it.
    pub(crate) fn take(&self, pid: u32) {
        self.write("cgroup.procs", &pid.to_string());
    }

    /// What its name ends with.
    pub(crate) fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn held(&self) -> Held {
        let text = std::fs::read_to_string(self.folder.join("cpu.stat")).unwrap();
        let field =
            |name: &str| -> Option<u64> { text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()) };
        Held {
            periods: field("nr_periods").unwrap(),
            throttled_periods: field("nr_throttled").unwrap(),
            nanos: field("throttled_time").or_else(|| Some(1_000 * field("throttled_usec")?)).unwrap(),
        }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.join(file), text).unwrap_or_else(|e| panic!("{text} to {file}: {e}"));
    }
}

fn offers_cpu(root: &Path) -> bool {
    let offered = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    offered.split_whitespace().any(|name| name == "cpu")
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        within(EMPTY, || std::fs::remove_dir(&self.folder).is_ok());
    }
}
