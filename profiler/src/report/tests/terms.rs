//! The terms of the what-if: each is there for its reason, and changes the sum by what it says.

use super::fixture::{Case, called, files, server, site};
use crate::{
    answer::{Decision, NoGain, Reason, Report},
    event::{BlockClass, Stat},
    machine::{BlockCost, Crowd, DirectRead, Language, Queue, ReadCost, Runtime, RuntimePrices, Source, Way},
    predict::{Assumption, Baseline, Caveat, Prices, Scenario, TermKind},
    quantity::{Estimate, Nanos, Provenance},
};

fn sure(ns: f64) -> Estimate {
    Estimate::exact(ns)
}

pub(super) fn scenario(report: &Report, way: Way) -> &Scenario {
    report.what_if.scenario(way).expect("a scenario")
}

/// What the term of this kind gives back, ns.
pub(super) fn term(scenario: &Scenario, kind: TermKind) -> Option<f64> {
    scenario.terms.iter().find(|t| t.kind == kind).map(|t| t.ns)
}

/// The prices that a case's prediction stands on.
fn prices_of(case: Case) -> Prices {
    case.report().what_if.priced.expect("prices").prices
}

fn without_writes(mut case: Case) -> Case {
    case.window.sites.retain(|s| s.place.syscall != "write");
    case
}

#[test]
fn a_message_that_was_read_in_one_go_with_another_is_an_event_of_its_own() {
    // 300,000 reads, 280,000 of them blocked, and as many writes: every read was a message.
    let report = server().report();
    let naive = scenario(&report, Way::Naive);
    let blocks = term(naive, TermKind::EventsWaited).unwrap() / 280_000.0;
    let turns = term(naive, TermKind::TurnsWaited).unwrap() / 20_000.0;
    assert!(blocks < 0.0 && (blocks - turns).abs() < 1e-6, "{blocks} and {turns} ns each");
    // The other reads got no answer: they may have been second reads of the same message.
    let silent = without_writes(server()).report();
    let quiet = scenario(&silent, Way::Naive);
    assert_eq!(term(quiet, TermKind::TurnsWaited), None);
    assert!(quiet.saving.value > naive.saving.value);
    // Either way the other reading is within the interval.
    for (one, other) in [(quiet, naive), (naive, quiet)] {
        assert!(
            (one.saving.low..=one.saving.high).contains(&other.saving.value),
            "{:?} {:?}",
            one.saving,
            other.saving
        );
    }
    // They come along with the others, so that a wait returns more events, and each is cheaper.
    let each = term(quiet, TermKind::EventsWaited).unwrap() / 280_000.0;
    assert!(each < blocks, "{each} and {blocks} ns each");
}

#[test]
fn a_loop_hands_each_event_to_a_worker_and_threads_that_share_one_serve_what_they_find() {
    let report = server().report();
    let (level, pooled) = (scenario(&report, Way::Level), scenario(&report, Way::Pooled));
    let handed = term(pooled, TermKind::HandOversCome).unwrap();
    let less = (level.saving.value - pooled.saving.value) * report.what_if.cpu;
    assert!(handed < 0.0 && (less + handed).abs() < 1.0, "{handed} ns, and {less} ns less");
    let change = |scenario: &Scenario, of| {
        scenario.doubts.iter().find(|d| d.assumption == of).unwrap().change * report.what_if.cpu
    };
    assert!((change(pooled, Assumption::WorkersStayBusy) + handed).abs() < 1.0);
    let shared = scenario(&report, Way::Shared);
    assert_eq!(shared.saving.value, level.saving.value);
    assert!((change(shared, Assumption::WorkersSleep) - handed).abs() < 1.0);
    assert!(pooled.unsure.more > level.unsure.more && shared.unsure.less > level.unsure.less);
    // It is for sockets, as a deeper queue is for files.
    assert!(report.what_if.scenario(Way::Deep).is_none() && files().report().what_if.scenario(Way::Pooled).is_none());
}

