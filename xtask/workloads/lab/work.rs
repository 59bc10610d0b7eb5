//! The work of an operation and its count: one code and one layout for every way of doing IO.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::line;

/// Words of the buffer that the work goes over: 1 KiB, the state of a session.
const WORDS: usize = 128;

/// Rounds of `spin-rate`, of which the fastest counts: the others were disturbed.
const ROUNDS: u32 = 20;
const ROUND_ITERATIONS: u64 = 2_000_000;

/// Operations done by one connection, worker, slot or stage. On a cache line of its own: only its
/// owner writes, so the reader of the sum disturbs nobody.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Counter {
    operations: AtomicU64,
    digest: AtomicU64,
}

impl Counter {
    pub(crate) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Sum of the results of all operations, modulo 2⁶⁴: equal where the same operations were done
    /// in the same order.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.load(Ordering::Relaxed)
    }

    /// Only the owner calls this, so a load and a store are enough: no locked instruction in any
    /// way.
    fn add(&self, result: u64) {
        self.operations.store(self.operations().wrapping_add(1), Ordering::Relaxed);
        self.digest.store(self.digest().wrapping_add(result), Ordering::Relaxed);
    }
}

/// What a connection, worker, slot or stage needs for its operations.
pub(crate) struct Job {
    scratch: [u64; WORDS],
    iterations: u64,
    left: u64,
    counter: Arc<Counter>,
}

impl Job {
    /// Each operation does `iterations`; after `limit` operations there is no [`more`](Self::more).
    pub(crate) fn new(counter: Arc<Counter>, iterations: u64, limit: Option<u64>) -> Self {
        Self { scratch: [0; WORDS], iterations, left: limit.unwrap_or(u64::MAX), counter }
    }

    /// Does the work that `message` asks for, and counts it.
    pub(crate) fn perform(&mut self, message: &[u8]) {
        let result = work(&mut self.scratch, seed_of(message), self.iterations);
        self.left -= 1;
        self.counter.add(result);
    }

    /// Whether there is an operation left to do.
    pub(crate) fn more(&self) -> bool {
        self.left > 0
    }
}

/// A message's first eight bytes, or as many as it has.
fn seed_of(message: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = message.len().min(8);
    bytes[..length].copy_from_slice(&message[..length]);
    u64::from_le_bytes(bytes)
}

/// The work: each iteration depends on the one before and on a word of the buffer, which it
/// replaces. Never inlined, so that the very same instructions run in every way.
#[inline(never)]
fn work(scratch: &mut [u64; WORDS], seed: u64, iterations: u64) -> u64 {
    let mut state = seed;
    for iteration in 0..iterations {
        let word = &mut scratch[iteration as usize % WORDS];
        state = (state ^ *word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        *word = state;
    }
    state
}

/// Flags of `spin-rate`.
#[derive(clap::Args)]
pub(crate) struct SpinRateArgs {
    /// CPUs that it may use.
    #[arg(long, value_delimiter = ',')]
    cpu: Vec<usize>,
}

/// Prints how fast the work runs.
pub(crate) fn spin_rate(args: &SpinRateArgs) -> Result<()> {
    crate::sys::keep_on(&args.cpu)?;
    line::say(&serde_json::json!({ "iterations_per_us": iterations_per_us() }))
}

/// Iterations of the work that fit into a microsecond of CPU time.
pub(crate) fn iterations_per_us() -> f64 {
    let mut scratch = [0; WORDS];
    let fastest = (0..ROUNDS)
        .map(|round| {
            let begun = Instant::now();
            std::hint::black_box(work(&mut scratch, u64::from(round), ROUND_ITERATIONS));
            begun.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    ROUND_ITERATIONS as f64 / (fastest.as_secs_f64() * 1e6)
}
