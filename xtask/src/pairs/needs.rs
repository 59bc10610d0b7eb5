//! What a pair needs on the machine, and how it gets there: Debian's packages, PyPI's in a folder
//! of their own, a newer Debian in another, and servers of ours on public interfaces, built from
//! xtask/pairs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    exec,
    host::{apt, file, memory::Memory},
};

const FILE_MIB: usize = 512;
/// Size of the files: many times the memory of a row whose memory is limited, so that few reads hit
/// the cache, and about as many in each form.
const SCRATCH_MIB: usize = 1536;
/// Limit for the memory of a script that makes files for a row.
const MAKERS_MIB: u64 = 512;
/// Free bytes below which no root is made: one takes 1.5 to 2.5 GB, and the disk must not be full.
const ROOM_FOR_A_ROOT: u64 = 6 << 30;

/// Something that a pair's programs need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Packages of the machine's own Debian.
    Debian(&'static [&'static str]),
    /// Packages of PyPI, in `venv`.
    Python(&'static [&'static str]),
    /// A program of ours: the compiler, its source, its libraries. It has the name of its source.
    Built { compiler: &'static str, source: &'static str, flags: &'static [&'static str] },
    /// A newer Debian in the folder `SUITE`, with these packages.
    Root { suite: &'static str, packages: &'static [&'static str] },
    /// A Java program of ours, for the Debian in this folder.
    Java { suite: &'static str, source: &'static str },
    /// A file of random bytes that is only read, `blocks.bin`, and direct IO on it.
    File,
    /// A file of random bytes that is written too, `scratch.bin`, and direct IO on it. No row that
    /// has all memory reads it through the page cache.
    Scratch,
    /// Memory cgroups, for rows whose files do not fit into memory.
    Memory,
    /// What `{sources}/SCRIPT make FOLDER` makes, for this row to use; `made` is its last file.
    Made { script: &'static str, made: &'static str },
}

/// Where the things needed are.
pub(crate) struct Place {
    /// What is installed and built.
    pub(crate) folder: PathBuf,
    /// The programs and scripts of ours.
    pub(crate) sources: PathBuf,
    /// The binary of the lab, which has the load.
    pub(crate) load: PathBuf,
}

impl Place {
    /// In a folder of this name below target/.
    pub(super) fn new(root: &Path, name: &str, load: PathBuf) -> Result<Self> {
        let folder = root.join("target").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(Self { folder, sources: root.join("xtask").join("pairs"), load })
    }

    /// The same place for sources in another folder of xtask/.
    pub(crate) fn with_sources(root: &Path, name: &str, sources: &str, load: PathBuf) -> Result<Self> {
        Ok(Self { sources: root.join("xtask").join(sources), ..Self::new(root, name, load)? })
    }

    /// A word of a program's, with the folders and files of this place in it.
    pub(crate) fn fill(&self, word: &str) -> String {
        word.replace("{at}", &self.folder.display().to_string())
            .replace("{sources}", &self.sources.display().to_string())
            .replace("{file}", &self.file().display().to_string())
            .replace("{scratch}", &self.scratch().display().to_string())
    }

    /// The file that is read.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("blocks.bin")
    }

    /// The file that is read and written.
    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch.bin")
    }

    /// Brings it here; with `install` false it only looks. An error is the reason why it is not
    /// there.
    pub(crate) fn meet(&self, need: &Need, install: bool) -> Result<()> {
        match need {
            Need::Debian(packages) => debian(packages, install),
            Need::Python(packages) => self.packages(packages, install),
            Need::Built { compiler, source, flags } => self.build(compiler, source, flags),
            Need::Root { suite, packages } => self.root(suite, packages, install),
            Need::Java { suite, source } => self.java(suite, source),
            Need::File => blocks(&self.file(), FILE_MIB, 1),
            Need::Scratch => blocks(&self.scratch(), SCRATCH_MIB, 2),
            Need::Memory => Memory::check(),
            Need::Made { script, made } => self.make(script, made),
        }
    }

    /// The interpreter with the packages that the rows need.
    pub(super) fn python(&self) -> PathBuf {
        self.folder.join("venv").join("bin").join("python")
    }

    fn packages(&self, packages: &[&str], install: bool) -> Result<()> {
        let python = self.python();
        let there = |package: &str| {
            let name = package.split("==").next().unwrap_or(package);
            Command::new(&python).args(["-m", "pip", "show", "-q", name]).output().is_ok_and(|o| o.status.success())
        };
        if packages.iter().all(|package| there(package)) {
            return Ok(());
        }
        ensure!(install, "not installed: {}", packages.join(", "));
        if !python.exists() {
            quietly(Command::new("python3").args(["-m", "venv"]).arg(self.folder.join("venv")))?;
        }
        quietly(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages))
    }

    fn build(&self, compiler: &str, source: &str, flags: &[&str]) -> Result<()> {
        let made = if compiler == "javac" { format!("{}.class", stem(source)) } else { stem(source).to_owned() };
        let (from, to) = (self.sources.join(source), self.folder.join(made));
        if is_newer(&to, &from) {
            return Ok(());
        }
        let folder = to.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut command = Command::new(compiler);
        match compiler {
            // Static, so that it needs nothing from the root that it runs in.
            "go" => command
                .args(["build", "-o"])
                .arg(&to)
                .args(flags)
                .arg(&from)
                .envs([("GO111MODULE", "off"), ("CGO_ENABLED", "0")]),
            "javac" => command.arg("-d").arg(folder).args(flags).arg(&from),
            _ => command.args(["-O2", "-o"]).arg(&to).arg(&from).args(flags),
        };
        quietly(&mut command)
    }

    fn root(&self, suite: &str, packages: &[&str], install: bool) -> Result<()> {
        let root = self.folder.join(suite);
        let there = |package: &str| root.join("var/lib/dpkg/info").join(format!("{package}.list")).exists();
        // Debootstrap takes this away when it is done.
        let done = root.join("etc").exists() && !root.join("debootstrap").exists();
        if !done {
            ensure!(install, "no Debian {suite} in {}", root.display());
            let free = free_bytes(&self.folder)?;
            ensure!(
                free >= ROOM_FOR_A_ROOT,
                "a root with Debian {suite} wants {} GiB of room, and {} are free",
                ROOM_FOR_A_ROOT >> 30,
                free >> 30
            );
            debian(&["debootstrap"], install)?;
            quietly(
                Command::new("debootstrap")
                    .args(["--variant=minbase", suite])
                    .arg(&root)
                    .arg(apt::mirror(&apt::served()?)?),
            )?;
        }
        let missing: Vec<&str> = packages.iter().copied().filter(|package| !there(package)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        ensure!(install, "not in {}: {}", root.display(), missing.join(", "));
        start_no_services(&root)?;
        let install =
            format!("sh -c 'apt-get install -y -q --no-install-recommends {} && apt-get clean'", missing.join(" "));
        quietly(inside(&root, &install).env("DEBIAN_FRONTEND", "noninteractive"))
    }

    fn java(&self, suite: &str, source: &str) -> Result<()> {
        let (root, from) = (self.folder.join(suite), self.sources.join(source));
        let folder = root.join("pairs");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        if is_newer(&folder.join(format!("{}.class", stem(source))), &from) {
            return Ok(());
        }
        fs::copy(&from, folder.join(source)).with_context(|| format!("copying {}", from.display()))?;
        quietly(&mut inside(&root, &format!("javac -d /pairs /pairs/{source}")))
    }

    fn make(&self, script: &str, made: &str) -> Result<()> {
        if self.folder.join(made).exists() {
            return Ok(());
        }
        // A cgroup takes along what is in the page cache: what is made is read cold afterwards.
        let memory = Memory::limit("should-i-async-made", MAKERS_MIB << 20).ok();
        let mut command = Command::new("env");
        command.args(memory.iter().flat_map(Memory::words));
        quietly(command.arg(self.sources.join(script)).arg("make").arg(&self.folder))
    }
}

