//! Random 4 KiB reads through every interface side by side, by depth, from the page cache and past
//! it. CPU is that of the whole process, because helpers of the C library and the kernel's threads
//! for our rings are threads of it.

use std::{
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    sync::Barrier,
    time::Duration,
};

use fastrand::Rng;
use io_uring::{IoUring, opcode, types};

use crate::calibrate::{
    result::{DiskRow, Figure, FileInterface},
    rig::{
        aio, clock, ring,
        scratch::{Aligned, FILE_BYTES, Files},
    },
};

use super::{
    budget::{Budget, Cell},
    posix,
};

/// Numbers of reads at once.
const DEPTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const BLOCK: usize = 4096;
/// Reads of a series from the page cache, and from the disk.
const CACHED: usize = 256;
const DIRECT: usize = 64;
/// How long the kernel's polling thread looks for work before it sleeps, ms.
const SQPOLL_IDLE: u32 = 1;

pub(super) fn measure(files: &Files) -> Vec<DiskRow> {
    let mut rows = Vec::new();
    for direct in [false, true] {
        let file = if direct { files.direct.as_ref() } else { Ok(&files.cached) };
        for depth in DEPTHS {
            match file {
                Ok(file) => rows.extend(cells(file, direct, depth)),
                Err(why) => rows.extend(FileInterface::ALL.map(|interface| {
                    let (cpu, latency) = (Figure::unavailable(why), Figure::unavailable(why));
                    DiskRow { interface, direct, depth: depth as u32, cpu, latency }
                })),
            }
        }
    }
    rows
}

/// Measures every interface at one depth, in an order that rotates.
fn cells(file: &File, direct: bool, depth: usize) -> Vec<DiskRow> {
    let reads = if direct { DIRECT.max(depth) } else { CACHED };
    let mut lab = Lab::new(file, depth, reads);
    let mut cpu = FileInterface::ALL.map(|_| Cell::default());
    let mut latency = FileInterface::ALL.map(|_| Cell::default());
    let mut budget = Budget::new(5, 41, if direct { 1_600 } else { 800 });
    while let Some(repeat) = budget.next() {
        for turn in 0..FileInterface::ALL.len() {
            let i = (turn + repeat) % FileInterface::ALL.len();
            if cpu[i].hopeless() {
                continue;
            }
            let result = lab.series(FileInterface::ALL[i]);
            let per = reads as f64;
            cpu[i].take(repeat, result.clone().map(|(cpu, _)| cpu as f64 / per));
            latency[i].take(repeat, result.map(|(_, wall)| wall as f64 * depth as f64 / per));
        }
    }
    let rows = FileInterface::ALL.into_iter().zip(cpu.iter().zip(&latency));
    rows.map(|(interface, (cpu, latency))| DiskRow {
        interface,
        direct,
        depth: depth as u32,
        cpu: cpu.figure(),
        latency: latency.figure(),
    })
    .collect()
}

struct Lab<'a> {
    file: &'a File,
    depth: usize,
    reads: usize,
    buffers: Vec<Aligned>,
    offsets: Vec<u64>,
    random: Rng,
    posix: posix::Requests,
    aio: Result<aio::Context, String>,
    ring: Result<IoUring, String>,
    polled: Result<IoUring, String>,
}

impl<'a> Lab<'a> {
    fn new(file: &'a File, depth: usize, reads: usize) -> Self {
        let entries = depth as u32;
        Self {
            file,
            depth,
            reads,
            buffers: (0..depth).map(|_| Aligned::new(BLOCK)).collect(),
            offsets: vec![0; depth],
            random: Rng::with_seed(0),
            posix: posix::Requests::new(depth),
            aio: aio::Context::new(depth),
            ring: IoUring::new(entries).map_err(|e| ring::refusal(&e, false)),
            // It has twice the room, because the polling thread completes the reads of a batch
            // before it gives their entries back.
            polled: IoUring::builder()
                .setup_sqpoll(SQPOLL_IDLE)
                .build(entries * 2)
                .map_err(|e| ring::refusal(&e, false)),
        }
    }

    /// CPU and wall time of a series, ns.
    fn series(&mut self, interface: FileInterface) -> Result<(u64, u64), String> {
        let batches = self.reads / self.depth;
        if interface == FileInterface::Threads {
            return self.threads();
        }
        // The clock of the process does not include what a thread on another CPU has used since its
        // last tick.
        let mut exact = Vec::new();
        if interface == FileInterface::UringSqpoll {
            exact = clock::ring_workers();
            exact.push(clock::tid());
        }
        let cpu_now = || if exact.is_empty() { clock::process_cpu() } else { clock::cpu_of_all(&exact) };
        let (wall, cpu) = (clock::wall(), cpu_now());
        for _ in 0..batches {
            for i in 0..self.depth {
                self.offsets[i] = next(&mut self.random);
            }
            self.batch(interface)?;
        }
        let result = (cpu_now().saturating_sub(cpu), clock::wall() - wall);
        fall_asleep(&exact);
        Ok(result)
    }

