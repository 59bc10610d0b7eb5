//! Files that are read past the page cache, results as JSON, and parts of documents.

use std::{
    fs,
    ops::Deref,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::fs::{Advice, fadvise};
use serde::{Serialize, de::DeserializeOwned};

/// Creates a file of random bytes, unless one of this length is there. Some storage does not store
/// zeroes, so they would not do. Afterwards the page cache has none of the file.
pub(crate) fn create_random(file: &Path, length: usize, seed: u64) -> Result<()> {
    if fs::metadata(file).is_ok_and(|found| found.len() == length as u64) {
        return Ok(());
    }
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    let evict = |file: fs::File| Ok(fadvise(&file, 0, None, Advice::DontNeed)?);
    let sync = || fs::File::open(file).and_then(|file| file.sync_all().map(|()| file)).and_then(evict);
    let written = fs::write(file, bytes).and_then(|()| sync());
    written.with_context(|| format!("writing {}", file.display()))
}

/// An error where the file's filesystem does not allow O_DIRECT.
pub(crate) fn read_directly(file: &Path) -> Result<()> {
    let opened = fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(file);
    opened.map(drop).with_context(|| format!("opening {} with O_DIRECT", file.display()))
}

/// Writes a value as JSON with indents, for programs and for people.
pub(crate) fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Reads a value that [`write_json`] has written.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// A folder for files of the moment, by the name of what needs it; it goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("sia-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replaces the text between two lines of a document.
pub(crate) fn between(document: &str, (begin, end): (&str, &str), text: &str) -> Result<String> {
    let (before, rest) = document.split_once(begin).with_context(|| format!("no line {}", begin.trim_end()))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("no line {}", end.trim_end()))?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

/// Makes files in a folder that is removed afterwards, and holds each against the one that is kept
/// under its name.
#[cfg(test)]
pub(crate) fn assert_kept(kept: &Path, command: &str, make: impl FnOnce(&Path)) {
    let name = kept.file_name().unwrap().to_string_lossy();
    let folder = Scratch::new(&format!("kept-{name}-{}", command.replace(' ', "-"))).unwrap();
    make(&folder);
    let made: Vec<_> = fs::read_dir(&*folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let differ =
        |path: &&PathBuf| fs::read(path).unwrap() != fs::read(kept.join(path.file_name().unwrap())).unwrap_or_default();
    let wrong: Vec<_> = made.iter().filter(differ).collect();
    assert!(!made.is_empty() && wrong.is_empty(), "{wrong:?} is not what `cargo xtask {command}` writes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_two_lines_is_written_anew() {
        let lines = ("<begin>\n", "<end>\n");
        assert_eq!(between("a\n<begin>\nold\n<end>\nb\n", lines, "new\n").unwrap(), "a\n<begin>\nnew\n<end>\nb\n");
        assert!(between("a\n<begin>\nold\n", lines, "new\n").is_err());
    }
}