#[test]
fn a_connection_that_is_accepted_is_an_event_of_its_own() {
    let mut case = server();
    let mut accepts = site(BlockClass::Accept, "accept4", 4);
    (accepts.site.calls, accepts.site.errors) = (11_000, 1_000);
    case.window.sites.push(accepts);
    let report = case.report();
    let naive = scenario(&report, Way::Naive);
    let each = term(naive, TermKind::EventsWaited).unwrap() / 280_000.0;
    // The fixture has some of its own.
    let before = term(scenario(&server().report(), Way::Naive), TermKind::AcceptsWaited).unwrap();
    let accepted = term(naive, TermKind::AcceptsWaited).unwrap() - before;
    assert!((accepted - 10_000.0 * each).abs() < 1.0, "{accepted} at {each}");
    assert!(naive.doubts.iter().any(|d| d.assumption == Assumption::TasksCost && d.change < 0.0));
}

#[test]
fn a_sleep_of_a_runtime_costs_more_than_a_block() {
    let runtime = Runtime { language: Language::Jvm, version: vec![25], ways: vec![Way::Virtual, Way::Selector] };
    let with = |sleeps: bool| {
        let mut case = server();
        let list = case.inputs.calibration.as_mut().expect("a price list");
        let mut prices = RuntimePrices::modelled(&runtime, &list.steps, Source::default()).expect("prices of a JVM");
        prices.sleeps.retain(|_| sleeps);
        list.runtime = Some(prices);
        case.report()
    };
    let (with, without) = (with(true), with(false));
    /// What each sleep costs beyond a block, ns.
    fn each(report: &Report, way: Way) -> Option<f64> {
        scenario(report, way).terms.iter().find(|t| t.kind == TermKind::SleepsInRuntime).map(|t| t.each)
    }
    assert_eq!(each(&without, Way::Virtual), None);
    // 7.8 and 0.4 reads and writes whose data is there, less 2.9 and 0.2 of an event that is there.
    let (virtual_, selector) = (each(&with, Way::Virtual).unwrap(), each(&with, Way::Selector).unwrap());
    assert!(selector > 0.0 && (virtual_ / selector / 24.5 - 1.0).abs() < 1e-6, "{virtual_} and {selector} ns");
    let saving = |report| scenario(report, Way::Virtual).saving.value;
    assert!(saving(&with) < saving(&without));
}

#[test]
fn before_jdk_24_a_virtual_thread_may_keep_its_carrier() {
    let found = |version: u32| {
        let mut case = server();
        let runtime =
            Runtime { language: Language::Jvm, version: vec![version], ways: vec![Way::Virtual, Way::Selector] };
        let list = case.inputs.calibration.as_mut().expect("a price list");
        list.runtime = RuntimePrices::modelled(&runtime, &list.steps, Source::default());
        case.report()
    };
    let pinned = |report: &Report, way| {
        let scenario = scenario(report, way);
        let gains: f64 = scenario.terms.iter().map(|t| t.ns.max(0.0)).sum::<f64>() / report.what_if.cpu;
        let doubt = scenario.doubts.iter().find(|d| d.assumption == Assumption::CarriersPinned);
        (doubt.map(|d| d.change), gains)
    };
    for version in [21, 23] {
        let report = found(version);
        let (Some(change), gains) = pinned(&report, Way::Virtual) else { panic!("JDK {version}") };
        assert!((change + gains).abs() < 1e-9, "{change} of {gains}");
        assert_eq!(pinned(&report, Way::Selector).0, None, "a selector has no carriers");
    }
    assert_eq!(pinned(&found(24), Way::Virtual).0, None);
}

#[test]
fn a_deeper_queue_sleeps_less_and_is_no_reason_to_doubt_how_arrivals_come() {
    let report = files().report();
    let [tuned, deep, deeper] = [Way::Tuned, Way::Deep, Way::Deeper].map(|way| scenario(&report, way));
    assert!(tuned.sleeps_per_block > deep.sleeps_per_block && deep.sleeps_per_block > deeper.sleeps_per_block);
    assert!(tuned.saving.value < deep.saving.value);
    let open =
        |s: &Scenario| s.doubts.iter().find(|d| d.assumption == Assumption::ArrivalsFollow).map_or(0.0, |d| d.change);
    assert!(open(deep).abs() <= open(tuned).abs(), "{} and {}", open(deep), open(tuned));
    let Reason::Gain(gain) = &report.verdict.reason else { panic!("{:?}", report.verdict.reason) };
    assert_eq!((gain.way, gain.completion.map(|(way, _)| way)), (Way::Tuned, Some(Way::Deep)));
}

