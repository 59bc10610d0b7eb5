//! Targets as people name them, on the real kernel: a group's processes, those that enter it later,
//! and none beside it. Groups are made by hand, with the names that systemd and the engines of
//! containers give theirs. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::time::Duration;

use common::cgroup::Cgroup;
use common::check::{all_blocks, nothing_lost, thread};
use common::measuring::{Measuring, request_for};
use common::truth::{Line, Truth};
use common::{can_measure, figures};
use should_i_async::pipeline::{Measurement, Request};
use should_i_async::process::{Name, TargetError, TargetSpec, resolve};

/// Blocks of each workload, by its own account: those on its pipe.
const CALLS: u64 = 200;
const WORK: [&str; 5] = ["pipe", "--n", "200", "--us", "500"];
/// A group is looked at four times a second.
const SEEN: Duration = Duration::from_secs(3);

fn named(name: Name) -> TargetSpec {
    TargetSpec { names: vec![name], ..TargetSpec::default() }
}

/// A workload that has done its work.
struct Done {
    pid: u32,
    line: Line,
}

fn done(mut truth: Truth) -> Done {
    truth.go();
    let (pid, line) = (truth.pid(), truth.line());
    truth.end();
    Done { pid, line }
}

/// The worker's blocks, but for those of its start before it was seen.
fn was_measured(measurement: &Measurement, done: &Done) {
    let sums = &thread(measurement, done.line.rows[0].tid).sums;
    let (found, parked) = (all_blocks(sums), done.line.rows[0].parks);
    assert!((CALLS..=CALLS + parked + 2).contains(&found), "{}: {found} blocks of {CALLS}", done.pid);
}

fn was_not(measurement: &Measurement, pid: u32) {
    let theirs: Vec<u32> =
        measurement.window.threads.iter().filter(|t| t.tgid.as_raw() == pid).map(|t| t.tid.as_raw()).collect();
    assert!(theirs.is_empty(), "{pid}: {theirs:?}");
}

#[test]
fn a_groups_processes_are_measured_and_those_that_enter_it_later() {
    if !can_measure() {
        return;
    }
    let id = "5".repeat(12) + &"ab01".repeat(13);
    let Some(above) = Cgroup::new("sia-named") else { return };
    for (folder, name) in [
        ("plain", None),
        ("sia-web.service", Some(Name::Unit("sia-web".into()))),
        (&*format!("docker-{id}.scope"), Some(Name::Container(id[..16].into()))),
    ] {
        let group = above.called(folder);
        let name = name.unwrap_or_else(|| Name::Cgroup(group.folder().to_str().unwrap().into()));
        let inside = group.called("below");
        let [first, second, outside] = [(); 3].map(|()| Truth::start(&WORK));
        inside.take(first.pid());
        above.take(outside.pid());
        let request = request_for(&named(name.clone()));
        assert_eq!(request.target.tgids().map(|tgid| tgid.as_raw()).collect::<Vec<_>>(), [first.pid()], "{name}");
        let measuring = Measuring::start(Request { follow: true, ..request });
        let first = done(first);
        group.take(second.pid());
        std::thread::sleep(SEEN);
        let second = done(second);
        let outside = done(outside);
        let measurement = measuring.stop();
        figures!("{name}: {} threads", measurement.window.threads.len());
        nothing_lost(&measurement);
        was_measured(&measurement, &first);
        was_measured(&measurement, &second);
        was_not(&measurement, outside.pid);
        let report = measurement.clone().report();
        let told: Vec<u32> = report.facts.processes.iter().map(|process| process.tgid).collect();
        assert_eq!(told, [first.pid, second.pid], "{name}");
    }
}

#[test]
fn a_program_is_named_by_a_pattern_and_several_are_listed() {
    let twins = [(); 2].map(|()| Truth::start(&WORK));
    let pattern = |pattern: &str| resolve(&named(Name::Program(pattern.into())));
    let own = common::truth::program().file_name().unwrap().to_str().unwrap().to_owned();
    let Err(TargetError::SeveralNamed { candidates, root, .. }) = pattern(&format!("^{own}$")) else {
        panic!("one of two");
    };
    let listed: Vec<u32> = candidates.iter().map(|candidate| candidate.pid).collect();
    assert!(twins.iter().all(|twin| listed.contains(&twin.pid())), "{listed:?}");
    assert_eq!(root, None, "neither has started the other");
    drop(twins);
    assert!(matches!(pattern("^no such program$"), Err(TargetError::NothingNamed { .. })));
}
