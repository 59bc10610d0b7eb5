//! The cost of a random 4 KiB request past the page cache, through `io_uring` and Linux AIO. Two
//! numbers are varied: how many requests are kept in flight, because a busy device need not be
//! woken, and how many one call submits, because they share its cost.

use std::{fs::File, os::fd::AsRawFd as _};

use fastrand::Rng;
use io_uring::{IoUring, opcode, squeue, types};

use crate::{
    calibrate::{
        result::{Figure, SteadyRow},
        rig::{
            aio, clock, ring,
            scratch::{Aligned, FILE_BYTES, Files},
        },
    },
    machine::Queue,
};

use super::budget::{Budget, Cell};

const BLOCK: usize = 4096;
/// Numbers of requests in flight, beside one.
const DEPTHS: [u32; 3] = [4, 16, 64];
/// Requests of a series, at least.
const REQUESTS: u32 = 256;
/// The time of a cell, ms.
const LENGTH: u64 = 120;

/// Reads that are submitted one by one, and writes one by one and all at once; reads all at once
/// are measured with the other interfaces.
pub(super) fn measure(files: &Files) -> Vec<SteadyRow> {
    let ring = |write, depth, batch| Place { queue: Queue::Ring, write, depth, batch };
    let mut places = vec![ring(true, 1, 1)];
    for depth in DEPTHS {
        places.extend([ring(false, depth, 1), ring(true, depth, 1), ring(true, depth, depth)]);
    }
    rows(&places, |&place| match &files.direct {
        Ok(file) => cell(file, place),
        Err(why) => Figure::unavailable(why),
    })
}

/// Reads and writes of one file, each one by one and all at once.
pub(in crate::calibrate) fn requests(file: &File) -> Vec<SteadyRow> {
    let mut places = Vec::new();
    for queue in [Queue::Ring, Queue::Aio] {
        for write in [false, true] {
            let place = |depth, batch| Place { queue, write, depth, batch };
            places.push(place(1, 1));
            places.extend(DEPTHS.iter().flat_map(|&depth| [place(depth, 1), place(depth, depth)]));
        }
    }
    rows(&places, |&place| cell(file, place))
}

#[derive(Clone, Copy)]
struct Place {
    queue: Queue,
    write: bool,
    /// Requests in flight.
    depth: u32,
    /// Requests that a call submits.
    batch: u32,
}

fn rows(places: &[Place], cpu: impl Fn(&Place) -> Figure) -> Vec<SteadyRow> {
    let row = |place: &Place| {
        let Place { queue, write, depth, batch } = *place;
        SteadyRow { queue, write, depth, batch, cpu: cpu(place) }
    };
    places.iter().map(row).collect()
}

fn cell(file: &File, place: Place) -> Figure {
    let mut cell = Cell::default();
    let mut budget = Budget::new(3, 21, LENGTH);
    // One queue for all repeats: the kernel takes tens of milliseconds to end one of Linux AIO.
    let mut queue = None;
    while let Some(repeat) = budget.next() {
        if cell.hopeless() {
            break;
        }
        // After a failure requests may be in flight. Then the queue is ended, and a new one made.
        let series = queue
            .take()
            .map_or_else(|| Requests::new(file, place), Ok)
            .and_then(|mut requests| requests.series(place.batch).inspect(|_| queue = Some(requests)));
        cell.take(repeat, series);
    }
    cell.figure()
}

/// The queue that requests wait in.
enum Through {
    Ring(IoUring),
    Aio(aio::Context),
}

/// Requests in flight, each with a buffer of its own.
struct Requests<'a> {
    file: &'a File,
    write: bool,
    /// Dropped before the buffers: the kernel waits for what is in flight.
    queue: Through,
    buffers: Vec<Aligned>,
    random: Rng,
    in_flight: usize,
}