#[test]
fn where_no_loop_gives_anything_back_none_that_tries_again_is_named() {
    let mut what_if = server().report().what_if;
    for scenario in &mut what_if.scenarios {
        scenario.saving = Estimate::exact(0.0);
    }
    assert_eq!(what_if.leading().map(|s| s.way), Some(Way::Level));
}

#[test]
fn who_computes_between_reads_of_files_is_cpu_bound() {
    let mut case = files();
    for thread in &mut case.window.threads {
        thread.sums.user += 100 * thread.sums.kernel;
    }
    let verdict = case.report().verdict;
    let Reason::NoGain { why: NoGain::CpuBound { own, .. }, .. } = verdict.reason else {
        panic!("{:?}", verdict.reason)
    };
    assert!(own > 0.5);
}

#[test]
fn what_would_be_worth_it_decides() {
    let at = |worth| {
        let mut case = server();
        case.inputs.worth = Some(worth);
        case.report().verdict
    };
    let verdict = at(0.99);
    assert_eq!(verdict.answer.decision(), Decision::No);
    assert!(verdict.sentence().contains("less than the 99 % that would be worth it"), "{}", verdict.sentence());
    assert_ne!(at(0.01).answer.decision(), Decision::No);
}

#[test]
fn a_loop_that_sleeps_does_not_come_back_to_what_many_threads_left_cold() {
    let prices = |plain: f64| {
        let mut case = server();
        (0..1_000).for_each(|_| case.window.sites[0].site.cpu_blocked_away.add(9_000));
        for block in case.inputs.calibration.iter_mut().flat_map(|c| &mut c.blocks).filter(|b| b.idle.is_none()) {
            block.cost = sure(plain);
        }
        prices_of(case)
    };
    let near = prices(1e9).near;
    assert!(near > 200.0);
    // A switch of the target is as cheap as between two threads: its sleeps cost what they were
    // measured to cost.
    let (as_measured, less) = (prices(near), prices(near - 150.0));
    assert_eq!(as_measured.sleep.provenance(), Provenance::Measured);
    let (measured, loops) = (as_measured.sleep.value().unwrap(), less.sleep.value().unwrap());
    assert!((measured - loops - 150.0).abs() < 1e-6, "{measured} and {loops}");
    assert_eq!(less.sleep.provenance(), Provenance::Modelled);
}

#[test]
fn reads_past_the_page_cache_are_priced_by_what_a_batch_costs() {
    let case = |direct: bool, calibrated: bool| {
        let mut case = files();
        if direct {
            case.inputs.direct_files = vec![case.window.sites[0].place.clone()];
        }
        if calibrated && let Some(calibration) = &mut case.inputs.calibration {
            calibration.direct = [(1, 2_600.0), (8, 900.0)]
                .map(|(batch, ns)| DirectRead { batch, depth: None, write: false, queue: Queue::Ring, cost: sure(ns) })
                .to_vec();
        }
        case.report()
    };
    let (with, cached, essentials) = (case(true, true), case(false, true), case(true, false));
    let tuned = scenario(&with, Way::Tuned);
    let comes = -term(tuned, TermKind::DirectReadsCome).unwrap();
    // The whole call goes, 3,100 ns in place, whatever part of it is called the block's.
    let goes = term(tuned, TermKind::BlocksGo).unwrap() + term(tuned, TermKind::DirectReadsGo).unwrap();
    assert!((goes / 40_000.0 - 3_100.0 - 250.0).abs() < 10.0, "{} ns each", goes / 40_000.0);
    // What a ring was calibrated to cost, by what an enter submits.
    let share = (tuned.events_per_wait.log2() / 3.0).min(1.0);
    let each = 2_600.0 + (900.0 - 2_600.0) * share;
    assert!((comes / 40_000.0 / each - 1.0).abs() < 0.01, "{comes} of {goes} ns");
    // Its sleeps are in that: none are counted again.
    assert_eq!(term(tuned, TermKind::SleepsRemain), Some(0.0));
    for other in [&cached, &essentials] {
        assert_eq!(term(scenario(other, Way::Tuned), TermKind::DirectReadsGo), None);
    }
    // Readiness does nothing for them.
    assert_eq!(term(scenario(&with, Way::Naive), TermKind::DirectReadsGo), None);
}

