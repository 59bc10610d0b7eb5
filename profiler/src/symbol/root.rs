//! symbol/root: files as another process sees them, below its own root directory.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use crate::quantity::Tgid;

/// Opens a path as the process would see it, symbolic links included.
pub(super) fn open_in_root(tgid: Tgid, path: &str) -> Option<File> {
    // NONBLOCK: a pipe that someone has put there must not hold us up.
    let file = File::from(open_at_root(tgid, path, OFlags::RDONLY | OFlags::NONBLOCK)?);
    file.metadata().is_ok_and(|meta| meta.is_file()).then_some(file)
}

/// As [`open_in_root`], for anything. Links never lead out of the process's root into ours.
pub(super) fn open_at_root(tgid: Tgid, path: &str, flags: OFlags) -> Option<OwnedFd> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, format!("/proc/{tgid}/root"), directory, Mode::empty()).ok()?;
    rustix::fs::openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT).ok()
}
