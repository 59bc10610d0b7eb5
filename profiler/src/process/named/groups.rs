//! Control groups by their paths.

use super::name::{Name, bad, nothing};
use crate::process::{error::TargetError, proc};

/// A control group with those below it, in one of the hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// As `/proc/PID/cgroup` names it.
    pub path: String,
}

impl Group {
    /// Whether a process is in it that has this text in `/proc/PID/cgroup`.
    fn holds(&self, text: &str) -> bool {
        paths(text).any(|path| below(path, &self.path).is_some())
    }

    /// The processes that are in it now, but for this one.
    pub(in crate::process) fn members(&self) -> Vec<u32> {
        let all = all_with_groups().into_iter();
        all.filter(|(_, text)| self.holds(text)).map(|(pid, _)| pid).collect()
    }
}

/// Every process but this one, with what the kernel says of its groups: a line
/// `hierarchy:controllers:path` for each hierarchy.
pub(super) fn all_with_groups() -> Vec<(u32, String)> {
    let own = std::process::id();
    let text = |pid| Some(proc::printable_lines(&proc::read(&format!("{}/cgroup", proc::shared_dir(pid))).ok()?));
    let pids = proc::all_pids().unwrap_or_default().into_iter().filter(|&pid| pid != own);
    pids.filter_map(|pid| Some((pid, text(pid)?))).collect()
}

/// The paths; they may hold colons.
pub(super) fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2))
}

/// The group that a path means: in a hierarchy, or where one is mounted.
pub(super) fn at(name: &Name, path: &str) -> Result<Group, TargetError> {
    let mountinfo = proc::read("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mount_points(&proc::printable_lines(&mountinfo));
    let is_below = |mount: &String| below(mount, path.trim_end_matches('/')).is_some();
    let inside = inside(path, &mounts).trim_matches('/');
    if inside.is_empty() || mounts.iter().any(is_below) {
        return Err(bad(
            name,
            "every process is below that group: name one further down, as `systemd-cgls` lists them",
        ));
    }
    let group = Group { path: format!("/{inside}") };
    if group.members().is_empty() {
        return Err(nothing(name, "`systemd-cgls` or `cat /proc/PID/cgroup` shows which groups there are"));
    }
    Ok(group)
}

/// Where hierarchies are mounted. A controller's own hierarchy of version 1 has a mount of its own.
fn mount_points(mountinfo: &str) -> Vec<String> {
    let mount = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup").then(|| mount.split(' ').nth(4).map(str::to_owned))?
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// A path as the hierarchy itself has it.
fn inside<'p>(path: &'p str, mounts: &[String]) -> &'p str {
    mounts.iter().filter_map(|mount| below(path, mount)).min_by_key(|rest| rest.len()).unwrap_or(path)
}

/// What is left of a path below a folder.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The group of a unit: systemd names it like the unit. Without an ending a service is meant.
pub(super) fn of_unit(name: &Name, unit: &str) -> Result<Group, TargetError> {
    let is_unit = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"].iter().any(|e| unit.ends_with(e));
    let unit = if is_unit { unit.to_owned() } else { format!("{unit}.service") };
    if unit.contains('/') {
        return Err(bad(name, "a unit's name has no '/': give it as `systemctl status` shows it, or use --cgroup"));
    }
    up_to(|component| component == unit)
        .ok_or_else(|| nothing(name, "`systemctl list-units --type=service --state=running` lists those that run"))
}

/// The first group whose name is wanted.
pub(super) fn up_to(wanted: impl Fn(&str) -> bool) -> Option<Group> {
    all_with_groups().iter().find_map(|(_, text)| paths(text).find_map(|path| group_in(path, &wanted)))
}

fn group_in(path: &str, wanted: &impl Fn(&str) -> bool) -> Option<Group> {
    let mut end = 0;
    path.split('/').find_map(|component| {
        end += component.len() + 1;
        wanted(component).then(|| Group { path: path[..end - 1].to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "5:cpu,cpuacct:/system.slice/web.service/sub:x\n1:name=systemd:/system.slice/web.service\n0::/";

    #[test]
    fn a_group_holds_those_below_it_and_none_that_only_begins_like_it() {
        let holds = |path: &str| Group { path: path.to_owned() }.holds(TEXT);
        assert!(
            holds("/system.slice/web.service") && holds("/system.slice") && holds("/system.slice/web.service/sub:x")
        );
        assert!(!holds("/system.slice/web.serv") && !holds("/system.slice/web.service/sub"));
    }

    #[test]
    fn a_path_is_taken_as_it_is_mounted_too() {
        let mounts = mount_points(
            "25 22 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw\n\
             30 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
             31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu",
        );
        assert_eq!(mounts, ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu,cpuacct"]);
        for path in ["/sys/fs/cgroup/unified/a/b", "/sys/fs/cgroup/cpu,cpuacct/a/b", "/a/b"] {
            assert_eq!(inside(path, &mounts), "/a/b");
        }
        assert_eq!(inside("/sys/fs/cgroup/unified", &mounts), "");
        assert_eq!(inside("/sys/fs/cgroup/unified2/a", &mounts), "/sys/fs/cgroup/unified2/a");
    }

    #[test]
    fn a_named_group_is_cut_out_of_a_path() {
        let web = |component: &str| component == "web.service";
        assert_eq!(group_in("/system.slice/web.service/sub", &web).unwrap().path, "/system.slice/web.service");
        assert_eq!(group_in("/system.slice/other.service", &web), None);
    }
}
