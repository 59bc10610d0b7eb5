//! Waits that are open when a measurement begins, on the real kernel: their class, their time, and
//! threads that sleep all the while. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

use common::check::{
    agrees, all_blocks, blocks, by_class, class_named, ledger_closes, nothing_lost, runs_missed, thread,
};
use common::measuring::{Measuring, request};
use common::procfs;
use common::truth::Truth;
use common::{can_measure, figures};
use should_i_async::kernel;
use should_i_async::pipeline::Request;
use should_i_async::quantity::Nanos;
use should_i_async::{
    aggregate::{OpenEnd, ThreadTotals},
    event::BlockClass,
};

/// Kinds whose worker can be held asleep, with the call and the class of its wait.
const HELD: [(&str, i64, &str); 12] = [
    ("pipe", libc::SYS_read, "pipe"),
    ("socket-tcp", libc::SYS_recvfrom, "tcp"),
    ("socket-unix", libc::SYS_recvfrom, "unix"),
    ("socket-udp", libc::SYS_recvfrom, "udp"),
    ("eventfd", libc::SYS_read, "eventfd"),
    ("timerfd", libc::SYS_read, "timerfd"),
    ("signalfd", libc::SYS_read, "signalfd"),
    ("tty", libc::SYS_read, "tty"),
    ("futex", libc::SYS_futex, "futex"),
    ("epoll", EPOLL_WAIT, "event-wait"),
    ("accept", libc::SYS_accept4, "accept"),
    ("wait4", libc::SYS_wait4, "child"),
];

#[cfg(target_arch = "x86_64")]
const EPOLL_WAIT: i64 = libc::SYS_epoll_wait;
/// Younger architectures have no call of the plain name.
#[cfg(not(target_arch = "x86_64"))]
const EPOLL_WAIT: i64 = libc::SYS_epoll_pwait;

/// Calls that an event loop may be asleep in.
const EVENT_WAITS: [i64; 3] = [EPOLL_WAIT, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2];

/// A workload whose one worker is asleep in the middle of its deed, and the worker.
fn held(kind: &str, call: i64, hold: Duration) -> (Truth, u32) {
    let us = hold.as_micros().to_string();
    let mut truth = Truth::start(&[kind, "--n", "1", "--us", &us]);
    let worker = *procfs::tids(truth.pid()).iter().find(|&&tid| tid != truth.pid()).unwrap();
    // The gate is a pipe too: the worker has left it once its counter has moved on.
    let parked = procfs::Counters::read(truth.pid(), worker).unwrap().voluntary;
    truth.go();
    while procfs::Counters::read(truth.pid(), worker).unwrap().voluntary == parked {
        std::thread::sleep(Duration::from_micros(100));
    }
    let calls = if kind.starts_with("epoll") { EVENT_WAITS.to_vec() } else { vec![call] };
    procfs::await_asleep(truth.pid(), worker, &calls);
    (truth, worker)
}

/// How often a wait is made longer when it was over before its measurement began.
const LONGER: u32 = 4;

/// Calls `start`, which begins a wait of the given length and then a measurement of it. If the wait
/// was over before the measurement began, tries again with a wait of twice the time that this took:
/// attaching takes seconds on an emulated CPU, and longer beside other load.
fn attached_in_time<T>(wait: &mut Duration, mut start: impl FnMut(Duration) -> (T, Measuring)) -> (T, Measuring) {
    for _ in 0..LONGER {
        let asked = Instant::now();
        let (waiting, measuring) = start(*wait);
        let took = asked.elapsed();
        if took < *wait {
            return (waiting, measuring);
        }
        measuring.stop();
        *wait = Duration::from_micros((took * 2).as_micros() as u64);
    }
    panic!("attaching takes longer than {wait:?}")
}

/// A wait that is open when the measurement begins has its class and its time in the window. It has
/// no block, because that was before.
#[test]
fn already_blocked_at_attach() {
    if !can_measure() {
        return;
    }
    let mut hold = Duration::from_millis(900);
    for (kind, call, class) in HELD {
        let ((mut truth, worker), measuring) = attached_in_time(&mut hold, |hold| {
            let held = held(kind, call, hold);
            let measuring = Measuring::start(request(held.0.pid()));
            (held, measuring)
        });
        let begun = kernel::now();
        let line = truth.line();
        let measurement = measuring.stop();
        nothing_lost(&measurement);
        ledger_closes(&measurement);
        agrees(&measurement);
        let t = thread(&measurement, worker);
        if runs_missed(&measurement) {
            assert_eq!(all_blocks(&t.sums), 1, "{kind}: {:?}", by_class(&t.sums));
            continue;
        }
        let sum = t.sums.classes[class_named(class) as usize];
        let expected = u64::from(class == "pipe");
        assert_eq!(sum.blocks, expected, "{kind}: {:?}", by_class(&t.sums));
        assert_eq!(by_class(&t.sums).get("pipe"), Some(&1), "{kind}: the finishing park, and nothing else");
        assert_eq!(all_blocks(&t.sums), 1, "{kind}: {:?}", by_class(&t.sums));
        assert!(t.asleep_at_start && t.sums.open_calls == 1, "{kind}: {t:?}");
        // At most what is left of the wait's whole length, and at least what is left of it after
        // the time that the test needed to get here.
        let whole = line.rows[0].blocked_max;
        let left = sum.blocked;
        let gone = begun.saturating_sub(measurement.window.start).as_nanos();
        figures!("{kind}: {left} ns of {whole} in the window, begun {gone} ns before we knew");
        assert!(left > 0 && left <= whole, "{kind}: {left} of {whole}");
    }
}

