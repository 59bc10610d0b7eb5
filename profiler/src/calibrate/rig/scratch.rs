//! Files to read and write. They have no name once they are open, so that nothing is left behind.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use crate::{process, quantity::Tgid};

/// Where a file may go. Without a folder it goes first to one that survives a reboot, because that
/// one is seldom in memory.
fn places(dir: Option<&Path>) -> Vec<PathBuf> {
    match dir {
        Some(dir) => vec![dir.to_owned()],
        None => vec!["/var/tmp".into(), std::env::temp_dir()],
    }
}

/// A file without a name, of `bytes` bytes that are written and in the page cache.
pub(crate) fn file(dir: Option<&Path>, bytes: usize) -> io::Result<File> {
    let mut last = io::ErrorKind::NotFound.into();
    for place in places(dir) {
        match unnamed(&place).and_then(|file| write(file, bytes)) {
            Ok(file) => return Ok(file),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn unnamed(dir: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => return Ok(fd.into()),
        // File systems without O_TMPFILE.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let path = dir.join(format!(".should-i-async-{}-{}", std::process::id(), super::clock::tid()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn write(mut file: File, bytes: usize) -> io::Result<File> {
    let block = [0x5a; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(block.len());
        file.write_all(&block[..now])?;
        left -= now;
    }
    Ok(file)
}

/// Bytes of the files that the full calibration reads and writes.
pub(crate) const FILE_BYTES: usize = 32 << 20;

/// Two files of [`FILE_BYTES`]: one in the page cache, one to be read past it.
pub(crate) struct Files {
    pub(crate) cached: File,
    /// Open with `O_DIRECT`, or why that is refused.
    pub(crate) direct: Result<File, String>,
}

impl Files {
    /// Makes both files in `dir`, or where files go without one.
    pub(crate) fn make(dir: Option<&Path>) -> io::Result<Self> {
        let cached = file(dir, FILE_BYTES)?;
        // Otherwise the rest would be written in the middle of a measurement.
        cached.sync_data()?;
        let direct = direct(dir, &file_system(&cached));
        Ok(Self { cached, direct })
    }
}

/// A file of [`FILE_BYTES`] to be read past the page cache, or why that is refused.
pub(crate) fn direct(dir: Option<&Path>, file_system: &str) -> Result<File, String> {
    // Since Linux 6.6 tmpfs takes the flag, and still reads from the page cache.
    if matches!(file_system, "tmpfs" | "ramfs") {
        return Err(format!("{file_system} keeps its files in the page cache: name a folder on a disk with --dir"));
    }
    let file = file(dir, FILE_BYTES).map_err(|e| e.to_string())?;
    file.sync_data().map_err(|e| e.to_string())?;
    let refused = |e: io::Error| format!("{file_system} refuses O_DIRECT ({e}): name another folder with --dir");
    let flags = rustix::fs::fcntl_getfl(&file).map_err(|e| refused(e.into()))?;
    rustix::fs::fcntl_setfl(&file, flags | OFlags::DIRECT).map_err(|e| refused(e.into()))?;
    // Some file systems take the flag and refuse the read.
    let mut probe = Aligned::new(4096);
    std::os::unix::fs::FileExt::read_exact_at(&file, probe.bytes(), 0).map_err(refused)?;
    Ok(file)
}

/// The type of an open file's file system. `unknown` if it is not listed.
pub(crate) fn file_system(file: &File) -> String {
    let own = Tgid::from_raw(std::process::id());
    process::file_system_of(own, file.as_raw_fd()).unwrap_or_else(|| "unknown".to_owned())
}

/// A buffer that begins at a page, as `O_DIRECT` wants it.
pub(crate) struct Aligned {
    room: Vec<u8>,
    bytes: usize,
}

/// Bytes of a page. The blocks of every disk fit into one.
const PAGE: usize = 4096;

impl Aligned {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { room: vec![0x5a; bytes + PAGE], bytes }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        let from = self.room.as_ptr().align_offset(PAGE).min(PAGE);
        &mut self.room[from..from + self.bytes]
    }
}

/// A file that has a name until this is dropped.
pub(crate) struct Named(PathBuf);

impl Named {
    pub(crate) fn make(dir: Option<&Path>) -> io::Result<Self> {
        let mut last = io::ErrorKind::NotFound.into();
        for place in places(dir) {
            let path = place.join(format!(".should-i-async-{}-{}", std::process::id(), super::clock::tid()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Self(path)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
