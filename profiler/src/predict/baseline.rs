//! The target without the programs attached: the CPU that it takes then, which shares refer to, and
//! how steady that CPU is.

use crate::{
    machine::slower,
    quantity::{Nanos, Uncertain, Z90},
};

/// A stretch of time in which the target was watched while no program was attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// CPU of its processes.
    pub cpu: Nanos,
    /// Voluntary switches of its threads.
    pub voluntary: u64,
    /// How long it was watched; 0 in recordings that do not say.
    #[serde(default)]
    pub wall: Nanos,
    /// Whether that was after the measurement; always `false` in recordings from before 2026-11-29.
    #[serde(default)]
    pub after: bool,
    /// Whether it was between two windows.
    #[serde(default)]
    pub between: bool,
    /// The CPUs' pace meanwhile: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
}

impl Baseline {
    /// Its CPU at another pace, ns: a machine is not as fast in one half second as in the next.
    pub(super) fn cpu_at(&self, pace: Option<f64>) -> f64 {
        self.cpu.as_nanos() as f64 * slower(self.pace, pace)
    }
}

/// Voluntary switches below which baselines say nothing.
pub(super) const MIN_SWITCHES: u64 = 200;

/// The earlier parts and the later ones: from before the measurement and after it, or of the first
/// half of its pauses and of the second.
///
/// Recordings from before 2026-11-29 do not say which is which: all of their parts have `after ==
/// false`. As many were taken on either side, so the halves stand for the sides.
fn sides(parts: &[Baseline]) -> (&[Baseline], &[Baseline]) {
    let first_after = parts.iter().position(|b| b.after).filter(|_| !parts.iter().any(|b| b.between));
    parts.split_at(first_after.unwrap_or(parts.len() / 2))
}

/// The parts in which nothing is left of what queued up while the programs were attached: from
/// before them, or where that has had its time after them.
fn rested(parts: &[Baseline]) -> &[Baseline] {
    match parts {
        [first, rest @ ..] if first.after => rest,
        _ if parts.iter().any(|b| b.between) => parts,
        _ => sides(parts).0,
    }
}

/// The CPU that a target took for a switch when the measurement began, and when it ended, ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Early in the measurement, or before it.
    pub before: f64,
    /// Late in it, or after it.
    pub after: f64,
}

/// A target whose CPU per switch changed by more than this share of it is not the same target.
const DRIFTED: f64 = 0.15;
/// A part with fewer switches than this share of a mean part's says nothing of the CPU per switch.
const THIN: f64 = 0.1;

impl Drift {
    /// `None` where one side was not watched or hardly switched, and where the sides lie no farther
    /// apart than parts of one side do (Student's t). Halves of a recording that does not know its
    /// sides are no evidence of a drift either: the target may have ended, and all parts be from
    /// before.
    fn new(parts: &[Baseline], per_switch: impl Fn(&[Baseline]) -> f64) -> Option<Self> {
        if !parts.iter().any(|b| b.after || b.between) {
            return None;
        }
        let mean = parts.iter().map(|b| b.voluntary).sum::<u64>() as f64 / parts.len().max(1) as f64;
        let of_thick = |side: &[Baseline]| -> Vec<f64> {
            let thick = side.iter().filter(|b| b.voluntary as f64 >= (THIN * mean).max(1.0));
            thick.map(|b| per_switch(std::slice::from_ref(b))).collect()
        };
        let (before, after) = sides(parts);
        Self::between(&of_thick(before), &of_thick(after))
    }

    /// CPU per switch of parts on either side.
    fn between(before: &[f64], after: &[f64]) -> Option<Self> {
        let freedom = (before.len() + after.len()) as f64 - 2.0;
        if before.len() < 2 || after.len() < 2 {
            return None;
        }
        let mean_of = |side: &[f64]| side.iter().sum::<f64>() / side.len() as f64;
        let found = Self { before: mean_of(before), after: mean_of(after) };
        let squares = |side: &[f64], mean: f64| side.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let pooled = (squares(before, found.before) + squares(after, found.after)) / freedom;
        let variance = pooled * (1.0 / before.len() as f64 + 1.0 / after.len() as f64);
        let moved = Uncertain { value: (found.after - found.before).abs(), variance }.by_student(freedom);
        let both = (found.before + found.after) / 2.0;
        (moved.low > 0.0 && moved.value > DRIFTED * both).then_some(found)
    }
}

