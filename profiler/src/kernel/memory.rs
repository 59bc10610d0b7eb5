//! kernel/memory: how much memory can still be had, of the machine and of the memory cgroup that
//! this process is in. Who takes more than a cgroup has is killed, without a word.

use std::{fs, path::Path};

use crate::{
    quantity::kib,
    text::mountinfo::{CgroupVersion, Mount},
};

/// What a measurement takes beside its maps: the kernel's types, the object, tables and reports.
/// Measured with the smallest maps: 50 MiB in all, 23 MiB of them maps.
pub const OWN_BYTES: u64 = 30 << 20;
/// What stacks take beside that: their queue, and the names of a small program.
pub const STACKS_BYTES: u64 = 24 << 20;

/// Memory that can still be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes; files that the kernel may drop from memory count as free.
    pub bytes: u64,
    /// The limit in bytes, where it is a cgroup's; `None` where it is the machine.
    pub limit: Option<u64>,
}

/// The narrower of the machine and this process's cgroup, with those above it. `None` where
/// nothing says.
pub fn room() -> Option<Room> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib::bytes_of(&text, "MemAvailable"));
    let machine = machine.map(|bytes| Room { bytes, limit: None });
    machine.into_iter().chain(of_cgroup()).min_by_key(|room| room.bytes)
}

fn of_cgroup() -> Option<Room> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    narrowest(&groups, &mounts, |path| fs::read_to_string(path).ok())
}

/// Files of a cgroup version: limit, usage, and the lines of `memory.stat` that count files.
struct Files {
    limit: &'static str,
    usage: &'static str,
    files: [&'static str; 2],
}

const V2: Files = Files { limit: "memory.max", usage: "memory.current", files: ["inactive_file ", "active_file "] };
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    files: ["total_inactive_file ", "total_active_file "],
};

/// The narrowest of the groups that these texts of /proc/self name, and of those above them.
/// Where both versions are mounted only one has a limit.
fn narrowest(groups: &str, mounts: &[u8], read: impl Fn(&str) -> Option<String>) -> Option<Room> {
    let both = [(&V2, ""), (&V1, "memory")];
    let rooms = both.into_iter().filter_map(|(files, controller)| {
        let path = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let found = fields.next()?.split(',').any(|name| name == controller);
            fields.next().filter(|_| found)
        })?;
        let mount = Mount::all(mounts).find(|mount| match controller {
            "" => mount.cgroup_version() == Some(CgroupVersion::Two),
            name => mount.is_v1_of(name),
        })?;
        // In a container the mount begins at the container's own group.
        let deepest = mount.place_of(Path::new(path)).unwrap_or_else(|| mount.mounted_on.clone());
        let dirs = deepest.ancestors().take_while(|dir| dir.starts_with(&mount.mounted_on));
        dirs.filter_map(|dir| room_of(dir.to_str()?, files, &read)).min_by_key(|room| room.bytes)
    });
    rooms.min_by_key(|room| room.bytes)
}

fn room_of(dir: &str, files: &Files, read: impl Fn(&str) -> Option<String>) -> Option<Room> {
    let number = |file: &str| read(&format!("{dir}/{file}"))?.trim().parse::<u64>().ok();
    let (limit, usage) = (number(files.limit)?, number(files.usage)?);
    let stat = read(&format!("{dir}/memory.stat")).unwrap_or_default();
    let cached = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let cached: u64 = files.files.into_iter().filter_map(cached).sum();
    Some(Room { bytes: limit.saturating_sub(usage.saturating_sub(cached)), limit: Some(limit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const V1_MOUNT: &str = "36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";

    fn room(groups: &str, mounts: &str, files: &[(&str, u64)], stat: &str) -> Option<(u64, u64)> {
        let read = |path: &str| match path.strip_suffix("/memory.stat") {
            Some(_) => Some(stat.to_owned()),
            None => files.iter().find(|(name, _)| *name == path).map(|(_, mib)| format!("{}\n", mib * MIB)),
        };
        let room = narrowest(groups, mounts.as_bytes(), read)?;
        Some((room.bytes / MIB, room.limit? / MIB))
    }

    #[test]
    fn the_narrowest_of_a_group_and_those_above_it_counts() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw";
        let files = [
            ("/sys/fs/cgroup/a/b/memory.max", 64),
            ("/sys/fs/cgroup/a/b/memory.current", 14),
            ("/sys/fs/cgroup/a/memory.max", 100),
            ("/sys/fs/cgroup/a/memory.current", 80),
        ];
        assert_eq!(room("0::/a/b\n", mounts, &files, ""), Some((20, 100)));
        assert_eq!(room("0::/a/b\n", mounts, &files[..2], ""), Some((50, 64)));
        // "max" is no number, and the root has no file: no limit.
        assert_eq!(room("0::/\n", mounts, &files, ""), None);
    }

    #[test]
    fn version_1_is_asked_too() {
        let files = [
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", 24),
            ("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", 4),
        ];
        let both = format!("41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n{V1_MOUNT}");
        assert_eq!(room("5:cpu,cpuacct:/\n4:memory:/a\n0::/\n", &both, &files, ""), Some((20, 24)));
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount() {
        let mounts = V1_MOUNT.replacen(" / ", " /docker/1f ", 1);
        let files =
            [("/sys/fs/cgroup/memory/memory.limit_in_bytes", 24), ("/sys/fs/cgroup/memory/memory.usage_in_bytes", 10)];
        assert_eq!(room("4:memory:/docker/1f\n", &mounts, &files, ""), Some((14, 24)));
        // The kernel drops files before it kills; sums of the group and those below it.
        let stat = format!("inactive_file 1\ntotal_inactive_file {}\ntotal_active_file {MIB}\n", 3 * MIB);
        assert_eq!(room("4:memory:/docker/1f\n", &mounts, &files, &stat), Some((18, 24)));
    }
}
