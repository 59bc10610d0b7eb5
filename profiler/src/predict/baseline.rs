//! The target when nobody looks: what shares are of, and how steady it is.

use crate::{
    machine::slower,
    quantity::{Nanos, Z90},
};

/// The target while nothing is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// CPU of its processes.
    pub cpu: Nanos,
    /// Voluntary switches of its threads.
    pub voluntary: u64,
    /// How long it was watched; 0 in recordings that do not tell.
    #[serde(default)]
    pub wall: Nanos,
    /// The pace meanwhile: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
}

/// Voluntary switches below which baselines say nothing.
const MIN_SWITCHES: u64 = 200;

/// The CPU that a target took for a switch before it was measured, and after it, ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Before the programs were attached.
    pub before: f64,
    /// After they had left.
    pub after: f64,
}

/// A target whose CPU for a switch changed by more than this share of it is not the same target.
const DRIFTED: f64 = 0.15;

/// What the baselines say of the measured interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Alone {
    /// CPU for as many voluntary switches without the programs, at the pace of the measured
    /// interval, ns.
    pub(crate) cpu: f64,
    /// Half the 90 % interval of that CPU, as a share.
    pub(crate) unsteady: f64,
    /// How its CPU for a switch changed, where that is more than it scatters by.
    pub(crate) drift: Option<Drift>,
    /// CPUs it kept busy before the programs were attached, where that is known.
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

    /// Whether the hooks took most of what the target left free without them. Then its requests
    /// queue, and do not when nobody measures.
    pub(crate) fn was_filled(&self, total: Nanos, seconds: f64, cpus: u32) -> bool {
        let with = total.as_nanos() as f64 / 1e9 / seconds.max(1e-9);
        // As many CPUs as it fills now: a target of one thread fills one, however many it may use.
        let most = with.round().clamp(1.0, f64::from(cpus.max(1)));
        self.busy.is_some_and(|busy| busy <= FREE * most && with - busy > (most - busy) / 2.0)
    }

    /// `None` where there is too little of it, or where the target did less for its switches
    /// meanwhile. Where it seems to have needed more than with the programs attached, it is
    /// unsteady, and they did nothing to it.
    pub(crate) fn new(parts: &[Baseline], pace: Option<f64>, total: Nanos, voluntary: u64) -> Option<Self> {
        let switches: u64 = parts.iter().map(|b| b.voluntary).sum();
        // A machine is not as fast in one half second as in the next.
        let used = |b: &Baseline| b.cpu.as_nanos() as f64 * slower(b.pace, pace);
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
        let (before, after) = parts.split_at(parts.len() / 2);
        // What drifts does not average out.
        let drift = Drift { before: per_switch(before), after: per_switch(after) };
        let moved = if before.is_empty() { 0.0 } else { (drift.before - drift.after).abs() };
        let unsteady = Z90 * (variance / count).sqrt().max(moved / 2.0) / mean;
        let drift = (moved > DRIFTED * mean && moved > scatter(&each)).then_some(drift);
        // Only before the programs came: what had queued up under them is still worked off after
        // them.
        let wall: Nanos = before.iter().map(|b| b.wall).sum();
        let cpu: Nanos = before.iter().map(|b| b.cpu).sum();
        let busy = (wall > Nanos::ZERO).then(|| cpu.ratio_to(wall));
        Some(Self { cpu: alone.min(total), unsteady, drift, busy })
    }
}

/// How far the halves of so many parts lie apart in nine of ten cases where nothing drifts: each
/// part differs from the next one as much as from any other.
fn scatter(parts: &[f64]) -> f64 {
    let (pairs, half) = (parts.len().saturating_sub(1).max(1) as f64, (parts.len() as f64 / 2.0).max(1.0));
    let variance = parts.windows(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum::<f64>() / (2.0 * pairs);
    Z90 * (2.0 * variance / half).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(ms: u64, pace: Option<f64>) -> Baseline {
        Baseline { cpu: Nanos::from_millis(ms), voluntary: 1_000, wall: Nanos::from_millis(125), pace }
    }

    #[test]
    fn a_baseline_of_a_faster_moment_is_brought_to_the_pace_of_the_measured_one() {
        let of = |parts: &[Baseline], pace| Alone::new(parts, pace, Nanos::from_millis(3_000), 20_000);
        let own = |parts: &[Baseline], pace| of(parts, pace).map(|alone| (alone.cpu / 1e6).round());
        assert_eq!(own(&[part(100, Some(8.0)), part(125, Some(10.0))], Some(10.0)), Some(2_500.0));
        assert_eq!(own(&[part(100, Some(8.0)), part(125, None)], None), Some(2_250.0));
        let alone = of(&[part(100, Some(8.0)), part(125, Some(10.0))], Some(10.0)).unwrap();
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
        let drift = |all: &[u64]| {
            let parts: Vec<Baseline> = all.iter().map(|&ms| part(ms, None)).collect();
            Alone::new(&parts, None, Nanos::from_millis(3_000), 20_000).unwrap().drift
        };
        let warm = drift(&[131, 130, 128, 129, 96, 95, 94, 95]).unwrap();
        assert_eq!((warm.before.round(), warm.after.round()), (129_500.0, 95_000.0));
        assert_eq!(drift(&[104, 96, 103, 97, 95, 106, 94, 103]), None);
        // A few parts that differ as much from each other say nothing of halves.
        assert_eq!(drift(&[130, 90, 95, 85]), None);
    }

    #[test]
    fn a_target_that_seems_slower_alone_is_unsteady_and_not_sped_up() {
        let alone = Alone::new(&[part(150, None), part(250, None)], None, Nanos::from_millis(3_000), 20_000).unwrap();
        assert_eq!((alone.cpu, alone.excess(2.8e9)), (3e9, 0.0));
        assert!(alone.unsteady > 0.3);
        assert_eq!(Alone::new(&[part(50, None), part(60, None)], None, Nanos::from_millis(3_000), 20_000), None);
    }
}
