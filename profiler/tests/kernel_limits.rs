//! What a measurement holds where it is limited, on the real kernel: to one thread, to windows, to
//! raw tracepoints, to less room than the target fills; and beside a second one. Runs with
//! `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::check::{
    self, agrees, all_blocks, blocks, by_class, ledger_closes, no_event_lost, nothing_lost, runs_missed, thread,
};
use common::measuring::{Measuring, raw_request, request, request_for};
use common::procfs;
use common::truth::{Row, Truth};
use common::{can_measure, figures};
use should_i_async::event::BlockClass;
use should_i_async::kernel;
use should_i_async::pipeline::{Measurement, Request};
use should_i_async::process::TargetSpec;

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
    // Each takes longer than the longest pause between two windows, and ten times as long under
    // emulation, beside another guest: longer than the workload's own two minutes.
    for (kind, n) in [("fd-dup", "20000"), ("fd-ring", "20000"), ("fd-shared", "7000")] {
        let args = [kind, "--n", n, "--us", "200", "--timeout-s", "600"];
        let sampled = |pid| vec![Request { max_overhead: Some(0.001), ..request(pid) }];
        let outcome = check::run_as(&args, sampled).remove(0);
        nothing_lost(&outcome.measurement);
        let facts = &outcome.measurement.inputs.window;
        let sums = &outcome.thread(outcome.line.rows[0].tid).sums;
        let (pipe, tcp) = (blocks(sums, BlockClass::Pipe), blocks(sums, BlockClass::Tcp));
        let toll = outcome.measurement.inputs.toll;
        figures!("{kind}: {} windows, {:?}, {toll:?}", facts.windows, by_class(sums));
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