#[test]
fn writes_that_a_ring_has_made_by_workers_give_nothing_back() {
    let case = |syscall: &str, by_workers: bool| {
        let mut case = files();
        case.window.sites[0].place.syscall = syscall.into();
        if by_workers {
            case.inputs.by_workers = vec![case.window.sites[0].place.clone()];
        }
        case.report()
    };
    let calls = files().window.sites[0].site.calls as f64;
    for (syscall, by_workers) in [("pwrite64", true), ("write", true), ("fsync", false), ("fdatasync", false)] {
        let report = case(syscall, by_workers);
        let tuned = scenario(&report, Way::Tuned);
        assert_eq!(term(tuned, TermKind::BlocksGo), Some(0.0), "{syscall}");
        let each = -term(tuned, TermKind::MadeByWorkers).unwrap() / calls;
        assert!((500.0..50_000.0).contains(&each), "{syscall}: {each} ns each");
        assert!(tuned.saving.value < 0.0, "{syscall}: {:?}", tuned.saving);
        assert_eq!(term(scenario(&report, Way::Naive), TermKind::MadeByWorkers), None, "{syscall}");
    }
    let by_the_ring = case("pwrite64", false);
    assert_eq!(term(scenario(&by_the_ring, Way::Tuned), TermKind::MadeByWorkers), None);
    assert!(term(scenario(&by_the_ring, Way::Tuned), TermKind::BlocksGo).unwrap() > 0.0);
}

#[test]
fn wake_ups_of_those_that_wait_for_files_go_only_where_their_blocks_go() {
    let case = |by_workers: bool| {
        let mut case = files();
        case.window.threads[0].sums.woken_io_by_self = 30_000;
        case.window.threads[0].sums.preempted_by_own = 3_000;
        let site = &mut case.window.sites[0];
        // Calls that end what others wait for are dearer by what they end.
        (0..2_000).for_each(|_| site.site.cpu_direct_warm.add(5_000));
        (0..1_000).for_each(|_| site.site.cpu_direct_woke.add(95_000));
        if by_workers {
            case.inputs.by_workers = vec![site.place.clone()];
        }
        case
    };
    let price = prices_of(case(false)).wake.value().copied().unwrap();
    assert!(price < 20_000.0, "{price} ns for a wake-up");
    let (ring, workers) = (case(false).report(), case(true).report());
    for kind in [TermKind::OwnWakeupsGo, TermKind::PreemptionsGo] {
        assert!(term(scenario(&ring, Way::Tuned), kind).unwrap() > 0.0, "{kind:?}");
        for (report, way) in [(&ring, Way::Naive), (&ring, Way::Runtime), (&workers, Way::Tuned)] {
            assert_eq!(term(scenario(report, way), kind).unwrap_or(0.0), 0.0, "{kind:?}, {way:?}");
        }
    }
}

