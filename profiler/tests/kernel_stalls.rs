//! Stalls of event loops, on the real kernel: every one of the workloads' own is found, as long as
//! it was by their clock, and none where there is none. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::measuring::{Measuring, raw_request, request};
use common::truth::Truth;
use common::{can_measure, figures};
use should_i_async::answer::{Instead, Stall, Stalls};
use should_i_async::event::BlockClass;
use should_i_async::pipeline::{Catch, Request};
use should_i_async::quantity::Nanos;

/// How far a stall may be from the workload's own clock.
const CLOSE: u64 = 1_000_000;
const OVER: Nanos = Nanos::from_millis(10);

/// What was found, and the stalls of the workload by its own clock: when, and how long.
struct Seen {
    stalls: Stalls,
    truth: Vec<(u32, u64, u64)>,
}

fn measure(kind: &str, n: &str, request: impl Fn(u32) -> Request) -> Seen {
    let mut truth = Truth::start(&[kind, "--n", n]);
    let stalls = Some(Catch { over: OVER, stacks: true });
    let request = Request { stalls, ..request(truth.pid()) };
    let measuring = Measuring::start(request);
    truth.go();
    let line = truth.line();
    let measured = measuring.stop();
    truth.end();
    let of = |row: &common::truth::Row| row.stalls.iter().map(|&(at, ns)| (row.tid, at, ns)).collect::<Vec<_>>();
    let own = line.rows.iter().flat_map(of).collect();
    Seen { stalls: Stalls::new(measured.caught.unwrap_or_default(), &measured.window, &measured.inputs), truth: own }
}

impl Seen {
    /// The stalls that are over: at its end a workload's loop waits at its gate.
    fn over(&self) -> Vec<&Stall> {
        self.stalls.stalls.iter().filter(|stall| !stall.turn.open).collect()
    }

    /// Asserts that each stall of the workload was found, and nothing that was none. What the
    /// machine did in the middle of a turn is in both.
    fn are_all_found(&self) -> Vec<&Stall> {
        assert_eq!(self.stalls.lost.0, 0);
        let found = self.over();
        let is_it = |stall: &Stall, &(tid, at, ns): &(u32, u64, u64)| {
            let (from, length) = (stall.turn.from.as_nanos(), stall.length().as_nanos());
            stall.tid.as_raw() == tid && from.abs_diff(at) < CLOSE && length.abs_diff(ns) < CLOSE
        };
        for own in self.truth.iter().filter(|(_, _, ns)| *ns >= OVER.as_nanos() + CLOSE) {
            assert!(found.iter().any(|stall| is_it(stall, own)), "no {own:?}: {found:#?}");
        }
        for stall in &found {
            assert!(self.truth.iter().any(|own| is_it(stall, own)), "{stall:#?}: {:?}", self.truth);
        }
        figures!("{} stalls", found.len());
        found
    }

    /// The share of the stalls that was spent on this.
    fn share(&self, what: Instead) -> f64 {
        let (mut of, mut all) = (0.0, 0.0);
        for stall in self.over() {
            for (kind, time) in stall.kinds() {
                all += time.as_secs_f64();
                of += if kind == what { time.as_secs_f64() } else { 0.0 };
            }
        }
        of / all
    }
}

#[test]
fn a_loop_that_reads_from_a_pipe_is_blocked_there() {
    if !can_measure() {
        return;
    }
    for (kind, raw) in [("loop-reads", false), ("loop-polls", false), ("loop-reads", true)] {
        let seen = measure(kind, "200", if raw { raw_request } else { request });
        let found = seen.are_all_found();
        assert!(found.len() >= 8 && seen.share(Instead::Blocked(BlockClass::Pipe)) > 0.8, "{found:#?}");
        // The driver went on: both of its pipes had something after each.
        let of_pipe = |stall: &&&Stall| stall.kinds()[0].0 == Instead::Blocked(BlockClass::Pipe);
        let found: Vec<&&Stall> = found.iter().filter(of_pipe).collect();
        let ready = |n| found.iter().filter(|stall| stall.turn.ready == Some(n)).count();
        assert!(ready(2) >= 8 && ready(1) + ready(2) == found.len(), "{found:#?}");
        assert!(found.iter().all(|stall| stall.turn.longest.as_ref().is_some_and(|longest| {
            longest.class == BlockClass::Pipe && longest.place.as_ref().is_some_and(|place| place.call() == "read")
        })));
        let others = |stall: &Stall| stall.length().as_nanos() * u64::from(stall.turn.ready.unwrap_or(0));
        assert!(found.iter().all(|stall| stall.others().as_nanos() == others(stall)));
        let blocked = seen.stalls.causes.iter().find(|cause| cause.what == Instead::Blocked(BlockClass::Pipe)).unwrap();
        assert!(blocked.place.is_some() && blocked.stalls >= found.len() as u64, "{:#?}", seen.stalls.causes);
    }
}

#[test]
fn a_loop_that_waits_for_a_lock_is_blocked_there() {
    if !can_measure() {
        return;
    }
    let seen = measure("loop-locks", "200", request);
    let found = seen.are_all_found();
    assert!(found.len() >= 8 && seen.share(Instead::Blocked(BlockClass::Futex)) > 0.8, "{found:#?}");
}

#[test]
fn a_loop_that_computes_runs() {
    if !can_measure() {
        return;
    }
    let seen = measure("loop-burns", "300", request);
    let found = seen.are_all_found();
    let ran = seen.share(Instead::Ran) + seen.share(Instead::WaitedForCpu);
    assert!(found.len() >= 8 && ran > 0.95, "{found:#?}");
}

#[test]
fn what_a_loop_computes_has_a_name() {
    if !can_measure() {
        return;
    }
    let seen = measure("loop-burns", "100", request);
    let named = seen.stalls.causes.iter().find(|cause| cause.what == Instead::Ran && cause.place.is_some());
    let named = named.and_then(|cause| cause.place.clone()).unwrap_or_default();
    assert_eq!(named, "spin", "{:#?}", seen.stalls.causes);
}

#[test]
fn the_workers_of_one_loop_are_parked_and_not_blocked() {
    if !can_measure() {
        return;
    }
    let seen = measure("loop-workers", "300", request);
    let found = seen.are_all_found();
    assert!(found.len() >= 8 && seen.share(Instead::Blocked(BlockClass::Futex)) < 0.05, "{found:#?}");
    assert!(seen.stalls.loops.iter().filter(|of| of.shared).count() >= 2, "{:#?}", seen.stalls.loops);
}

#[test]
fn a_healthy_loop_and_an_idle_one_have_no_stall() {
    if !can_measure() {
        return;
    }
    for (kind, turns) in [("loop-healthy", 249), ("loop-idle", 3)] {
        let seen = measure(kind, "250", request);
        assert!(seen.are_all_found().iter().all(|stall| stall.kinds()[0].0 != Instead::Blocked(BlockClass::Pipe)));
        let of = &seen.stalls.loops;
        assert!(of.len() == 1 && of[0].turns >= turns, "{of:#?}");
        assert!(of[0].quantile(0.99).is_some_and(|at| at < OVER), "{of:#?}");
    }
}

#[test]
fn threads_that_wait_for_one_descriptor_are_no_loops() {
    if !can_measure() {
        return;
    }
    for kind in ["poll", "poll-nothing", "pipe"] {
        let seen = measure(kind, "30", request);
        assert!(seen.stalls.loops.is_empty() && seen.stalls.stalls.is_empty(), "{kind}: {:#?}", seen.stalls);
        assert!(seen.stalls.sentence().starts_with("None of its threads waits for events"));
    }
}
