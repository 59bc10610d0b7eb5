//! What happens at the edges of a measurement, on the real kernel: targets that are asleep, die,
//! multiply, become another program, or are too many; and the other ways to measure. Runs with
//! `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::check::{
    self, agrees, all_blocks, blocks, by_class, class_named, ledger_closes, no_event_lost, nothing_lost, runs_missed,
    thread,
};
use common::measuring::{Measuring, raw_request, request, request_for};
use common::procfs;
use common::truth::{Row, Truth};
use common::{can_measure, figures};
use should_i_async::answer::Ended;
use should_i_async::kernel;
use should_i_async::pipeline::{Measurement, Request};
use should_i_async::process::TargetSpec;
use should_i_async::{aggregate::OpenEnd, event::BlockClass};

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

/// Killed in the middle of its work: the measurement ends by itself, with all it saw.
#[test]
fn killed_in_the_middle() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--threads", "4", "--n", "1000000"]);
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    procfs::await_switches(truth.pid(), 300);
    truth.kill();
    let measurement = measuring.join();
    assert_eq!(measurement.inputs.window.ended, Ended::TargetExited);
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    assert_eq!(measurement.window.threads.len(), 5);
    let sums = measurement.window.sums();
    figures!("{:?}, exits {}", by_class(&sums), measurement.window.quality.exits);
    assert!(blocks(&sums, BlockClass::Pipe) > 100, "{:?}", by_class(&sums));
    let dead = measurement.window.threads.iter().filter(|t| t.dead).count() as u64;
    assert_eq!((dead, blocks(&sums, BlockClass::Exit)), (measurement.window.quality.exits, dead));
    let report = measurement.report();
    assert!(!report.sites.is_empty() && report.cpu.total.as_nanos() > 0);
}

/// A process that comes to its end: the last block of each of its threads is the exit.
#[test]
fn exits_normally() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--threads", "3", "--n", "50"]);
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    let line = truth.line();
    truth.end();
    let measurement = measuring.join();
    assert_eq!(measurement.inputs.window.ended, Ended::TargetExited);
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    for row in &line.rows {
        let t = thread(&measurement, row.tid);
        assert!(t.dead, "{t:?}");
        assert_eq!(t.sums.voluntary, row.voluntary + 2, "{:?}", by_class(&t.sums));
        assert_eq!(all_blocks(&t.sums), t.sums.voluntary, "{:?}", by_class(&t.sums));
        // A call that the kernel did not tell of leaves its block without a class of its own.
        if runs_missed(&measurement) {
            continue;
        }
        assert_eq!(blocks(&t.sums, BlockClass::Pipe), row.expected("pipe"), "{:?}", by_class(&t.sums));
        assert_eq!(blocks(&t.sums, BlockClass::Exit), 1);
    }
}

/// Threads that start, block once and die, by the thousand: every block is counted. A name may be
/// lost for want of room in the ring, a sum never.
#[test]
fn threads_that_start_and_die_by_the_thousand() {
    if !can_measure() {
        return;
    }
    for (threads, max_threads) in [("3000", None), ("3000", Some(64))] {
        let outcome = check::run_as(&["churn", "--n", threads], |pid| vec![Request { max_threads, ..request(pid) }]);
        let outcome = &outcome[0];
        let window = &outcome.measurement.window;
        let quality = &window.quality;
        figures!("{quality:?}");
        assert_eq!(quality.threads_lost, 0, "{quality:?}");
        no_event_lost(&outcome.measurement);
        ledger_closes(&outcome.measurement);
        agrees(&outcome.measurement);
        let count = outcome.line.rows.len() as u64;
        assert_eq!((quality.forks, quality.exits), (count, count));
        let main = thread(&outcome.measurement, outcome.pid);
        let mut sums = window.sums().classes[BlockClass::Pipe as usize].blocks;
        sums -= blocks(&main.sums, BlockClass::Pipe);
        let truth: u64 = outcome.line.rows.iter().map(|row| row.blocks).sum();
        if outcome.runs_missed() {
            continue;
        }
        assert_eq!(sums, truth, "blocks of all that lived");
        let born: Vec<_> = window.threads.iter().filter(|t| t.born_inside).collect();
        assert_eq!(born.len() as u64 + quality.threads_pooled, count);
        for t in &born {
            assert!(t.dead && t.sums.voluntary == t.sums.kernel_voluntary, "{t:?}");
            assert_eq!(blocks(&t.sums, BlockClass::Pipe), 1, "{:?}", by_class(&t.sums));
            assert_eq!(blocks(&t.sums, BlockClass::Exit), 1, "{:?}", by_class(&t.sums));
        }
        if quality.threads_pooled == 0 {
            let named: BTreeSet<u32> = born.iter().map(|t| t.tid.as_raw()).collect();
            assert!(outcome.line.rows.iter().all(|row| named.contains(&row.tid)));
        }
        // A newborn's counters begin at zero, and so do ours: the blocks of its row, and its exit.
        for row in &outcome.line.rows {
            let mut own = born.iter().filter(|t| t.tid.as_raw() == row.tid);
            if let (Some(t), None) = (own.next(), own.next()) {
                assert!(t.sums.voluntary > row.voluntary, "{:?} of {row:?}", by_class(&t.sums));
            }
        }
    }
}