#[test]
fn what_the_hooks_did_is_taken_off_reads_past_the_page_cache() {
    let case = |baselines: Vec<Baseline>| {
        let mut case = files();
        case.inputs.direct_files = vec![case.window.sites[0].place.clone()];
        if let Some(calibration) = &mut case.inputs.calibration {
            calibration.direct =
                vec![DirectRead { batch: 1, depth: None, write: false, queue: Queue::Ring, cost: sure(1_000.0) }];
        }
        case.inputs.baselines = baselines;
        case.report()
    };
    let rest = |report: &Report| term(scenario(report, Way::Tuned), TermKind::DirectReadsGo).unwrap();
    let seen = case(Vec::new());
    let voluntary = files().window.threads.iter().map(|t| t.sums.voluntary).sum();
    let alone = Nanos::from_nanos(seen.what_if.cpu as u64 - 50_000_000);
    let part = Baseline { cpu: alone, voluntary, wall: Nanos::from_millis(1_000), ..Baseline::default() };
    let slowed = case(vec![part; 4]);
    assert!((seen.what_if.cpu - slowed.what_if.cpu - 5e7).abs() < 2.0, "{} ns", slowed.what_if.cpu);
    assert!((rest(&seen) - rest(&slowed) - 5e7).abs() < 2.0, "{} and {} ns", rest(&seen), rest(&slowed));
}

/// A wake-up costs so much in place, and so much as calibrated where it finds an idle CPU, ns.
fn wakes(case: &mut Case, in_place: u64, idle: f64) {
    let write = &mut case.window.sites[2].site;
    let quiet = write.cpu_direct_warm.sum / write.cpu_direct_warm.count;
    (0..1_000).for_each(|_| write.cpu_direct_woke.add(quiet + in_place));
    if let Some(calibration) = &mut case.inputs.calibration {
        calibration.blocks.iter_mut().filter(|b| b.idle.is_some()).for_each(|b| b.wake = sure(idle));
    }
}

/// The same of a target whose threads wake peers 20,000 times each.
fn wakes_others(case: &mut Case, idle: f64) {
    for thread in &mut case.window.threads {
        thread.sums.woke_other = 20_000;
    }
    wakes(case, 2_000, idle);
}

#[test]
fn many_threads_that_take_turns_leave_each_other_cold() {
    let windows = |ns: u64| {
        let mut stat = Stat::ZERO;
        (0..10_000u64).for_each(|i| stat.add(ns + i * 37 % 200));
        stat
    };
    let crowded = |known: bool| {
        let mut case = server();
        if let Some(calibration) = &mut case.inputs.calibration {
            calibration.crowd =
                [(8, 100.0), (32, 300.0)].map(|(threads, ns)| Crowd { threads, cost: sure(ns) }).to_vec();
        }
        // Hardly a read finds its data: then windows have nothing to compare with.
        let read = &mut case.window.sites[0];
        if known {
            (read.sizes[0].user_blocked, read.sizes[0].user_direct) = (windows(20_300), windows(20_000));
        } else {
            (read.site.cpu_direct_warm, read.site.user_after_direct) = (Stat::ZERO, Stat::ZERO);
            read.sizes.clear();
        }
        case.report()
    };
    let report = crowded(false);
    let naive = scenario(&report, Way::Naive);
    let each = term(naive, TermKind::RunsWarmCalibrated).unwrap() / 280_000.0 / (1.0 - naive.sleeps_per_block);
    // 14 threads, between the 8 and the 32 that were calibrated.
    assert!((each - (100.0 + 200.0 * (14.0f64 / 8.0).log2() / 2.0)).abs() < 1e-6, "{each} ns each");
    let known = crowded(true);
    assert_eq!(term(scenario(&known, Way::Naive), TermKind::RunsWarmCalibrated), None);
    assert_eq!(
        scenario(&known, Way::Naive).terms.iter().filter(|t| t.kind == TermKind::RunsWarm).count(),
        1,
        "the target's own windows come first"
    );
}

#[test]
fn a_crowd_that_was_calibrated_among_others_is_not_counted() {
    let report = |ns: f64| {
        let mut case = server();
        if let Some(calibration) = &mut case.inputs.calibration {
            calibration.crowd = vec![Crowd { threads: 8, cost: sure(ns) }];
        }
        let read = &mut case.window.sites[0];
        (read.site.cpu_direct_warm, read.site.user_after_direct) = (Stat::ZERO, Stat::ZERO);
        read.sizes.clear();
        case.report()
    };
    let warned =
        |report: &Report| report.what_if.caveats.iter().any(|caveat| matches!(caveat, Caveat::IncredibleCrowd { .. }));
    let (credible, incredible) = (report(300.0), report(90_000.0));
    assert!(term(scenario(&credible, Way::Naive), TermKind::RunsWarmCalibrated).is_some() && !warned(&credible));
    assert!(term(scenario(&incredible, Way::Naive), TermKind::RunsWarmCalibrated).is_none() && warned(&incredible));
    assert!(scenario(&incredible, Way::Naive).saving.value < 1.0);
}

