//! Means and centred sums of (instructions, cycles): what the fit and the curve are made of.

use crate::{
    event::Pairs,
    quantity::{Estimate, Uncertain},
};

/// Counters count in whole cycles: no mean is known better than that. Variance of a rounding error.
const ROUNDING: f64 = 1.0 / 12.0;

/// Pairs around their means: x are instructions, y are cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Centred {
    pub(crate) n: f64,
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Σ (x − x̄)².
    pub(crate) xx: f64,
    /// Σ (y − ȳ)².
    pub(crate) yy: f64,
    /// Σ (x − x̄)(y − ȳ).
    pub(crate) xy: f64,
}

/// n · Σuv − Σu · Σv over n, in whole numbers as far as they reach: in floating point the two are
/// nearly equal, and little is left of their difference.
fn centred(n: u64, product: u128, u: u64, v: u64) -> f64 {
    let means = u128::from(u) * u128::from(v);
    match product.checked_mul(u128::from(n)) {
        Some(whole) if whole >= means => (whole - means) as f64 / n as f64,
        Some(whole) => -((means - whole) as f64) / n as f64,
        None => product as f64 - u as f64 * (v as f64 / n as f64),
    }
}

impl Centred {
    /// `None` where there are no pairs.
    pub(crate) fn from_pairs(pairs: &Pairs) -> Option<Self> {
        if pairs.count == 0 {
            return None;
        }
        let n = pairs.count as f64;
        Some(Self {
            n,
            x: pairs.instructions as f64 / n,
            y: pairs.cycles as f64 / n,
            xx: centred(pairs.count, pairs.instructions_squared, pairs.instructions, pairs.instructions).max(0.0),
            yy: centred(pairs.count, pairs.cycles_squared, pairs.cycles, pairs.cycles).max(0.0),
            xy: centred(pairs.count, pairs.product, pairs.instructions, pairs.cycles),
        })
    }

    /// Whether the instructions differ from pair to pair by more than a count that is off by one.
    pub(crate) fn varies(&self) -> bool {
        self.n > 2.0 && self.xx / self.n > 0.25
    }

    /// Slope of the least-squares line; `None` where the instructions do not vary.
    pub(crate) fn slope(&self) -> Option<f64> {
        self.varies().then(|| self.xy / self.xx)
    }

    /// Where the least-squares line meets no instructions at all; `None` where there is no line.
    pub(crate) fn intercept(&self) -> Option<Uncertain> {
        let value = self.y - self.slope()? * self.x;
        Some(Uncertain { value, variance: self.residual() * (1.0 / self.n + self.x * self.x / self.xx) })
    }

    /// Variance of the cycles around the line, or around their mean where there is no line.
    pub(crate) fn residual(&self) -> f64 {
        let (rest, freedom) = match self.slope() {
            Some(b) => (self.yy - b * self.xy, self.n - 2.0),
            None => (self.yy, self.n - 1.0),
        };
        (rest / freedom.max(1.0)).max(ROUNDING)
    }

    /// Variance of the mean of `y − c·x`.
    pub(crate) fn variance_along(&self, c: f64) -> f64 {
        let spread = self.yy - 2.0 * c * self.xy + c * c * self.xx;
        (spread / (self.n - 1.0).max(1.0)).max(ROUNDING) / self.n
    }

    /// Instructions per cycle: the ratio of the sums, by the delta method.
    pub(crate) fn ipc(&self) -> Option<Estimate> {
        if self.y <= 0.0 || self.n < 2.0 {
            return None;
        }
        let ratio = self.x / self.y;
        let spread = self.xx - 2.0 * ratio * self.xy + ratio * ratio * self.yy;
        let variance = spread.max(0.0) / (self.n * (self.n - 1.0)) / (self.y * self.y);
        Some(Uncertain { value: ratio, variance }.by_student(self.n - 1.0))
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same curve gives the same interval.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from a uniform distribution over 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A draw from the standard normal distribution (Box and Muller).
pub(crate) fn normal(random: &mut Random) -> f64 {
    let (u, v) = (random.unit(), random.unit());
    (-2.0 * (1.0 - u).max(f64::MIN_POSITIVE).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
