//! dist/files: what the files that are made are called, when they are dated, and what lies in a
//! folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::exec;

/// The command, its package and its files.
pub(super) const NAME: &str = crate::host::package::TOOL;
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Files of a folder, by name.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// When the sources were last changed, in seconds since 1970. Everything that is made has this
/// date, so that it is the same when it is made again.
pub(super) fn source_date(root: &Path) -> Result<u64> {
    let text = exec::output(Command::new("git").current_dir(root).args(["log", "-1", "--format=%ct"]))?;
    let seconds = text.trim().parse().with_context(|| format!("git's date: {text}"))?;
    ensure!(seconds > 0, "git's date is {seconds}");
    Ok(seconds)
}
