//! The files that are read, each place with its mounts, below a folder of our own. All of it is
//! undone when a [`Ground`] is dropped, and what a killed run left behind when the next one starts.
//! Runs at the same time have a folder each.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::cell::{Access, Place};
use crate::{
    exec,
    host::{
        child::{Running, check_interrupt},
        file,
    },
};

const MIB: u64 = 1 << 20;
/// The file that the page cache has, and the one that it has not, MiB.
const WARM: u64 = 64;
const COLD_ON_DISK: u64 = 384;
const COLD: u64 = 160;
/// XFS wants at least 300 MiB.
const IMAGE: u64 = 320;
/// Room for both files, and for what ext4 needs beside them.
const SLOW_IMAGE: u64 = WARM + COLD + 32;
/// The disk must not be full afterwards.
const FREE_AT_LEAST: u64 = 2 << 30;
/// The folder of a run: this, and the run's process id.
const FOLDER: &str = "ground-";
const MOUNTED_WITHIN: Duration = Duration::from_secs(10);

/// The places that could be made, and why others could not.
pub(super) struct Ground {
    folder: PathBuf,
    /// The mounts, the first one first.
    mounts: Vec<PathBuf>,
    /// FUSE programs, which end after their mounts.
    programs: Vec<Running>,
    missing: Vec<(Place, String)>,
}

impl Ground {
    /// Makes these places in a folder of their own in `parent`. `program` serves the slow files.
    pub(super) fn make(parent: &Path, places: &[Place], program: &Path) -> Result<Self> {
        clear(parent)?;
        let folder = &parent.join(format!("{FOLDER}{}", std::process::id()));
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let free = rustix::fs::statvfs(folder).map(|found| found.f_bavail * found.f_frsize)?;
        ensure!(free >= FREE_AT_LEAST, "only {} MiB of the disk are free", free / MIB);
        let mut ground =
            Self { folder: folder.to_owned(), mounts: Vec::new(), programs: Vec::new(), missing: Vec::new() };
        for &place in places {
            if let Err(why) = ground.add(place, program) {
                check_interrupt()?;
                ground.missing.push((place, format!("{why:#}")));
            }
        }
        Ok(ground)
    }

    /// An error, which says why, if a place could not be made.
    pub(super) fn check(&self, place: Place) -> Result<()> {
        match self.missing.iter().find(|(found, _)| *found == place) {
            Some((_, why)) => bail!("{why}"),
            None => Ok(()),
        }
    }

    /// The file for a way of reading, and its bytes. Afterwards the page cache has it, if it
    /// should.
    pub(super) fn file(&self, place: Place, access: Access) -> Result<(PathBuf, u64)> {
        let name = if access == Access::Cached { "warm" } else { "cold" };
        let path = self.folder.join(place.folder()).join(name);
        if access == Access::Cached {
            warm(&path)?;
        }
        let bytes = fs::metadata(&path).with_context(|| format!("{}", path.display()))?.len();
        Ok((path, bytes))
    }

    fn add(&mut self, place: Place, program: &Path) -> Result<()> {
        let at = self.folder.join(place.folder());
        fs::create_dir_all(&at).with_context(|| format!("creating {}", at.display()))?;
        let mut cold = COLD;
        match place {
            Place::Disk => cold = COLD_ON_DISK,
            Place::Tmpfs => {
                let size = format!("size={}m", WARM + COLD + 8);
                self.mount(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at), &at)?;
            }
            Place::Xfs => {
                let image = self.folder.join("xfs.img");
                fs::File::create(&image)?.set_len(IMAGE * MIB).context("making an image")?;
                self.format(&image, Command::new("mkfs.xfs").arg("-q"), &at)?;
            }
            Place::Slow => self.slow(&at, 200, program)?,
            Place::Slower => self.slow(&at, 5_000, program)?,
        }
        file::create_random(&at.join("warm"), (WARM * MIB) as usize, 1)?;
        file::create_random(&at.join("cold"), (cold * MIB) as usize, 2)
    }

    /// ext4 on a loop device over a FUSE file whose every read waits so long.
    fn slow(&mut self, at: &Path, delay_us: u64, program: &Path) -> Result<()> {
        let image = at.with_extension("fuse");
        let mut command = Command::new(program);
        command.args(["slow", "--delay-us", &delay_us.to_string(), "--mib", &SLOW_IMAGE.to_string(), "--mount"]);
        let mut serves = Running::start(command.arg(&image))?;
        let ready = serves.next_line(MOUNTED_WITHIN)?;
        ensure!(ready == "ready", "the FUSE program said {ready}");
        self.programs.push(serves);
        self.mounts.push(image.clone());
        let ext4 = ["-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard"];
        self.format(&image, Command::new("mkfs.ext4").args(ext4), at)
    }

    /// Makes a file system on a loop device over this file, and mounts it.
    fn format(&mut self, image: &Path, make: &mut Command, at: &Path) -> Result<()> {
        let mut attach = Command::new("losetup");
        // Without `direct-io`, the page cache of the file below would answer.
        attach.args(["--direct-io=on", "--find", "--show"]).arg(image);
        let device = exec::output(&mut attach).context("no loop device")?.trim().to_owned();
        let made = exec::output(make.arg(&device));
        let mounted = made.and_then(|_| self.mount(Command::new("mount").args(["-o", "noatime", &device]).arg(at), at));
        // A device in use goes with its mount.
        exec::output(Command::new("losetup").args(["--detach", &device]))?;
        mounted
    }

    fn mount(&mut self, command: &mut Command, at: &Path) -> Result<()> {
        exec::output(command)?;
        self.mounts.push(at.to_owned());
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        while let Some(at) = self.mounts.pop() {
            unmount(&at);
        }
        self.programs.clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Undoes what runs that were killed have left in this folder.
fn clear(parent: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading /proc/self/mounts")?;
    for entry in fs::read_dir(parent).with_context(|| format!("reading {}", parent.display()))? {
        let (name, folder) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER));
        let Some(owner) = owner.filter(|owner| !Path::new("/proc").join(owner).exists()) else { continue };
        for at in below(&mounts, &folder).iter().rev() {
            unmount(at);
        }
        fs::remove_dir_all(&folder).with_context(|| format!("removing what run {owner} has left"))?;
    }
    Ok(())
}

/// What is mounted in a folder, the first one first.
fn below(mounts: &str, folder: &Path) -> Vec<PathBuf> {
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    places.filter(|at| at.starts_with(folder)).collect()
}

/// What is still in use goes when its last user has gone.
fn unmount(at: &Path) {
    let direct = Command::new("umount").arg(at).output();
    if !direct.is_ok_and(|output| output.status.success()) {
        let _ = Command::new("umount").arg("--lazy").arg(at).output();
    }
}

/// Brings a file into the page cache.
fn warm(path: &Path) -> Result<()> {
    let mut file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut buffer = vec![0; MIB as usize];
    while file.read(&mut buffer).with_context(|| format!("reading {}", path.display()))? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_in_the_folder_are_taken_for_ours() {
        let mounts = "/dev/vda / ext4 rw 0 0\nslow /a/files/slow.fuse fuse rw 0 0\n/dev/loop0 /a/files/slow ext4 rw 0 0\n\
                      tmpfs /a/files2 tmpfs rw 0 0\n";
        let found = below(mounts, Path::new("/a/files"));
        assert_eq!(found, [PathBuf::from("/a/files/slow.fuse"), PathBuf::from("/a/files/slow")]);
    }
}
