//! Medians, percentiles, bootstrap intervals: arithmetic on values that were measured.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Confidence of every interval.
pub(crate) const CONFIDENCE: f64 = 0.90;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 2_000;

/// A value and the ends of its interval, all in one unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) value: f64,
    pub(crate) high: f64,
}

impl Interval {
    pub(crate) const ZERO: Self = Self { low: 0.0, value: 0.0, high: 0.0 };

    /// A share as a percentage.
    pub(crate) fn percent(self) -> Self {
        Self { low: self.low * 100.0, value: self.value * 100.0, high: self.high * 100.0 }
    }

    /// The value between the ends of its interval.
    pub(crate) fn ends(&self) -> [f64; 3] {
        [self.low, self.value, self.high]
    }

    pub(crate) fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    /// Ends in order around the value, all of them numbers.
    pub(crate) fn is_sound(&self) -> bool {
        self.low <= self.value && self.value <= self.high && self.low.is_finite() && self.high.is_finite()
    }
}

/// The percentile by linear interpolation between order statistics (Hyndman & Fan 1996, type 7).
/// `None` without values.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 0.5)
}

pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// What the twin saves of the CPU per operation, a share of the blocking version's, turn by turn.
pub(crate) fn savings(turns: &[(f64, f64)]) -> Vec<f64> {
    turns.iter().map(|(blocking, twin)| 1.0 - twin / blocking).collect()
}

/// What the twin saves of the CPU per operation, a share: 1 − twin / blocking, from rounds of turns
/// in which both ran.
///
/// The value is the median over all turns, because a neighbour that disturbs one must not move it;
/// both ran within a second of each other in a turn, so that drifts of the machine cancel. The
/// interval is the percentile bootstrap in two stages: rounds are drawn, in each of which both
/// versions were started anew, and then turns of each. So it is as wide as rounds are apart, which
/// is the honest answer.
pub(crate) fn saving(rounds: &[Vec<(f64, f64)>], rng: &mut Rng) -> Option<Interval> {
    let rounds: Vec<Vec<f64>> = rounds.iter().map(|turns| savings(turns)).filter(|turns| !turns.is_empty()).collect();
    let value = median(&rounds.concat())?;
    let resampled: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut draw = Vec::new();
            for _ in &rounds {
                let round = rng.choice(&rounds)?;
                draw.extend(round.iter().filter_map(|_| rng.choice(round).copied()));
            }
            median(&draw)
        })
        .collect();
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval { low: percentile(&resampled, tail)?, value, high: percentile(&resampled, 1.0 - tail)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 0.5), Some(2.5));
        assert_eq!(percentile(&values, 1.0), Some(4.0));
        assert!((percentile(&values, 0.9).unwrap() - 3.7).abs() < 1e-12);
        assert_eq!(percentile(&[7.0], 0.9), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(mean(&values), Some(2.5));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn equal_rounds_have_an_interval_without_width() {
        let found = saving(&[vec![(100.0, 75.0), (200.0, 150.0)], vec![(40.0, 30.0)]], &mut Rng::with_seed(1));
        assert_eq!(found, Some(Interval { low: 0.25, value: 0.25, high: 0.25 }));
        assert_eq!(saving(&[], &mut Rng::with_seed(1)), None);
    }

    #[test]
    fn three_rounds_span_the_interval_however_many_turns_they_have() {
        let rounds = [80.0, 70.0, 90.0].map(|twin| vec![(100.0, twin); 50]);
        let found = saving(&rounds, &mut Rng::with_seed(7)).unwrap();
        assert!((found.value - 0.2).abs() < 1e-12);
        assert!((found.low - 0.1).abs() < 1e-12 && (found.high - 0.3).abs() < 1e-12);
    }

    #[test]
    fn one_disturbed_turn_of_many_is_outvoted() {
        let mut turns = vec![(100.0, 80.0); 20];
        turns.push((100.0, 500.0));
        let found = saving(&[turns], &mut Rng::with_seed(3)).unwrap();
        assert!((found.low - 0.2).abs() < 1e-12 && (found.high - 0.2).abs() < 1e-12);
    }

    #[test]
    fn the_bootstrap_covers_about_as_often_as_it_says() {
        // Savings uniform in [0.1, 0.3]: their median is 0.2.
        let mut rng = Rng::with_seed(42);
        let hits = (0..300)
            .filter(|_| {
                let rounds: Vec<Vec<(f64, f64)>> = (0..15).map(|_| vec![(1.0, 0.7 + 0.2 * rng.f64())]).collect();
                saving(&rounds, &mut rng).is_some_and(|found| found.contains(0.2))
            })
            .count();
        assert!((252..=294).contains(&hits), "{hits} of 300");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let rounds: Vec<Vec<(f64, f64)>> = (0..5).map(|i| vec![(100.0, 70.0 + f64::from(i))]).collect();
        let once = saving(&rounds, &mut Rng::with_seed(9));
        assert_eq!(once, saving(&rounds, &mut Rng::with_seed(9)));
    }

    #[test]
    fn intervals_meet_at_their_ends() {
        let a = Interval { low: 0.1, value: 0.2, high: 0.3 };
        assert!(a.contains(0.3) && !a.contains(0.31));
        assert!(a.overlaps(&Interval { low: 0.3, value: 0.4, high: 0.5 }));
        assert!(!a.overlaps(&Interval { low: 0.31, value: 0.4, high: 0.5 }));
        assert!(a.is_sound() && !Interval { low: f64::NAN, ..a }.is_sound());
    }
}
