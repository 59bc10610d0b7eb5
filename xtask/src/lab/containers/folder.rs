//! Containers without a daemon: a root folder, and namespaces of `unshare`. The kernel removes all
//! of them with their first process.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result};

use super::{languages::Image, roots::Roots};
use crate::{
    host::child::Running,
    pairs::needs::{self, Place},
};

const HOLDS_WITHIN: Duration = Duration::from_secs(5);

/// The network namespace that all containers share: it lives as long as a process in it.
pub(super) struct Folder {
    roots: Roots,
    holder: Running,
    /// What is done first in the mount namespace of a program: `$1` is its root.
    mounts: &'static str,
}

/// The machine's own programs in a root folder, so that it needs no Debian of its own.
const OF_HOST: &str = "[ ! -d \"$1/usr\" ] || for at in usr etc dev; do mount --rbind /$at \"$1/$at\"; done;";
/// Folders that are links into `usr`, as in every Debian since bookworm.
const LINKS: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

impl Folder {
    /// With roots that have all that their programs need, or that `mounts` bring in.
    pub(super) fn start(roots: Roots, mounts: &'static str, install: bool) -> Result<Self> {
        needs::debian(&["iproute2", "util-linux"], install)?;
        let mut command = Command::new("unshare");
        // `cat` ends with our end of its stdin.
        command.args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]);
        let mut holder = Running::start(&mut command)?;
        holder.next_line(HOLDS_WITHIN).context("no network namespace")?;
        Ok(Self { roots, holder, mounts })
    }

    /// With the machine's own programs in place of a Debian's.
    pub(super) fn of_host(place: &Place, install: bool) -> Result<Self> {
        let root = place.folder.join("host");
        for folder in ["usr", "etc", "dev", "proc", "tmp"] {
            fs::create_dir_all(root.join(folder)).with_context(|| format!("creating {}", root.display()))?;
        }
        for name in LINKS {
            let link = root.join(name);
            if !link.is_symlink() {
                symlink(format!("usr/{name}"), &link).with_context(|| format!("linking {}", link.display()))?;
            }
        }
        Self::start(Roots::fill(place, root)?, OF_HOST, install)
    }

    /// The network namespace, as the kernel names it.
    pub(super) fn network(&self) -> Result<PathBuf> {
        let path = format!("/proc/{}/ns/net", self.holder.pid());
        fs::read_link(&path).with_context(|| format!("reading {path}"))
    }

    pub(super) fn command(&self, image: Image, cpu: &str, words: &[String]) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", cpu, "nsenter", &format!("--net=/proc/{}/ns/net", self.holder.pid()), "unshare"]);
        command.args(["--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c"]);
        let enter = "ulimit -n $(ulimit -H -n); mount -t proc proc \"$1/proc\" && exec chroot \"$@\"";
        command.arg(format!("{}{enter}", self.mounts)).arg("sh");
        command.arg(self.roots.path(image)).args(words);
        command
    }
}
