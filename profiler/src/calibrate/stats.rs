//! Repeats into figures: medians, percentiles, and whether a difference is more than noise. Pure.

use serde::{Deserialize, Serialize};

/// A cost with its spread over repeats, in ns of CPU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The middle repeat.
    pub median: f64,
    /// The 5th percentile of the repeats; the smallest where there are fewer than [`FEW`].
    pub low: f64,
    /// The 95th percentile of the repeats; the largest where there are fewer than [`FEW`].
    pub high: f64,
    /// How often it was measured.
    pub repeats: u32,
}

/// Below this many repeats a percentile would be an extrapolation.
pub const FEW: usize = 20;

impl Cost {
    /// From repeats in any order; none where there are none, or where one is no number.
    pub fn of(repeats: &[f64]) -> Option<Self> {
        if repeats.is_empty() || repeats.iter().any(|r| !r.is_finite()) {
            return None;
        }
        let mut sorted = repeats.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = if sorted.len() < FEW { (0.0, 1.0) } else { (0.05, 0.95) };
        Some(Self {
            median: quantile(&sorted, 0.5),
            low: quantile(&sorted, low),
            high: quantile(&sorted, high),
            repeats: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        })
    }

    /// Where the median itself lies, with 95 % confidence: its standard error is 1.25 σ/√n for what is about normal, and a 5th
    /// and a 95th percentile are 3.3 σ apart. Outliers widen the spread, and so this. Never closer than 1 %: what placement
    /// in memory alone can make.
    pub fn of_median(&self) -> (f64, f64) {
        // Each side by itself: repeats that were disturbed lie on one.
        let reach = |spread: f64| (1.5 * spread / f64::from(self.repeats.max(1)).sqrt()).max(self.median.abs() * 0.01);
        (self.median - reach(self.median - self.low), self.median + reach(self.high - self.median))
    }

    /// Whether the two medians may be the same: then their difference is called noise.
    pub fn overlaps(&self, other: &Self) -> bool {
        let ((low, high), (other_low, other_high)) = (self.of_median(), other.of_median());
        low <= other_high && other_low <= high
    }
}

/// The quantile `q` of sorted values, between neighbours in proportion; 0 where there are none.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * at.fract()
}

/// The middle of unsorted values; 0 where there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_repeats_give_their_range_and_many_their_percentiles() {
        let few = Cost::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((few.low, few.median, few.high, few.repeats), (1.0, 2.0, 3.0, 3));
        let many: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let many = Cost::of(&many).unwrap();
        assert_eq!((many.low, many.median, many.high, many.repeats), (5.0, 50.0, 95.0, 101));
    }

    #[test]
    fn no_repeats_and_no_numbers_are_no_cost() {
        assert_eq!(Cost::of(&[]), None);
        assert_eq!(Cost::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn an_even_number_has_its_middle_between_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(quantile(&[7.0], 0.95), 7.0);
    }

    #[test]
    fn medians_that_may_be_the_same_are_noise() {
        let cost = |median: f64, spread: f64, repeats| Cost {
            median,
            low: median - spread / 2.0,
            high: median + spread / 2.0,
            repeats,
        };
        // 9 repeats: the medians are known to a quarter of the spread, 100 repeats: to a thirteenth.
        assert!(cost(10.0, 4.0, 9).overlaps(&cost(11.9, 4.0, 9)));
        assert!(!cost(10.0, 4.0, 9).overlaps(&cost(12.1, 4.0, 9)));
        assert!(!cost(10.0, 4.0, 100).overlaps(&cost(11.0, 4.0, 100)));
        // However often it is repeated, one per cent is nothing.
        assert!(cost(10.0, 0.0, 1_000).overlaps(&cost(10.1, 0.0, 1_000)));
        assert!(!cost(10.0, 0.0, 1_000).overlaps(&cost(10.5, 0.0, 1_000)));
    }
}
