//! A limit for the memory of programs and of the files that they read: a memory cgroup, version 1
//! (Documentation/admin-guide/cgroup-v1/memory.rst). Version 2 does not count the pages that come
//! in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

const CONTROLLER: &str = "/sys/fs/cgroup/memory";

/// A cgroup. It is removed with its last owner, and so are the pages in it.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// An error where the kernel has no such cgroups, or they are somewhere else.
    pub(crate) fn check() -> Result<()> {
        let there = Path::new(CONTROLLER).join("memory.limit_in_bytes").exists();
        ensure!(there, "no memory cgroups of version 1 in {CONTROLLER}");
        Ok(())
    }

    /// Creates it, or takes the one that is there.
    pub(crate) fn limit(name: &str, bytes: u64) -> Result<Self> {
        Self::check()?;
        let memory = Self { folder: Path::new(CONTROLLER).join(name) };
        fs::create_dir_all(&memory.folder).with_context(|| format!("creating {}", memory.folder.display()))?;
        fs::write(memory.folder.join("memory.limit_in_bytes"), bytes.to_string()).context("limiting memory")?;
        Ok(memory)
    }

    /// The words that, before a command, run it in this cgroup.
    pub(crate) fn words(&self) -> Vec<String> {
        let enter = "echo $$ > \"$0\" && exec \"$@\"";
        let processes = self.folder.join("cgroup.procs").display().to_string();
        vec!["sh".to_owned(), "-c".to_owned(), enter.to_owned(), processes]
    }

    /// Folios that were read so far, for files and for programs. Those that were in memory already
    /// do not count.
    pub(crate) fn pages(&self) -> Result<u64> {
        let path = self.folder.join("memory.stat");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        pages_in(&text).with_context(|| format!("{} has no pgpgin", path.display()))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if fs::read_to_string(self.folder.join("cgroup.procs")).is_ok_and(|processes| processes.is_empty()) {
            // Pages that stay behind would be hits for the next one.
            let _ = fs::write(self.folder.join("memory.force_empty"), "0");
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn pages_in(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("pgpgin "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_came_in_are_read() {
        assert_eq!(pages_in("cache 4096\npgpgin 123\npgpgout 7\ntotal_pgpgin 999\n"), Some(123));
        assert_eq!(pages_in("anon 1\nfile 2\n"), None);
    }

    #[test]
    fn a_command_enters_before_it_starts() {
        let memory = Memory { folder: PathBuf::from("/nonexistent/group") };
        assert_eq!(memory.words().last().map(String::as_str), Some("/nonexistent/group/cgroup.procs"));
    }
}
