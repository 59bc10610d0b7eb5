//! The fit and the curve against known truths, over many seeds.

use super::{
    made::{Fall, Law, Maker, record, server, site},
    sums::Centred,
    *,
};
use crate::{
    event::{Pairs, Site, SiteIpc},
    quantity::{Addr, Tgid},
};

const SEEDS: u64 = 400;
const LAW: Law = Law { a: 500.0, b: 0.7, instructions: (8_000.0, 0.6), noise: 400.0, growing: false, outliers: 0 };

fn place(syscall: &str, ip: u64) -> Place {
    Place { syscall: syscall.to_owned(), class: BlockClass::Tcp, ip: Addr::from_raw(ip), space: 1 }
}

fn known(place: &Place, blocked_calls: u64) -> SiteRecord {
    let site = Site { blocked_calls, ..Site::ZERO };
    SiteRecord::with_one_size(place.clone(), (Tgid::from_raw(1), None), 1, site)
}

/// Windows after blocks and after none at one site.
fn both(maker: &mut Maker, after: (Law, u64), none: (Law, u64)) -> Vec<SiteIpc> {
    let kinds = [(Before::Blocked, maker.windows(after.0, after.1)), (Before::Direct, maker.windows(none.0, none.1))];
    vec![site(Some(place("read", 1)), &kinds)]
}

fn holds(interval: Estimate, truth: f64) -> bool {
    interval.low <= truth && truth <= interval.high
}

/// How many of the cases' intervals hold the truth, as a share.
fn coverage(mut case: impl FnMut(&mut Maker) -> (Estimate, f64)) -> f64 {
    let hit = |seed: &u64| {
        let (interval, truth) = case(&mut Maker::new(seed * 7_919 + 1));
        holds(interval, truth)
    };
    (0..SEEDS).filter(hit).count() as f64 / SEEDS as f64
}

fn cost(sites: &[SiteIpc]) -> BlockCycles {
    *fit::sites(sites)[0].cost.value().unwrap()
}

#[test]
fn intervals_of_a_and_b_hold_the_truth_about_nine_times_in_ten() {
    for outliers in [0, 100] {
        for n in [40, 2_000] {
            let line = |maker: &mut Maker| {
                let windows = maker.windows(Law { outliers, ..LAW }, n);
                fit::sites(&[site(Some(place("read", 1)), &[(Before::Blocked, windows)])])[0].kinds[0].line.unwrap()
            };
            // Outliers are cycles that were spent: the mean has them.
            let truth = LAW.a + if outliers > 0 && n >= 100 { 20.0 * LAW.noise / 100.0 } else { 0.0 };
            let of_a = coverage(|maker| (line(maker).a, truth));
            let of_b = coverage(|maker| (line(maker).b, LAW.b));
            assert!((0.85..=0.96).contains(&of_a) && (0.85..=0.96).contains(&of_b), "{outliers} {n}: {of_a} {of_b}");
        }
    }
}

#[test]
fn the_cost_of_a_block_is_covered_with_any_slopes() {
    let cases = [
        // After blocks three times as noisy, and other instructions than after none.
        (Law { a: 2_000.0, noise: 1_200.0, instructions: (9_000.0, 0.4), ..LAW }, 300, 900),
        (Law { a: 500.0, ..LAW }, 350, 40),
        // The instructions after blocks never vary.
        (Law { a: 1_500.0, instructions: (8_000.0, 0.0), ..LAW }, 200, 400),
    ];
    for (after, n, m) in cases {
        let covered = coverage(|maker| {
            let told = cost(&both(maker, (after, n), (LAW, m)));
            (told.cycles, after.a - LAW.a)
        });
        assert!((0.85..=0.96).contains(&covered), "{after:?}: {covered}");
    }
    // Noise that grows with the instructions is not what the intervals are made for; they still
    // hold most of the time.
    let grows = Law { growing: true, ..LAW };
    let covered = coverage(|maker| {
        let told = cost(&both(maker, (Law { a: 2_000.0, instructions: (9_000.0, 0.4), ..grows }, 300), (grows, 900)));
        (told.cycles, 1_500.0)
    });
    assert!(covered >= 0.8, "{covered}");
    // Slopes that differ clearly: the distance of the lines where the windows after blocks are.
    let after = Law { a: 1_500.0, b: 0.9, instructions: (10_000.0, 0.5), ..LAW };
    let truth = after.a - LAW.a + (after.b - LAW.b) * after.instructions.0;
    let covered = coverage(|maker| {
        let told = cost(&both(maker, (after, 800), (LAW, 800)));
        assert_eq!(told.by, Comparison::OwnSlopes);
        (told.cycles, truth)
    });
    // The mean of the instructions drawn is not quite that of the law.
    assert!((0.75..=0.96).contains(&covered), "{covered}");
}

