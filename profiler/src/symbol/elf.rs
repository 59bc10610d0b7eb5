//! symbol/elf: what unwinding and naming need of an ELF file, parsed once and shared by all
//! processes that map it.

use std::fs::File;
use std::ops::{Deref, Range};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use memmap2::Mmap;
use object::{Object as _, ObjectSection as _, ObjectSegment as _};

use super::boundary;

/// Mappings begin at a page, segments anywhere. The largest page that the supported architectures
/// map files with.
const PAGE: u64 = 64 << 10;

/// A run of bytes of a mapped file. Cheap to clone, so that each process's unwinder can hold the
/// same sections.
#[derive(Clone, Default)]
pub(super) struct Bytes {
    map: Option<Arc<Mmap>>,
    range: Range<usize>,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_ref().and_then(|map| map.get(self.range.clone())).unwrap_or_default()
    }
}

/// A segment that is loaded into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    /// Address that the file states.
    address: u64,
    /// Bytes of the file.
    file: Range<u64>,
    executable: bool,
}

/// Size, and last change in seconds and nanoseconds: a file that was written over in place keeps
/// its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64, i64, i64);

impl Stamp {
    pub(super) fn read(file: &File) -> Option<Self> {
        let meta = file.metadata().ok()?;
        Some(Self(meta.size(), meta.mtime(), meta.mtime_nsec()))
    }
}

/// A parsed file. Holds its descriptor, so that it can be named when it is deleted and its
/// processes have gone.
pub(super) struct ElfFile {
    pub(super) file: File,
    /// Separate debug information, found by build id; its descriptor.
    pub(super) debug: Option<File>,
    pub(super) stamp: Option<Stamp>,
    segments: Vec<Segment>,
    sections: ExplicitModuleSectionInfo<Bytes>,
}

impl ElfFile {
    /// `None` where it is no ELF file. `open_debug` gets paths like
    /// `/usr/lib/debug/.build-id/ab/cdef.debug`.
    pub(super) fn parse(file: File, open_debug: impl Fn(&str) -> Option<File>) -> Option<Self> {
        let map = Arc::new(map(&file)?);
        let elf = object::File::parse(&**map).ok()?;
        let segments: Vec<Segment> = elf
            .segments()
            .map(|segment| {
                let (start, size) = segment.file_range();
                let executable = segment.permissions().executable();
                Segment { address: segment.address(), file: start..start.saturating_add(size), executable }
            })
            .collect();
        let debug = elf.build_id().ok().flatten().filter(|_| elf.section_by_name(".debug_info").is_none());
        let debug = debug.and_then(|id| find_debug(id, open_debug));
        // Unwinding follows 64-bit code only.
        let sections = if elf.is_64() { sections(&elf, &map) } else { ExplicitModuleSectionInfo::default() };
        Some(Self { stamp: Stamp::read(&file), debug, segments, sections, file })
    }

    /// What to subtract from a virtual address to get the file's own, for a mapping that begins at
    /// `start` with the file's byte `offset`.
    pub(super) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        let holds = |s: &&Segment| s.file.start & !(PAGE - 1) <= offset && offset < s.file.end;
        // Two segments may share a page of the file. The mapping is executable, so that one is
        // meant.
        let executable = self.segments.iter().filter(holds).find(|s| s.executable);
        let segment = executable.or_else(|| self.segments.iter().find(holds))?;
        let stated = segment.address.wrapping_sub(segment.file.start).wrapping_add(offset);
        Some(start.wrapping_sub(stated))
    }

    /// For framehop: the sections, with the lowest address that the file states as their base.
    pub(super) fn unwind_sections(&self) -> ExplicitModuleSectionInfo<Bytes> {
        let base_svma = self.base();
        ExplicitModuleSectionInfo { base_svma, ..self.sections.clone() }
    }

    /// Where the function begins that an address is in, as far as the index of the unwind
    /// information knows.
    pub(super) fn function_start(&self, address: u64) -> Option<u64> {
        let at = self.sections.eh_frame_hdr_svma.as_ref()?.start;
        boundary::function_start(self.sections.eh_frame_hdr.as_deref()?, at, address)
    }

    /// The lowest address that the file states.
    pub(super) fn base(&self) -> u64 {
        self.segments.iter().map(|s| s.address).min().unwrap_or(0)
    }
}

