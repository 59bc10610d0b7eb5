//! One thing measured several times: the median of the repeats, their spread, where the true median
//! lies, and whether a difference is more than noise.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, Z90};

/// Repeats of one measurement, in the unit that its field names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeats {
    pub median: f64,
    /// The 5th percentile; the smallest where there are fewer than 20.
    pub low: f64,
    /// The 95th percentile; the largest where there are fewer than 20.
    pub high: f64,
    /// How often it was measured.
    pub repeats: u32,
}

/// Below this many repeats, a 5th percentile would be an extrapolation.
const FEW: usize = 20;

/// Two runs of the same program differ by this share of the cost, by its placement in memory alone.
const PLACEMENT: f64 = 0.01;

impl Repeats {
    /// Sums up repeats in any order. `None` if there are none, or if one of them is not finite.
    pub fn new(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = if sorted.len() < FEW { (0.0, 1.0) } else { (0.05, 0.95) };
        Some(Self {
            median: quantile(&sorted, 0.5),
            low: quantile(&sorted, low),
            high: quantile(&sorted, high),
            repeats: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        })
    }

    /// The median with its 90 % interval. The standard error of a median is 1.25 times that of a
    /// mean, and the spread of a normal distribution is 3.29 standard deviations wide.
    pub fn estimate(self) -> Estimate {
        let half = 0.625 * self.spread() * widening(self.count()) / self.count().sqrt();
        Estimate::with_half_width(self.median, half.max(PLACEMENT * self.median.abs()))
    }

    /// The median with the spread of the repeats as its interval: for what is another one in the
    /// next moment, so that more repeats do not make it surer.
    pub fn scatter(self) -> Estimate {
        Estimate { value: self.median, low: self.low, high: self.high }
    }

    /// Where the true median lies, with 95 % confidence. Each side has its own distance, because
    /// repeats that were disturbed lie on one side of the median.
    fn reach_of_median(self) -> RangeInclusive<f64> {
        let reach = |side: f64| (1.5 * side / self.count().sqrt()).max(PLACEMENT * self.median.abs());
        self.median - reach(self.median - self.low)..=self.median + reach(self.high - self.median)
    }

    /// Whether the two medians may be the same. Their difference is then called noise.
    pub fn overlaps(self, other: Self) -> bool {
        let (own, other) = (self.reach_of_median(), other.reach_of_median());
        own.start() <= other.end() && other.start() <= own.end()
    }

    /// Whether a cost, which cannot be negative, may as well be zero. A median above zero may be
    /// zero if its interval includes zero; one below zero, if any of the spread lies above.
    pub fn may_be_zero(self) -> bool {
        self.estimate().low <= 0.0 && self.high >= 0.0
    }

    /// From the low end of the spread to the high one.
    pub fn spread(self) -> f64 {
        self.high - self.low
    }

    /// The cost of each of `n` parts that share this one.
    pub fn shared_by(self, n: u32) -> Self {
        let part = |whole: f64| whole / f64::from(n.max(1));
        Self { median: part(self.median), low: part(self.low), high: part(self.high), repeats: self.repeats }
    }

    fn count(self) -> f64 {
        f64::from(self.repeats.max(1))
    }
}

/// How much wider an interval from few repeats has to be. The range of n repeats is less than 3.29
/// standard deviations (1.69 for 3 repeats, 2.33 for 5, 2.97 for 9). And as the standard deviation
/// is itself an estimate, Student's t (2.92, 2.13, 1.86) stands where 1.645 stood. Both together
/// make 3.5, 1.8 and 1.25; this formula is within a tenth of that, and goes to 1.
fn widening(repeats: f64) -> f64 {
    1.0 + 22.0 / repeats.powi(2)
}

/// The quantile `q` of sorted values, interpolated between neighbours; 0 if there are none.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * at.fract()
}

impl Estimate {
    /// The median of unsorted values with its 90 % interval; `None` if there are none, or if one of
    /// them is not finite.
    ///
    /// From five values on it is the interval of the sign test, interpolated between the two next
    /// to 90 % (Hettmansperger and Sheather 1986): from eight on, how far off the outermost values
    /// are does not matter. Fewer than five give theirs by their range.
    pub fn median_of(values: &[f64]) -> Option<Self> {
        let few = Repeats::new(values)?;
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(depth) = depth_of_median(sorted.len()) else { return Some(few.estimate()) };
        let last = (sorted.len() - 1) as f64;
        let at = |place: f64| quantile(&sorted, place / last);
        let least = PLACEMENT * few.median.abs();
        let (low, high) = (at(depth).min(few.median - least), at(last - depth).max(few.median + least));
        Some(Self { value: few.median, low, high })
    }
}

/// From so many throws on a coin's results are normally distributed, and 0.5 to their power nears
/// the least number that there is.
const MANY: usize = 500;

/// How many of `n` sorted values lie below the 90 % interval of their median, interpolated; `None`
/// where all of them together hold it less surely.
fn depth_of_median(n: usize) -> Option<f64> {
    const SURE: f64 = 0.9;
    let count = n as f64;
    if n > MANY {
        return Some((count - 1.0 - Z90 * count.sqrt()) / 2.0);
    }
    // Of n values, so many are below the median: a coin thrown n times.
    let (mut exactly, mut at_most) = (0.5_f64.powf(count), 0.0);
    let mut held = None;
    for below in 0..n.div_ceil(2) {
        at_most += exactly;
        exactly *= (count - below as f64) / (below as f64 + 1.0);
        let sure = 1.0 - 2.0 * at_most;
        if sure < SURE {
            let held: f64 = held?;
            let share = (held - SURE) / (held - sure);
            let (k, rest) = (below as f64, count - below as f64);
            return Some(k - 1.0 + rest * share / (k + (rest - k) * share));
        }
        held = Some(sure);
    }
    None
}

