//! symbol/perf_map: names of JIT-compiled code, from the file that the runtime writes for profilers
//! (tools/perf/Documentation/jit-interface.txt): lines of `START SIZE name`, hexadecimal, the
//! newest last.
//!
//! A name belongs to an address and a time. Memory of a JIT compiler is used again, and some
//! runtimes write the whole file anew (HotSpot's `jcmd PID Compiler.perfmap`). Whenever a name
//! takes the place of another one an epoch ends; a stack is named by the epoch that it was taken
//! in, and where that does not know the address, by the next one that does: files are written after
//! the code has run.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::root::open_at_root;
use crate::process::Process;
use crate::quantity::Tgid;
use crate::text::clean::as_read;

/// The most that is read of one file. Larger ones exist only where something has gone wrong.
const MOST_BYTES: u64 = 256 << 20;
/// Bytes at the beginning and at the end of what was read, by which a file that was written anew is
/// known from one that has grown.
const COMPARED: u64 = 128;
/// Names at a time.
const MOST_NAMES: usize = 1 << 22;
/// Epochs of one file: after so many, names are those of the last one. And names that are kept of
/// those that have ended: beyond that the oldest are forgotten.
const MOST_EPOCHS: usize = 4_096;
const MOST_PAST: usize = 1 << 20;

/// When a name was there: how many names had taken the place of others before.
pub(super) type Epoch = u32;

/// Where a process's perf map is. Holds the folder, because /proc/PID/root goes with the process;
/// the file itself may appear later than the code, or only at the process's exit (Java's
/// `-XX:+DumpPerfMapAtExit`).
pub(super) struct JitSource {
    folder: Option<OwnedFd>,
    file_name: String,
    /// The user that the process runs as. Anyone may write to /tmp: no other's file is read, but
    /// root's.
    uid: u32,
}

impl JitSource {
    pub(super) fn new(tgid: Tgid) -> Self {
        // The runtime knows itself by the PID of its own namespace.
        let process = Process::read(tgid).ok();
        let inner = process.as_ref().and_then(Process::inner_pid).unwrap_or(tgid.as_raw());
        let folder = open_at_root(tgid, "tmp", OFlags::PATH | OFlags::DIRECTORY);
        Self { folder, file_name: format!("perf-{inner}.map"), uid: process.map_or(0, |process| process.uid) }
    }

    fn open(&self) -> Option<File> {
        // No links out of it, and no pipe that would hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.folder.as_ref()?, &self.file_name, flags, Mode::empty()).ok()?;
        let file = File::from(file);
        let is_theirs = |meta: std::fs::Metadata| meta.is_file() && [0, self.uid].contains(&meta.uid());
        file.metadata().is_ok_and(is_theirs).then_some(file)
    }

    /// The number of the file that has the name now.
    fn inode(&self) -> Option<u64> {
        let found = rustix::fs::statat(self.folder.as_ref()?, &self.file_name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(found.st_ino)
    }
}

/// Code of one process that was made at run time. The unwinder looks whether names have changed
/// while stacks come; the symbolizer reads them.
pub(super) struct JitCode {
    source: JitSource,
    map: Mutex<PerfMap>,
}

impl JitCode {
    pub(super) fn new(tgid: Tgid) -> Self {
        Self { source: JitSource::new(tgid), map: Mutex::default() }
    }

    /// Its names, read as far as they have been written.
    pub(super) fn refreshed(&self) -> MutexGuard<'_, PerfMap> {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.refresh(&self.source);
        map
    }
}

/// A name, from its address to `end`.
struct Entry {
    end: u64,
    name: Box<str>,
    since: Epoch,
}

/// Names by start address.
type Entries = BTreeMap<u64, Entry>;

/// A perf map, read as far as it has been written.
#[derive(Default)]
pub(super) struct PerfMap {
    file: Option<File>,
    read: u64,
    changed: Option<SystemTime>,
    /// The first and the last bytes that were read.
    ends: (Vec<u8>, Vec<u8>),
    /// No two overlap.
    now: Entries,
    /// What each epoch took away when it ended.
    past: Vec<Entries>,
}