#[test]
fn replies_that_queue_only_because_somebody_looks_are_not_counted_on() {
    let case = |busy_ms: u64| {
        let mut case = server();
        case.inputs.facts.allowed_cpus = 1;
        // Those that stay cost what they did.
        wakes_others(&mut case, 0.0);
        // One CPU, full: ten seconds of it.
        let cpu: u64 = case.window.threads.iter().map(|t| t.cpu().as_nanos()).sum();
        let charge: i64 = case.window.threads.iter().map(|t| t.sums.charge_io).sum();
        case.inputs.window.measured = Nanos::from_nanos(cpu.saturating_add_signed(charge));
        // Before the measurement, and after it, when the queue is still being worked off.
        case.inputs.baselines = [busy_ms, busy_ms, 124, 124]
            .map(|ms| Baseline {
                cpu: Nanos::from_millis(ms),
                voluntary: 50 * ms,
                wall: Nanos::from_millis(125),
                ..Baseline::default()
            })
            .to_vec();
        case.report()
    };
    let (full, free) = (case(124), case(100));
    let (saturated, filled) = (scenario(&full, Way::Tuned), scenario(&free, Way::Tuned));
    let leave = TermKind::OtherWakeupsGo;
    assert!(term(saturated, leave).is_some_and(|ns| ns > 0.0), "{saturated:#?}");
    assert_eq!(term(filled, leave), None);
    assert!(free.what_if.caveats.contains(&Caveat::HooksFilledCpu), "{:?}", free.what_if.caveats);
    assert!(!full.what_if.caveats.contains(&Caveat::HooksFilledCpu));
    // They may all the same.
    assert!(filled.saving.high - filled.saving.value > saturated.saving.high - saturated.saving.value);
}

#[test]
fn what_the_hooks_did_is_taken_off_the_wake_ups_of_others_alone() {
    let prices = |share: f64| {
        let mut case = server();
        for thread in &mut case.window.threads {
            (thread.sums.woken_io_by_self, thread.sums.woke_other) = (10_000, 1_000);
        }
        let cpu: u64 = case.window.threads.iter().map(|t| t.cpu().as_nanos()).sum();
        let voluntary: u64 = case.window.threads.iter().map(|t| t.sums.voluntary).sum();
        let part = Baseline {
            cpu: Nanos::from_nanos((share * cpu as f64 / voluntary as f64 * 10_000.0) as u64),
            voluntary: 10_000,
            wall: Nanos::from_millis(125),
            ..Baseline::default()
        };
        case.inputs.baselines = vec![part; 4];
        prices_of(case)
    };
    let (as_claimed, slowed) = (prices(1.0), prices(0.7));
    assert_eq!(as_claimed.wake, as_claimed.other_wake);
    assert_eq!(slowed.wake, as_claimed.wake);
    assert!(slowed.other_wake.value() < as_claimed.other_wake.value(), "{:?}", slowed.other_wake);
}

