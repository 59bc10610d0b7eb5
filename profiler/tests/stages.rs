//! The pure stages on a recorded window and on arbitrary ones: decode, aggregate, cost, predict,
//! answer. Needs no root.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use profiler_common::ipc::{BINS, IpcCounts, Pairs, SiteWindows, before};
use proptest::prelude::*;
use should_i_async::{
    aggregate::{Doing, Histogram, Silent, Window},
    answer::{Inputs, Report},
    event::Family,
    event::{self, BUCKETS, BlockClass, Loads, Stat},
    kernel::{Harvest, RawIpc, RecordedError},
    quantity::{Nanos, Tid},
    report,
};

/// Eight connections of the demo for half a second; `SIA_RECORD=1 cargo test --test kernel_report`
/// makes it anew.
const DEMO: &[u8] = include_bytes!("fixtures/demo.wire");

fn demo() -> Harvest {
    Harvest::from_bytes(DEMO).expect("the fixture is of another layout: record it again")
}

/// What `/proc` said of the two threads without events: the acceptor, and main in its sleep.
fn silent(harvest: &Harvest) -> Vec<Silent> {
    let batch = event::decode(harvest.clone()).unwrap();
    let unseen = batch.threads.iter().filter(|t| t.phase == event::Phase::Unseen);
    unseen
        .map(|t| Silent { tid: t.tid, doing: Doing::Asleep { on: BlockClass::Accept, loads: Loads::No }, ring: false })
        .collect()
}

#[test]
fn a_recorded_window_closes_and_agrees_with_the_kernels_counters() {
    let harvest = demo();
    let window = Window::close(event::decode(harvest.clone()).unwrap(), &silent(&harvest));
    assert!(window.threads.len() >= 9, "{} threads", window.threads.len());
    for thread in &window.threads {
        // A wake-up compares the clocks of two CPUs. They differ by microseconds at most.
        let open = thread.unknown + thread.excess;
        assert!(open.as_nanos() <= thread.wall.as_nanos() / 100, "{}: {open} of {}", thread.tid, thread.wall);
    }
    let found = Report::new(&window, Inputs::default());
    assert!(found.check.counts_agree(), "{:?}", found.check);
    assert!(found.wall.blocks_in(Family::BlockingIo) > 1_000);
    assert_eq!(found.wall.classes[0].class, BlockClass::Tcp);
    let bytes: u64 = found.sites.iter().filter(|s| s.syscall == "sendto").map(|s| s.bytes).sum();
    let sends: u64 = found.sites.iter().filter(|s| s.syscall == "sendto").map(|s| s.calls).sum();
    assert_eq!(bytes, 64 * sends, "every reply is 64 bytes");
}

#[test]
fn what_counters_told_is_kept_and_decoded() {
    let mut harvest = demo();
    assert_eq!(event::decode(harvest.clone()).unwrap().ipc, None, "no counters are not counters that counted nothing");
    let mut windows = SiteWindows::default();
    windows.kinds[before::BLOCKED as usize].user.add(1_000, 3_000);
    let mut curves = vec![Pairs::ZERO; before::KINDS * BINS];
    curves[before::BLOCKED as usize * BINS + 7].add(5, 20);
    harvest.ipc = Some(RawIpc {
        instructions: true,
        every: 4,
        period: 1_000_003,
        sites: vec![(Some(harvest.sites[0].key), windows), (None, windows)],
        curves,
        counts: IpcCounts { returns: 9, windows: 2, samples: 1, overflows: 3, ..IpcCounts::default() },
        samples_lost: 2,
        ..RawIpc::default()
    });
    let kept = Harvest::from_bytes(&harvest.to_bytes()).unwrap();
    assert_eq!(kept.ipc, harvest.ipc);
    let record = event::decode(kept).unwrap().ipc.unwrap();
    let batch = event::decode(demo()).unwrap();
    assert!(batch.sites.iter().any(|s| Some(&s.place) == record.sites[0].place.as_ref()));
    assert_eq!((record.sites[1].place.as_ref(), record.sites[1].windows), (None, event::SiteWindows::from(&windows)));
    assert_eq!(record.curves.len(), before::KINDS);
    assert_eq!(record.curves[before::BLOCKED as usize][7].cycles, 20);
    assert_eq!((record.every, record.period, record.samples_lost), (4, 1_000_003, 2));

    // More cycles than that many windows of less than 2^32 cycles can have.
    let mut torn = harvest.clone();
    torn.ipc.as_mut().unwrap().sites[0].1.kinds[0].user = Pairs { count: 1, cycles: 1 << 33, ..Pairs::ZERO };
    assert!(event::decode(torn).unwrap_err().to_string().contains("windows"));
    harvest.ipc.as_mut().unwrap().curves.pop();
    assert!(event::decode(harvest).unwrap_err().to_string().contains("curves"));
}