#[test]
fn an_exact_machine_gives_exact_figures() {
    let exact = Law { a: 0.0, b: 4.0, instructions: (5_000.0, 0.9), noise: 0.0, growing: false, outliers: 0 };
    let sites = both(&mut Maker::new(1), (Law { a: 1_000.0, ..exact }, 500), (exact, 500));
    let told = cost(&sites);
    assert_eq!(told.by, Comparison::CommonSlope);
    assert!((told.cycles.value - 1_000.0).abs() < 1e-6 && told.cycles.half_width() < 1.0, "{told:?}");
    let line = fit::sites(&sites)[0].kinds[1].line.unwrap();
    assert!((line.b.value - 4.0).abs() < 1e-9 && line.a.value.abs() < 1e-6, "{line:?}");
}

#[test]
fn centred_sums_survive_numbers_that_are_nearly_equal() {
    let mut pairs = Pairs::ZERO;
    (0..1_000_000u64).for_each(|i| pairs.add(4_000_000_000 + i % 2, 4_200_000_000 + 3 * (i % 2)));
    let c = Centred::from_pairs(&pairs).unwrap();
    assert_eq!((c.xx, c.xy, c.yy), (250_000.0, 750_000.0, 2_250_000.0));
    assert!(!c.varies());
}

#[test]
fn what_cannot_be_told_has_a_reason_and_no_number() {
    let mut maker = Maker::new(3);
    let still = Law { instructions: (8_000.0, 0.0), ..LAW };
    let why = |sites: &[SiteIpc]| {
        let figure = fit::sites(sites)[0].cost.clone();
        assert_eq!(figure.value(), None);
        figure.note().cloned().expect("a reason")
    };
    let other = Law { instructions: (9_000.0, 0.0), ..LAW };
    assert_eq!(why(&both(&mut maker, (still, 100), (other, 100))), Note::KindsDiffer);
    assert_eq!(why(&both(&mut maker, (LAW, 29), (LAW, 500))), Note::FewBlockWindows);
    assert_eq!(why(&both(&mut maker, (LAW, 100), (LAW, 5))), Note::FewDirectWindows);
    let one = fit::sites(&both(&mut maker, (LAW, 1), (LAW, 0)));
    assert_eq!((one[0].kinds.len(), one[0].kinds[0].ipc, one[0].kinds[0].line), (1, None, None));

    let equal = cost(&both(&mut maker, (Law { a: 900.0, ..still }, 400), (still, 400)));
    assert_eq!(equal.by, Comparison::EqualInstructions);
    assert!(holds(equal.cycles, 400.0), "{equal:?}");
}

#[test]
fn a_site_without_direct_calls_is_compared_with_others_and_says_so() {
    let mut maker = Maker::new(5);
    let mut alone =
        vec![site(Some(place("read", 1)), &[(Before::Blocked, maker.windows(Law { a: 2_500.0, ..LAW }, 900))])];
    alone.push(site(Some(place("write", 2)), &[(Before::Direct, maker.windows(LAW, 900))]));
    let told = cost(&alone);
    assert_eq!(told.by, Comparison::OtherSites(1));
    assert!(holds(told.cycles, 2_000.0), "{told:?}");
    let narrow = told.cycles.half_width();
    // A second other site with quite another a: how far sites differ is in the interval.
    alone.push(site(Some(place("send", 3)), &[(Before::Direct, maker.windows(Law { a: 900.0, ..LAW }, 900))]));
    let told = cost(&alone);
    assert_eq!(told.by, Comparison::OtherSites(2));
    assert!(told.cycles.half_width() > 3.0 * narrow, "{told:?}");
    let ipc = Ipc::from_record(&record(alone), &[known(&place("read", 1), 5_000)]);
    assert_eq!(ipc.cost.provenance(), crate::quantity::Provenance::Modelled);
    assert!(matches!(ipc.cost.note(), Some(Note::Borrowed(_, 1))), "{:?}", ipc.cost.note());
}

#[test]
fn all_blocks_are_priced_at_the_windows_clock_and_only_blocking_io() {
    let (read, write) = (place("read", 1), place("write", 2));
    let mut record = server(read.clone(), write.clone());
    let lock = Place { class: BlockClass::Futex, ..place("futex", 9) };
    let mut maker = Maker::new(8);
    let mut futex = both(&mut maker, (Law { a: 90_000.0, ..LAW }, 500), (LAW, 500));
    futex[0].place = Some(lock.clone());
    record.sites.extend(futex);
    let ipc = Ipc::from_record(&record, &[known(&read, 36_000), known(&write, 0), known(&lock, 10_000)]);
    let effect = ipc.cost.value().unwrap();
    // 3000 cycles at three cycles a nanosecond.
    assert!(effect.total.low < 36e6 && 36e6 < effect.total.high, "{effect:?}");
    assert!((effect.per_block - 1_000.0).abs() < 20.0 && effect.matched == 36_000);
    assert_eq!(ipc.cost.provenance(), crate::quantity::Provenance::Measured);
    let coverage = Coverage { windows: 11_000, sites: 1, blocks: 36_000, of_blocks: 36_000 };
    assert_eq!(ipc.cost.note(), Some(&Note::Counted(coverage)));
    let blocked = ipc.kind(Before::Blocked).unwrap();
    assert_eq!(blocked.misses[2], None);
    assert_eq!(ipc.left_out().iter().map(|(_, n)| n).sum::<u64>(), 310 + 1_200 + 17 + 5);
}