    fn batch(&mut self, interface: FileInterface) -> Result<(), String> {
        let fd = self.file.as_raw_fd();
        match interface {
            FileInterface::Threads => Ok(()),
            FileInterface::PosixAio => {
                self.posix.each(fd, &mut self.buffers, &self.offsets).map_err(|e| format!("aio_read: {e}"))
            }
            FileInterface::PosixList => {
                self.posix.list(fd, &mut self.buffers, &self.offsets).map_err(|e| format!("lio_listio: {e}"))
            }
            FileInterface::LinuxAio => {
                let context = self.aio.as_mut().map_err(|why| why.clone())?;
                let buffers = self.buffers.iter_mut().map(|b| b.bytes().as_mut_ptr());
                let reads: Vec<(u64, *mut u8)> = self.offsets.iter().copied().zip(buffers).collect();
                // SAFETY: one buffer of `BLOCK` bytes for each read, all of them ours.
                unsafe { context.read(fd, BLOCK, &reads) }
            }
            FileInterface::Uring => uring(&mut self.ring, fd, &mut self.buffers, &self.offsets),
            FileInterface::UringSqpoll => uring(&mut self.polled, fd, &mut self.buffers, &self.offsets),
        }
    }

    /// Reads with `depth` threads, each one block after the other. Their start and end do not
    /// count.
    fn threads(&mut self) -> Result<(u64, u64), String> {
        let each = self.reads / self.depth;
        let start = Barrier::new(self.depth);
        let forks: Vec<Rng> = (0..self.depth).map(|_| self.random.fork()).collect();
        let file = self.file;
        let read = |mut random: Rng, buffer: &mut Aligned| {
            start.wait();
            let (wall, cpu) = (clock::wall(), clock::thread_cpu());
            let done = (0..each).try_for_each(|_| file.read_exact_at(buffer.bytes(), next(&mut random)));
            done.map(|()| (clock::thread_cpu() - cpu, wall, clock::wall())).map_err(|e| format!("pread: {e}"))
        };
        let ended: Vec<Result<(u64, u64, u64), String>> = std::thread::scope(|scope| {
            let handles: Vec<_> = forks
                .into_iter()
                .zip(&mut self.buffers)
                .map(|(random, buffer)| scope.spawn(move || read(random, buffer)))
                .collect();
            handles.into_iter().map(|h| h.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
        });
        let (mut cpu, mut from, mut to) = (0, u64::MAX, 0);
        for thread in ended {
            let (spent, begun, ended) = thread?;
            (cpu, from, to) = (cpu + spent, from.min(begun), to.max(ended));
        }
        Ok((cpu, to.saturating_sub(from)))
    }
}

/// Waits until the kernel's polling threads have stopped looking for work. Otherwise their CPU
/// would count for the next interface, for which the whole process is measured.
fn fall_asleep(threads: &[i32]) {
    let own = clock::tid();
    let others: Vec<i32> = threads.iter().copied().filter(|&tid| tid != own).collect();
    let mut last = clock::cpu_of_all(&others);
    for _ in 0..50 {
        if others.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
        let now = clock::cpu_of_all(&others);
        if now == last {
            return;
        }
        last = now;
    }
}

/// The offset of a random block, so that nothing can read ahead.
fn next(random: &mut Rng) -> u64 {
    random.u64(..(FILE_BYTES / BLOCK) as u64) * BLOCK as u64
}

fn uring(ring: &mut Result<IoUring, String>, fd: i32, buffers: &mut [Aligned], offsets: &[u64]) -> Result<(), String> {
    let ring = ring.as_mut().map_err(|why| why.clone())?;
    for (buffer, &offset) in buffers.iter_mut().zip(offsets) {
        let read = opcode::Read::new(types::Fd(fd), buffer.bytes().as_mut_ptr(), BLOCK as u32).offset(offset).build();
        // SAFETY: the buffers outlive the wait below, which ends with all of them.
        unsafe { ring.submission().push(&read) }.map_err(|e| e.to_string())?;
    }
    // With SQPOLL too: the call enters to wait, unless the completions are there, and submits
    // nothing.
    ring.submit_and_wait(offsets.len()).map_err(|e| ring::refusal(&e, false))?;
    let short = ring.completion().filter(|done| done.result() != BLOCK as i32).count();
    if short == 0 { Ok(()) } else { Err(format!("io_uring: {short} reads came short")) }
}
