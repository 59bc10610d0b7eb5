//! What was measured of a runtime, as it is kept: a file for each build, beside the machine's own
//! calibration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::super::{
    CacheError,
    cache::{self, version},
    rig::host::identity,
};
use crate::machine::{EventCost, Runtime, SleepCost};

/// The layout of the file.
const FORMAT: u32 = 2;
/// As many files are looked at.
const MOST_FILES: usize = 200;

/// What was measured of a runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuntimeCalibration {
    /// The layout of the file.
    pub format: u32,
    /// The version of should-i-async that measured.
    pub version: String,
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// The CPU's model and the number of CPUs.
    pub machine: String,
    /// Which build of the runtime.
    pub build_id: String,
    /// The runtime, with the ways that it could import there.
    pub runtime: Runtime,
    /// What an event costs, by way of waiting.
    pub costs: Vec<EventCost>,
    /// What an event costs that is slept for, by way of waiting.
    pub sleeps: Vec<SleepCost>,
    /// The pace at which it was measured: ns of the yardstick.
    pub pace: f64,
    /// When, seconds since the epoch.
    pub taken_at: u64,
    /// Share of the CPUs that others used meanwhile.
    pub others: f64,
}

impl RuntimeCalibration {
    /// Of `runtime` and its build, with no prices yet.
    pub(super) fn new(build_id: String, runtime: Runtime, pace: f64, others: f64) -> Self {
        let (kernel, machine) = identity();
        let taken_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let (costs, sleeps) = (Vec::new(), Vec::new());
        let (format, version) = (FORMAT, version());
        Self { format, version, kernel, machine, build_id, runtime, costs, sleeps, pace, taken_at, others }
    }

    /// Keeps it, and returns where.
    ///
    /// # Errors
    /// There is no place, or the file cannot be written.
    pub fn store(&self) -> Result<PathBuf, CacheError> {
        let id: String = self.build_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        cache::keep(&format!("runtime-{id}.json"), self)
    }

    /// The best that is kept for a runtime of this machine, kernel and version: of that very build,
    /// else of another one of the same language and version.
    pub fn load(runtime: &Runtime, build_id: Option<&str>) -> Option<Self> {
        let all = Self::all(&cache::folder()?);
        let mut fitting: Vec<Self> =
            all.into_iter().filter(|kept| kept.is_of_here() && kept.is_like(runtime)).collect();
        // The youngest of those that fit best comes last.
        fitting.sort_by_key(|kept| (Some(kept.build_id.as_str()) == build_id, kept.taken_at));
        fitting.pop()
    }

    fn all(folder: &Path) -> Vec<Self> {
        let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
        let is_one = |name: &str| name.starts_with("runtime-") && name.ends_with(".json");
        let named = files.flatten().filter(|file| file.file_name().to_str().is_some_and(is_one));
        let read = |path: PathBuf| -> io::Result<Self> { Ok(serde_json::from_str(&fs::read_to_string(path)?)?) };
        named.take(MOST_FILES).filter_map(|file| read(file.path()).ok()).collect()
    }

    fn is_of_here(&self) -> bool {
        let (kernel, machine) = identity();
        (self.format, &self.version) == (FORMAT, &version()) && (&self.kernel, &self.machine) == (&kernel, &machine)
    }

    /// A target's version is often known to the minor number alone.
    fn is_like(&self, runtime: &Runtime) -> bool {
        let minor = |version: &[u32]| version.iter().take(2).copied().collect::<Vec<_>>();
        self.runtime.language == runtime.language && minor(&self.runtime.version) == minor(&runtime.version)
    }
}