/// What the baselines say of the measured interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Alone {
    /// CPU for as many voluntary switches without the programs, at the pace of the measured
    /// interval, ns.
    pub(crate) cpu: f64,
    /// Half the 90 % interval of [`Alone::cpu`], as a share of it.
    pub(crate) unsteady: f64,
    /// How the CPU per switch changed, where it changed by more than it scatters.
    pub(crate) drift: Option<Drift>,
    /// CPUs that it keeps busy where no programs are attached, where that is known.
    pub(crate) busy: Option<f64>,
}

/// Up to this share in use, CPUs count as not full. `/proc` is no more exact over so short a time.
const FREE: f64 = 0.93;

impl Alone {
    /// What the hooks did to the target beyond their own run time, ns. `own` is its CPU less that
    /// run time.
    pub(crate) fn excess(&self, own: f64) -> f64 {
        (own - self.cpu).max(0.0)
    }

    /// Whether the hooks took most of the CPU that the target leaves free without them. Then its
    /// requests queue while it is measured, and do not queue otherwise.
    pub(crate) fn was_filled(&self, total: Nanos, seconds: f64, room: f64) -> bool {
        let with = total.as_nanos() as f64 / 1e9 / seconds.max(1e-9);
        // As many CPUs as it fills now: a target of one thread fills one, however many it may use.
        let most = with.round().max(1.0).min(room);
        self.busy.is_some_and(|busy| busy <= FREE * most && with - busy > (most - busy) / 2.0)
    }

