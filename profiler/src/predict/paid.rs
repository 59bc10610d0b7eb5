//! What being measured costs a target, by an outside clock: its CPU for a voluntary switch in the
//! stretches in which the programs are attached, come or go, against that in which nothing is.
//!
//! Run times of programs miss the kernel's way into a hook, cache lines that wander between CPUs,
//! what the programs' data evict, and what a target does differently because it is slower. The
//! target's own clock misses nothing.

use super::baseline::{Baseline, MIN_SWITCHES};
use crate::quantity::{Estimate, Nanos, Uncertain};

/// Stretches of a side that are enough to know how it scatters.
const MIN_STRETCHES: usize = 2;

/// What being measured cost, as shares of the CPU that the target would have taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paid {
    /// While the programs were attached.
    pub watched: Estimate,
    /// Over all the time from the start to the end.
    pub overall: Estimate,
    /// The part of that time in which they were attached.
    pub part: f64,
}

/// CPU per switch of one side.
struct Rate {
    /// ns.
    mean: f64,
    switches: f64,
    /// Variance of the mean, of one switch: to be divided by the switches of a side.
    scatter: Option<f64>,
    stretches: usize,
}

impl Rate {
    fn new(stretches: &[Baseline], pace: Option<f64>) -> Option<Self> {
        let switches: u64 = stretches.iter().map(|b| b.voluntary).sum();
        if switches < MIN_SWITCHES {
            return None;
        }
        let used = |b: &Baseline| b.cpu_at(pace);
        let mean = stretches.iter().map(used).sum::<f64>() / switches as f64;
        let squares = stretches.iter().map(|b| (used(b) - mean * b.voluntary as f64).powi(2));
        let freedom = stretches.len().saturating_sub(1) as f64;
        let scatter = (stretches.len() >= MIN_STRETCHES).then(|| {
            let count = stretches.len() as f64;
            squares.sum::<f64>() / switches as f64 * count / freedom
        });
        Some(Self { mean, switches: switches as f64, scatter, stretches: stretches.len() })
    }

    /// Variance of the mean, relative to it; by the other side's scatter where this side is one
    /// stretch.
    fn variance(&self, other: &Self) -> Option<f64> {
        let scatter = self.scatter.or(other.scatter)?;
        Some(scatter / self.switches / self.mean.powi(2).max(1e-9))
    }
}

impl Paid {
    /// `None` where a side was not seen, hardly switched, or neither has more than one stretch: it
    /// is not known then how much they scatter.
    pub fn new(watched: &[Baseline], alone: &[Baseline], between: Nanos) -> Option<Self> {
        let pace = alone.iter().chain(watched).find_map(|b| b.pace);
        let (with, without) = (Rate::new(watched, pace)?, Rate::new(alone, pace)?);
        let ratio = with.mean / without.mean.max(1e-9);
        let variance = ratio.powi(2) * (with.variance(&without)? + without.variance(&with)?);
        let freedom = (with.stretches + without.stretches).saturating_sub(2).max(1) as f64;
        let watched_for = Uncertain { value: ratio - 1.0, variance }.by_student(freedom);
        let wall: Nanos = watched.iter().map(|b| b.wall).sum();
        let part = wall.ratio_to(wall + between).clamp(0.0, 1.0);
        Some(Self { watched: watched_for, overall: watched_for.scaled(part), part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(us_per_switch: f64, voluntary: u64) -> Baseline {
        Baseline {
            cpu: Nanos::from_nanos((us_per_switch * 1e3 * voluntary as f64) as u64),
            voluntary,
            wall: Nanos::from_millis(200),
            ..Baseline::default()
        }
    }

    #[test]
    fn what_is_paid_is_cpu_per_switch_against_that_without() {
        let all = |us: &[f64]| us.iter().map(|&us| stretch(us, 1_000)).collect::<Vec<_>>();
        let paid = Paid::new(&all(&[11.1, 11.5, 11.3]), &all(&[10.1, 9.9, 10.0]), Nanos::from_millis(1_800)).unwrap();
        assert!((paid.watched.value - 0.13).abs() < 1e-3, "{paid:?}");
        assert!(paid.watched.low > 0.08 && paid.watched.high < 0.18, "{paid:?}");
        // 600 ms of 2.4 s.
        assert!((paid.overall.value - 0.13 / 4.0).abs() < 1e-3, "{paid:?}");
        // One long stretch scatters less than short ones do.
        let one = Paid::new(&[stretch(11.3, 30_000)], &all(&[10.1, 9.9, 10.0]), Nanos::ZERO).unwrap();
        assert!((one.watched.value - 0.13).abs() < 1e-3 && one.overall == one.watched, "{one:?}");
    }

    #[test]
    fn nothing_is_said_where_nothing_scatters_or_nothing_switches() {
        assert_eq!(Paid::new(&[stretch(11.0, 1_000)], &[stretch(10.0, 1_000)], Nanos::ZERO), None);
        assert_eq!(Paid::new(&[stretch(11.0, 50), stretch(10.0, 50)], &[stretch(10.0, 1_000)], Nanos::ZERO), None);
        assert_eq!(Paid::new(&[], &[stretch(10.0, 1_000)], Nanos::ZERO), None);
    }
}
