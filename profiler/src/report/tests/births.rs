//! Threads that are born for one connection each.

use super::{
    fixture::{PID, called, server, site, thread},
    terms::{scenario, term},
};
use crate::{
    aggregate::ThreadTotals,
    event::{BlockClass, Stat},
    machine::Way,
    predict::TermKind,
    quantity::Nanos,
};

#[test]
fn threads_that_are_born_for_a_connection_each_go() {
    let mut case = server();
    // 10 us in no call for each birth and end, 13 us to make it, and a millisecond in all before.
    for thread in &mut case.window.threads {
        thread.sums.kernel = 0;
    }
    let mut clone = called(site(BlockClass::Other, "clone3", 0), 1_000, 0, 0);
    clone.site.cpu_direct_warm = Stat { sum: 13_000_000, ..clone.site.cpu_direct_warm };
    case.window.sites.push(clone);
    case.window.sites.push(called(site(BlockClass::Accept, "accept", 3), 900, 0, 0));
    let born = |tid: u32, calls: u64| {
        let mut thread = thread(tid, 20_000, 10_000, BlockClass::Tcp, 1);
        thread.sums.io_calls = calls;
        ThreadTotals { born_inside: true, dead: true, wall: Nanos::from_millis(1), ..thread }
    };
    // One of ten only computes.
    case.window.threads.extend((0..1_000).map(|i| born(PID + 100 + i, if i % 10 == 0 { 0 } else { 3 })));
    let calls = case.window.sites.iter().map(|s| s.site.cpu_blocked().sum + s.site.cpu_direct().sum);
    case.window.threads[0].sums.kernel = calls.sum();
    (case.window.quality.forks, case.window.quality.exits) = (1_000, 1_000);
    let report = case.report();
    let goes = term(scenario(&report, Way::Level), TermKind::BirthsGo).unwrap();
    let hooks = 1_000.0 * 2.0 * 121.0;
    assert!((goes - 0.9 * (23e6 - hooks)).abs() < 0.01 * goes, "{goes} ns");
    assert_eq!(term(scenario(&report, Way::Level), TermKind::LocksGo), None, "it blocks on IO most of the time");
    assert_eq!(term(scenario(&server().report(), Way::Level), TermKind::BirthsGo), None);
}
