//! Processes of containers, as the machine sees them from outside.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

/// The only child of an `unshare --fork`: the container's first process.
pub(super) fn only_child(unshare: u32) -> Result<u32> {
    let path = format!("/proc/{unshare}/task/{unshare}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).context("the container has no process")
}

/// Sends a signal to a process that we started.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}
