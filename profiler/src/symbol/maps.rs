//! symbol/maps: the executable part of /proc/PID/maps (proc(5); fs/proc/task_mmu.c,
//! `show_map_vma`).

use std::ops::Range;

use crate::process;
use crate::quantity::Tgid;

/// A mapping of memory that code can run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Virtual addresses that it covers.
    pub(super) range: Range<u64>,
    /// Offset of its start in the file, bytes.
    pub(super) offset: u64,
    /// Device and inode of the file, as this file of /proc numbers them; inode 0: no file.
    pub(super) file: FileKey,
    /// The file's path inside the process's mount namespace, `[vdso]` and the like, or empty.
    pub(super) path: String,
}

/// What identifies a file across processes. Overlay and copy-on-write file systems show another
/// device here than `stat` does, so it is compared with its like only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FileKey {
    pub(super) device: (u32, u32),
    pub(super) inode: u64,
}

/// Executable mappings, by address. `None` where the process has gone or is hidden.
pub(super) fn read(tgid: Tgid) -> Option<Vec<Mapping>> {
    let read_text = |path: String| std::fs::read(path).ok().filter(|text| !text.is_empty());
    // A leader that has exited while other threads run has released the memory.
    let text = read_text(format!("/proc/{tgid}/maps")).or_else(|| {
        let threads = process::threads(tgid);
        threads.into_iter().find_map(|tid| read_text(format!("/proc/{tgid}/task/{tid}/maps")))
    })?;
    Some(parse(&text))
}

/// The size of a process's memory, in pages: mapping and unmapping change it.
pub(super) fn pages(tgid: Tgid) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/{tgid}/statm")).ok()?.split(' ').next()?.parse().ok()
}

fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|&b| b == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let start = rest.iter().position(|&b| b != b' ')?;
        let tail = &rest[start..];
        let end = tail.iter().position(|&b| b == b' ').unwrap_or(tail.len());
        rest = &tail[end..];
        str::from_utf8(&tail[..end]).ok()
    };
    let (start, end) = word()?.split_once('-')?;
    if word()?.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let offset = hex(word()?)?;
    let (major, minor) = word()?.split_once(':')?;
    let inode = word()?.parse().ok()?;
    let path = String::from_utf8_lossy(rest.trim_ascii_start()).replace("\\012", "\n");
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    Some(Mapping { range: hex(start)?..hex(end)?, offset, file: FileKey { device, inode }, path })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(fuzzing)]
pub(super) fn fuzz(bytes: &[u8]) {
    parse(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_mappings_are_kept_and_paths_may_hold_blanks() {
        let text = b"55d0-55e0 r--p 00000000 fe:01 77   /opt/a b (deleted)\n\
            55e0-55f0 r-xp 00001000 fe:01 77                         /opt/a b (deleted)\n\
            7f00-7f10 rwxp 00000000 00:00 0 \n\
            7ff0-7ff8 r-xp 00000000 00:00 0                          [vdso]\n\
            nonsense\n";
        let maps = parse(text);
        let seen: Vec<(u64, u64, &str)> = maps.iter().map(|m| (m.range.start, m.offset, m.path.as_str())).collect();
        assert_eq!(seen, [(0x55e0, 0x1000, "/opt/a b (deleted)"), (0x7f00, 0, ""), (0x7ff0, 0, "[vdso]")]);
        assert_eq!(maps[0].file, FileKey { device: (0xfe, 1), inode: 77 });
    }

    #[test]
    fn this_process_maps_its_own_code() {
        let here = this_process_maps_its_own_code as *const () as u64;
        let maps = read(Tgid::from_raw(std::process::id())).unwrap();
        assert!(maps.iter().any(|m| m.range.contains(&here) && m.file.inode != 0));
        assert_eq!(read(Tgid::from_raw(u32::MAX)), None);
    }
}