#[test]
fn a_known_curve_is_recovered() {
    let fall = Fall { slow: 2.5, steady: 0.5, efold: 2_000.0, noise: 0.1 };
    let truth = fall.recovered(RECOVERED);
    let lost = (fall.slow - fall.steady) * fall.efold;
    let curves: Vec<Curve> = (0..SEEDS)
        .map(|seed| Curve::new(Before::Blocked, &Maker::new(seed * 31 + 7).curve(fall, 200_000.0, 20_000)))
        .collect();
    let share = |hit: &dyn Fn(&Curve) -> bool| curves.iter().filter(|c| hit(c)).count() as f64 / SEEDS as f64;
    let covers = |figure: &Figure<Estimate, Note>, truth: f64| figure.value().is_some_and(|&e| holds(e, truth));
    let steady = share(&|c| covers(&c.steady, 1.0 / fall.steady));
    let lost = share(&|c| covers(&c.lost, lost));
    let recovered = share(&|c| covers(&c.recovered, truth));
    let (mut points, mut hits) = (0, 0);
    for point in curves.iter().flat_map(|c| c.points.windows(2)) {
        let [from, to] = point else { continue };
        let cycles = fall.cycles(to.instructions) - fall.cycles(from.instructions);
        points += 1;
        hits += usize::from(to.local.is_some_and(|l| holds(l, (to.instructions - from.instructions) / cycles)));
    }
    let local = hits as f64 / f64::from(points);
    let all = [steady, lost, recovered, local];
    assert!(all.iter().all(|share| *share >= 0.85), "steady, lost, recovered, local: {all:?}");
}

#[test]
fn a_curve_without_a_fall_or_an_end_says_so() {
    let mut maker = Maker::new(2);
    let flat = Fall { slow: 0.5, steady: 0.5, efold: 1.0, noise: 0.02 };
    let curve = Curve::new(Before::Direct, &maker.curve(flat, 100_000.0, 20_000));
    assert_eq!(curve.recovered.note(), Some(&Note::NoFall));
    assert!(holds(*curve.steady.value().unwrap(), 2.0));

    let slow = Fall { slow: 4.0, steady: 0.5, efold: 50_000.0, noise: 0.02 };
    let curve = Curve::new(Before::Blocked, &maker.curve(slow, 60_000.0, 20_000));
    assert_eq!((curve.steady.value(), curve.steady.note()), (None, Some(&Note::StillRising)));

    let few = Curve::new(Before::Blocked, &maker.curve(flat, 1_000.0, 40));
    assert_eq!((few.steady.note(), few.points.len()), (Some(&Note::FewSamples), 1));
    let none = Curve::new(Before::Blocked, &maker.curve(flat, 1_000.0, 0));
    assert_eq!((none.points.len(), none.samples), (0, 0));
}

#[test]
fn no_counters_and_no_instructions_are_reasons() {
    let empty = |ipc| {
        let made = window(ipc);
        Ipc::new(&made, Some("no PMU (ENOENT)"))
    };
    assert_eq!(empty(None).note(), Some(&Note::NoCountersBecause { said: "no PMU (ENOENT)".into() }));
    let mut cycles_only = record(both(&mut Maker::new(1), (LAW, 50), (LAW, 50)));
    cycles_only.instructions = false;
    assert_eq!(empty(Some(cycles_only)).note(), Some(&Note::CyclesOnly));
    let mut cut = record(Vec::new());
    cut.counts.switched = 12;
    assert_eq!(empty(Some(cut)).note(), Some(&Note::NoWindow(12)));
}

/// A window with nothing but this in it.
fn window(ipc: Option<IpcRecord>) -> Window {
    Window {
        start: crate::quantity::Nanos::ZERO,
        end: crate::quantity::Nanos::ZERO,
        measured: crate::quantity::Nanos::ZERO,
        threads: Vec::new(),
        pooled: crate::event::Sums::ZERO,
        sites: Vec::new(),
        overflow: Site::ZERO,
        spans: Vec::new(),
        samples: crate::event::SampleCounts::default(),
        devices: Vec::new(),
        quality: crate::aggregate::Quality::default(),
        ipc,
        programs: Vec::new(),
    }
}
