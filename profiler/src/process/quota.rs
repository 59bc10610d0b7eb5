//! process/quota: how much CPU the target's cgroups let it use (CFS bandwidth), and how often and
//! for how long they held it back. Formats: Documentation/admin-guide/cgroup-v2.rst (`cpu.max`,
//! `cpu.stat`), Documentation/scheduler/sched-bwc.rst (version 1).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::proc;
use crate::{
    quantity::{Nanos, Tgid},
    text::mountinfo::{CgroupVersion, Mount},
};

/// A group with a quota that processes of the target are in, or that is above such a group.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuQuota {
    /// Its path in the hierarchy.
    pub group: String,
    /// CPUs that all of its processes together may use; `None` where it has no quota any more.
    pub cpus: Option<f64>,
    /// The same when the first look was taken.
    pub cpus_at_start: Option<f64>,
    /// Periods of the quota that were looked at since: those in which something ran.
    pub periods: u64,
    /// Those of them in which it was used up.
    pub throttled_periods: u64,
    /// How long its processes were held back, every CPU counted for itself.
    pub throttled: Nanos,
}

/// Watches the quotas of the groups that processes are in.
#[derive(Clone, Debug, Default)]
pub struct QuotaWatch {
    hierarchy: Option<Hierarchy>,
    /// The groups that the processes themselves are in.
    inhabited: BTreeSet<PathBuf>,
    /// By the group's folder, of groups that had a quota at a look.
    groups: BTreeMap<PathBuf, Looks>,
    begun: Nanos,
    last: Nanos,
}

/// A group at two moments.
#[derive(Clone, Copy, Debug)]
struct Looks {
    first: Look,
    last: Look,
}

/// A group at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    /// CPUs that it may use.
    cpus: Option<f64>,
    periods: u64,
    throttled_periods: u64,
    throttled: Nanos,
}

impl QuotaWatch {
    /// Takes a first look at the groups of these processes.
    pub fn begin(processes: impl Iterator<Item = Tgid>, now: Nanos) -> Self {
        let mounts = proc::read("/proc/self/mountinfo").unwrap_or_default();
        let mut watch = Self { hierarchy: Hierarchy::find(&mounts), begun: now, last: now, ..Self::default() };
        watch.enter(processes);
        watch.look(now);
        watch
    }

    /// Looks again, where the processes may have moved to other groups meanwhile.
    pub fn enter(&mut self, processes: impl Iterator<Item = Tgid>) {
        let Some(hierarchy) = &self.hierarchy else { return };
        let folder = |tgid: Tgid| {
            let text = proc::read(&format!("{}/cgroup", proc::shared_dir(tgid.as_raw()))).ok()?;
            hierarchy.folder(&text)
        };
        let now: BTreeSet<PathBuf> = processes.filter_map(folder).collect();
        // Processes that are gone were in the groups of the look before.
        if !now.is_empty() {
            self.inhabited = now;
        }
    }

    /// Reads the quotas again.
    pub fn look(&mut self, now: Nanos) {
        let Some(hierarchy) = &self.hierarchy else { return };
        self.last = now;
        for folder in self.inhabited.iter().flat_map(|leaf| hierarchy.up_from(leaf)) {
            let Some(look) = hierarchy.look(folder) else { continue };
            match self.groups.get_mut(folder) {
                Some(looks) => looks.last = look,
                None if look.cpus.is_some() => {
                    _ = self.groups.insert(folder.to_owned(), Looks { first: look, last: look });
                }
                None => {}
            }
        }
    }

    /// How long was watched.
    pub fn over(&self) -> Nanos {
        self.last.saturating_sub(self.begun)
    }

