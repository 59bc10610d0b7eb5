//! One block. A thread that never blocks sends messages of one byte to a thread that blocks for
//! each; and one thread does the same writes and reads alone, so that its data is always there. The
//! difference between the readers is what blocking costs, that between the writers is what waking
//! costs.
//!
//! Messages go one way only. If two threads answered each other, the reader of a Unix socket would
//! wake its peer when it frees the message (`unix_write_space`), and a part of the waker's cost
//! would appear in its next read.

use std::{
    io,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{machine::Medium, quantity::median};

use super::{
    clock::{self, Watch},
    peers::Peers,
};

/// Messages before the first one that counts.
const WARM: u64 = 2;
/// A message that is not read after so long will not be, ns.
const PATIENCE: u64 = 2_000_000_000;

/// A reader that waited longer than this for its CPU per message, ns, shared it with another
/// program, and its series does not count. A virtual machine needs 10 µs to leave idle.
const MOST_DELAY: u64 = 50_000;

/// The read end and the write end of a new pipe or connection.
pub(crate) fn link(medium: Medium) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(match medium {
        Medium::Pipe => {
            let (read, write) = io::pipe()?;
            (read.into(), write.into())
        }
        Medium::Unix => {
            let (read, write) = std::os::unix::net::UnixStream::pair()?;
            (read.into(), write.into())
        }
        Medium::Tcp => {
            let mut peers = Peers::connect(1)?;
            match (peers.server.pop(), peers.client.pop()) {
                (Some(read), Some(write)) => (read.into(), write.into()),
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    })
}

fn take(end: &OwnedFd) -> io::Result<()> {
    match rustix::io::read(end, &mut [0; 1])? {
        1 => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Times, ns, one for each message. Empty if they are not asked for.
type Stamps = [AtomicU64];

fn give(end: &OwnedFd) -> io::Result<()> {
    rustix::io::write(end, &[1])?;
    Ok(())
}

/// A working set, of which each touch writes one byte in every cache line.
struct Lines(Vec<u8>);

impl Lines {
    fn touch(&mut self) {
        for byte in self.0.iter_mut().step_by(64) {
            *byte = byte.wrapping_add(1);
        }
        std::hint::black_box(&mut self.0);
    }
}

/// One series of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) medium: Medium,
    /// The CPU of the writer, which is the calling thread, and the CPU of the reader.
    pub(crate) cpus: (usize, usize),
    pub(crate) messages: u64,
    /// How long the reader's CPU is left idle after the reader is about to block, ns. Only with two
    /// CPUs.
    pub(crate) idle: u64,
    /// Bytes of its own that each thread touches for each message.
    pub(crate) touch: usize,
}

/// What a message costs, ns of CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerMessage {
    /// What the reader pays for its read and its working set.
    pub(crate) read: f64,
    /// What the writer pays for its write.
    pub(crate) write: f64,
}

/// One block, ns of CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneBlock {
    /// What the blocked thread pays for leaving and coming back.
    pub(crate) cost: f64,
    /// What the waker pays.
    pub(crate) wake: f64,
}

impl Plan {
    /// The calling thread writes and reads, and nothing blocks. It stays pinned.
    pub(crate) fn ready(self, watch: Watch) -> io::Result<PerMessage> {
        let (read_end, write_end) = link(self.medium)?;
        // On the CPU of the reader, with the same caches and neighbours.
        clock::pin(&[self.cpus.1])?;
        let mut lines = Lines(vec![0; self.touch]);
        let (mut read, mut write) = (0, 0);
        for message in 0..self.messages + WARM {
            let begun = clock::thread_cpu();
            give(&write_end)?;
            let wrote = watch.since(begun);
            let begun = clock::thread_cpu();
            take(&read_end)?;
            lines.touch();
            let took = watch.since(begun);
            if message >= WARM {
                (read, write) = (read + took, write + wrote);
            }
        }
        let per = |sum: u64| sum as f64 / self.messages as f64;
        Ok(PerMessage { read: per(read), write: per(write) })
    }

    /// The time from just before the write to just after the reader's return, ns of wall time, for
    /// the median message.
    pub(crate) fn latency(self, watch: Watch) -> io::Result<f64> {
        let stamps = |_| AtomicU64::new(0);
        let (sent, got): (Vec<_>, Vec<_>) = (0..self.messages + WARM).map(|m| (stamps(m), stamps(m))).unzip();
        self.stamped(watch, &sent, &got)?;
        let latencies: Vec<f64> = sent
            .iter()
            .zip(&got)
            .skip(WARM as usize)
            .map(|(sent, got)| got.load(Ordering::Relaxed).saturating_sub(sent.load(Ordering::Relaxed)) as f64)
            .collect();
        Ok(median(&latencies))
    }

    /// The reader blocks for every message. The calling thread stays pinned.
    pub(crate) fn blocking(self, watch: Watch) -> io::Result<PerMessage> {
        self.stamped(watch, &[], &[])
    }

    fn stamped(self, watch: Watch, sent: &Stamps, got: &Stamps) -> io::Result<PerMessage> {
        let (read_end, write_end) = link(self.medium)?;
        clock::pin(&[self.cpus.0])?;
        clock::never_preempt();
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new()
                .name("calibrate-reader".into())
                .spawn_scoped(scope, || self.reader(&read_end, &taken, watch, got))?;
            let write = self.writer(&write_end, &taken, watch, sent);
            // A reader that still waits finds the end of the stream.
            drop(write_end);
            let read = reader.join().map_err(|_| io::Error::other("a thread panicked"))??;
            Ok(PerMessage { read, write: write? })
        })
    }

    fn writer(self, end: &OwnedFd, taken: &AtomicU64, watch: Watch, sent: &Stamps) -> io::Result<f64> {
        let mut lines = Lines(vec![0; self.touch]);
        let mut wrote = 0;
        // The reader blocks before its first message too.
        self.settle(0, taken)?;
        for message in 1..=self.messages + WARM {
            lines.touch();
            let begun = clock::thread_cpu();
            if let Some(stamp) = sent.get(message as usize - 1) {
                stamp.store(clock::wall(), Ordering::Relaxed);
            }
            give(end)?;
            let took = watch.since(begun);
            wrote += if message > WARM { took } else { 0 };
            self.settle(message, taken)?;
        }
        Ok(wrote as f64 / self.messages as f64)
    }

    /// Waits until the reader has taken `messages` and blocks again.
    fn settle(self, messages: u64, taken: &AtomicU64) -> io::Result<()> {
        let begun = clock::wall();
        while taken.load(Ordering::Acquire) <= messages {
            if clock::wall() - begun > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if self.cpus.0 == self.cpus.1 {
                // The CPU comes back when the reader blocks.
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        if self.cpus.0 != self.cpus.1 {
            let begun = clock::wall();
            while clock::wall() - begun < self.idle {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }

    /// CPU per message, ns.
    fn reader(self, end: &OwnedFd, taken: &AtomicU64, watch: Watch, got: &Stamps) -> io::Result<f64> {
        clock::pin(&[self.cpus.1])?;
        clock::never_preempt();
        let mut lines = Lines(vec![0; self.touch]);
        let (mut cpu, mut blocks, mut waited) = (0, 0, None);
        for message in 0..self.messages + WARM {
            if message == WARM {
                (waited, blocks) = (clock::waited_so_far(), clock::blocks_so_far());
                cpu = clock::thread_cpu();
            }
            taken.store(message + 1, Ordering::Release);
            take(end)?;
            if let Some(stamp) = got.get(message as usize) {
                stamp.store(clock::wall(), Ordering::Relaxed);
            }
            lines.touch();
        }
        let spent = watch.since(cpu);
        let blocks = clock::blocks_so_far() - blocks;
        let waited = clock::waited_so_far().zip(waited).map_or(0, |(now, then)| now - then);
        // The writer must not wait any longer: there is no reader.
        taken.store(u64::MAX, Ordering::Release);
        // A read that finds its message in place is no block, and would count as a cheap one.
        if blocks * 20 < self.messages * 19 {
            return Err(io::Error::other(format!("of {} reads only {blocks} blocked", self.messages)));
        }
        if self.cpus.0 != self.cpus.1 && waited > self.messages * MOST_DELAY {
            return Err(io::Error::other("other programs kept the CPU busy"));
        }
        Ok(spent as f64 / self.messages as f64)
    }
}

/// One block: a ready series and a blocking one.
pub(crate) fn one_block(plan: Plan, watch: Watch) -> io::Result<OneBlock> {
    let ready = plan.ready(watch)?;
    let blocked = plan.blocking(watch)?;
    Ok(OneBlock { cost: blocked.read - ready.read, wake: blocked.write - ready.write })
}