impl PerfMap {
    /// Reads what was written since. Whether there was anything.
    pub(super) fn refresh(&mut self, source: &JitSource) -> bool {
        let same = self.file.as_ref().and_then(|file| Some(file.metadata().ok()?.ino() == source.inode()?));
        if same != Some(true)
            && let Some(file) = source.open()
        {
            self.start_over();
            self.file = Some(file);
        }
        let Some((size, changed)) = self.file.as_ref().and_then(|file| {
            let meta = file.metadata().ok()?;
            Some((meta.len().min(MOST_BYTES), meta.modified().ok()))
        }) else {
            return false;
        };
        if size < self.read || changed != self.changed && !self.begins_as_before() {
            // A new life of the same PID, or a runtime that writes everything anew.
            self.start_over();
        }
        self.changed = changed;
        let mut fresh = vec![0; usize::try_from(size - self.read).unwrap_or(0)];
        if fresh.is_empty() || self.file.as_ref().is_none_or(|f| f.read_exact_at(&mut fresh, self.read).is_err()) {
            return false;
        }
        // The last line may be half written.
        let Some(end) = fresh.iter().rposition(|&b| b == b'\n') else { return false };
        self.read += end as u64 + 1;
        self.add(&String::from_utf8_lossy(&fresh[..end]));
        self.ends = self.compared().unwrap_or_default();
        true
    }

    fn begins_as_before(&self) -> bool {
        self.read == 0 || self.compared().is_none_or(|ends| ends == self.ends)
    }

    /// What stands at the beginning of the file, and before the place up to which it was read.
    fn compared(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let file = self.file.as_ref()?;
        let bytes = |from| {
            let mut bytes = vec![0; usize::try_from(self.read.min(COMPARED)).ok()?];
            file.read_exact_at(&mut bytes, from).ok()?;
            Some(bytes)
        };
        Some((bytes(0)?, bytes(self.read.saturating_sub(COMPARED))?))
    }

    /// The file begins anew. What it said has been true until now.
    fn start_over(&mut self) {
        self.read = 0;
        let ended = std::mem::take(&mut self.now);
        self.end_epoch(ended);
    }

    /// How many epochs have ended.
    pub(super) fn epoch(&self) -> Epoch {
        self.past.len() as Epoch
    }

    /// Ends the epoch, if any name ended with it.
    fn end_epoch(&mut self, ended: Entries) {
        if ended.is_empty() || self.past.len() >= MOST_EPOCHS {
            return;
        }
        self.past.push(ended);
        let mut kept = 0;
        for past in self.past.iter_mut().rev() {
            kept += past.len();
            if kept > MOST_PAST {
                past.clear();
            }
        }
    }

    fn add(&mut self, text: &str) {
        let (this, mut ended, mut fresh) = (self.epoch(), Entries::new(), HashSet::new());
        for (start, end, name) in text.lines().filter_map(parse_line) {
            if self.now.get(&start).is_some_and(|old| old.end == end && *old.name == *name) {
                continue;
            }
            // The code that was here before is gone, because its memory is used again. An entry
            // that is partly covered is gone too.
            let mut since = this;
            while let Some((&old, _)) = self.now.range(..end).next_back().filter(|(_, old)| old.end > start) {
                since = this + 1;
                // What came and went between two looks was never seen.
                if let Some(gone) = self.now.remove(&old)
                    && !fresh.remove(&old)
                {
                    ended.insert(old, gone);
                }
            }
            if self.now.len() >= MOST_NAMES {
                break;
            }
            fresh.insert(start);
            self.now.insert(start, Entry { end, name: name.into(), since });
        }
        self.end_epoch(ended);
    }

    /// The name of the code that was at an address in an epoch.
    pub(super) fn name(&self, address: u64, epoch: Epoch) -> Option<&str> {
        let after = self.past.get(epoch as usize..).unwrap_or_default();
        let found = || after.iter().chain([&self.now]).filter_map(|entries| covering(entries, address));
        let of_its_time = found().find(|entry| entry.since <= epoch);
        of_its_time.or_else(|| found().next()).map(|entry| &*entry.name)
    }
}

fn covering(entries: &Entries, address: u64) -> Option<&Entry> {
    let (_, entry) = entries.range(..=address).next_back()?;
    (address < entry.end).then_some(entry)
}

fn parse_line(line: &str) -> Option<(u64, u64, String)> {
    let (start, rest) = line.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    let hex = |digits: &str| u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok();
    let (start, name) = (hex(start)?, name.trim());
    let end = start.checked_add(hex(size)?)?;
    (end > start && !name.is_empty()).then(|| (start, end, as_read(name)))
}

