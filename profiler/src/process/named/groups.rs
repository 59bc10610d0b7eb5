//! Control groups by their paths.

use std::path::Path;

use super::name::{Name, bad, nothing};
use crate::{
    process::{
        container::{self, paths},
        error::TargetError,
        proc,
    },
    text::mountinfo::Mount,
};

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

    /// The processes that are in one of these now, but for this one.
    pub(in crate::process) fn members(groups: &[Self]) -> Vec<u32> {
        let inside = |(pid, text): (u32, String)| groups.iter().any(|group| group.holds(&text)).then_some(pid);
        all_with_groups().into_iter().filter_map(inside).collect()
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

/// The group that a path means: in a hierarchy, or where one is mounted.
pub(super) fn at(name: &Name, path: &str) -> Result<Group, TargetError> {
    let mountinfo = proc::read("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mount_points(&mountinfo);
    // A hierarchy of version 1 may have several names.
    let real = std::fs::canonicalize(path).ok().filter(|_| path.starts_with('/'));
    let path = real.as_deref().and_then(Path::to_str).unwrap_or(path);
    let is_below = |mount: &String| below(mount, path.trim_end_matches('/')).is_some();
    let inside = inside(path, &mounts).trim_matches('/');
    if inside.is_empty() || mounts.iter().any(is_below) {
        return Err(bad(
            name,
            "every process is below that group: name one further down, as `systemd-cgls` lists them",
        ));
    }
    let group = Group { path: format!("/{inside}") };
    if Group::members(std::slice::from_ref(&group)).is_empty() {
        return Err(nothing(name, "`systemd-cgls` or `cat /proc/PID/cgroup` shows which groups there are"));
    }
    Ok(group)
}

/// Where hierarchies are mounted. A controller's own hierarchy of version 1 has a mount of its own.
fn mount_points(mountinfo: &[u8]) -> Vec<String> {
    let hierarchies = Mount::all(mountinfo).filter(|mount| mount.cgroup_version().is_some());
    hierarchies.filter_map(|mount| mount.mounted_on.into_os_string().into_string().ok()).collect()
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
    let mut found = all_up_to(|_, component| component == unit);
    if found.len() > 1 {
        // The system's own first: users have units too, and so have containers.
        let own = |group: &Group| !group.path.split('/').any(|part| part.starts_with("user@"));
        let host = |group: &Group| container::from_cgroup(&format!("0::{}", group.path)).is_none();
        let theirs: Vec<Group> = found.iter().filter(|group| own(group) && host(group)).cloned().collect();
        found = if theirs.is_empty() { found } else { theirs };
    }
    match found.as_slice() {
        [] => Err(nothing(name, "`systemctl list-units --type=service --state=running` lists those that run")),
        [one] => Ok(one.clone()),
        several => {
            let paths: Vec<&str> = several.iter().map(|group| &*group.path).collect();
            Err(bad(name, format!("that is {}: give one of them with --cgroup", paths.join(", "))))
        }
    }
}

/// The first group that is wanted, by the name of what is above it and by its own.
pub(super) fn up_to(wanted: impl Fn(&str, &str) -> bool) -> Option<Group> {
    all_up_to(wanted).into_iter().next()
}

/// All of them, each once.
fn all_up_to(wanted: impl Fn(&str, &str) -> bool) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    for (_, text) in all_with_groups() {
        for group in paths(&text).filter_map(|path| group_in(path, &wanted)) {
            if !found.contains(&group) {
                found.push(group);
            }
        }
    }
    found
}

fn group_in(path: &str, wanted: &impl Fn(&str, &str) -> bool) -> Option<Group> {
    let (mut end, mut above) = (0, "");
    path.split('/').find_map(|component| {
        end += component.len() + 1;
        let is_it = wanted(std::mem::replace(&mut above, component), component);
        is_it.then(|| Group { path: path[..end - 1].to_owned() })
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
            b"25 22 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw\n\
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
        let web = |_: &str, component: &str| component == "web.service";
        assert_eq!(group_in("/system.slice/web.service/sub", &web).unwrap().path, "/system.slice/web.service");
        assert_eq!(group_in("/system.slice/other.service", &web), None);
        let below = |above: &str, component: &str| above == "lxc" && component == "web";
        assert_eq!(group_in("/web/lxc/web/init", &below).unwrap().path, "/web/lxc/web");
    }
}