#[test]
fn a_recorded_window_added_to_itself_is_twice_itself() {
    let harvest = demo();
    let once = Window::close(event::decode(harvest.clone()).unwrap(), &silent(&harvest));
    let mut twice = once.clone();
    twice.absorb(once.clone());
    assert_eq!(twice.measured, once.measured + once.measured);
    assert_eq!(twice.threads.len(), once.threads.len());
    assert_eq!(twice.sums().voluntary, 2 * once.sums().voluntary);
    assert_eq!(twice.sites.len(), once.sites.len());
    for (two, one) in twice.sites.iter().zip(&once.sites) {
        assert_eq!(
            (two.site.calls, two.site.cpu_direct().count),
            (2 * one.site.calls, 2 * one.site.cpu_direct().count)
        );
    }
    let (one, two) = (Report::new(&once, Inputs::default()), Report::new(&twice, Inputs::default()));
    let share = |r: &Report| r.score.direct.value().copied();
    assert!(share(&one).zip(share(&two)).is_none_or(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn foreign_cut_and_older_bytes_are_refused_each_with_its_reason() {
    assert_eq!(Harvest::from_bytes(b"something else").err(), Some(RecordedError::Foreign));
    assert_eq!(Harvest::from_bytes(&DEMO[..DEMO.len() - 1]).err(), Some(RecordedError::Damaged));
    let mut longer = DEMO.to_vec();
    longer.push(0);
    assert_eq!(Harvest::from_bytes(&longer).err(), Some(RecordedError::Damaged));
    let mut other = DEMO.to_vec();
    other[8] = 0xff;
    assert!(matches!(Harvest::from_bytes(&other).err(), Some(RecordedError::Layout(_))));
}

#[test]
fn the_committed_schema_is_the_one_that_the_types_make() {
    let committed = include_str!("../../docs/report.schema.json");
    assert_eq!(report::schema().trim(), committed.trim(), "run `cargo xtask schema`");
    let committed = include_str!("../../docs/top.schema.json");
    assert_eq!(report::top_schema().trim(), committed.trim(), "run `cargo xtask schema`");
    let committed = include_str!("../../docs/stalls.schema.json");
    assert_eq!(report::stalls_schema().trim(), committed.trim(), "run `cargo xtask schema`");
}

proptest! {
    /// Whatever comes over the wire gives a decoded window or an error, never a panic, and every
    /// window has a text.
    #[test]
    fn damaged_windows_never_panic(at in 12usize..DEMO.len(), byte in any::<u8>(), more in any::<[u8; 8]>()) {
        let mut bytes = DEMO.to_vec();
        bytes[at] = byte;
        let from = at.min(bytes.len() - 8);
        bytes[from..from + 8].copy_from_slice(&more);
        if let Ok(harvest) = Harvest::from_bytes(&bytes)
            && let Ok(batch) = event::decode(harvest)
        {
            let window = Window::close(batch, &[]);
            let found = Report::new(&window, Inputs::default());
            prop_assert!(!report::text(&found, &report::TextOptions::default()).is_empty());
        }
    }

    /// Sums, squares and buckets of shards are those of the whole, however the durations are spread
    /// over CPUs.
    #[test]
    fn merged_statistics_are_those_of_the_whole(values in prop::collection::vec((any::<bool>(), 0u64..1 << 40), 0..200)) {
        let (mut left, mut right, mut whole) = (Stat::ZERO, Stat::ZERO, Stat::ZERO);
        for &(side, ns) in &values {
            if side { left.add(ns) } else { right.add(ns) }
            whole.add(ns);
        }
        left.merge(&right);
        prop_assert_eq!(left, whole);
    }

    /// Quantiles never fall, and never leave the range of what was counted.
    #[test]
    fn quantiles_rise_and_stay_in_range(values in prop::collection::vec(0u64..1 << 34, 1..100), a in 0.0f64..1.0, b in 0.0f64..1.0) {
        let mut stat = Stat::ZERO;
        values.iter().for_each(|&v| stat.add(v));
        let buckets: [u32; BUCKETS] = stat.buckets;
        let quantile = |q: f64| Histogram(&buckets).quantile(q).unwrap().as_nanos();
        prop_assert!(quantile(a.min(b)) <= quantile(a.max(b)));
        let highest = values.iter().copied().max().unwrap_or(0);
        prop_assert!(quantile(1.0) <= 2 * highest.max(1));
    }

    /// Every thread's wall time is accounted, unknown included, whatever the moment at which the
    /// window ends.
    #[test]
    fn wall_time_has_no_gap_whenever_the_window_ends(later in 0u64..1 << 40) {
        let mut harvest = demo();
        harvest.end += Nanos::from_nanos(later);
        harvest.measured += Nanos::from_nanos(later);
        let window = Window::close(event::decode(harvest.clone()).unwrap(), &silent(&harvest));
        for t in &window.threads {
            let accounted = t.cpu() + t.run_delay() + t.blocked() + t.unknown;
            prop_assert_eq!(accounted, t.wall + t.excess, "{}", t.tid);
        }
        prop_assert!(window.threads.iter().all(|t| t.tid != Tid::from_raw(0)));
    }
}