/// A fork, and an exec in the child, in the middle: with `follow` the child belongs to the target,
/// without it does not.
#[test]
fn fork_and_exec_in_the_middle() {
    if !can_measure() {
        return;
    }
    for follow in [true, false] {
        let outcome =
            check::run_as(&["forkexec", "--n", "20"], |pid| vec![Request { follow, ..request(pid) }]).remove(0);
        outcome.threads_hold();
        let window = &outcome.measurement.window;
        // The child waits at its gate by the same call of the same code.
        let row = &outcome.line.rows[0];
        let site = outcome.sites("read", "pipe");
        let all = row.calls + u64::from(follow);
        if outcome.runs_missed() {
            outcome.has_calls(site.calls, all);
            continue;
        }
        assert_eq!((site.calls, site.blocks, site.bytes), (all, all, all), "follow {follow}");
        let child: Vec<_> = window.threads.iter().filter(|t| t.tgid.as_raw() != outcome.pid).collect();
        figures!("follow {follow}: {:?}", child.iter().map(|t| by_class(&t.sums)).collect::<Vec<_>>());
        if !follow {
            assert!(child.is_empty());
            assert_eq!((window.quality.forks, window.quality.execs), (0, 0));
            continue;
        }
        assert_eq!((child.len(), window.quality.forks, window.quality.execs, window.quality.exits), (1, 1, 1, 1));
        let child = child[0];
        assert!(child.born_inside && child.dead);
        assert_eq!(blocks(&child.sums, BlockClass::Pipe), 1, "the gate: {:?}", by_class(&child.sums));
        assert_eq!(blocks(&child.sums, BlockClass::Exit), 1, "{:?}", by_class(&child.sums));
        assert_eq!(child.sums.voluntary, child.sums.kernel_voluntary);
        // What runs after the exec is other code, even at equal addresses.
        let spaces: BTreeSet<u32> = window.sites.iter().map(|s| s.place.space).collect();
        assert_eq!(spaces.len(), 2, "{spaces:?}");
    }
}

/// A thread that is not the leader execs: it takes the leader's tid, and its counts are conserved.
#[test]
fn exec_from_a_thread_that_is_not_the_leader() {
    if !can_measure() {
        return;
    }
    for raw in [false, true] {
        let mut truth = Truth::start(&["exec-nonleader", "--n", "40"]);
        let pid = truth.pid();
        let worker = *procfs::tids(pid).iter().find(|&&tid| tid != pid).unwrap();
        let before = procfs::Counters::read(pid, worker).unwrap();
        let measuring = Measuring::start(if raw { raw_request(pid) } else { request(pid) });
        truth.go();
        let line = truth.line();
        let after = procfs::Counters::read(pid, pid).unwrap().since(before);
        let measurement = measuring.stop();
        truth.end();
        nothing_lost(&measurement);
        ledger_closes(&measurement);
        agrees(&measurement);
        // The run at the exec may be among those that the kernel left out. Then nobody knew the
        // worker's new number in time.
        if runs_missed(&measurement) {
            continue;
        }
        let row = &line.rows[0];
        assert_eq!(line.value["exec"]["tid_before"].as_u64(), Some(u64::from(worker)));
        let of_leader = measurement.window.threads.iter().filter(|t| t.tid.as_raw() == pid);
        let (dead, alive): (Vec<_>, Vec<_>) = of_leader.partition(|t| t.dead);
        let all: Vec<_> =
            measurement.window.threads.iter().map(|t| (t.tid.as_raw(), t.dead, by_class(&t.sums))).collect();
        figures!("{all:?}");
        assert_eq!(alive.len(), 1, "the worker, under the leader's tid: {all:?}");
        assert_eq!(dead.len() + measurement.window.threads.iter().filter(|t| t.tid.as_raw() == worker).count(), 1);
        let t = alive[0];
        // The reads, and the one of stdin that it is parked in now.
        assert_eq!(blocks(&t.sums, BlockClass::Pipe), row.expected("pipe") + 1, "{all:?}");
        assert_eq!(t.sums.voluntary, row.voluntary + 1);
        assert_eq!((t.sums.voluntary, t.sums.involuntary), (after.voluntary, after.involuntary));
        assert_eq!(measurement.window.quality.execs, 1);
    }
}