/// The median of unsorted values; 0 if there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(median: f64, spread: f64, repeats: u32) -> Repeats {
        Repeats { median, low: median - spread / 2.0, high: median + spread / 2.0, repeats }
    }

    #[test]
    fn few_repeats_give_their_range_and_many_their_percentiles() {
        let few = Repeats::new(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((few.low, few.median, few.high, few.repeats), (1.0, 2.0, 3.0, 3));
        let many: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let many = Repeats::new(&many).unwrap();
        assert_eq!((many.low, many.median, many.high, many.repeats), (5.0, 50.0, 95.0, 101));
    }

    #[test]
    fn without_repeats_and_without_numbers_there_is_no_median() {
        assert_eq!(Repeats::new(&[]), None);
        assert_eq!(Repeats::new(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn an_even_number_has_its_median_between_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(quantile(&[7.0], 0.95), 7.0);
    }

    #[test]
    fn the_interval_of_a_median_is_that_of_the_sign_test() {
        // Between the sixth and the seventh of 20, and as far from the other end: 95.9 and 88.5 %.
        let depth = depth_of_median(20).unwrap();
        assert!(depth > 5.0 && depth < 6.0, "{depth}");
        assert_eq!(depth_of_median(4), None, "four hold it with 87.5 %");
        assert!(depth_of_median(5).unwrap() < 1.0 && depth_of_median(8).unwrap() > 1.0);
        let (few, many) = (depth_of_median(MANY).unwrap(), depth_of_median(MANY + 1).unwrap());
        assert!((many - few - 0.5).abs() < 0.2, "{few} {many}");
        let mut values: Vec<f64> = (0..21).map(f64::from).collect();
        let plain = Estimate::median_of(&values).unwrap();
        assert!(plain.value == 10.0 && plain.low > 5.0 && plain.high < 15.0, "{plain:?}");
        values[20] = 1e9;
        assert_eq!(Estimate::median_of(&values), Some(plain), "one that was disturbed");
        assert_eq!(Estimate::median_of(&[]), None);
        assert_eq!(Estimate::median_of(&[1.0, 2.0]), Repeats::new(&[1.0, 2.0]).map(Repeats::estimate));
    }

    /// As often as it says, by drawing from a distribution that is far from normal.
    #[test]
    fn nine_of_ten_such_intervals_hold_the_median() {
        let mut numbers = fastrand::Rng::with_seed(1);
        for n in [5, 8, 12, 25] {
            let mut draw = || -(1.0 - numbers.f64()).ln();
            let median = std::f64::consts::LN_2;
            let held = (0..4_000)
                .filter(|_| {
                    let values: Vec<f64> = (0..n).map(|_| draw()).collect();
                    Estimate::median_of(&values).is_some_and(|e| e.low <= median && median <= e.high)
                })
                .count();
            assert!((3_500..3_760).contains(&held), "{held} of 4,000 with {n}");
        }
    }

    #[test]
    fn medians_that_may_be_the_same_are_noise() {
        // The median of 9 repeats is known to a quarter of their spread, of 100 to a thirteenth.
        assert!(around(10.0, 4.0, 9).overlaps(around(11.9, 4.0, 9)));
        assert!(!around(10.0, 4.0, 9).overlaps(around(12.1, 4.0, 9)));
        assert!(!around(10.0, 4.0, 100).overlaps(around(11.0, 4.0, 100)));
        // However often it is repeated, one per cent is nothing.
        assert!(around(10.0, 0.0, 1_000).overlaps(around(10.1, 0.0, 1_000)));
        assert!(!around(10.0, 0.0, 1_000).overlaps(around(10.5, 0.0, 1_000)));
    }

    #[test]
    fn few_repeats_make_a_wide_interval() {
        // The product of two tables: the expected range of n normal values, and Student's t.
        for (n, range, t) in [(3.0, 1.693, 2.920), (5.0, 2.326, 2.132), (9.0, 2.970, 1.860), (11.0, 3.173, 1.812)] {
            let expected = 3.29 / range * t / 1.645;
            assert!((widening(n) / expected - 1.0).abs() < 0.1, "{n}: {} for {expected}", widening(n));
        }
        let estimate_of = |repeats| around(100.0, 20.0, repeats).estimate();
        assert!(
            estimate_of(3).half_width() > 20.0 && estimate_of(400).half_width() < 1.01,
            "{:?} {:?}",
            estimate_of(3),
            estimate_of(400)
        );
        assert_eq!(around(100.0, 20.0, 400).scatter(), Estimate::with_half_width(100.0, 10.0));
    }

    #[test]
    fn a_cost_that_may_be_zero_is_noise() {
        assert!(around(-18.0, 60.0, 9).may_be_zero());
        assert!(around(20.0, 50.0, 3).may_be_zero(), "three repeats tell less than their range");
        assert!(!around(300.0, 700.0, 61).may_be_zero(), "the median of 61 repeats is known well");
        assert!(!around(-18.0, 20.0, 31).may_be_zero(), "all repeats are below zero");
        assert!(!around(700.0, 70.0, 9).may_be_zero());
    }
}