#[test]
fn a_message_among_threads_costs_no_less_than_in_a_ring_of_as_many() {
    let sum = |relay: Option<f64>, quiet: u64| {
        let mut case = server();
        let pipe = |class: &mut BlockClass| {
            if *class == BlockClass::Tcp {
                *class = BlockClass::Pipe;
            }
        };
        for thread in &mut case.window.threads {
            thread.sums.classes.swap(BlockClass::Tcp as usize, BlockClass::Pipe as usize);
            thread.sums.woken_io_by_self = thread.sums.classes[BlockClass::Pipe as usize].blocks;
        }
        case.window.sites.iter_mut().for_each(|site| pipe(&mut site.place.class));
        case.window.spans.iter_mut().flat_map(|span| &mut span.ends).for_each(|end| pipe(&mut end.class));
        let write = &mut case.window.sites[2].site;
        (write.cpu_direct_warm, write.cpu_direct_cold) = (Stat::ZERO, Stat::ZERO);
        (0..1_000).for_each(|_| write.cpu_direct_woke.add(1_400));
        (0..quiet).for_each(|_| write.cpu_direct_warm.add(1_000));
        if let Some(calibration) = &mut case.inputs.calibration {
            let block = calibration.blocks[0];
            calibration.blocks.push(BlockCost { class: BlockClass::Pipe, idle: None, ..block });
            calibration.crowd = vec![Crowd { threads: 8, cost: sure(100.0) }];
            calibration.relay = relay.map(|ns| Crowd { threads: 8, cost: sure(ns) }).into_iter().collect();
        }
        let prices = prices_of(case);
        (prices.near, *prices.wake.value().unwrap(), *prices.other_wake.value().unwrap())
    };
    let (near, plain, _) = sum(None, 0);
    let (_, wake, other) = sum(Some(near + 100.0 + 2_000.0), 0);
    assert!((wake - 2_000.0).abs() < 1e-6, "what is left of a message: {wake} ns");
    assert_eq!(other, plain, "wake-ups of others are no such message");
    // A ring that is cheaper than this target's blocks says nothing, and what many quiet calls say
    // in place comes first.
    assert_eq!(sum(Some(near), 0).1, plain);
    assert!((sum(Some(near + 2_100.0), 1_000).1 - 400.0).abs() < 200.0);
}

#[test]
fn where_replies_leave_together_the_cheap_wake_ups_go() {
    let goes = |idle: f64| {
        let mut case = server();
        wakes_others(&mut case, idle);
        let report = case.report();
        let prices = report.what_if.priced.clone().expect("prices").prices;
        let tuned = scenario(&report, Way::Tuned);
        (term(tuned, TermKind::OtherWakeupsGo).unwrap(), tuned.events_per_wait, prices)
    };
    let (as_today, batch, prices) = goes(0.0);
    let each = *prices.other_wake.value().unwrap();
    let (go, stay) = (prices.other_wakes * (1.0 - 1.0 / batch), prices.other_wakes / batch);
    assert!((as_today / (go * each) - 1.0).abs() < 0.1, "none that stays is cheaper than those of today: {as_today}");
    let dear = each * (1.0 + go / stay / 2.0);
    assert!((goes(dear).0 / as_today - 0.5).abs() < 0.1, "{} of {as_today}", goes(dear).0);
    assert_eq!(goes(1e9).0, 0.0, "it never costs more than it did");
}

#[test]
fn how_deep_peers_will_sleep_is_in_the_interval() {
    let ends = |idle: f64| {
        let mut case = server();
        wakes_others(&mut case, idle);
        let report = case.report();
        let saving = scenario(&report, Way::Naive).bounds.scaled(report.what_if.cpu);
        let prices = report.what_if.priced.clone().expect("prices").prices;
        (saving, *prices.other_wake.value().unwrap(), prices.other_wakes)
    };
    let ((shallow, each, count), (deep, ..)) = (ends(0.0), ends(10_000.0));
    assert!((shallow.value - deep.value).abs() < 1e-3 && (shallow.high - deep.high).abs() < 1e-3);
    assert!((shallow.low - deep.low - count * (10_000.0 - each) / 2.0).abs() < 1e-3, "{shallow:?} {deep:?}");
    // At best they are awake: 400 ns, as between two threads.
    let without = {
        let mut case = server();
        wakes(&mut case, 2_000, 0.0);
        let report = case.report();
        scenario(&report, Way::Naive).bounds.scaled(report.what_if.cpu)
    };
    assert!((shallow.high - without.high - count * (each - 400.0) / 2.0).abs() < 1e-3, "{shallow:?} {without:?}");
}

