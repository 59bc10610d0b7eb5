//! Block bootstrap: the interval of a ratio of sums, from the windows that it was summed over.

use super::estimate::Estimate;

/// Resamples. The 5th and 95th percentile of so many are good to a few per cent of the interval's
/// width.
const RESAMPLES: usize = 400;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same windows give the same interval.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Σ numerator / Σ denominator with its 90 % interval, over windows drawn with replacement; `None`
/// for fewer than three windows, or where the denominators add up to nothing.
pub(crate) fn ratio(windows: &[(f64, f64)]) -> Option<Estimate> {
    if windows.len() < 3 {
        return None;
    }
    let mut random = Random(windows.len() as u64);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for _ in 0..windows.len() {
                let (a, b) = windows[random.below(windows.len())];
                top += a;
                bottom += b;
            }
            (bottom > 0.0).then(|| top / bottom)
        })
        .collect();
    if ratios.is_empty() {
        return None;
    }
    ratios.sort_by(f64::total_cmp);
    let at = |q: f64| ratios[((ratios.len() - 1) as f64 * q).round() as usize];
    let (top, bottom) = windows.iter().fold((0.0, 0.0), |(top, bottom), (a, b)| (top + a, bottom + b));
    Some(Estimate { value: top / bottom, low: at(0.05), high: at(0.95) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_true_ratio_about_nine_times_in_ten() {
        // Windows of 20 draws from a known distribution: numerator uniform in 0..2, denominator 1,
        // so that the truth is 1.
        let mut random = Random(7);
        let mut uniform = || random.below(2_000_001) as f64 / 1e6;
        let hits = (0..300)
            .filter(|_| {
                let windows: Vec<_> = (0..20).map(|_| ((0..20).map(|_| uniform()).sum::<f64>(), 20.0)).collect();
                let interval = ratio(&windows).unwrap();
                interval.low <= 1.0 && 1.0 <= interval.high
            })
            .count();
        assert!((240..=290).contains(&hits), "{hits} of 300");
    }

    #[test]
    fn two_windows_are_no_spread() {
        assert_eq!(ratio(&[(1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(ratio(&[(0.0, 0.0); 5]), None);
    }
}