    /// The groups with a quota, the one that was held back longest first, then the smallest.
    pub fn found(&self) -> Vec<CpuQuota> {
        let Some(hierarchy) = &self.hierarchy else { return Vec::new() };
        let of_group = |(folder, looks): (&PathBuf, &Looks)| CpuQuota {
            group: proc::printable(hierarchy.name(folder).as_os_str().as_encoded_bytes()),
            cpus: looks.last.cpus,
            cpus_at_start: looks.first.cpus,
            periods: looks.last.periods.saturating_sub(looks.first.periods),
            throttled_periods: looks.last.throttled_periods.saturating_sub(looks.first.throttled_periods),
            throttled: looks.last.throttled.saturating_sub(looks.first.throttled),
        };
        let mut found: Vec<CpuQuota> = self.groups.iter().map(of_group).collect();
        let size = |quota: &CpuQuota| quota.cpus.or(quota.cpus_at_start).unwrap_or(f64::INFINITY);
        found.sort_by(|a, b| b.throttled.cmp(&a.throttled).then(size(a).total_cmp(&size(b))));
        found
    }

    /// CPUs that all the quotas together leave to the processes; `None` where one of them may use
    /// any number. What a quota was at the first look counts where it is larger now.
    pub fn limit(&self) -> Option<f64> {
        let hierarchy = self.hierarchy.as_ref()?;
        // The deepest first, so that what is below a group is known when it is reached.
        let mut folders: Vec<&Path> = self.inhabited.iter().flat_map(|leaf| hierarchy.up_from(leaf)).collect();
        folders.sort_by_key(|folder| (std::cmp::Reverse(folder.components().count()), *folder));
        folders.dedup();
        let mut room: BTreeMap<&Path, f64> = BTreeMap::new();
        for folder in &folders {
            let below = if self.inhabited.contains(*folder) {
                f64::INFINITY
            } else {
                room.iter().filter(|(child, _)| child.parent() == Some(*folder)).map(|(_, cpus)| cpus).sum()
            };
            let own = self.groups.get(*folder).map_or(f64::INFINITY, Looks::smallest);
            room.insert(*folder, own.min(below));
        }
        folders.last().and_then(|top| room.get(top)).copied().filter(|cpus| cpus.is_finite())
    }
}

impl Looks {
    fn smallest(&self) -> f64 {
        [self.first.cpus, self.last.cpus].into_iter().flatten().fold(f64::INFINITY, f64::min)
    }
}

/// The hierarchy that the CPU controller belongs to, as it is mounted here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy(Mount);

impl Hierarchy {
    /// The version-1 hierarchy of the controller if one is mounted, else the version-2 hierarchy:
    /// a controller belongs to one of the two.
    fn find(mountinfo: &[u8]) -> Option<Self> {
        let one = Mount::all(mountinfo).find(|mount| mount.is_v1_of("cpu"));
        let two = || Mount::all(mountinfo).find(|mount| mount.cgroup_version() == Some(CgroupVersion::Two));
        one.or_else(two).map(Self)
    }

    /// The folder of the group that a `/proc/PID/cgroup` file names; `None` where the mount does
    /// not show it.
    fn folder(&self, cgroup: &[u8]) -> Option<PathBuf> {
        let path = cgroup.split(|&b| b == b'\n').find_map(|line| {
            let mut fields = line.splitn(3, |&b| b == b':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let is_ours = match self.0.cgroup_version()? {
                CgroupVersion::One => controllers.split(|&b| b == b',').any(|name| name == b"cpu"),
                CgroupVersion::Two => controllers.is_empty(),
            };
            is_ours.then(|| PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())))
        })?;
        self.0.place_of(&path)
    }

    /// A group and those above it.
    fn up_from<'a>(&'a self, leaf: &'a Path) -> impl Iterator<Item = &'a Path> {
        leaf.ancestors().take_while(|folder| folder.starts_with(&self.0.mounted_on))
    }

    /// A group's path in the hierarchy.
    fn name(&self, folder: &Path) -> PathBuf {
        let Mount { root, mounted_on, .. } = &self.0;
        let below = folder.strip_prefix(mounted_on).unwrap_or(folder);
        if below.as_os_str().is_empty() { root.clone() } else { root.join(below) }
    }

    /// `None` where the group has no controller of the CPU, or is gone.
    fn look(&self, folder: &Path) -> Option<Look> {
        let text = |file: &str| proc::read(folder.join(file).to_str()?).ok();
        let cpus = match self.0.cgroup_version()? {
            CgroupVersion::One => quota_v1(&text("cpu.cfs_quota_us")?, &text("cpu.cfs_period_us")?),
            CgroupVersion::Two => quota_v2(&text("cpu.max")?),
        };
        Some(Look { cpus, ..held(&text("cpu.stat")?) })
    }
}

