//! The cache: one JSON file per kernel and machine. It is written whole or not at all, and refused
//! if it comes from another machine, kernel or version.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    error::{CacheError, CalibrateError},
    result::{Essentials, Full},
    rig::host::identity,
};
use crate::text::{clean, fit::cut_chars};

/// The layout of the file. Raised when a field changes its meaning.
const FORMAT: u32 = 8;

/// A calibration as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The layout of the file.
    pub format: u32,
    /// The version of should-i-async that measured, and its build: an unoptimised runtime costs
    /// more.
    pub version: String,
    /// What predictions cannot do without.
    pub essentials: Essentials,
    /// The rest, unless only the essentials were measured.
    pub full: Option<Full>,
}

/// Version and build of this program.
pub fn version() -> String {
    let build = if cfg!(debug_assertions) { "+unoptimised" } else { "" };
    format!("{}{build}", env!("CARGO_PKG_VERSION"))
}

impl Calibration {
    /// A calibration of this version and layout.
    pub fn new(essentials: Essentials, full: Option<Full>) -> Self {
        Self { format: FORMAT, version: version(), essentials, full }
    }
}

/// The cache's folder: `$XDG_CACHE_HOME/should-i-async`, else `~/.cache/should-i-async`. Relative
/// paths do not count.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("should-i-async"))
}

/// The file for a kernel and machine in `folder`.
pub fn path_in(folder: &Path, kernel: &str, machine: &str) -> PathBuf {
    // FNV-1a keeps names short and apart. Machine and kernel are compared in full when the file is
    // read.
    let hash = machine
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let kernel: String = kernel
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(80)
        .collect();
    folder.join(format!("calibration-{kernel}-{hash:016x}.json"))
}

/// Writes the calibration of this machine, and returns where.
///
/// # Errors
/// There is no place for the cache, or the file cannot be written.
pub fn store(calibration: &Calibration) -> Result<PathBuf, CalibrateError> {
    store_in(&folder().ok_or(CalibrateError::Cache(CacheError::NoPlace))?, calibration)
}

/// Writes the calibration of this machine into `folder`, and returns where.
///
/// # Errors
/// The file cannot be written.
pub fn store_in(folder: &Path, calibration: &Calibration) -> Result<PathBuf, CalibrateError> {
    let path = path_in(folder, &calibration.essentials.kernel, &calibration.essentials.machine);
    fs::create_dir_all(folder).map_err(CalibrateError::system("making the cache's folder"))?;
    store_at(&path, calibration).map_err(CalibrateError::system("writing the cache"))?;
    Ok(path)
}

/// Writes a calibration to `path`. A reader sees the old file or the new one.
///
/// # Errors
/// The file cannot be written.
pub fn store_at(path: &Path, calibration: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(calibration)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::File::create(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Keeps something beside the machine's calibration, in a file of this name, and returns where.
///
/// # Errors
/// There is no place, or the file cannot be written.
pub(super) fn keep(name: &str, value: &impl Serialize) -> Result<PathBuf, CacheError> {
    let folder = folder().ok_or(CacheError::NoPlace)?;
    let path = folder.join(name);
    let written = fs::create_dir_all(&folder).and_then(|()| store_at(&path, value));
    written.map_err(|source| CacheError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// The calibration of this machine, kernel and version.
///
/// # Errors
/// There is none, or none that may be used. The message says why.
pub fn load() -> Result<Calibration, CacheError> {
    let (kernel, machine) = identity();
    let folder = folder().ok_or(CacheError::NoPlace)?;
    load_at(&path_in(&folder, &kernel, &machine), &kernel, &machine)
}

/// The calibration in the file at `path`, if it fits this kernel and machine.
///
/// # Errors
/// There is no such file, or none that may be used. The message says why.
pub fn load_at(path: &Path, kernel: &str, machine: &str) -> Result<Calibration, CacheError> {
    let text = fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => CacheError::None,
        _ => CacheError::Read { path: path.to_owned(), source },
    })?;
    let damaged = |e: serde_json::Error| CacheError::Damaged { path: path.to_owned(), reason: e.to_string() };
    let foreign = |what, theirs: &str, ours: &str| CacheError::Foreign {
        path: path.to_owned(),
        what,
        theirs: cut_chars(&clean::line(theirs), 120),
        ours: ours.to_owned(),
    };
    // Layout and version come first: another one may lack fields that this one asks for.
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        version: String,
    }
    let head: Head = serde_json::from_str(&text).map_err(damaged)?;
    if head.format != FORMAT {
        return Err(foreign("layout", &head.format.to_string(), &FORMAT.to_string()));
    }
    if head.version != version() {
        return Err(foreign("version of should-i-async", &head.version, &version()));
    }
    let calibration: Calibration = serde_json::from_str(&text).map_err(damaged)?;
    let found = &calibration.essentials;
    if found.kernel != kernel {
        return Err(foreign("kernel", &found.kernel, kernel));
    }
    if found.machine != machine {
        return Err(foreign("machine", &found.machine, machine));
    }
    Ok(calibration)
}
