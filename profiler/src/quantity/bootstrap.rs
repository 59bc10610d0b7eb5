//! Block bootstrap: the interval of a ratio of sums, from the windows that it was summed over.

use fastrand::Rng;

use super::estimate::Estimate;

/// Resamples. The 5th and 95th percentile of so many are good to a few per cent of the interval's
/// width.
pub(crate) const RESAMPLES: usize = 400;

/// A value with the 90 % interval that draws from around it give; `None` without draws.
pub(crate) fn interval(value: f64, mut draws: Vec<f64>) -> Option<Estimate> {
    draws.sort_by(f64::total_cmp);
    let last = draws.len().checked_sub(1)?;
    let at = |q: f64| draws[(last as f64 * q).round() as usize];
    Some(Estimate { value, low: at(0.05), high: at(0.95) })
}

/// Σ numerator / Σ denominator with its 90 % interval, over windows drawn with replacement; `None`
/// for fewer than three windows, or where the denominators add up to nothing.
pub(crate) fn ratio(windows: &[(f64, f64)]) -> Option<Estimate> {
    if windows.len() < 3 {
        return None;
    }
    // The same windows give the same interval.
    let mut random = Rng::with_seed(windows.len() as u64);
    let ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for _ in 0..windows.len() {
                let (a, b) = windows[random.usize(..windows.len())];
                top += a;
                bottom += b;
            }
            (bottom > 0.0).then(|| top / bottom)
        })
        .collect();
    let (top, bottom) = windows.iter().fold((0.0, 0.0), |(top, bottom), (a, b)| (top + a, bottom + b));
    interval(top / bottom, ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_true_ratio_about_nine_times_in_ten() {
        // Windows of 20 draws from a known distribution: numerator uniform in 0..2, denominator 1,
        // so that the truth is 1.
        let mut random = Rng::with_seed(7);
        let mut uniform = || f64::from(random.u32(..=2_000_000)) / 1e6;
        let hits = (0..300)
            .filter(|_| {
                let windows: Vec<_> = (0..20).map(|_| ((0..20).map(|_| uniform()).sum::<f64>(), 20.0)).collect();
                ratio(&windows).unwrap().contains(1.0)
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
