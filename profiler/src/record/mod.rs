//! record: recordings as files. One file has everything that a report needs on another machine,
//! names included.
//!
//! `docs/recordings.md` describes the format: eight bytes of mark, a version, and a gzip stream of
//! one MessagePack value whose structures are maps with the field names of [`Recording`] and what
//! it holds.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};

use crate::{
    aggregate::Window,
    answer::{Inputs, Sampled},
    quantity::Nanos,
    text::numbers::bytes,
};

/// The first bytes of a recording.
const MARK: &[u8; 8] = b"sia-rec\n";
/// Version of the format. Raised whenever an older build could misread what a newer one wrote.
pub const VERSION: u32 = 2;
/// The oldest that this build reads: it had fewer classes of blocks.
const OLDEST: u32 = 1;
/// More than a recording of ours unpacks to: a small file of a stranger does not take the machine's
/// memory. 600 parts of 128 threads and 2,048 sites come to some hundred MiB.
pub const MOST_BYTES: u64 = 1 << 30;

/// Bytes that are packed together.
const AT_ONCE: usize = 1 << 16;

/// A part of a measurement: what happened in about a second.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Its end, since the start of the measurement.
    pub at: Nanos,
    /// CPU that the profiler's own process used in it.
    #[serde(default, rename = "daemon_cpu")]
    pub own_cpu: Nanos,
    /// What happened in it: without streamed block ends, and with the busiest threads only; the
    /// others are pooled.
    pub window: Window,
}

/// A measurement as a file keeps it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Recording {
    /// Version of the command that made it.
    pub made_by: String,
    pub window: Window,
    /// Names, facts and outside counters.
    pub inputs: Inputs,
    /// Stacks with their names.
    pub sampled: Sampled,
    /// The measurement in parts, in order.
    pub parts: Vec<Part>,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not to be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is no recording.
    #[error("{} is no recording of should-i-async: make one with `should-i-async record -p PID -o FILE`", .0.display())]
    Foreign(PathBuf),
    /// The file is of another version.
    #[error(
        "{} has format {found}, this build reads {OLDEST} to {VERSION}: read it with the version of should-i-async that made it",
        path.display()
    )]
    Version {
        path: PathBuf,
        /// The version that it states.
        found: u32,
    },
    /// The end is missing.
    #[error("{} is cut off: copy it again, or record again", .0.display())]
    Cut(PathBuf),
    /// Bytes of the file have changed.
    #[error("{} is damaged ({reason}): copy it again, or record again", path.display())]
    Damaged {
        path: PathBuf,
        /// What did not fit.
        reason: String,
    },
    /// It unpacks to more than was allowed.
    #[error(
        "{} ({}) unpacks to more than {}, which no recording of should-i-async has needed: if you made it yourself, \
         read it with --any-size",
        path.display(), bytes(*packed), bytes(*most)
    )]
    TooLarge {
        path: PathBuf,
        /// Bytes of the file.
        packed: u64,
        /// Bytes that were allowed.
        most: u64,
    },
    /// Not to be written. Nothing was left behind.
    #[error("cannot write {}: {source}. {}", path.display(), remedy(source))]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// What to do where a file cannot be written.
fn remedy(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => "Free space there, or choose a path on another disk",
        std::io::ErrorKind::QuotaExceeded => "Free some of your quota, or choose a path on another disk",
        _ => "Choose another path",
    }
}

/// Writes a file in one step: a reader finds the old content or the new one, never a part.
///
/// # Errors
/// The system's; nothing is left behind then.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<u64> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::IsADirectory))?;
    // A device or a pipe is written to as it is: a rename would replace it.
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        fill(&mut out)?;
        out.flush()?;
        return Ok(0);
    }
    let temporary = folder.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut out = BufWriter::new(File::create_new(&temporary)?);
        fill(&mut out)?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        std::fs::rename(&temporary, path)?;
        Ok(bytes)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

