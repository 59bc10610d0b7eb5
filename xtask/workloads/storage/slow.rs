//! A FUSE file in memory whose every read waits for a while: the device of `lab files` with a
//! latency. Writes do not wait.
//!
//! The file is the root of its file system, which is mounted on a file, so that only requests for a
//! file are served (include/uapi/linux/fuse.h). Many reads may wait at once.

use std::{
    collections::VecDeque,
    ffi::CString,
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::PathBuf,
    sync::{
        Arc, RwLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A file to be covered; it stays as it is.
    #[arg(long)]
    mount: PathBuf,
    #[arg(long)]
    mib: usize,
    /// Time from a read to its answer, µs.
    #[arg(long)]
    delay_us: u64,
}

const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const FORGET: u32 = 2;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// Bytes before a request's own fields, and before an answer's.
const REQUEST: usize = 40;
const WRITE_FIELDS: usize = 40;
const LARGEST: u32 = 1 << 20;
/// Reads and writes that may be under way at once; the kernel's own choice is 12.
const AT_ONCE: u16 = 1024;
/// `FUSE_ASYNC_READ`, `FUSE_BIG_WRITES`, `FUSE_ASYNC_DIO`, `FUSE_MAX_PAGES`.
const ABLE: u32 = 1 | 1 << 5 | 1 << 15 | 1 << 22;
const MINOR: u32 = 31;
const REGULAR: u32 = 0o100_644;

/// A read that waits.
struct Due {
    at: Instant,
    request: u64,
    offset: usize,
    size: usize,
}

/// The file and the way to the kernel.
struct Slow {
    device: File,
    bytes: RwLock<Vec<u8>>,
    delay: Duration,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    File::create(&args.mount).with_context(|| format!("creating {}", args.mount.display()))?;
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").context("opening /dev/fuse")?;
    mount(&device, args)?;
    let bytes = RwLock::new(vec![0; args.mib << 20]);
    let slow = Arc::new(Slow { device, bytes, delay: Duration::from_micros(args.delay_us) });
    writeln!(std::io::stdout().lock(), "ready").context("writing to stdout")?;
    let (send, receive) = channel();
    let late = Arc::clone(&slow);
    thread::spawn(move || late.answer_late(&receive));
    slow.serve(&send)
}

fn mount(device: &File, args: &Args) -> Result<()> {
    let at = CString::new(args.mount.as_os_str().as_bytes())?;
    let data = format!("fd={},rootmode={REGULAR:o},user_id=0,group_id=0", device.as_raw_fd());
    let data = CString::new(data)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    // SAFETY: all texts end in a zero and outlive the call.
    let failed =
        unsafe { libc::mount(c"slow".as_ptr(), at.as_ptr(), c"fuse".as_ptr(), flags, data.as_ptr().cast()) != 0 };
    ensure!(!failed, "mounting on {}: {}", args.mount.display(), std::io::Error::last_os_error());
    Ok(())
}

impl Slow {
    /// Answers requests until the file system is unmounted.
    fn serve(&self, late: &Sender<Due>) -> Result<()> {
        let mut buffer = vec![0; LARGEST as usize + 4096];
        loop {
            let length = match (&self.device).read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
                // A request was taken back before it was read.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => continue,
                Err(error) => return Err(error).context("reading /dev/fuse"),
            };
            let request = buffer.get(..length).context("a request longer than the buffer")?;
            self.handle(request, late)?;
        }
    }

    fn handle(&self, request: &[u8], late: &Sender<Due>) -> Result<()> {
        let (code, id) = (number(request, 4)? as u32, long(request, 8)?);
        let fields = request.get(REQUEST..).context("a request without fields")?;
        match code {
            FORGET | BATCH_FORGET | INTERRUPT => Ok(()),
            INIT => self.reply(id, &init()),
            GETATTR | SETATTR => self.reply(id, &self.attributes()?),
            OPEN => self.reply(id, &[0; 16]),
            RELEASE | FSYNC | FLUSH => self.reply(id, &[]),
            READ => {
                let (offset, size) = (long(fields, 8)? as usize, number(fields, 16)? as usize);
                let due = Due { at: Instant::now() + self.delay, request: id, offset, size };
                late.send(due).ok().context("nobody answers reads")
            }
            WRITE => {
                let (offset, size) = (long(fields, 8)? as usize, number(fields, 16)? as usize);
                let from = fields.get(WRITE_FIELDS..WRITE_FIELDS + size).context("a write without its bytes")?;
                let mut bytes = self.bytes.write().ok().context("a thread panicked")?;
                bytes.get_mut(offset..offset + size).context("a write behind the end")?.copy_from_slice(from);
                drop(bytes);
                self.reply(id, &(size as u64).to_ne_bytes())
            }
            _ => self.send(id, -libc::ENOSYS, &[]),
        }
    }

    /// Answers each read when its time has come. All wait equally long, so they come in order.
    fn answer_late(&self, receive: &Receiver<Due>) -> Result<()> {
        workloads::drop_timer_slack();
        let mut waiting = VecDeque::new();
        loop {
            let Some(due) = waiting.pop_front() else {
                let Ok(due) = receive.recv() else { return Ok(()) };
                waiting.push_back(due);
                continue;
            };
            let Due { at, request, offset, size } = due;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let bytes = self.bytes.read().ok().context("a thread panicked")?;
            let end = (offset + size).min(bytes.len());
            let answered = self.reply(request, bytes.get(offset..end).unwrap_or(&[]));
            drop(bytes);
            answered?;
            waiting.extend(receive.try_iter());
        }
    }

    fn attributes(&self) -> Result<Vec<u8>> {
        let size = self.bytes.read().ok().context("a thread panicked")?.len() as u64;
        // How long this holds, s; ns and filling.
        let mut out = [3600u64.to_ne_bytes(), [0; 8]].concat();
        let longs = [1, size, size.div_ceil(512), 0, 0, 0];
        longs.iter().for_each(|long: &u64| out.extend(long.to_ne_bytes()));
        // Three times in ns, mode, links, user, group, device, size of a block, flags.
        let numbers = [0, 0, 0, REGULAR, 1, 0, 0, 0, 4096, 0];
        numbers.iter().for_each(|number: &u32| out.extend(number.to_ne_bytes()));
        Ok(out)
    }

    fn reply(&self, request: u64, fields: &[u8]) -> Result<()> {
        self.send(request, 0, fields)
    }

    fn send(&self, request: u64, error: i32, fields: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(16 + fields.len());
        out.extend(u32::try_from(16 + fields.len())?.to_ne_bytes());
        out.extend(error.to_ne_bytes());
        out.extend(request.to_ne_bytes());
        out.extend(fields);
        match (&self.device).write(&out) {
            Ok(written) if written == out.len() => Ok(()),
            Ok(written) => bail!("/dev/fuse took {written} bytes of {}", out.len()),
            // The request was taken back.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            Err(error) => Err(error).context("writing to /dev/fuse"),
        }
    }
}

/// The answer to the kernel's first request.
fn init() -> Vec<u8> {
    let mut out = Vec::new();
    for number in [7, MINOR, LARGEST, ABLE] {
        out.extend(number.to_ne_bytes());
    }
    out.extend(AT_ONCE.to_ne_bytes());
    out.extend(AT_ONCE.to_ne_bytes());
    out.extend(LARGEST.to_ne_bytes());
    // Times are exact to 1 ns.
    out.extend(1u32.to_ne_bytes());
    // Pages of a request.
    out.extend(u16::try_from(LARGEST / 4096).unwrap_or(u16::MAX).to_ne_bytes());
    out.resize(64, 0);
    out
}

fn number(bytes: &[u8], at: usize) -> Result<u32> {
    let part = bytes.get(at..at + 4).context("a request that is too short")?;
    Ok(u32::from_ne_bytes(part.try_into()?))
}

fn long(bytes: &[u8], at: usize) -> Result<u64> {
    let part = bytes.get(at..at + 8).context("a request that is too short")?;
    Ok(u64::from_ne_bytes(part.try_into()?))
}