/// `20000 100000`, or `max 100000`: microseconds of CPU in a period of so many.
fn quota_v2(text: &[u8]) -> Option<f64> {
    let mut fields = str::from_utf8(text).ok()?.split_ascii_whitespace();
    let (quota, period) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    share(quota, period)
}

/// The quota is -1 where there is none.
fn quota_v1(quota: &[u8], period: &[u8]) -> Option<f64> {
    share(proc::number(quota)?, proc::number(period)?)
}

fn share(quota: u64, period: u64) -> Option<f64> {
    (period > 0).then(|| quota as f64 / period as f64)
}

/// The counts of a `cpu.stat` file. Version 1 has `throttled_time` in ns, version 2
/// `throttled_usec`.
fn held(stat: &[u8]) -> Look {
    let field = |name: &[u8]| -> u64 { proc::status_field(stat, name).and_then(proc::number).unwrap_or(0) };
    let micros = field(b"throttled_usec ").saturating_mul(1_000);
    Look {
        cpus: None,
        periods: field(b"nr_periods "),
        throttled_periods: field(b"nr_throttled "),
        throttled: Nanos::from_nanos(micros.max(field(b"throttled_time "))),
    }
}

#[cfg(fuzzing)]
pub(super) fn fuzz(text: &[u8]) {
    let (quota, period) = text.split_at(text.len() / 2);
    let _ = (quota_v2(text), quota_v1(quota, period), held(text));
    if let Some(mount) = Hierarchy::find(quota) {
        let _ = mount.folder(period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &[u8] = b"24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        31 24 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        36 31 0:33 / /sys/fs/cgroup/cpuset rw,nosuid shared:15 - cgroup cgroup rw,cpuset\n\
        37 31 0:34 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const V2: &[u8] = b"29 24 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const IN_A_CONTAINER: &[u8] =
        b"655 640 0:34 /docker/0123 /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n";

    fn folder(mountinfo: &[u8], cgroup: &[u8]) -> Option<String> {
        let folder = Hierarchy::find(mountinfo)?.folder(cgroup)?;
        Some(folder.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_process_is_found_where_its_controller_is_mounted() {
        let both = b"12:cpuset:/a\n5:cpu,cpuacct:/web.slice/x\n1:name=systemd:/b\n0::/c\n";
        let cpu = "/sys/fs/cgroup/cpu,cpuacct";
        assert_eq!(folder(V1, both), Some(format!("{cpu}/web.slice/x")));
        assert_eq!(folder(V1, b"5:cpu,cpuacct:/\n"), Some(cpu.to_owned()));
        assert_eq!(
            folder(V2, b"0::/system.slice/a:b.service\n"),
            Some("/sys/fs/cgroup/system.slice/a:b.service".into())
        );
        assert_eq!(folder(V2, b"0::/../other\n"), None, "outside of this cgroup namespace");
        assert_eq!(folder(V2, both), Some("/sys/fs/cgroup/c".into()));
        // The mount shows a part of the hierarchy.
        assert_eq!(folder(IN_A_CONTAINER, b"5:cpu,cpuacct:/docker/0123/y\n"), Some(format!("{cpu}/y")));
        assert_eq!(folder(IN_A_CONTAINER, b"5:cpu,cpuacct:/docker/9999\n"), None);
        assert_eq!(folder(b"24 1 254:0 / / rw - ext4 /dev/vda rw\n", both), None);
        assert_eq!(folder(b"", both), None);
        let named = Hierarchy::find(IN_A_CONTAINER).unwrap();
        assert_eq!(named.name(Path::new("/sys/fs/cgroup/cpu,cpuacct/y")), Path::new("/docker/0123/y"));
    }

    #[test]
    fn a_mount_may_have_any_name() {
        let line = b"9 1 0:3 / /mnt/c\\040g\\134x rw - cgroup2 none rw\n";
        assert_eq!(folder(line, b"0::/a b\n"), Some("/mnt/c g\\x/a b".into()));
    }

    #[test]
    fn quotas_are_read_in_both_versions() {
        assert_eq!(quota_v2(b"20000 100000\n"), Some(0.2));
        assert_eq!(quota_v2(b"max 100000\n"), None);
        assert_eq!(quota_v2(b""), None);
        assert_eq!(quota_v1(b"150000\n", b"100000\n"), Some(1.5));
        assert_eq!(quota_v1(b"-1\n", b"100000\n"), None);
        assert_eq!(quota_v1(b"1000\n", b"0\n"), None);
    }

    #[test]
    fn held_time_is_read_in_both_units() {
        let v1 = b"nr_periods 21\nnr_throttled 20\nthrottled_time 1000206192\nnr_bursts 0\nburst_time 0\n";
        let v2 = b"usage_usec 9\nuser_usec 9\nsystem_usec 0\nnr_periods 21\nnr_throttled 20\nthrottled_usec 1000206\n";
        let (one, two) = (held(v1), held(v2));
        assert_eq!((one.periods, one.throttled_periods, one.throttled.as_nanos()), (21, 20, 1_000_206_192));
        assert_eq!((two.periods, two.throttled_periods, two.throttled.as_nanos()), (21, 20, 1_000_206_000));
        assert_eq!(held(b"usage_usec 9\n"), Look::default(), "a group without the controller");
    }

    /// A watch of version 2 whose groups have these quotas.
    fn watch(inhabited: &[&str], quotas: &[(&str, f64)]) -> QuotaWatch {
        let look = |cpus: f64| Look { cpus: Some(cpus), ..Look::default() };
        let looks = |&(folder, cpus): &(&str, f64)| {
            (PathBuf::from(format!("/cg{folder}")), Looks { first: look(cpus), last: look(cpus) })
        };
        QuotaWatch {
            hierarchy: Hierarchy::find(b"29 24 0:25 / /cg rw - cgroup2 cgroup2 rw"),
            inhabited: inhabited.iter().map(|folder| PathBuf::from(format!("/cg{folder}"))).collect(),
            groups: quotas.iter().map(looks).collect(),
            ..QuotaWatch::default()
        }
    }

    #[test]
    fn the_smallest_quota_on_the_way_up_counts() {
        assert_eq!(watch(&["/a/b/c"], &[("/a", 0.5), ("/a/b/c", 2.0)]).limit(), Some(0.5));
        assert_eq!(watch(&["/a/b/c"], &[("/a", 2.0), ("/a/b", 0.2)]).limit(), Some(0.2));
        assert_eq!(watch(&["/a/b"], &[("/a/c", 0.1)]).limit(), None, "a quota beside it");
        assert_eq!(watch(&["/a", "/a/b"], &[("/a/b", 0.1)]).limit(), None, "one process has no limit");
        assert_eq!(watch(&[], &[]).limit(), None);
    }

    #[test]
    fn quotas_of_groups_side_by_side_add_up_to_what_is_above_them() {
        let pods = [("/pod/a", 0.5), ("/pod/b", 0.75)];
        assert_eq!(watch(&["/pod/a", "/pod/b"], &pods).limit(), Some(1.25));
        let above = [pods[0], pods[1], ("/pod", 1.0)];
        assert_eq!(watch(&["/pod/a", "/pod/b"], &above).limit(), Some(1.0));
        assert_eq!(watch(&["/pod/a", "/pod/b"], &pods[..1]).limit(), None);
    }

    #[test]
    fn a_quota_that_changed_is_told_with_both_values() {
        let mut watch = watch(&["/a"], &[("/a", 0.5), ("/b", 2.0)]);
        let looks = watch.groups.get_mut(Path::new("/cg/a")).unwrap();
        looks.first.throttled = Nanos::from_millis(7);
        looks.last = Look { cpus: None, periods: 9, throttled_periods: 4, throttled: Nanos::from_millis(10) };
        let found = watch.found();
        assert_eq!((found.len(), found[0].group.as_str()), (2, "/a"));
        assert_eq!((found[0].cpus, found[0].cpus_at_start), (None, Some(0.5)));
        assert_eq!((found[0].periods, found[0].throttled_periods), (9, 4));
        assert_eq!((found[0].throttled, watch.limit()), (Nanos::from_millis(3), Some(0.5)));
    }
}