fn map(file: &File) -> Option<Mmap> {
    // SAFETY: a private, read-only mapping of a regular file or of our own memory file. A program
    // file that runs cannot be written (ETXTBSY). A library that is cut short in place would raise
    // SIGBUS here as in the processes that map it.
    unsafe { Mmap::map(file) }.ok()
}

fn sections(elf: &object::File<'_>, map: &Arc<Mmap>) -> ExplicitModuleSectionInfo<Bytes> {
    let stated = |name: &str| {
        let section = elf.section_by_name(name)?;
        Some(section.address()..section.address().saturating_add(section.size()))
    };
    let bytes = |name: &str| {
        let range = elf.section_by_name(name)?.compressed_file_range().ok()?;
        let start = usize::try_from(range.offset).ok()?;
        let end = start.checked_add(usize::try_from(range.uncompressed_size).ok()?)?;
        let plain = range.format == object::CompressionFormat::None && end <= map.len() && start < end;
        plain.then(|| Bytes { map: Some(Arc::clone(map)), range: start..end })
    };
    ExplicitModuleSectionInfo {
        text_svma: stated(".text"),
        stubs_svma: stated(".plt"),
        got_svma: stated(".got"),
        eh_frame_svma: stated(".eh_frame"),
        eh_frame: bytes(".eh_frame"),
        eh_frame_hdr_svma: stated(".eh_frame_hdr"),
        eh_frame_hdr: bytes(".eh_frame_hdr"),
        debug_frame: bytes(".debug_frame"),
        ..ExplicitModuleSectionInfo::default()
    }
}

/// Debug information by build id, where distributions install it. Checked, because it may be of
/// another version.
fn find_debug(build_id: &[u8], open: impl Fn(&str) -> Option<File>) -> Option<File> {
    let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2)?;
    let file = open(&format!("/usr/lib/debug/.build-id/{first}/{rest}.debug"))?;
    let map = map(&file)?;
    let same = object::File::parse(&*map).ok()?.build_id().ok().flatten() == Some(build_id);
    same.then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_program() -> ElfFile {
        ElfFile::parse(File::open("/proc/self/exe").unwrap(), |_| None).unwrap()
    }

    #[test]
    fn this_program_can_be_unwound() {
        let sections = this_program().unwind_sections();
        assert!(sections.eh_frame.unwrap().len() > 1000 && sections.eh_frame_hdr.unwrap().len() > 100);
        assert!(sections.text_svma.unwrap().end > sections.base_svma);
    }

    #[test]
    fn the_bias_is_the_same_from_every_page_of_the_code() {
        let elf = this_program();
        let code = elf.segments.iter().find(|s| s.executable).unwrap();
        let first = code.file.start & !0xfff;
        let bias = elf.bias(0x5555_0000_0000, first).unwrap();
        assert_eq!(elf.bias(0x5555_0000_1000, first + 0x1000), Some(bias));
        assert_eq!(elf.bias(0x5555_0000_0000, u64::MAX), None);
    }

    #[test]
    fn debug_information_of_another_build_is_refused() {
        let open = |path: &str| {
            assert_eq!(path, "/usr/lib/debug/.build-id/01/02ff.debug");
            File::open("/proc/self/exe").ok()
        };
        assert!(find_debug(&[1, 2, 255], open).is_none());
        let own = map(&File::open("/proc/self/exe").unwrap()).unwrap();
        if let Some(id) = object::File::parse(&*own).unwrap().build_id().unwrap() {
            assert!(find_debug(id, |_| File::open("/proc/self/exe").ok()).is_some());
        }
    }

    #[test]
    fn text_is_no_program() {
        assert!(ElfFile::parse(File::open("/proc/self/maps").unwrap(), |_| None).is_none());
        assert!(ElfFile::parse(File::open("/etc/passwd").unwrap(), |_| None).is_none());
    }
}