#[test]
fn wake_ups_that_belong_to_one_event_do_not_go_with_a_batch() {
    let mut case = server();
    for thread in &mut case.window.threads {
        // Three for each block.
        thread.sums.woke_other = 60_000;
    }
    let report = case.report();
    let tuned = scenario(&report, Way::Tuned);
    let prices = &report.what_if.priced.as_ref().expect("prices").prices;
    let went = term(tuned, TermKind::OtherWakeupsGo).unwrap() / prices.other_wake.value().unwrap();
    let most = prices.other_wakes * (1.0 - 1.0 / tuned.events_per_wait);
    assert!((went / most - 1.0).abs() < 1e-9, "{went} of {}, {most} at most", prices.other_wakes);
}

#[test]
fn no_more_is_taken_off_a_sleep_than_so_many_threads_leave_cold() {
    let sleep = |crowd: Option<f64>| {
        let mut case = server();
        (0..1_000).for_each(|_| case.window.sites[0].site.cpu_blocked_away.add(9_000));
        if let Some(calibration) = &mut case.inputs.calibration {
            calibration.crowd = crowd.map(|ns| Crowd { threads: 8, cost: sure(ns) }).into_iter().collect();
            for block in calibration.blocks.iter_mut().filter(|b| b.idle.is_none()) {
                block.cost = sure(50.0);
            }
        }
        prices_of(case)
    };
    let (whole, part, none) = (sleep(None), sleep(Some(100.0)), sleep(Some(0.0)));
    let sleep_of = |prices: &Prices| *prices.sleep.value().unwrap();
    assert_eq!((sleep_of(&none) - sleep_of(&part)).round(), 100.0);
    assert!((sleep_of(&none) - sleep_of(&whole) - (whole.near - 50.0)).abs() < 1e-6);
    assert_eq!(none.sleep.provenance(), Provenance::Measured);
}

#[test]
fn nobody_is_promised_the_cpu_of_the_targets_own_code() {
    let high = |spread: f64| {
        let mut case = server();
        for step in case.inputs.calibration.iter_mut().flat_map(|c| &mut c.steps) {
            // A price that could as well be far below nothing.
            step.again.low -= spread;
            step.again.high += spread;
        }
        let report = case.report();
        let saving = scenario(&report, Way::Naive).saving;
        assert!(saving.low <= saving.value && saving.value <= saving.high, "{saving:?}");
        (saving.high, report.cpu.user.value().unwrap().as_nanos() as f64 / report.what_if.cpu)
    };
    let ((near, user), (far, _)) = (high(0.0), high(1e6));
    assert!(near < far, "{near} and {far}");
    // Half of it may have run cold.
    assert!((far - (1.0 - user / 2.0)).abs() < 1e-9, "{far} beside {user} of user mode");
}

#[test]
fn a_call_that_only_waits_goes_as_a_whole() {
    let polled = |ready: f64| {
        let mut case = server();
        for record in case.window.sites.iter_mut().filter(|s| s.place.syscall == "read") {
            *record = called(site(BlockClass::Tcp, "poll", 7), 280_000, 280_000, 450_000);
            record.site.bytes = 0;
        }
        let calibration = case.inputs.calibration.as_mut().expect("a calibration");
        calibration.reads =
            [1, 4_096].map(|bytes| ReadCost { class: BlockClass::Tcp, bytes, cost: sure(ready) }).to_vec();
        let report = case.report();
        let naive = scenario(&report, Way::Naive);
        let [blocks, calls] = [TermKind::BlocksGo, TermKind::WaitingCallsGo].map(|kind| term(naive, kind).unwrap());
        assert!((calls - 280_000.0 * ready).abs() < 1.0, "{calls} ns of waiting calls");
        blocks + calls
    };
    // Where the block ends and the call begins is a matter of the ready call's price; the sum is
    // not.
    assert!((polled(300.0) - polled(600.0)).abs() < 1.0);
    // A read stays: only its block goes.
    assert_eq!(term(scenario(&server().report(), Way::Naive), TermKind::WaitingCallsGo), None);
}
