//! text/mountinfo: mounts as `/proc/PID/mountinfo` has them (proc_pid_mountinfo(5)).

use std::path::{Path, PathBuf};

/// A mount: a line like
/// `36 31 0:33 /docker/1f /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number; `fdinfo` names mounts by it.
    pub id: u64,
    /// What of its file system it shows.
    pub root: PathBuf,
    pub mounted_on: PathBuf,
    /// The file system's type, like `ext4`.
    pub kind: String,
    /// Options of the file system. A hierarchy of version 1 has its controllers here.
    options: Vec<u8>,
}

/// Which of the two kinds of hierarchies of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    One,
    Two,
}

impl Mount {
    /// The mounts of this text; lines that are none are left out.
    pub fn all(mountinfo: &[u8]) -> impl DoubleEndedIterator<Item = Self> {
        mountinfo.split(|&b| b == b'\n').filter_map(Self::parse)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let fields: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
        // As many fields before the dash as the mount has tags.
        let dash = 6 + fields.get(6..)?.iter().position(|&field| field == b"-")?;
        let text = |at: usize| str::from_utf8(fields.get(at)?).ok();
        Some(Self {
            id: text(0)?.parse().ok()?,
            root: unescaped(fields.get(3)?)?,
            mounted_on: unescaped(fields.get(4)?)?,
            kind: text(dash + 1)?.to_owned(),
            options: fields.get(dash + 3)?.to_vec(),
        })
    }

    /// Which version's hierarchy of control groups it is, if it is one.
    pub fn cgroup_version(&self) -> Option<CgroupVersion> {
        match &*self.kind {
            "cgroup" => Some(CgroupVersion::One),
            "cgroup2" => Some(CgroupVersion::Two),
            _ => None,
        }
    }

    /// Whether it is the hierarchy of version 1 that this controller belongs to.
    pub fn is_v1_of(&self, controller: &str) -> bool {
        let mut options = self.options.split(|&b| b == b',');
        self.cgroup_version() == Some(CgroupVersion::One) && options.any(|option| option == controller.as_bytes())
    }

    /// Where it shows a path of its file system; `None` where it does not.
    pub fn place_of(&self, path: &Path) -> Option<PathBuf> {
        // A group outside of this cgroup namespace begins with `/..`.
        let below = path.strip_prefix(&self.root).ok().filter(|below| !below.starts_with(".."))?;
        Some(if below.as_os_str().is_empty() { self.mounted_on.clone() } else { self.mounted_on.join(below) })
    }
}

/// A path of mountinfo: `\040` stands for a space, and so on. `None` where it is not UTF-8.
fn unescaped(field: &[u8]) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, behind)) = rest.split_first() {
        let code = || u8::from_str_radix(str::from_utf8(behind.get(..3)?).ok()?, 8).ok();
        let escaped = (first == b'\\').then(code).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { behind.get(3..).unwrap_or_default() } else { behind };
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_any_number_of_tags_and_names_may_have_spaces() {
        let text = b"24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            9 1 0:3 /a /mnt/c\\040g\\134x rw shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct\n\
            30 1 0:4 / /sys/fs/cgroup rw - cgroup2 none rw\nnonsense\n";
        let mounts: Vec<Mount> = Mount::all(text).collect();
        assert_eq!(mounts.iter().map(|mount| mount.id).collect::<Vec<_>>(), [24, 9, 30]);
        assert_eq!(mounts[1].mounted_on, Path::new("/mnt/c g\\x"));
        let versions = [None, Some(CgroupVersion::One), Some(CgroupVersion::Two)];
        assert!(mounts.iter().map(Mount::cgroup_version).eq(versions));
        assert!(mounts[1].is_v1_of("cpu") && mounts[1].is_v1_of("cpuacct") && !mounts[1].is_v1_of("cpuset"));
        assert!(!mounts[0].is_v1_of("rw"));
        assert_eq!(unescaped(b"/a\\0"), Some("/a\\0".into()), "not an escape");
    }

    #[test]
    fn a_mount_shows_what_is_below_its_root() {
        let mount = Mount::all(b"9 1 0:3 /docker/1f /cg rw - cgroup2 none rw").next().unwrap();
        let place = |path: &str| mount.place_of(Path::new(path));
        assert_eq!(place("/docker/1f"), Some("/cg".into()));
        assert_eq!(place("/docker/1f/y"), Some("/cg/y".into()));
        assert_eq!((place("/docker/1f2"), place("/docker/1f/../x")), (None, None));
    }
}
