//! Random reads of a file: a thread for each read that is under way, or one ring for all.

use std::{
    alloc::{Layout, alloc_zeroed},
    fs::{File, OpenOptions},
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileExt as _, OpenOptionsExt as _},
    },
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use fastrand::Rng;
use hdrhistogram::Histogram;
use io_uring::{IoUring, opcode, types};

use crate::window::{RAMP, Used, histogram};

/// What direct reads may have to be aligned to.
const ALIGNED: usize = 4096;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    file: PathBuf,
    #[arg(long, value_enum)]
    way: Way,
    /// Reads that are under way at once.
    #[arg(long)]
    at_once: usize,
    #[arg(long, default_value_t = 4096)]
    block: usize,
    /// Reads past the page cache.
    #[arg(long)]
    direct: bool,
    /// How long it counts.
    #[arg(long)]
    ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Threads,
    Ring,
}

/// What all readers share.
struct Shared {
    file: File,
    blocks: u64,
    block: usize,
    /// Whether operations count.
    counts: AtomicBool,
    over: AtomicBool,
    operations: AtomicU64,
    latency: Mutex<Histogram<u64>>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let flags = if args.direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&args.file);
    let file = file.with_context(|| format!("opening {}", args.file.display()))?;
    let blocks = file.metadata()?.len() / args.block as u64;
    ensure!(blocks > 0, "the file is smaller than a block");
    let shared = Shared {
        file,
        blocks,
        block: args.block,
        counts: AtomicBool::new(false),
        over: AtomicBool::new(false),
        operations: AtomicU64::new(0),
        latency: Mutex::new(histogram()?),
    };
    let shared = &shared;
    thread::scope(|scope| {
        let readers: Vec<_> = match args.way {
            Way::Threads => {
                (0..args.at_once as u64).map(|seed| scope.spawn(move || shared.read_one_by_one(seed))).collect()
            }
            Way::Ring => vec![scope.spawn(|| shared.read_by_ring(args.at_once))],
        };
        thread::sleep(RAMP);
        shared.counts.store(true, Ordering::Relaxed);
        let before = Used::now(shared.operations.load(Ordering::Relaxed))?;
        thread::sleep(Duration::from_millis(args.ms));
        let after = Used::now(shared.operations.load(Ordering::Relaxed))?;
        shared.over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().ok().context("a reader panicked")??;
        }
        before.print_until(&after, &*shared.latency.lock().ok().context("a reader panicked")?)
    })
}

impl Shared {
    fn offset(&self, rng: &mut Rng) -> u64 {
        rng.u64(0..self.blocks) * self.block as u64
    }

    fn read_one_by_one(&self, seed: u64) -> Result<()> {
        let (mut rng, mut latency) = (Rng::with_seed(seed), histogram()?);
        let buffer = buffer(self.block)?;
        while !self.over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let read = self.file.read_at(buffer, self.offset(&mut rng))?;
            ensure!(read == self.block, "a read of {read} bytes");
            self.done(begun, &mut latency);
        }
        self.add(&latency)
    }

    /// Asks for a read again as soon as it is done, and tells the kernel of all of them at once.
    fn read_by_ring(&self, at_once: usize) -> Result<()> {
        let mut ring = IoUring::new(u32::try_from(at_once)?.next_power_of_two())?;
        let (mut rng, mut latency) = (Rng::with_seed(0), histogram()?);
        let mut buffers = (0..at_once).map(|_| buffer(self.block)).collect::<Result<Vec<_>>>()?;
        let mut begun = vec![Instant::now(); at_once];
        let mut idle: Vec<usize> = (0..at_once).collect();
        while !self.over.load(Ordering::Relaxed) {
            for slot in idle.drain(..) {
                let at = buffers[slot].as_mut_ptr();
                let read = opcode::Read::new(types::Fd(self.file.as_raw_fd()), at, u32::try_from(self.block)?);
                let entry = read.offset(self.offset(&mut rng)).build().user_data(slot as u64);
                begun[slot] = Instant::now();
                // SAFETY: the file and the buffers, which are leaked, outlive the ring.
                unsafe { ring.submission().push(&entry) }.context("the ring is full")?;
            }
            ring.submit_and_wait(1)?;
            for done in ring.completion() {
                ensure!(done.result() == i32::try_from(self.block)?, "a read returned {}", done.result());
                let slot = usize::try_from(done.user_data())?;
                self.done(begun[slot], &mut latency);
                idle.push(slot);
            }
        }
        self.add(&latency)
    }

    fn done(&self, begun: Instant, latency: &mut Histogram<u64>) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        if self.counts.load(Ordering::Relaxed) {
            latency.saturating_record(begun.elapsed().as_nanos() as u64);
        }
    }

    fn add(&self, latency: &Histogram<u64>) -> Result<()> {
        self.latency.lock().ok().context("a reader panicked")?.add(latency)?;
        Ok(())
    }
}

/// A buffer for direct reads. It is never freed: the kernel may still write to it at the end.
fn buffer(bytes: usize) -> Result<&'static mut [u8]> {
    let layout = Layout::from_size_align(bytes, ALIGNED)?;
    ensure!(bytes > 0, "a block of no bytes");
    // SAFETY: the layout has a size; what is allocated is zeroed, and nobody else has it.
    unsafe {
        let at = alloc_zeroed(layout);
        ensure!(!at.is_null(), "no memory");
        Ok(std::slice::from_raw_parts_mut(at, bytes))
    }
}