/// As many threads as a large server has.
#[test]
fn ten_thousand_threads() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["many-threads", "--threads", "10000", "--n", "3"]);
    assert!(outcome.line.exact && outcome.line.rows.len() == 10_000);
    figures!("{:?}", outcome.measurement.window.quality);
    outcome.holds();
    assert_eq!(outcome.measurement.window.threads.len(), 10_001);
}

/// Two measurements of one target at once: both exact.
#[test]
fn two_at_once() {
    if !can_measure() {
        return;
    }
    for outcome in check::run_as(&["socket-tcp", "--threads", "2"], |pid| vec![request(pid), request(pid)]) {
        outcome.holds();
    }
}

/// `-t TID`: that thread and no other, and it is exact.
#[test]
fn only_one_thread() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["eventfd", "--threads", "3", "--n", "100"]);
    let pid = truth.pid();
    let tids: Vec<u32> = procfs::tids(pid).into_iter().filter(|&tid| tid != pid).collect();
    let spec = TargetSpec { tids: vec![tids[1]], ..TargetSpec::default() };
    let measuring = Measuring::start(request_for(&spec));
    truth.go();
    let line = truth.line();
    let measurement = measuring.stop();
    truth.end();
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    assert_eq!(measurement.window.threads.len(), 1);
    let row = line.rows.iter().find(|row| row.tid == tids[1]).unwrap();
    one_worker_is_true(&measurement, row);
    // No other thread's calls are at its sites.
    let calls: u64 = measurement.window.sites.iter().map(|s| s.site.calls).sum();
    assert_eq!(calls, measurement.window.threads[0].sums.calls);
    let blocks: u64 = measurement.window.sites.iter().map(|s| s.site.blocks).sum();
    assert!(blocks == row.blocks || runs_missed(&measurement), "{blocks} of {}", row.blocks);
}

fn one_worker_is_true(measurement: &Measurement, row: &Row) {
    let t = thread(measurement, row.tid);
    for class in BlockClass::ALL {
        let seen = blocks(&t.sums, class) == row.expected(class.name());
        // A call that the kernel did not tell of leaves its block without a class of its own.
        assert!(seen || runs_missed(measurement), "{} in {:?}", class.name(), by_class(&t.sums));
    }
    assert_eq!(t.sums.voluntary, row.voluntary + row.parks);
    assert_eq!((t.sums.voluntary, t.sums.involuntary), (t.sums.kernel_voluntary, t.sums.kernel_involuntary));
}

/// More threads than there is room for: each that found none is counted once, the others are exact.
#[test]
fn too_little_room_for_threads() {
    if !can_measure() {
        return;
    }
    let args = ["many-threads", "--threads", "100", "--n", "5"];
    let outcome = check::run_as(&args, |pid| vec![Request { max_threads: Some(64), ..request(pid) }]).remove(0);
    let window = &outcome.measurement.window;
    figures!("{:?}", window.quality);
    ledger_closes(&outcome.measurement);
    agrees(&outcome.measurement);
    for t in &window.threads {
        outcome.switches_are_the_kernels(t.tid.as_raw());
        if let Some(row) = outcome.line.rows.iter().find(|row| row.tid == t.tid.as_raw()) {
            outcome.row_is_true(row);
        }
    }
    // Slot 0 is the pool's.
    assert_eq!(window.threads.len(), 63);
    assert_eq!(window.quality.threads_lost, 101 - 63, "threads that found no room");
}

/// More call places than there is room for: calls without a site are counted, and the totals of
/// their class stay exact.
#[test]
fn too_little_room_for_sites() {
    if !can_measure() {
        return;
    }
    let outcome = check::run_as(&["socket-tcp"], |pid| vec![Request { max_sites: Some(2), ..request(pid) }]).remove(0);
    let window = &outcome.measurement.window;
    figures!("{:?}, {} sites", window.quality, window.sites.len());
    no_event_lost(&outcome.measurement);
    assert!(window.quality.calls_without_site > 0 && window.sites.len() == 1, "{:?}", window.quality);
    ledger_closes(&outcome.measurement);
    agrees(&outcome.measurement);
    for row in &outcome.line.rows {
        outcome.switches_are_the_kernels(row.tid);
        outcome.row_is_true(row);
    }
    assert_eq!(window.overflow.calls, window.quality.calls_without_site);
    let at_sites: u64 = window.sites.iter().map(|s| s.site.calls).sum();
    assert_eq!(at_sites + window.overflow.calls, window.sums().calls);
    let blocked: u64 = window.sites.iter().map(|s| s.site.blocked_calls).sum();
    assert_eq!(blocked + window.overflow.blocked_calls, window.sums().blocked_calls);
}

