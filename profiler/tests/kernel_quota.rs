//! A target whose cgroup may use a part of the machine only (CFS bandwidth), on the real kernel.
//! Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::cgroup::{Cgroup, Held};
use common::measuring::{Measuring, request};
use common::tool::{count, run, tool};
use common::truth::Truth;
use common::{can_measure, figures};
use should_i_async::answer::{Evidence, Quota, Report};
use should_i_async::pipeline::Measurement;
use should_i_async::words::InWords as _;

/// A measurement of a workload in a group, and what the kernel counted of groups before and after.
struct Seen {
    measurement: Measurement,
    report: Report,
    held: Vec<(Held, Held)>,
}

/// Measures `args` in the first of these groups; `midway` is called when its work has begun.
fn measure(args: &[&str], groups: &[&Cgroup], midway: impl FnOnce()) -> Seen {
    let mut truth = Truth::start(args);
    groups[0].take(truth.pid());
    let before: Vec<Held> = groups.iter().map(|group| group.held()).collect();
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    midway();
    truth.line();
    let measurement = measuring.stop();
    let held = before.into_iter().zip(groups.iter().map(|group| group.held())).collect();
    truth.end();
    let report = measurement.clone().report();
    figures!("{:?}", report.facts.quotas);
    Seen { measurement, report, held }
}

impl Seen {
    fn quota(&self, group: &Cgroup) -> &Quota {
        let mut named = self.report.facts.quotas.iter().filter(|quota| quota.group.ends_with(group.name()));
        let found = named.next().unwrap_or_else(|| panic!("no quota of {}", group.name()));
        assert!(named.next().is_none());
        found
    }

    /// The group's counts are the kernel's: no more than between a moment before the measurement
    /// and one after it.
    fn was_held_back(&self, group: &Cgroup, index: usize) {
        let (quota, (before, after)) = (self.quota(group), self.held[index]);
        assert!(quota.held_back());
        assert!((1..=after.periods - before.periods).contains(&quota.periods), "{quota:?}, {before:?} to {after:?}");
        let throttled = 1..=after.throttled_periods - before.throttled_periods;
        assert!(throttled.contains(&quota.throttled_periods), "{quota:?}, {before:?} to {after:?}");
        assert!((1..=after.nanos - before.nanos).contains(&quota.throttled.as_nanos()), "{quota:?}");
    }

    fn says_so(&self, part: &str) {
        let lines = self.report.verdict.evidence_lines();
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
}

#[test]
fn a_quota_is_told_with_the_time_that_it_took() {
    if !can_measure() {
        return;
    }
    for (args, thousandths) in [
        (&["burn", "--ms", "1500"][..], 200),
        (&["burn", "--ms", "1500", "--threads", "3"], 500),
        (&["pingpong", "--ms", "1500"], 200),
    ] {
        let Some(group) = Cgroup::new("sia-quota") else { return };
        group.limit(thousandths);
        let seen = measure(args, &[&group], || ());
        let cpus = thousandths as f64 / 1_000.0;
        assert_eq!((seen.quota(&group).cpus, seen.quota(&group).cpus_at_start), (Some(cpus), Some(cpus)));
        assert_eq!(seen.report.facts.quota_cpus, Some(cpus));
        seen.was_held_back(&group, 0);
        seen.says_so(&format!("may use {cpus:.2} CPUs; it was held back for"));
        // Threads that are held back can run and do not: that is run-queue delay, and nothing else.
        let wall = &seen.report.wall;
        let waited = wall.run_delay + wall.preempted + wall.born;
        let throttled = seen.quota(&group).throttled;
        assert!(2 * waited.as_nanos() >= throttled.as_nanos(), "{waited} of {throttled}: {wall:#?}");
        assert_eq!((seen.report.what_if.allowed_cpus, seen.report.what_if.quota), (1, Some(cpus)));
    }
}

#[test]
fn the_quota_of_a_group_above_holds_back_too() {
    if !can_measure() {
        return;
    }
    let Some(above) = Cgroup::new("sia-quota-above") else { return };
    above.limit(300);
    // A group's own quota is no larger than the one above it: version 1 refuses that.
    for own in [None, Some(300)] {
        let group = above.child("sia-quota-below");
        own.iter().for_each(|&own| group.limit(own));
        let beside = above.child("sia-quota-beside");
        let mut neighbour = Truth::start(&["burn", "--ms", "20000"]);
        if own.is_some() {
            beside.take(neighbour.pid());
            neighbour.go();
        }
        let seen = measure(&["burn", "--ms", "1000"], &[&group, &above], || ());
        assert_eq!(seen.report.facts.quota_cpus, Some(0.3));
        assert_eq!(seen.report.facts.quotas.len(), 1 + own.iter().count());
        seen.was_held_back(&above, 1);
        let mut told = seen.report.verdict.evidence.iter().filter_map(|line| match line {
            Evidence::HeldBack(quota) => Some(quota),
            _ => None,
        });
        assert!(told.next().unwrap().group.ends_with(above.name()));
    }
}

#[test]
fn a_quota_that_is_not_used_up_holds_nobody_back() {
    if !can_measure() {
        return;
    }
    let Some(group) = Cgroup::new("sia-quota-large") else { return };
    group.limit(8_000);
    let seen = measure(&["sleep", "--n", "200"], &[&group], || ());
    let quota = seen.quota(&group);
    assert_eq!((quota.cpus, quota.throttled_periods, quota.held_back()), (Some(8.0), 0, false));
    assert!(quota.in_words().contains("not held back"), "{}", quota.in_words());
    assert!(!seen.report.verdict.evidence.iter().any(|line| matches!(line, Evidence::HeldBack(_))));
    let allowed = seen.measurement.inputs.facts.allowed_cpus;
    assert_eq!(seen.report.what_if.allowed_cpus, allowed.min(8));
}

#[test]
fn a_quota_that_changes_is_told_with_both_values() {
    if !can_measure() {
        return;
    }
    let Some(group) = Cgroup::new("sia-quota-change") else { return };
    group.limit(500);
    let seen = measure(&["burn", "--ms", "1200"], &[&group], || group.limit(250));
    assert_eq!((seen.quota(&group).cpus, seen.quota(&group).cpus_at_start), (Some(0.25), Some(0.5)));
    assert_eq!(seen.report.facts.quota_cpus, Some(0.25));
    seen.says_so("may use 0.25 CPUs (0.50 when the measurement began)");
}

/// As a user sees it, in every format that `check` prints.
#[test]
fn check_tells_of_a_quota() {
    if !can_measure() {
        return;
    }
    let Some(group) = Cgroup::new("sia-quota-check") else { return };
    group.limit(200);
    let mut truth = Truth::start(&["burn", "--ms", "20000"]);
    group.take(truth.pid());
    truth.go();
    let pid = truth.pid().to_string();
    let json = run(&mut tool(&["check", "--json", "-d", "1", "-p", &pid])).json();
    let quota = &json["target"]["quotas"][0];
    assert_eq!((quota["cpus"].as_f64(), json["what_if"]["quota_cpus"].as_f64()), (Some(0.2), Some(0.2)), "{quota}");
    assert!(count(&quota["throttled_ns"]) > 0 && count(&quota["throttled_periods_count"]) > 0, "{quota}");
    let text = run(&mut tool(&["check", "-d", "1", "-p", &pid])).report();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["0.20 CPUs by its cgroup's quota", "it was held back for", "run-queue delay holds the time"] {
        assert!(flat.contains(part), "{part}: {text}");
    }
}
