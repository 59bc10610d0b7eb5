//! What requests past the page cache cost on one file system, measured when it is named and never
//! otherwise: on a file without a name, of 32 MiB, for less than five seconds.

use std::{
    fs,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    cache::{self, version},
    error::{CacheError, VolumeError},
    full::{self, Budget, Cell},
    result::{Figure, SteadyRow},
    rig::{
        clock,
        host::{Usage, identity},
        scratch::{self, Aligned, FILE_BYTES},
    },
};
use crate::machine::DirectRead;

/// The layout of the file.
const FORMAT: u32 = 3;
/// A file system with less room than this is left alone.
const ROOM: u64 = 1 << 30;
/// How long the device is watched before.
const WATCHED: Duration = Duration::from_millis(250);
/// Requests a second above which it is in use.
const IN_USE: f64 = 100.0;
const BLOCK: usize = 4096;

/// What was measured of a file system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeCalibration {
    /// The layout of the file.
    pub format: u32,
    /// The version of should-i-async that measured.
    pub version: String,
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// The CPU's model and the number of CPUs.
    pub machine: String,
    /// The file system's device: major and minor number.
    pub device: (u32, u32),
    /// Its type, as the kernel names it.
    pub file_system: String,
    /// Random requests past the page cache, by how many are in flight and submitted together.
    pub requests: Vec<SteadyRow>,
    /// `fdatasync` after a 4 KiB write, ns of CPU of the thread that calls.
    pub fdatasync: Figure,
    /// When, seconds since the epoch.
    pub taken_at: u64,
    /// Share of the CPUs that others used meanwhile.
    pub others: f64,
}

impl VolumeCalibration {
    /// Measures the file system that `dir` is on.
    ///
    /// # Errors
    /// It has too little room, is in use, keeps its files in memory, or refuses what is asked.
    pub fn measure(dir: &Path) -> Result<Self, VolumeError> {
        let system = |source| VolumeError::System { path: dir.to_owned(), source };
        let device = fs::metadata(dir).map_err(system)?.dev();
        let device = (rustix::fs::major(device), rustix::fs::minor(device));
        let room = rustix::fs::statvfs(dir).map_err(|errno| system(errno.into()))?;
        if room.f_bavail.saturating_mul(room.f_frsize) < ROOM {
            return Err(VolumeError::NoRoom { path: dir.to_owned() });
        }
        if let Some(rate) = requests_a_second(device).filter(|&rate| rate > IN_USE) {
            return Err(VolumeError::Busy { path: dir.to_owned(), rate: rate.round() as u64 });
        }
        let file = scratch::file(Some(dir), BLOCK).map_err(system)?;
        let file_system = scratch::file_system(&file);
        let direct = scratch::direct(Some(dir), &file_system)
            .map_err(|why| VolumeError::Refused { path: dir.to_owned(), why })?;
        let before = Usage::so_far();
        let requests = full::requests(&direct);
        let fdatasync = fdatasync(&direct);
        let (kernel, machine) = identity();
        let taken_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Ok(Self {
            format: FORMAT,
            version: version(),
            kernel,
            machine,
            device,
            file_system,
            requests,
            fdatasync,
            taken_at,
            others: before.others(),
        })
    }

    /// Keeps it, and returns where.
    ///
    /// # Errors
    /// There is no place, or the file cannot be written.
    pub fn store(&self) -> Result<PathBuf, CacheError> {
        cache::keep(&Self::name(self.device), self)
    }

    /// What is kept of the file system on a device, of this machine, kernel and version.
    pub fn load(device: (u32, u32)) -> Option<Self> {
        let text = fs::read_to_string(cache::folder()?.join(Self::name(device))).ok()?;
        let kept: Self = serde_json::from_str(&text).ok()?;
        let (kernel, machine) = identity();
        let is_of_here = (&kept.version, &kept.kernel, &kept.machine) == (&version(), &kernel, &machine);
        (kept.format == FORMAT && is_of_here && kept.device == device).then_some(kept)
    }

    /// Of the file that it is kept in.
    fn name((major, minor): (u32, u32)) -> String {
        format!("files-{major}-{minor}.json")
    }

    /// The price of a request, for each row that has one.
    pub fn prices(&self) -> Vec<DirectRead> {
        self.requests.iter().filter_map(super::prices::steady).collect()
    }
}

/// Requests a second that the device serves already; `None` where it is no block device.
fn requests_a_second((major, minor): (u32, u32)) -> Option<f64> {
    let path = format!("/sys/dev/block/{major}:{minor}/stat");
    let done = || served(&fs::read_to_string(&path).ok()?);
    let before = done()?;
    std::thread::sleep(WATCHED);
    Some((done()?.saturating_sub(before)) as f64 / WATCHED.as_secs_f64())
}

/// Reads and writes that were served, by the kernel's Documentation/block/stat.rst.
fn served(stat: &str) -> Option<u64> {
    let numbers: Vec<u64> = stat.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    Some(numbers.first()? + numbers.get(4)?)
}

/// A write, and what it takes to have it on the device.
fn fdatasync(file: &fs::File) -> Figure {
    let mut cell = Cell::default();
    let mut budget = Budget::new(5, 41, 300);
    let mut block = Aligned::new(BLOCK);
    while let Some(repeat) = budget.next() {
        let offset = (repeat * 37 * BLOCK) as u64 % FILE_BYTES as u64;
        let mut once = || -> std::io::Result<f64> {
            file.write_all_at(block.bytes(), offset)?;
            let begun = clock::thread_cpu();
            file.sync_data()?;
            Ok((clock::thread_cpu() - begun) as f64)
        };
        cell.take(repeat, once().map_err(|error| format!("fdatasync: {error}")));
        if cell.hopeless() {
            break;
        }
    }
    cell.figure()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_that_were_served_are_counted() {
        let stat = "  1000 5 8000 12  200 3 1600 9  0 20 21 0 0 0 0 7 8\n";
        assert_eq!(served(stat), Some(1_200));
        assert_eq!((served(""), served("no numbers")), (None, None));
    }
}