/// Raw tracepoints, for kernels that refuse the typed ones: the same counts.
#[test]
fn raw_tracepoints_count_the_same() {
    if !can_measure() {
        return;
    }
    let kinds: [&[&str]; 13] = [
        &["pipe", "--threads", "2", "--n", "200"],
        &["socket-tcp", "--n", "200"],
        &["socket-unix", "--n", "200"],
        &["eventfd", "--n", "200"],
        &["tty", "--n", "200"],
        &["futex", "--n", "200"],
        &["accept", "--n", "200"],
        &["poll-two", "--n", "200"],
        &["select-three", "--n", "200"],
        &["epoll-three", "--n", "200"],
        &["recv-timeout", "--n", "20", "--us", "4000"],
        &["nonblock", "--n", "200"],
        &["forkexec", "--n", "20"],
    ];
    for args in kinds {
        let outcome = check::run_as(args, |pid| vec![raw_request(pid)]).remove(0);
        assert_eq!(outcome.measurement.inputs.facts.form, kernel::Form::Raw.name());
        outcome.holds();
    }
}

/// A budget that is too small for the target: the measurement is sampled, says so, and what it
/// measured is whole. It ends in a window or between two, whichever it happens to be.
#[test]
fn sampled() {
    if !can_measure() {
        return;
    }
    // The pause between two windows is 3.8 s at most.
    sampled_at(0.001, "4600");
    sampled_at(0.05, "3000");
}

/// A number that becomes another file before each wait is that file in every window, also after it
/// has changed between two windows: as many waits for the one as for the other, but for the first
/// and the last of a window.
#[test]
fn a_number_that_changes_while_nobody_looks() {
    if !can_measure() {
        return;
    }
    for kind in ["fd-dup", "fd-ring", "fd-shared"] {
        let args = [kind, "--n", "20000", "--us", "200"];
        let sampled = |pid| vec![Request { max_overhead: Some(0.01), ..request(pid) }];
        let outcome = check::run_as(&args, sampled).remove(0);
        nothing_lost(&outcome.measurement);
        let facts = &outcome.measurement.inputs.window;
        let sums = &outcome.thread(outcome.line.rows[0].tid).sums;
        let (pipe, tcp) = (blocks(sums, BlockClass::Pipe), blocks(sums, BlockClass::Tcp));
        figures!("{kind}: {} windows, {:?}", facts.windows, by_class(sums));
        assert!(facts.windows > 1, "{kind}: {facts:?}");
        assert!(
            tcp > 0 && pipe.abs_diff(tcp) <= u64::from(facts.windows) + 1 || outcome.runs_missed(),
            "{kind}: {:?}",
            by_class(sums)
        );
    }
}

fn sampled_at(budget: f64, ms: &str) {
    let args = ["pingpong", "--ms", ms];
    let outcome = check::run_as(&args, |pid| vec![Request { max_overhead: Some(budget), ..request(pid) }]).remove(0);
    let measurement = &outcome.measurement;
    let facts = &measurement.inputs.window;
    figures!("{facts:?} {:?}", measurement.window.quality);
    assert!(facts.windows > 1, "{facts:?}");
    assert!(facts.measured < facts.wall && measurement.window.measured == facts.measured, "{facts:?}");
    nothing_lost(measurement);
    ledger_closes(measurement);
    agrees(measurement);
    for row in &outcome.line.rows {
        let t = outcome.thread(row.tid);
        assert_eq!(t.wall, facts.measured, "a thread's wall is the time in which it was measured");
        assert!(t.sums.voluntary > 0 && t.sums.voluntary < row.voluntary, "{} of {}", t.sums.voluntary, row.voluntary);
        let other: u64 = all_blocks(&t.sums) - blocks(&t.sums, BlockClass::Pipe);
        assert!(other == 0 || outcome.runs_missed(), "{:?}", by_class(&t.sums));
    }
    assert_eq!(measurement.clone().report().window.windows, facts.windows);
}
