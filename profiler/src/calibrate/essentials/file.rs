//! Cached 4 KiB reads by interface and depth: `pread`, a runtime's blocking pool, Linux AIO,
//! io_uring.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    sync::{Arc, Mutex, PoisonError},
};

use io_uring::{IoUring, opcode, types};
use tokio::runtime::{Builder, Runtime};

use crate::{
    calibrate::{
        result::{FileRow, Missing},
        rig::{
            aio,
            clock::{self, Watch},
            pace::Pacer,
            ring, scratch,
        },
    },
    quantity::Repeats,
};

use super::{effort::Schedule, note::note};

const DEPTHS: [usize; 3] = [1, 8, 64];
/// Bytes of a read.
const BLOCK: usize = 4096;
/// Blocks of the file, all of them in the page cache.
const BLOCKS: usize = 256;
/// Reads of a series.
const READS: usize = 128;
/// The schedule of each depth.
const REPEATS: Schedule = Schedule { least: 11, length: 0, most: 11, longest: 500_000_000, fewest: 3 };

/// Measures reads at each depth, as far as each way is there.
pub(super) fn measure(allowed: &[usize], first: usize, pacer: Pacer, missing: &mut Vec<Missing>) -> Vec<FileRow> {
    let steps = scratch::file(None, BLOCK * BLOCKS)
        .map_err(|e| format!("no file to read from: {e}"))
        .and_then(|file| DEPTHS.iter().map(|&depth| step(depth, &file, [&[first], allowed], pacer, missing)).collect());
    note(missing, "cached reads", steps).unwrap_or_default()
}

