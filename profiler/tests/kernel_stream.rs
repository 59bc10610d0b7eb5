//! What the replay and the estimators run on, against workloads whose truth is known: streamed
//! block ends, calls that wake, CPU-clock samples, and the sum that a prediction is.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

use common::{can_measure, check, measuring::request};
use should_i_async::{event::BlockClass, machine::Way, pipeline::Request, predict::Ground};

/// So few that the workload is over before a busy stream would pause.
const BLOCKS: u64 = 300;

#[test]
fn every_block_end_of_a_short_workload_is_streamed() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["pipe", "--n", "300"]);
    outcome.holds();
    let window = &outcome.measurement.window;
    assert_eq!(window.quality.stream_lost, 0);
    let ends: Vec<_> = window.spans.iter().flat_map(|s| &s.ends).filter(|e| e.class == BlockClass::Pipe).collect();
    let sums = window.sums();
    let blocks = check::blocks(&sums, BlockClass::Pipe);
    // A block that is open at the end has no end to stream.
    assert!((blocks.saturating_sub(1)..=blocks).contains(&(ends.len() as u64)), "{} of {blocks}", ends.len());
    // `holds` compares with the kernel's own count; under emulation a read now and then finds its
    // byte.
    assert!(blocks * 10 >= BLOCKS * 9, "{blocks}");
    assert!(ends.iter().all(|e| e.off <= e.wake));
    // Each burst is counted once: together they are no more than the threads' CPU.
    let bursts: u64 = ends.iter().map(|e| e.burst.as_nanos()).sum();
    let cpu = sums.user + sums.kernel;
    assert!(bursts <= cpu && bursts > 0, "{bursts} of {cpu}");
}

#[test]
fn calls_that_wake_are_told_from_those_that_do_not() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["pipe", "--n", "300"]);
    let window = &outcome.measurement.window;
    let (mut woke, mut writes) = (0, 0);
    for site in &window.sites {
        if site.place.syscall == "write" && site.place.class == BlockClass::Pipe {
            woke += site.site.cpu_direct_woke.count;
            writes += site.site.calls;
        }
        if site.place.syscall == "read" {
            // A read that empties nothing wakes nobody. But an interrupt that hits it may wake
            // somebody, and counts as the call's.
            let hit = site.site.cpu_direct_woke.count;
            assert!(hit * 20 <= site.site.calls.max(20), "{hit} of {} reads", site.site.calls);
        }
    }
    let sums = window.sums();
    // Every block on the pipe was ended by a write of the process.
    assert!(woke <= writes && woke * 10 >= sums.woken_io_by_self * 9, "{woke} of {writes}, {}", sums.woken_io_by_self);
    assert!(sums.woken_io_by_self * 10 >= BLOCKS * 9, "{}", sums.woken_io_by_self);
}

#[test]
fn calls_of_one_place_are_told_apart_by_size() {
    if !can_measure() {
        return;
    }
    const READS: u64 = 300;
    // Reads of one byte from a pipe and from /dev/zero, and of an empty pipe, which are errors.
    let outcome = check::run(&["nonblock", "--n", &READS.to_string()]);
    for (class, sizes) in [(BlockClass::Pipe, vec![0, 1]), (BlockClass::CharDevice, vec![1])] {
        let sites = outcome.measurement.window.sites.iter();
        let reads: Vec<_> = sites.filter(|s| s.place.syscall == "read" && s.place.class == class).collect();
        // If an interrupt wakes somebody in the middle of a read, that read is in no window.
        let hit: u64 = reads.iter().map(|s| s.site.cpu_direct_woke.count).sum();
        for size in 0..9 {
            let windows = reads.iter().flat_map(|s| &s.sizes).filter(|w| w.size == size);
            let calls: u64 = windows.map(|w| w.cpu_warm.count + w.cpu_cold.count).sum();
            let expected = if sizes.contains(&size) { READS } else { 0 };
            // The kernel may leave out the run at the start of a write. Its end then counts with
            // the read before it.
            let untold = check::excused(&outcome.measurement);
            assert!(
                (expected.saturating_sub(hit + untold)..=expected + untold).contains(&calls),
                "{class:?} {size}: {calls}, {hit} hit, {untold} not told of"
            );
        }
    }
}

#[test]
fn cpu_clock_samples_hit_user_code_where_there_is_nothing_else() {
    if !can_measure() {
        return;
    }
    let outcome =
        check::run_as(&["burn", "--ms", "1000"], |pid| vec![Request { price: true, ..request(pid) }]).remove(0);
    let samples = outcome.measurement.window.samples;
    // 499 a second: the count gives the CPU time, to the factor that a few samples allow.
    let expected = outcome.process_cpu * 499 / 1_000_000_000;
    assert!(
        samples.samples * 2 >= expected && samples.samples <= expected * 2 + 20,
        "{samples:?}, {expected} expected"
    );
    // An emulated aarch64 makes hooks so dear that they take a tenth of the burn (36 of 396 samples
    // beside 315 in user mode); they are counted apart.
    let dear = cfg!(target_arch = "aarch64") && std::env::var_os("SIA_EMULATED").is_some();
    let hooks = if dear { samples.hooks } else { 0 };
    assert!(samples.user * 10 >= (samples.samples - hooks) * 8, "{samples:?}");
    assert!(samples.hooks * 5 <= samples.samples, "{samples:?}");
    assert_eq!(samples.unreadable, 0);
}

#[test]
fn a_prediction_is_the_sum_of_its_terms() {
    if !can_measure() {
        return;
    }
    let outcome =
        check::run_as(&["pipe", "--n", "2000"], |pid| vec![Request { price: true, ..request(pid) }]).remove(0);
    let report = outcome.measurement.report();
    let what_if = &report.what_if;
    assert_eq!(what_if.refused, None);
    assert!(matches!(what_if.ground, Ground::Replay { events, .. } if events > 100), "{:?}", what_if.ground);
    let ways: Vec<Way> = what_if.scenarios.iter().map(|s| s.way).collect();
    assert!(ways.contains(&Way::Naive), "{ways:?}");
    for scenario in &what_if.scenarios {
        let sum: f64 = scenario.terms.iter().map(|t| t.ns).sum();
        assert!((scenario.saving.value - sum / what_if.cpu).abs() < 1e-9, "{scenario:?}");
        assert!(scenario.saving.low <= scenario.saving.value && scenario.saving.value <= scenario.saving.high);
        assert!((0.0..=1.0).contains(&scenario.sleeps_per_block));
        assert!(scenario.events_per_wait >= 1.0);
    }
}
