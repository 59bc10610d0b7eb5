//! `lab files`: random reads of a file's blocks, a number of them outstanding, with some work after
//! each.

mod linux;
mod posix;
mod pread;
mod slot;
mod uring;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use fastrand::Rng;
use serde_json::Map;

use self::slot::{Buffer, Slot};
use crate::session::{self, Common, Tally};

const MIB: u64 = 1 << 20;

/// Flags of `files`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The way of doing IO.
    #[arg(long)]
    mode: Mode,
    /// The file.
    #[arg(long)]
    file: PathBuf,
    /// Makes the file first, of so many MiB, if it is not there or of another size.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    create: Option<u64>,
    /// Bytes of a read: a multiple of 512.
    #[arg(long, default_value_t = 4096)]
    block: usize,
    /// Reads outstanding.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    depth: u32,
    /// Reads past the page cache (O_DIRECT).
    #[arg(long)]
    direct: bool,
    /// Iterations of work after each read.
    #[arg(long, default_value_t = 0)]
    work: u64,
    /// Of the blocks' order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each of the outstanding reads ends after so many. Without it they go on.
    #[arg(long)]
    per_slot: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A thread per outstanding read.
    Pread,
    /// POSIX AIO: aio_read and aio_suspend.
    Posix,
    /// Linux AIO: io_submit and io_getevents.
    Linux,
    /// io_uring.
    Uring,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(
        args.block >= 512 && args.block.is_multiple_of(512) && args.block <= 1 << 24,
        "--block is a multiple of 512"
    );
    if let Some(mebibytes) = args.create {
        create(&args.file, mebibytes * MIB, args.seed)?;
    }
    let file = open(&args.file, args.direct)?;
    let blocks = file.metadata().context("asking for the file's size")?.len() / args.block as u64;
    ensure!(blocks > 0, "{} holds no block of {} bytes", args.file.display(), args.block);
    session::run(&args.common, |tally| {
        let slots = (0..args.depth).map(|slot| build(args, tally, slot, blocks)).collect::<Result<Vec<Slot>>>()?;
        let file = OwnedFd::from(file);
        let serve = match args.mode {
            Mode::Pread => {
                pread::start(tally, file, slots)?;
                return Ok(Map::new());
            }
            Mode::Posix => posix::serve,
            Mode::Linux => linux::serve,
            Mode::Uring => uring::serve,
        };
        // For ever: whatever ends the loop, the kernel may still write into buffers.
        let slots = slots.leak();
        tally.spawn("reads", move |tally| {
            let done = serve(&file, slots);
            tally.finish();
            done
        })?;
        Ok(Map::new())
    })
}

fn build(args: &Args, tally: &Arc<Tally>, slot: u32, blocks: u64) -> Result<Slot> {
    let seed = args.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(slot);
    Ok(Slot {
        buffer: Buffer::new(args.block)?,
        generator: Rng::with_seed(seed),
        blocks,
        job: tally.job(args.work, args.per_slot),
    })
}

fn open(path: &Path, direct: bool) -> Result<File> {
    let flags = if direct { libc::O_DIRECT } else { 0 };
    OpenOptions::new().read(true).custom_flags(flags).open(path).with_context(|| {
        let how = if direct { " with O_DIRECT (its filesystem may refuse that)" } else { "" };
        format!("opening {}{how}", path.display())
    })
}

/// Makes a file whose every MiB differs, and has it on the disk before the first read.
fn create(path: &Path, size: u64, seed: u64) -> Result<()> {
    if path.metadata().is_ok_and(|found| found.len() == size) {
        return Ok(());
    }
    let mut file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    let mut generator = Rng::with_seed(seed);
    let mut bytes = vec![0; MIB as usize];
    for _ in 0..size / MIB {
        generator.fill(&mut bytes);
        file.write_all(&bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    file.sync_all().with_context(|| format!("syncing {}", path.display()))
}
