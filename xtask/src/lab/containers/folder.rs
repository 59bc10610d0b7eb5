//! Containers without a daemon: a root folder, and namespaces of `unshare`. The kernel removes all
//! of them with their first process.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result};

use super::{engine::Roots, languages::Image};
use crate::{host::child::Running, pairs::needs};

const HOLDS_WITHIN: Duration = Duration::from_secs(5);

/// The network namespace that all containers share: it lives as long as a process in it.
pub(super) struct Folder {
    roots: Roots,
    holder: Running,
}

impl Folder {
    pub(super) fn start(roots: Roots, install: bool) -> Result<Self> {
        needs::debian(&["iproute2", "util-linux"], install)?;
        let mut command = Command::new("unshare");
        // `cat` ends with our end of its stdin.
        command.args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]);
        let mut holder = Running::start(&mut command)?;
        holder.next_line(HOLDS_WITHIN).context("no network namespace")?;
        Ok(Self { roots, holder })
    }

    pub(super) fn command(&self, image: Image, cpu: &str, words: &[String]) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", cpu, "nsenter", &format!("--net=/proc/{}/ns/net", self.holder.pid()), "unshare"]);
        command.args(["--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c"]);
        command.arg("ulimit -n 65536; mount -t proc proc \"$1/proc\" && exec chroot \"$@\"").arg("sh");
        command.arg(self.roots.path(image)).args(words);
        command
    }
}

/// The only child of an `unshare --fork`: the container's first process.
pub(super) fn program(unshare: u32) -> Result<u32> {
    let path = format!("/proc/{unshare}/task/{unshare}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).context("the container has no process")
}