fn step(
    depth: usize,
    file: &File,
    cpus: [&[usize]; 2],
    mut pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<FileRow, String> {
    let watch = Watch::new();
    let mut reader = Reader { buffers: vec![[0; BLOCK]; depth], at: 0 };
    let mut pools =
        cpus.map(|cpus| note(missing, "blocking pool", Pool::new(depth, file, cpus).map_err(|e| e.to_string())));
    let mut aio = note(missing, "Linux AIO", aio::Context::new(depth));
    let mut ring = note(missing, "io_uring reads", IoUring::new(depth as u32).map_err(|e| ring::refusal(&e, false)));
    let mut cells = [const { Vec::new() }; 5];
    pacer.mark();
    for repeat in REPEATS.begin_warm() {
        for turn in 0..cells.len() {
            let which = (repeat + turn) % cells.len();
            let spent = match which {
                0 => Some(reader.pread(file, watch).map_err(|e| e.to_string())?),
                1 | 2 => {
                    let series = |p: &Pool| note(missing, "blocking pool", p.series(depth));
                    pools[which - 1].as_ref().and_then(series)
                }
                3 => aio.as_mut().and_then(|a| note(missing, "Linux AIO", reader.aio(a, file, watch))),
                _ => ring.as_mut().and_then(|r| note(missing, "io_uring reads", reader.uring(r, file, watch))),
            };
            match (which, &spent) {
                (1 | 2, None) => pools[which - 1] = None,
                (3, None) => aio = None,
                (4, None) => ring = None,
                _ => {}
            }
            let common = pacer.factor();
            if let (Some(spent), true) = (spent, repeat > 0) {
                cells[which].push(spent as f64 / READS as f64 * common);
            }
        }
    }
    let [pread, pool, pool_across, aio, uring] = cells.each_ref().map(|repeats: &Vec<f64>| Repeats::new(repeats));
    Ok(FileRow { depth: depth as u32, pread: pread.ok_or("a read took no time")?, pool, pool_across, aio, uring })
}

/// The block of the next read. The stride visits every block of the file.
fn after(at: usize) -> usize {
    (at + 37) % BLOCKS
}

struct Reader {
    buffers: Vec<[u8; BLOCK]>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> u64 {
        self.at = after(self.at);
        (self.at * BLOCK) as u64
    }

    fn pread(&mut self, file: &File, watch: Watch) -> io::Result<u64> {
        let begun = clock::thread_cpu();
        for i in 0..READS {
            let offset = self.next();
            let slot = i % self.buffers.len();
            file.read_exact_at(&mut self.buffers[slot], offset)?;
        }
        Ok(watch.since(begun))
    }

    fn aio(&mut self, context: &mut aio::Context, file: &File, watch: Watch) -> Result<u64, String> {
        let depth = self.buffers.len();
        let mut reads = Vec::with_capacity(depth);
        let begun = clock::thread_cpu();
        for _ in 0..READS / depth {
            reads.clear();
            for slot in 0..depth {
                let offset = self.next();
                reads.push((offset, self.buffers[slot].as_mut_ptr()));
            }
            // SAFETY: one buffer of `BLOCK` bytes for each read, all of them ours.
            unsafe { context.read(file.as_raw_fd(), BLOCK, &reads)? };
        }
        Ok(watch.since(begun))
    }

    fn uring(&mut self, ring: &mut IoUring, file: &File, watch: Watch) -> Result<u64, String> {
        let depth = self.buffers.len();
        let workers = clock::ring_workers();
        let (begun, theirs) = (clock::thread_cpu(), clock::cpu_of_all(&workers));
        for _ in 0..READS / depth {
            for slot in 0..depth {
                let offset = self.next();
                let fd = types::Fd(file.as_raw_fd());
                let read = opcode::Read::new(fd, self.buffers[slot].as_mut_ptr(), BLOCK as u32).offset(offset).build();
                // SAFETY: the buffers outlive the wait below, which ends with all of them.
                unsafe { ring.submission().push(&read) }.map_err(|e| e.to_string())?;
            }
            ring.submit_and_wait(depth).map_err(|e| ring::refusal(&e, false))?;
            if ring.completion().any(|done| done.result() != BLOCK as i32) {
                return Err("io_uring: a read came short".into());
            }
        }
        let own = watch.since(begun);
        // If the file system cannot try a read without waiting, worker threads do it.
        let workers = clock::ring_workers();
        Ok(own + clock::cpu_of_all(&workers).saturating_sub(theirs))
    }
}

/// A runtime whose blocking pool reads, and the threads of that pool.
struct Pool {
    runtime: Runtime,
    threads: Arc<Mutex<Vec<i32>>>,
    file: Arc<File>,
    cpus: Vec<usize>,
}

impl Pool {
    fn new(depth: usize, file: &File, cpus: &[usize]) -> io::Result<Self> {
        let threads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&threads);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(depth)
            .on_thread_start(move || seen.lock().unwrap_or_else(PoisonError::into_inner).push(clock::tid()))
            .build()?;
        Ok(Self { runtime, threads, file: Arc::new(file.try_clone()?), cpus: cpus.to_vec() })
    }

    /// CPU of this thread and of the pool's.
    fn cpu(&self) -> u64 {
        clock::thread_cpu() + clock::cpu_of_all(&self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `depth` tasks that each read one block after the other.
    fn series(&self, depth: usize) -> Result<u64, String> {
        // The pool's threads are started from this one and run where it does.
        clock::pin(&self.cpus).map_err(|e| e.to_string())?;
        let begun = self.cpu();
        let read = |file: Arc<File>, at: usize| {
            tokio::task::spawn_blocking(move || {
                let mut buffer = [0; BLOCK];
                file.read_exact_at(&mut buffer, (at * BLOCK) as u64).map(|()| buffer[0])
            })
        };
        let result: io::Result<()> = self.runtime.block_on(async {
            let tasks: Vec<_> = (0..depth)
                .map(|task| {
                    let file = Arc::clone(&self.file);
                    tokio::spawn(async move {
                        let mut at = task;
                        for _ in 0..READS / depth {
                            at = after(at);
                            read(Arc::clone(&file), at).await.map_err(io::Error::other)??;
                        }
                        Ok::<(), io::Error>(())
                    })
                })
                .collect();
            for task in tasks {
                task.await.map_err(io::Error::other)??;
            }
            Ok(())
        });
        result.map_err(|e| e.to_string())?;
        Ok(self.cpu().saturating_sub(begun))
    }
}
