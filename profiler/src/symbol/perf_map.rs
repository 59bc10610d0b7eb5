//! symbol/perf_map: names of JIT-compiled code, from the file that the runtime writes for profilers
//! (tools/perf/Documentation/jit-interface.txt): lines of `START SIZE name`, hexadecimal, the
//! newest last.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{Mode, OFlags};

use super::root::open_at_root;
use crate::process::Process;
use crate::quantity::Tgid;
use crate::text::clean::as_read;

/// The most that is read of one file. Larger ones exist only where something has gone wrong.
const MOST_BYTES: u64 = 256 << 20;

/// Where a process's perf map is. Holds the folder, because /proc/PID/root goes with the process;
/// the file itself may appear later than the code, or only at the process's exit (Java's
/// `-XX:+DumpPerfMapAtExit`).
pub(super) struct JitSource {
    folder: Option<OwnedFd>,
    file_name: String,
}

impl JitSource {
    pub(super) fn new(tgid: Tgid) -> Self {
        // The runtime knows itself by the PID of its own namespace.
        let inner = Process::read(tgid).ok().and_then(|process| process.inner_pid()).unwrap_or(tgid.as_raw());
        let folder = open_at_root(tgid, "tmp", OFlags::PATH | OFlags::DIRECTORY);
        Self { folder, file_name: format!("perf-{inner}.map") }
    }

    fn open(&self) -> Option<File> {
        // Anyone may write to /tmp: no links out of it, and no pipe that would hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.folder.as_ref()?, &self.file_name, flags, Mode::empty()).ok()?;
        let file = File::from(file);
        file.metadata().is_ok_and(|meta| meta.is_file()).then_some(file)
    }
}

/// A perf map, read as far as it has been written.
#[derive(Default)]
pub(super) struct PerfMap {
    file: Option<File>,
    read: u64,
    /// By start address: end, name. No two overlap.
    entries: BTreeMap<u64, (u64, String)>,
}

impl PerfMap {
    /// Reads what was appended since. Whether there was anything.
    pub(super) fn refresh(&mut self, source: &JitSource) -> bool {
        if self.file.is_none() {
            self.file = source.open();
        }
        let Some(file) = &self.file else { return false };
        let size = file.metadata().map_or(0, |meta| meta.len()).min(MOST_BYTES);
        if size < self.read {
            // Cut: a new life of the same PID, or a runtime that starts over.
            self.read = 0;
            self.entries.clear();
        }
        let mut fresh = vec![0; usize::try_from(size - self.read).unwrap_or(0)];
        if fresh.is_empty() || file.read_exact_at(&mut fresh, self.read).is_err() {
            return false;
        }
        // The last line may be half written.
        let Some(end) = fresh.iter().rposition(|&b| b == b'\n') else { return false };
        self.read += end as u64 + 1;
        self.add(&String::from_utf8_lossy(&fresh[..end]));
        true
    }

    fn add(&mut self, text: &str) {
        for (start, end, name) in text.lines().filter_map(parse_line) {
            // The code that was here before is gone, because its memory is used again. An entry
            // that is partly covered is gone too.
            while let Some((&old, _)) =
                self.entries.range(..end).next_back().filter(|(_, (old_end, _))| *old_end > start)
            {
                self.entries.remove(&old);
            }
            self.entries.insert(start, (end, name));
        }
    }

    /// The name of the code at an address.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        let (_, (end, name)) = self.entries.range(..=address).next_back()?;
        (address < *end).then_some(name.as_str())
    }
}

fn parse_line(line: &str) -> Option<(u64, u64, String)> {
    let (start, rest) = line.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    let hex = |digits: &str| u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok();
    let (start, name) = (hex(start)?, name.trim());
    let end = start.checked_add(hex(size)?)?;
    (end > start && !name.is_empty()).then(|| (start, end, as_read(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_lines_replace_what_they_overlap() {
        let mut map = PerfMap::default();
        map.add("1000 100 old one\n0x1100 10 JS:~f a.js:1\nbad\n2000 zz x\n3000 0 empty\n1080 40 new");
        assert_eq!(map.name(0x1000), None);
        assert_eq!(map.name(0x1080), Some("new"));
        assert_eq!(map.name(0x10bf), Some("new"));
        assert_eq!(map.name(0x10c0), None);
        assert_eq!(map.name(0x110f), Some("JS:~f a.js:1"));
        assert_eq!(map.name(0x1110), None);
        assert_eq!(map.name(0x3000), None);
    }

    #[test]
    fn a_file_is_read_on_as_it_grows_and_from_the_start_when_it_was_cut() {
        use std::io::Write as _;
        let path = std::env::temp_dir().join(format!("perf-map-test-{}", std::process::id()));
        let mut file = File::create(&path).unwrap();
        let mut map = PerfMap { file: Some(File::open(&path).unwrap()), ..PerfMap::default() };
        let source = JitSource { folder: None, file_name: String::new() };
        file.write_all(b"10 10 first\n20 10 sec").unwrap();
        assert!(map.refresh(&source));
        assert_eq!((map.name(0x10), map.name(0x20)), (Some("first"), None));
        assert!(!map.refresh(&source));
        file.write_all(b"ond\n").unwrap();
        assert!(map.refresh(&source));
        assert_eq!(map.name(0x2f), Some("second"));
        std::fs::write(&path, b"30 1 third\n").unwrap();
        assert!(map.refresh(&source));
        assert_eq!((map.name(0x10), map.name(0x30)), (None, Some("third")));
        std::fs::remove_file(&path).unwrap();
    }
}
