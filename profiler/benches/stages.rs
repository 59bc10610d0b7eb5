//! Benchmarks of the pure stages, on a made-up harvest:
//! `cargo bench --package should-i-async --bench stages`.
//!
//! The size is that of a large server: 10,000 threads, 500 call sites.

use divan::{Bencher, black_box};
use fastrand::Rng;
use profiler_common::{
    class::{BlockClass, CLASS_COUNT},
    control::Counters,
    site::{Site, SiteKey},
    stat::{BUCKETS, Stat},
    thread::{ClassSum, Sums, Thread, phase},
};
use should_i_async::{
    aggregate::{Doing, Silent, Window},
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

fn stat(numbers: &mut Rng) -> Stat {
    let mut stat = Stat::ZERO;
    for _ in 0..32 {
        stat.add(numbers.u64(..1 << 20));
    }
    stat
}

fn sums(numbers: &mut Rng) -> Sums {
    let blocks = 1 + numbers.u64(..100_000);
    let mut sums = Sums {
        user: numbers.u64(..1 << 28),
        kernel: numbers.u64(..1 << 28),
        calls: 2 * blocks,
        blocked_calls: blocks,
        voluntary: blocks,
        switch_ins: blocks,
        woken_by_other: blocks,
        kernel_voluntary: blocks,
        burst_sum: numbers.u64(..1 << 28),
        classes: [ClassSum::default(); CLASS_COUNT],
        ..Sums::ZERO
    };
    sums.classes[BlockClass::Tcp as usize] =
        ClassSum { blocks, blocked: numbers.u64(..1 << 33), run_delay: numbers.u64(..1 << 28) };
    for _ in 0..BUCKETS {
        sums.bursts[numbers.usize(..BUCKETS)] += 1;
    }
    sums
}

/// Threads in the middle of a block, of a wake-up or of a run, and some without any event.
fn threads(numbers: &mut Rng) -> Chunks<Thread> {
    let phases = [phase::BLOCKED, phase::BLOCKED, phase::BLOCKED, phase::WOKEN, phase::ON_CPU, phase::UNSEEN];
    (1..=THREADS)
        .map(|tid| Thread {
            tid,
            tgid: 1,
            epoch: EPOCH,
            phase: phases[numbers.usize(..phases.len())],
            block_class: BlockClass::Tcp as u32,
            nr: 0,
            first: START,
            since: END - numbers.u64(..1_000_000),
            off: END - 2_000_000,
            wake: END - numbers.u64(..1_000_000),
            sums: sums(numbers),
            ..Thread::ZERO
        })
        .collect()
}

/// Call sites of which every second call blocks.
fn sites(numbers: &mut Rng) -> Vec<RawSite> {
    (0..SITES)
        .map(|i| RawSite {
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
                bytes: numbers.u64(..1 << 30),
                cpu_before: numbers.u64(..1 << 20),
                last_tgid_fd: (1 << 32) | (i + 1),
                cpu_direct_warm: stat(numbers),
                cpu_blocked_near: stat(numbers),
                blocked: stat(numbers),
                run_delay: stat(numbers),
                user_after_direct: stat(numbers),
                user_after_blocked: stat(numbers),
                ..Site::ZERO
            },
        })
        .collect()
}

fn harvest() -> Harvest {
    let mut numbers = Rng::with_seed(7);
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
        hit: None,
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
        .map(|tid| Silent {
            tid: Tid::from_raw(tid),
            doing: Doing::Asleep { on: event::BlockClass::Futex, loads: event::Loads::No },
            ring: false,
        })
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