fn blocks(path: &Path, mib: usize, seed: u64) -> Result<()> {
    file::create_random(path, mib << 20, seed)?;
    file::read_directly(path).context("no direct reads")
}

/// Says to the packages of a root that none of them may start its service.
fn start_no_services(root: &Path) -> Result<()> {
    let policy = root.join("usr/sbin/policy-rc.d");
    let written = fs::write(&policy, "#!/bin/sh\nexit 101\n");
    let allowed = written.and_then(|()| fs::set_permissions(&policy, fs::Permissions::from_mode(0o755)));
    allowed.with_context(|| format!("writing {}", policy.display()))
}

fn free_bytes(folder: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(folder).with_context(|| format!("{}", folder.display()))?;
    Ok(found.f_bavail * found.f_frsize)
}

/// A command in another root, with a /proc that nobody else sees.
fn inside(root: &Path, line: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    command.arg(format!("mount -t proc proc \"$1/proc\" && exec chroot \"$1\" {line}")).arg("sh").arg(root);
    command
}

/// Packages of the machine's own Debian. An error where they are not installed and may not be.
pub(crate) fn debian(packages: &[&str], install: bool) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !apt::is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(install, "not installed: {}", missing.join(", "));
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "-q", "--no-install-recommends"]).args(missing);
    quietly(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Runs it; its output is shown only where it fails.
fn quietly(command: &mut Command) -> Result<()> {
    let line = exec::line(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    ensure!(
        output.status.success(),
        "`{line}`: {}: {}",
        output.status,
        last.into_iter().rev().collect::<Vec<_>>().join("; ")
    );
    Ok(())
}

fn stem(source: &str) -> &str {
    source.split_once('.').map_or(source, |(stem, _)| stem)
}

/// Whether it was made after its source.
fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    time(made).zip(time(source)).is_some_and(|(made, source)| made >= source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_a_reason_and_nothing_is_installed() {
        let place = Place { folder: "/nonexistent".into(), sources: "/nonexistent".into(), load: PathBuf::new() };
        let why = |need| format!("{:#}", place.meet(&need, false).unwrap_err());
        assert_eq!(why(Need::Debian(&["no-such-package-1"])), "not installed: no-such-package-1");
        assert_eq!(why(Need::Python(&["gevent"])), "not installed: gevent");
        assert!(why(Need::Root { suite: "trixie", packages: &[] }).contains("no Debian trixie"));
    }

    #[test]
    fn a_program_is_called_as_its_source() {
        assert_eq!((stem("mhd.c"), stem("plain")), ("mhd", "plain"));
    }
}