#[cfg(fuzzing)]
pub(super) fn fuzz(bytes: &[u8]) {
    let mut map = PerfMap::default();
    // What is written comes in parts.
    for part in bytes.split(|&b| b == 0) {
        map.add(&String::from_utf8_lossy(part));
        for (at, entry) in map.now.iter().take(8) {
            assert!(*at < entry.end && !entry.name.is_empty());
            assert_eq!(map.name(*at, map.epoch()), Some(&*entry.name));
        }
        let overlaps = |((_, a), (b, _)): ((&u64, &Entry), (&u64, &Entry))| a.end > *b;
        assert!(!map.now.iter().zip(map.now.iter().skip(1)).any(overlaps));
    }
    let _ = [0, 0x1000, u64::MAX].map(|address| map.name(address, 0).map(str::len));
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn later_lines_replace_what_they_overlap() {
        let mut map = PerfMap::default();
        map.add("1000 100 old one\n0x1100 10 JS:~f a.js:1\nbad\n2000 zz x\n3000 0 empty\n");
        map.add("1080 40 new");
        let now = |address| map.name(address, map.epoch());
        assert_eq!(now(0x1000), None);
        assert_eq!((now(0x1080), now(0x10bf), now(0x10c0)), (Some("new"), Some("new"), None));
        assert_eq!((now(0x110f), now(0x1110), now(0x3000)), (Some("JS:~f a.js:1"), None, None));
        // What was there before is still known for its time, and what stayed for both.
        assert_eq!((map.epoch(), map.name(0x1000, 0), map.name(0x1080, 0)), (1, Some("old one"), Some("old one")));
        assert_eq!(map.name(0x1100, 0), Some("JS:~f a.js:1"));
        // The same line again changes nothing.
        map.add("1080 40 new");
        assert_eq!(map.epoch(), 1);
        // What comes and goes between two looks leaves what was there before.
        map.add("1100 8 brief\n1100 8 last");
        assert_eq!([1, 2].map(|epoch| map.name(0x1100, epoch)), [Some("JS:~f a.js:1"), Some("last")]);
        assert_eq!((map.name(0x1108, 1), map.name(0x1108, 2)), (Some("JS:~f a.js:1"), None));
    }

    #[test]
    fn an_address_that_its_time_does_not_know_has_the_next_name() {
        let mut map = PerfMap::default();
        map.add("1000 10 first");
        map.add("1000 10 second");
        map.add("2000 10 late\n1000 10 third");
        assert_eq!(map.epoch(), 2);
        assert_eq!([0, 1, 2].map(|epoch| map.name(0x1000, epoch)), ["first", "second", "third"].map(Some));
        assert_eq!([0, 1, 2].map(|epoch| map.name(0x2000, epoch)), ["late"; 3].map(Some));
    }

    /// A folder of its own with a perf map in it.
    fn folder(name: &str) -> (PathBuf, JitSource) {
        let folder = std::env::temp_dir().join(format!("sia-perf-map-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let opened = File::open(&folder).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        (folder.join("a.map"), JitSource { folder: Some(opened.into()), file_name: "a.map".to_owned(), uid })
    }

    #[test]
    fn a_file_is_read_on_as_it_grows_and_from_the_start_when_it_was_cut() {
        let (path, source) = folder("grows");
        let mut map = PerfMap::default();
        assert!(!map.refresh(&source), "it may come later than the code");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"10 10 first\n20 10 sec").unwrap();
        assert!(map.refresh(&source));
        assert_eq!((map.name(0x10, 0), map.name(0x20, 0)), (Some("first"), None));
        assert!(!map.refresh(&source));
        file.write_all(b"ond\n").unwrap();
        assert!(map.refresh(&source));
        assert_eq!((map.name(0x2f, 0), map.epoch()), (Some("second"), 0));
        std::fs::write(&path, b"30 1 third\n").unwrap();
        assert!(map.refresh(&source));
        assert_eq!((map.name(0x10, 1), map.name(0x30, 1), map.name(0x10, 0)), (None, Some("third"), Some("first")));
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    /// Longer than it was, as a runtime leaves it that lists all of its code again.
    #[test]
    fn a_file_that_is_written_anew_does_not_rename_what_came_before() {
        type Write = fn(&std::path::Path, &str);
        let truncated: Write = |path, text| std::fs::write(path, text).unwrap();
        let renamed: Write = |path, text| {
            let other = path.with_extension("new");
            std::fs::write(&other, text).unwrap();
            std::fs::rename(&other, path).unwrap();
        };
        let appended: Write = |path, text| {
            File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
        };
        for (name, write) in [("truncated", truncated), ("renamed", renamed), ("appended", appended)] {
            let (path, source) = folder(name);
            let mut map = PerfMap::default();
            std::fs::write(&path, "1000 40 old_name\n2000 40 stays\n").unwrap();
            assert!(map.refresh(&source));
            write(&path, &format!("1000 40 new_name\n2000 40 stays\n{}", "3000 10 filler\n".repeat(50)));
            assert!(map.refresh(&source), "{name}");
            let names = |address| [0, 1].map(|epoch| map.name(address, epoch).unwrap());
            assert_eq!((map.epoch(), names(0x1000), names(0x2000)), (1, ["old_name", "new_name"], ["stays"; 2]));
            std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }
}