    /// `None` where too few switches were seen, or where the target took less than half as much CPU
    /// per switch as while it was measured: then it did other work. Where it took more, the hooks
    /// are taken to have cost nothing beyond their own run time.
    pub(crate) fn new(parts: &[Baseline], pace: Option<f64>, total: Nanos, voluntary: u64) -> Option<Self> {
        let switches: u64 = parts.iter().map(|b| b.voluntary).sum();
        let used = |b: &Baseline| b.cpu_at(pace);
        let total = total.as_nanos() as f64;
        let per_switch = |parts: &[Baseline]| -> f64 {
            parts.iter().map(used).sum::<f64>() / parts.iter().map(|b| b.voluntary).sum::<u64>().max(1) as f64
        };
        let mean = per_switch(parts);
        let alone = mean * voluntary as f64;
        if switches < MIN_SWITCHES || alone < 0.5 * total {
            return None;
        }
        let each: Vec<f64> =
            parts.iter().filter(|b| b.voluntary > 0).map(|b| per_switch(std::slice::from_ref(b))).collect();
        let count = each.len().max(2) as f64;
        let variance = each.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let (before, after) = sides(parts);
        // What drifts does not average out.
        let moved = if before.is_empty() { 0.0 } else { (per_switch(before) - per_switch(after)).abs() };
        let unsteady = Z90 * (variance / count).sqrt().max(moved / 2.0) / mean;
        let drift = Drift::new(parts, per_switch);
        let rested = rested(parts);
        let wall: Nanos = rested.iter().map(|b| b.wall).sum();
        let cpu: Nanos = rested.iter().map(|b| b.cpu).sum();
        let busy = (wall > Nanos::ZERO).then(|| cpu.ratio_to(wall));
        Some(Self { cpu: alone.min(total), unsteady, drift, busy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(ms: u64, pace: Option<f64>) -> Baseline {
        Baseline {
            cpu: Nanos::from_millis(ms),
            voluntary: 1_000,
            wall: Nanos::from_millis(125),
            after: false,
            between: false,
            pace,
        }
    }

    #[test]
    fn a_baseline_of_a_faster_moment_is_brought_to_the_pace_of_the_measured_one() {
        let alone_of = |parts: &[Baseline], pace| Alone::new(parts, pace, Nanos::from_millis(3_000), 20_000);
        let own = |parts: &[Baseline], pace| alone_of(parts, pace).map(|alone| (alone.cpu / 1e6).round());
        assert_eq!(own(&[part(100, Some(8.0)), part(125, Some(10.0))], Some(10.0)), Some(2_500.0));
        assert_eq!(own(&[part(100, Some(8.0)), part(125, None)], None), Some(2_250.0));
        let alone = alone_of(&[part(100, Some(8.0)), part(125, Some(10.0))], Some(10.0)).unwrap();
        assert!(alone.unsteady < 1e-9);
        assert_eq!([2.4e9, 2.8e9].map(|own| alone.excess(own).round()), [0.0, 0.3e9]);
    }

    #[test]
    fn a_mean_of_more_parts_is_surer_but_drift_stays() {
        let unsteady = |all: &[u64]| {
            let parts: Vec<Baseline> = all.iter().map(|&ms| part(ms, None)).collect();
            Alone::new(&parts, None, Nanos::from_millis(3_000), 20_000).unwrap().unsteady
        };
        let (few, many) = (unsteady(&[90, 110, 110, 90]), unsteady(&[90, 110, 110, 90].repeat(4)));
        assert!(many < 0.6 * few, "{few} and {many}");
        let drift = unsteady(&[vec![90; 8], vec![110; 8]].concat());
        assert!((drift - Z90 * 0.1).abs() < 1e-9, "{drift}");
    }

    #[test]
    fn a_target_that_warms_up_is_told_and_one_that_scatters_is_not() {
        // CPU in ms, and switches, of the parts before and after.
        let drift = |before: &[(u64, u64)], after: &[(u64, u64)]| {
            let on =
                |side: bool| move |&(ms, voluntary): &(u64, u64)| Baseline { voluntary, after: side, ..part(ms, None) };
            let parts: Vec<Baseline> = before.iter().map(on(false)).chain(after.iter().map(on(true))).collect();
            Alone::new(&parts, None, Nanos::from_millis(3_000), 20_000).and_then(|alone| alone.drift)
        };
        let all = |ms: &[u64]| ms.iter().map(|&ms| (ms, 1_000)).collect::<Vec<_>>();
        let warm = drift(&all(&[131, 130, 128, 129]), &all(&[96, 95, 94, 95])).unwrap();
        assert_eq!((warm.before.round(), warm.after.round()), (129_500.0, 95_000.0));
        assert_eq!(drift(&all(&[104, 96, 103, 97]), &all(&[95, 106, 94, 103])), None);
        // A few parts that differ as much from each other say nothing of the sides.
        assert_eq!(drift(&all(&[130, 90]), &all(&[95, 85])), None);
        // It ended, and nobody looked after it.
        assert_eq!(drift(&all(&[131, 130, 96, 95]), &[]), None);
        // It idled before, or computed without a switch: no CPU for a switch can be told.
        assert_eq!(drift(&[(0, 0), (0, 0)], &all(&[100, 101])), None);
        assert_eq!(drift(&[(100, 0), (100, 0)], &all(&[100, 101])), None);
        // A part with one switch in it hides nothing.
        let thin = drift(&[(131, 1_000), (130, 1_000), (5, 1)], &all(&[95, 96, 94]));
        assert!(thin.is_some_and(|drift| drift.before.round() == 130_500.0), "{thin:?}");
    }

    #[test]
    fn pauses_are_two_sides_and_what_follows_a_queue_is_no_rest() {
        let of = |ms: u64, after, between| Baseline { after, between, ..part(ms, None) };
        let alone = |parts: &[Baseline]| Alone::new(parts, None, Nanos::from_millis(3_000), 20_000).unwrap();
        let pauses = alone(&[131, 130, 96, 95].map(|ms| of(ms, false, true)));
        assert_eq!(pauses.drift.map(|d| (d.before.round(), d.after.round())), Some((130_500.0, 95_500.0)));
        let after = alone(&[125, 100, 100].map(|ms| of(ms, true, false)));
        assert_eq!((after.busy, after.drift), (Some(0.8), None));
    }

    #[test]
    fn a_target_that_seems_slower_alone_is_unsteady_and_not_sped_up() {
        let alone = Alone::new(&[part(150, None), part(250, None)], None, Nanos::from_millis(3_000), 20_000).unwrap();
        assert_eq!((alone.cpu, alone.excess(2.8e9)), (3e9, 0.0));
        assert!(alone.unsteady > 0.3);
        assert_eq!(Alone::new(&[part(50, None), part(60, None)], None, Nanos::from_millis(3_000), 20_000), None);
    }
}