impl Recording {
    /// Writes it and returns its size, in bytes.
    ///
    /// # Errors
    /// See [`RecordError::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<u64, RecordError> {
        let unwritable = |source| RecordError::Unwritable { path: path.to_owned(), source };
        write_atomically(path, |out| {
            out.write_all(MARK)?;
            out.write_all(&VERSION.to_le_bytes())?;
            // The encoder writes each number by itself, and packing a few bytes takes as long as
            // packing hundreds.
            let mut packed = BufWriter::with_capacity(AT_ONCE, GzEncoder::new(out, Compression::fast()));
            rmp_serde::encode::write_named(&mut packed, self).map_err(|error| match error {
                // The system's own error, not the encoder's word for it.
                rmp_serde::encode::Error::InvalidValueWrite(error) => error.into(),
                other => std::io::Error::other(other),
            })?;
            packed.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
            Ok(())
        })
        .map_err(unwritable)
    }

    /// Reads one that unpacks to [`MOST_BYTES`] at most.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        Self::read_up_to(path, MOST_BYTES)
    }

    /// Reads one that unpacks to so many bytes at most.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read_up_to(path: &Path, most: u64) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|source| RecordError::Unreadable { path: path.to_owned(), source })?;
        Self::read_from(BufReader::new(file), path, most)
    }

    /// Reads the bytes of one that unpacks to so many at most.
    ///
    /// # Errors
    /// See [`RecordError`], with this path.
    pub fn read_from(mut file: impl BufRead, path: &Path, most: u64) -> Result<Self, RecordError> {
        let unreadable = |source| RecordError::Unreadable { path: path.to_owned(), source };
        let mut head = [0; 12];
        let mut filled = 0;
        while filled < head.len() {
            match file.read(&mut head[filled..]).map_err(unreadable)? {
                0 => break,
                n => filled += n,
            }
        }
        let known = filled.min(MARK.len());
        if filled == 0 || head[..known] != MARK[..known] {
            return Err(RecordError::Foreign(path.to_owned()));
        }
        if filled < head.len() {
            return Err(RecordError::Cut(path.to_owned()));
        }
        let found = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if !(OLDEST..=VERSION).contains(&found) {
            return Err(RecordError::Version { path: path.to_owned(), found });
        }
        let mut bytes = Vec::new();
        let mut unpacked = GzDecoder::new(file).take(most.saturating_add(1));
        unpacked.read_to_end(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => RecordError::Cut(path.to_owned()),
            _ => RecordError::Damaged { path: path.to_owned(), reason: error.to_string() },
        })?;
        if bytes.len() as u64 > most {
            let packed = std::fs::metadata(path).map_or(0, |data| data.len());
            return Err(RecordError::TooLarge { path: path.to_owned(), packed, most });
        }
        rmp_serde::from_slice(&bytes).map_err(|e| RecordError::Damaged { path: path.to_owned(), reason: e.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Ended;
    use crate::machine::{Beside, Source};

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sia-record-{}-{name}", std::process::id()))
    }

    fn small() -> Recording {
        Recording { made_by: "0.0.0".into(), ..Recording::default() }
    }

    #[test]
    fn what_was_written_is_read() {
        let path = file("whole");
        let bytes = small().write(&path).unwrap();
        assert_eq!(bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(Recording::read(&path).unwrap().made_by, "0.0.0");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_told() {
        let path = file("cut");
        small().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 1..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(Recording::read(&path), Err(RecordError::Cut(_))), "cut to {length} bytes");
        }
        // Behind the head of the gzip stream everything is under its checksum.
        for at in (0..12).chain(22..whole.len()) {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            std::fs::write(&path, &changed).unwrap();
            // A few bits between the compressed data and its checksum mean nothing.
            if let Ok(read) = Recording::read(&path) {
                assert_eq!(format!("{read:?}"), format!("{:?}", small()), "byte {at} changed");
            }
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_unpacks_to_more_than_is_allowed_is_not_read() {
        let path = file("large");
        small().write(&path).unwrap();
        let mut unpacked = Vec::new();
        GzDecoder::new(&std::fs::read(&path).unwrap()[12..]).read_to_end(&mut unpacked).unwrap();
        let exact = unpacked.len() as u64;
        assert!(Recording::read_up_to(&path, exact).is_ok());
        let error = Recording::read_up_to(&path, exact - 1).unwrap_err();
        assert!(matches!(error, RecordError::TooLarge { most, .. } if most == exact - 1), "{error}");
        assert!(Recording::read_up_to(&path, u64::MAX).is_ok());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_full_disk_is_called_by_its_name() {
        let error = small().write(Path::new("/dev/full")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /dev/full: No space left on device"), "{error}");
        assert!(error.contains("Free space there"), "{error}");
    }

    #[test]
    fn other_files_are_told_apart() {
        let path = file("foreign");
        for content in [&b""[..], b"\x7fELF\x02\x01\x01", b"sia-wire", b"{\"schema\": 2}"] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(Recording::read(&path), Err(RecordError::Foreign(_))), "{content:?}");
        }
        std::fs::write(&path, b"sia-rec\n\x63\0\0\0").unwrap();
        assert!(matches!(Recording::read(&path), Err(RecordError::Version { found: 99, .. })));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let path = file("nowhere").join("deeper");
        let error = small().write(&path).unwrap_err();
        assert!(matches!(error, RecordError::Unwritable { .. }), "{error}");
        let folder = file("folder");
        std::fs::create_dir(&folder).unwrap();
        assert!(small().write(&folder).is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        std::fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn an_ending_is_kept_in_words_and_unknown_words_can_be_read() {
        let pack = |words: &str| rmp_serde::to_vec_named(words).unwrap();
        let read = |words: &str| rmp_serde::from_slice::<Ended>(&pack(words)).unwrap();
        assert_eq!(rmp_serde::to_vec_named(&Ended::TargetExited).unwrap(), pack("target exited"));
        assert_eq!(read("target exited"), Ended::TargetExited);
        assert_eq!(rmp_serde::to_vec_named(&Ended::Unknown).unwrap(), pack(""));
        assert_eq!(read("power cut"), Ended::Unknown);
    }
    /// Two forms of one value have to be told apart in this format too.
    #[test]
    fn prices_from_elsewhere_are_kept() {
        let mut source = Source::from("here".to_owned());
        let read = |source: &Source| rmp_serde::from_slice(&rmp_serde::to_vec_named(source).unwrap()).unwrap();
        assert_eq!(source, read(&source));
        source.add(Beside::FileSystem);
        assert_eq!(source, read(&source));
    }
}