impl<'a> Requests<'a> {
    fn new(file: &'a File, Place { queue, write, depth, .. }: Place) -> Result<Self, String> {
        let queue = match queue {
            Queue::Ring => Through::Ring(IoUring::new(depth).map_err(|e| ring::refusal(&e, false))?),
            Queue::Aio => Through::Aio(aio::Context::new(depth as usize)?),
        };
        Ok(Self {
            file,
            write,
            queue,
            buffers: (0..depth).map(|_| Aligned::new(BLOCK)).collect(),
            random: Rng::with_seed(u64::from(depth)),
            in_flight: 0,
        })
    }

    /// CPU of a request, ns, if each call submits so many and waits for as many.
    fn series(&mut self, batch: u32) -> Result<f64, String> {
        let depth = self.buffers.len();
        let enters = (REQUESTS.max(2 * depth as u32) / batch) as usize;
        for slot in 0..depth {
            self.push(slot)?;
        }
        // The first call submits all that are in flight, and the last ones wait for all that are
        // left: neither is what the others are.
        self.enter(batch as usize, true)?;
        let begun = clock::process_cpu();
        let mut done = 0;
        for _ in 0..enters {
            done += self.enter(batch as usize, true)?;
        }
        let spent = clock::process_cpu().saturating_sub(begun);
        while self.in_flight > 0 {
            self.enter(self.in_flight, false)?;
        }
        Ok(spent as f64 / done.max(1) as f64)
    }

    /// Submits what is queued, waits for so many, takes them, and queues as many again.
    fn enter(&mut self, count: usize, again: bool) -> Result<usize, String> {
        let ended: Vec<(u64, i64)> = match &mut self.queue {
            Through::Ring(ring) => {
                ring.submit_and_wait(count).map_err(|e| ring::refusal(&e, false))?;
                ring.completion().take(count).map(|done| (done.user_data(), done.result().into())).collect()
            }
            Through::Aio(context) => {
                context.submit()?;
                context.wait(count)?.iter().map(aio::IoEvent::ended).collect()
            }
        };
        self.in_flight -= ended.len();
        for &(slot, result) in &ended {
            if result != BLOCK as i64 {
                return Err(format!("a request gave {result}"));
            }
            if again {
                self.push(slot as usize)?;
            }
        }
        Ok(ended.len())
    }

    fn push(&mut self, slot: usize) -> Result<(), String> {
        let offset = self.random.u64(..(FILE_BYTES / BLOCK) as u64) * BLOCK as u64;
        let (fd, room) = (self.file.as_raw_fd(), self.buffers[slot].bytes());
        match &mut self.queue {
            Through::Ring(ring) => {
                let fd = types::Fd(fd);
                let entry: squeue::Entry = match self.write {
                    true => opcode::Write::new(fd, room.as_ptr(), BLOCK as u32).offset(offset).build(),
                    false => opcode::Read::new(fd, room.as_mut_ptr(), BLOCK as u32).offset(offset).build(),
                };
                // SAFETY: the buffer is this request's alone, and stays until nothing is in flight.
                unsafe { ring.submission().push(&entry.user_data(slot as u64)) }
                    .map_err(|_| "io_uring: the submission queue is full".to_owned())?;
            }
            // SAFETY: the buffer is this request's alone, and stays until nothing is in flight.
            Through::Aio(context) => unsafe { context.queue(slot, fd, self.write, room, offset) },
        }
        self.in_flight += 1;
        Ok(())
    }
}

impl Drop for Requests<'_> {
    fn drop(&mut self) {
        // A context of Linux AIO waits by itself when it ends.
        let Through::Ring(ring) = &mut self.queue else { return };
        for _ in 0..=self.buffers.len() {
            if self.in_flight == 0 || ring.submit_and_wait(self.in_flight).is_err() {
                break;
            }
            self.in_flight -= ring.completion().count().min(self.in_flight);
        }
        if self.in_flight > 0 {
            // The kernel may still write there, so the buffers must never be freed.
            std::mem::forget(std::mem::take(&mut self.buffers));
        }
    }
}
