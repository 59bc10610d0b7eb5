//! Whether a figure grows too fast from one size to the next.

use std::fmt;

use crate::bench::figures::Spread;

/// Exponents up to this are no growth: noise makes as much of it.
const FLAT: f64 = 0.1;

/// How a figure grew over one step of sizes, held against n·log n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// It does not grow with the size.
    Flat,
    /// By no more than n·log n.
    Allowed,
    /// The medians grow faster, but not beyond the spread of the rounds.
    FastInNoise,
    /// The smallest of one size over the largest of the size before is still more than n·log n.
    TooFast,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flat => "flat",
            Self::Allowed => "within n·log n",
            Self::FastInNoise => "faster than n·log n, but within the spread",
            Self::TooFast => "**FASTER THAN n·log n**",
        })
    }
}

/// A step from one size to the next that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The figure grows like the size to this power.
    pub(super) exponent: f64,
    pub(super) growth: Growth,
}

/// The steps between sizes, smallest first. A size without a figure is stepped over.
pub(super) fn steps(found: &[(u64, Option<Spread>)]) -> Vec<Step> {
    let measured: Vec<(u64, Spread)> = found.iter().filter_map(|(size, spread)| Some((*size, (*spread)?))).collect();
    measured.windows(2).filter_map(|pair| step(pair[0], pair[1])).collect()
}

/// The step with the largest exponent: the others grow more slowly.
pub(super) fn worst(steps: &[Step]) -> Option<Step> {
    let rank = |growth| {
        [Growth::Flat, Growth::Allowed, Growth::FastInNoise, Growth::TooFast].iter().position(|g| *g == growth)
    };
    steps.iter().copied().max_by(|a, b| rank(a.growth).cmp(&rank(b.growth)).then(a.exponent.total_cmp(&b.exponent)))
}

/// `None` where a figure is nothing, or sizes do not grow: then there is no ratio.
fn step((from, a): (u64, Spread), (to, b): (u64, Spread)) -> Option<Step> {
    let sizes = to as f64 / from as f64;
    if from == 0 || to <= from || [a.min, b.min].iter().any(|v| *v <= 0.0) {
        return None;
    }
    let exponent = (b.median / a.median).ln() / sizes.ln();
    // log 1 is nothing: sizes begin where their logarithm means something.
    let log = |size: u64| (size.max(2) as f64).ln();
    let allowed = sizes * log(to) / log(from);
    let growth = if b.min / a.max > allowed {
        Growth::TooFast
    } else if b.median / a.median > allowed {
        Growth::FastInNoise
    } else if exponent <= FLAT {
        Growth::Flat
    } else {
        Growth::Allowed
    };
    Some(Step { from, to, exponent, growth })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u64; 4] = [10, 100, 1_000, 10_000];

    /// Steps of a figure that grows like `of`, its rounds within so many percent of each other.
    fn grown(of: impl Fn(f64) -> f64, percent: f64) -> Vec<Growth> {
        let spread = |n: u64| {
            let value = of(n as f64);
            Spread::from_values([value * (1.0 - percent / 100.0), value, value * (1.0 + percent / 100.0)])
        };
        steps(&SIZES.map(|n| (n, spread(n)))).iter().map(|step| step.growth).collect()
    }

    #[test]
    fn what_grows_like_a_square_fails() {
        assert_eq!(grown(|n| n * n, 5.0), [Growth::TooFast; 3]);
        assert_eq!(grown(|n| n.powf(1.5), 5.0), [Growth::TooFast; 3]);
        // It hides behind a constant until it is large.
        assert_eq!(grown(|n| 1e5 + n * n, 5.0)[2], Growth::TooFast);
    }

    #[test]
    fn what_may_grow_passes() {
        assert_eq!(grown(|_| 7.0, 5.0), [Growth::Flat; 3]);
        assert_eq!(grown(|n| 3.0 * n, 5.0), [Growth::Allowed; 3]);
        assert_eq!(grown(|n| n * n.ln() * 0.999, 5.0), [Growth::Allowed; 3]);
        assert_eq!(grown(|n| 1e4 + n, 5.0), [Growth::Flat, Growth::Flat, Growth::Allowed]);
    }

    #[test]
    fn noise_proves_nothing() {
        // 1.3 is more than n·log n from 10 to 100, and less than rounds that differ by a third.
        let first = grown(|n| n.powf(1.35), 30.0)[0];
        assert_eq!(first, Growth::FastInNoise);
        assert_eq!(grown(|n| n.powf(1.35), 1.0)[0], Growth::TooFast);
    }

    #[test]
    fn a_size_that_was_not_run_is_stepped_over() {
        let one = |value| Spread::from_values([value]);
        let found = steps(&[(10, one(10.0)), (100, None), (1_000, one(1e6)), (10_000, one(1e7))]);
        assert_eq!(found.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>(), [(10, 1_000), (1_000, 10_000)]);
        assert_eq!(worst(&found).map(|s| (s.to, s.growth)), Some((1_000, Growth::TooFast)));
        assert!((found[0].exponent - 2.5).abs() < 1e-9);
        assert_eq!(steps(&[(10, None), (100, one(1.0))]), []);
    }
}