/// The same wait, whose end is known on the clock: its share of the window is exact.
#[test]
fn the_open_wait_has_the_right_time() {
    if !can_measure() {
        return;
    }
    let mut sleep = Duration::from_secs(1);
    let ((mut truth, worker, earliest, latest), measuring) = attached_in_time(&mut sleep, |sleep| {
        let mut truth = Truth::start(&["sleep", "--n", "1", "--us", &sleep.as_micros().to_string()]);
        let worker = *procfs::tids(truth.pid()).iter().find(|&&tid| tid != truth.pid()).unwrap();
        let earliest = kernel::now().as_nanos();
        truth.go();
        procfs::await_asleep(truth.pid(), worker, &[libc::SYS_clock_nanosleep]);
        let latest = kernel::now().as_nanos();
        let measuring = Measuring::start(request(truth.pid()));
        ((truth, worker, earliest, latest), measuring)
    });
    let length = sleep.as_nanos() as u64;
    let row = truth.line().rows.remove(0);
    let measurement = measuring.stop();
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    let t = thread(&measurement, worker);
    let sum = t.sums.classes[BlockClass::Sleep as usize];
    assert_eq!((sum.blocks, blocks(&t.sums, BlockClass::Pipe)), (0, 1), "{:?}", by_class(&t.sums));
    let start = measurement.window.start.as_nanos();
    let overslept = row.blocked_max - length;
    let (low, high) = (earliest + length - start, latest + length + overslept - start);
    figures!("{} ns in [{low}, {high}]", sum.blocked);
    assert!((low - low / 100..=high + high / 100).contains(&sum.blocked), "{} is not in {low}..={high}", sum.blocked);
}

/// Threads that do nothing at all: their whole wall time is blocked, in the right class.
#[test]
fn a_target_that_does_nothing() {
    if !can_measure() {
        return;
    }
    // What is waited for in a call from before the programs is read from outside. Which of several
    // descriptors ends the waits, only waits that end can tell.
    let by_array = [
        ("poll", libc::SYS_ppoll, "tcp"),
        ("poll-two", libc::SYS_ppoll, "event-wait"),
        ("select", libc::SYS_pselect6, "tcp"),
        ("select-two", libc::SYS_pselect6, "event-wait"),
        ("epoll-one", EPOLL_WAIT, "tcp"),
        ("epoll-two", EPOLL_WAIT, "event-wait"),
        ("poll-listener", libc::SYS_ppoll, "accept"),
    ];
    for (kind, call, class) in HELD.into_iter().chain(by_array) {
        let (truth, worker) = held(kind, call, Duration::from_secs(60));
        let measuring = Measuring::start(request(truth.pid()));
        std::thread::sleep(Duration::from_millis(30));
        let measurement = measuring.stop();
        nothing_lost(&measurement);
        ledger_closes(&measurement);
        agrees(&measurement);
        let t = thread(&measurement, worker);
        assert!(t.silent && t.asleep_at_start, "{kind}: {t:?}");
        assert_eq!(t.open_end, OpenEnd::Blocked(class_named(class)), "{kind}");
        assert_eq!((t.wall, t.blocked()), (measurement.window.measured, measurement.window.measured), "{kind}");
        assert_eq!(t.sums.classes[class_named(class) as usize].blocked, t.wall.as_nanos(), "{kind}");
        assert_eq!(all_blocks(&t.sums), 0, "{kind}");
    }
}

/// Far more threads can run than the one CPU can serve: most of them have no event in a short
/// window, and can run when they are asked. They waited for the CPU; it did not serve them all at
/// once.
#[test]
fn threads_that_wait_for_a_cpu_all_the_while() {
    if !can_measure() {
        return;
    }
    for price in [false, true] {
        let mut truth = Truth::start(&["burn", "--threads", "100", "--ms", "30000"]);
        let mut first = CpuSet::new();
        first.set(0);
        for tid in procfs::tids(truth.pid()) {
            sched_setaffinity(Pid::from_raw(tid.cast_signed()), &first).unwrap();
        }
        truth.go();
        // Each has had its turn: the kernel's account of it is long enough for all of the window.
        std::thread::sleep(Duration::from_secs(3));
        let measuring = Measuring::start(Request { price, ..request(truth.pid()) });
        std::thread::sleep(Duration::from_millis(30));
        let measurement = measuring.stop();
        truth.kill();
        let window = &measurement.window;
        let silent = window.threads.iter().filter(|t| t.silent).count();
        let cpu: Nanos = window.threads.iter().map(ThreadTotals::cpu).sum();
        figures!("{silent} of {} without an event, {cpu} of CPU in {}", window.threads.len(), window.measured);
        ledger_closes(&measurement);
        assert!(silent > 10 || window.measured > Nanos::from_millis(100), "a short window was meant");
        assert!(cpu.as_nanos() < window.measured.as_nanos() / 10 * 11, "{cpu} of {}", window.measured);
    }
}

/// A wait in a call of the 32-bit table that is seen from /proc only counts as what it waits for,
/// not as what its number means in the machine's own table (read is 3 there, and 3 is close here).
#[cfg(target_arch = "x86_64")]
#[test]
fn silent_32_bit_waits() {
    if !can_measure() {
        return;
    }
    // By their numbers in the 32-bit table.
    for (kind, call, class) in [
        ("int80", 3, "pipe"),
        ("int80-recv", 102, "tcp"),
        ("int80-poll", 414, "tcp"),
        ("int80-select", 142, "event-wait"),
    ] {
        let (truth, worker) = held(kind, call, Duration::from_secs(60));
        let measuring = Measuring::start(request(truth.pid()));
        std::thread::sleep(Duration::from_millis(30));
        let measurement = measuring.stop();
        assert_eq!(thread(&measurement, worker).open_end, OpenEnd::Blocked(class_named(class)), "{kind}");
    }
}
