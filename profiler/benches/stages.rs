//! Benchmarks of the pure stages, on a made-up harvest:
//! `cargo bench --package should-i-async --bench stages`.
//!
//! The size is that of a large server: 10,000 threads, 500 call sites.

use divan::{Bencher, black_box};
use profiler_common::{
    class::{BlockClass, CLASS_COUNT},
    control::Counters,
    site::{Site, SiteKey},
    stat::{BUCKETS, Stat},
    thread::{ClassSum, Sums, Thread, phase},
};
use should_i_async::{
    aggregate::{Silent, Window},
    answer::{Inputs, Report},
    event::{self, Batch},
    kernel::{Chunks, Harvest, RawSite},
    quantity::{Nanos, Tid},
};

const THREADS: u32 = 10_000;
const SITES: u64 = 500;
const EPOCH: u32 = 1;
const START: u64 = 1_000_000_000;
const END: u64 = 11_000_000_000;

fn main() {
    divan::main();
}

/// Random numbers that are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn stat(numbers: &mut Numbers) -> Stat {
    let mut stat = Stat::ZERO;
    for _ in 0..32 {
        stat.add(numbers.below(1 << 20));
    }
    stat
}

fn sums(numbers: &mut Numbers) -> Sums {
    let blocks = 1 + numbers.below(100_000);
    let mut sums = Sums {
        user: numbers.below(1 << 28),
        kernel: numbers.below(1 << 28),
        calls: 2 * blocks,
        blocked_calls: blocks,
        voluntary: blocks,
        switch_ins: blocks,
        woken_by_other: blocks,
        kernel_voluntary: blocks,
        burst_sum: numbers.below(1 << 28),
        classes: [ClassSum::default(); CLASS_COUNT],
        ..Sums::ZERO
    };
    sums.classes[BlockClass::Tcp as usize] =
        ClassSum { blocks, blocked: numbers.below(1 << 33), run_delay: numbers.below(1 << 28) };
    for _ in 0..BUCKETS {
        sums.bursts[numbers.below(BUCKETS as u64) as usize] += 1;
    }
    sums
}

/// Threads in the middle of a block, of a wake-up or of a run, and some without any event.
fn threads(numbers: &mut Numbers) -> Chunks<Thread> {
    let phases = [phase::BLOCKED, phase::BLOCKED, phase::BLOCKED, phase::WOKEN, phase::ON_CPU, phase::UNSEEN];
    let thread = |tid| Thread {
        tid,
        tgid: 1,
        epoch: EPOCH,
        phase: phases[numbers.below(phases.len() as u64) as usize],
        block_class: BlockClass::Tcp as u32,
        nr: 0,
        first: START,
        since: END - numbers.below(1_000_000),
        off: END - 2_000_000,
        wake: END - numbers.below(1_000_000),
        sums: sums(numbers),
        ..Thread::ZERO
    };
    (1..=THREADS).map(thread).collect()
}

/// Call sites of which every second call blocks.
fn sites(numbers: &mut Numbers) -> Vec<RawSite> {
    let site = |i| RawSite {
        key: SiteKey {
            ip: 0x5555_0000_0000 + i * 0x40,
            nr: (i % 60) as u16,
            class: BlockClass::ALL[1 + (i % 8) as usize].wire(),
            abi: 0,
            space: 2,
            size: 3,
        },
        site: Site {
            calls: 64,
            blocked_calls: 32,
            blocks: 32,
            bytes: numbers.below(1 << 30),
            cpu_before: numbers.below(1 << 20),
            last_tgid_fd: (1 << 32) | (i + 1),
            cpu_direct_warm: stat(numbers),
            cpu_blocked_near: stat(numbers),
            blocked: stat(numbers),
            run_delay: stat(numbers),
            user_after_direct: stat(numbers),
            user_after_blocked: stat(numbers),
            ..Site::ZERO
        },
    };
    (0..SITES).map(site).collect()
}

fn harvest() -> Harvest {
    let mut numbers = Numbers(7);
    Harvest {
        start: Nanos::from_nanos(START),
        end: Nanos::from_nanos(END),
        measured: Nanos::from_nanos(END - START),
        epoch: EPOCH,
        alive: threads(&mut numbers),
        departed: Chunks::default(),
        pooled: Thread::ZERO,
        sites: sites(&mut numbers),
        overflow: Site::ZERO,
        spans: Vec::new(),
        samples: Default::default(),
        devices: Vec::new(),
        ipc: None,
        counters: Counters::default(),
        programs: Vec::new(),
    }
}

fn batch() -> Batch {
    event::decode(harvest()).expect("a harvest that makes sense")
}

/// What `/proc` would say of every thread without events.
fn silent() -> Vec<Silent> {
    (1..=THREADS)
        .map(|tid| Silent { tid: Tid::from_raw(tid), asleep_on: Some(event::BlockClass::Futex), on_cpu: Nanos::ZERO })
        .collect()
}

fn window() -> Window {
    Window::close(batch(), &silent())
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let harvest = harvest();
    bencher.with_inputs(|| harvest.clone()).bench_local_values(|harvest| event::decode(black_box(harvest)));
}

#[divan::bench]
fn close(bencher: Bencher<'_, '_>) {
    let (batch, silent) = (batch(), silent());
    bencher.with_inputs(|| batch.clone()).bench_local_values(|batch| Window::close(batch, black_box(&silent)));
}

#[divan::bench]
fn absorb(bencher: Bencher<'_, '_>) {
    let window = window();
    bencher.with_inputs(|| (window.clone(), window.clone())).bench_local_values(|(mut total, later)| {
        total.absorb(later);
        total
    });
}

#[divan::bench]
fn sums_of_all(bencher: Bencher<'_, '_>) {
    let window = window();
    bencher.bench_local(|| black_box(&window).sums());
}

#[divan::bench]
fn report(bencher: Bencher<'_, '_>) {
    let window = window();
    bencher.with_inputs(Inputs::default).bench_local_values(|inputs| Report::new(black_box(&window), inputs));
}
