//! One shape for a value that is not known exactly: the value with its 90 % interval.

/// The 95th percentile of the standard normal distribution: half a 90 % interval, in standard
/// errors.
pub const Z90: f64 = 1.644_853_6;

/// A value with its 90 % interval, in the unit that its field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The value; `median` in recordings and calibrations, where it is the median of repeats.
    #[serde(rename = "median", alias = "value")]
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// Zero, and nothing uncertain about it.
    pub const ZERO: Self = Self::exact(0.0);

    /// A value that is known exactly.
    pub const fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// A value in the middle of its interval.
    pub fn with_half_width(value: f64, half: f64) -> Self {
        Self { value, low: value - half, high: value + half }
    }

    /// Half the interval's width.
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// The standard error that an interval of this width belongs to, by the normal approximation.
    pub fn standard_error(self) -> f64 {
        self.half_width() / Z90
    }

    /// Value and ends times `by`; a negative factor swaps the ends.
    pub fn scaled(self, by: f64) -> Self {
        let (low, high) = if by < 0.0 { (self.high, self.low) } else { (self.low, self.high) };
        Self { value: self.value * by, low: low * by, high: high * by }
    }

    /// Value and ends with so much more, which is known exactly.
    pub fn plus_exactly(self, more: f64) -> Self {
        Self { value: self.value + more, low: self.low + more, high: self.high + more }
    }

    /// The sum. The widths add up as those of independent estimates do.
    pub fn plus(self, other: Self) -> Self {
        self.beyond(other.scaled(-1.0))
    }

    /// How much `self` is more than `base`. The widths add up as those of independent estimates do.
    pub fn beyond(self, base: Self) -> Self {
        let half = (self.high - self.low).hypot(base.high - base.low) / 2.0;
        Self::with_half_width(self.value - base.value, half)
    }

    /// The point that lies `share` of the way from `a` to `b`, for value and ends alike; a share
    /// above 1 extrapolates.
    pub fn between(a: Self, b: Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Self { value: mix(a.value, b.value), low: mix(a.low, b.low), high: mix(a.high, b.high) }
    }

    /// For a quantity that cannot be negative: a negative value becomes 0, and the upper end
    /// becomes as far above 0 as the lower end was below.
    pub fn at_least_zero(self) -> Self {
        if self.value >= 0.0 { self } else { Self { value: 0.0, low: 0.0, high: -self.low } }
    }

    /// Whether a value lies in the interval, its ends included.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether the interval leaves zero out on the positive side.
    pub fn is_above_zero(self) -> bool {
        self.low > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_independent_estimates_add_up_as_squares() {
        let difference = Estimate::with_half_width(10.0, 3.0).beyond(Estimate::with_half_width(4.0, 4.0));
        assert_eq!(difference, Estimate { value: 6.0, low: 1.0, high: 11.0 });
        let sum = Estimate::with_half_width(10.0, 3.0).plus(Estimate::with_half_width(4.0, 4.0));
        assert_eq!(sum, Estimate { value: 14.0, low: 9.0, high: 19.0 });
    }

    #[test]
    fn a_negative_factor_swaps_the_ends() {
        let estimate = Estimate { value: 2.0, low: 1.0, high: 4.0 };
        assert_eq!(estimate.scaled(-1.0), Estimate { value: -2.0, low: -4.0, high: -1.0 });
    }

    #[test]
    fn what_cannot_be_negative_is_zero_and_as_unsure_as_it_was_off() {
        let seen = Estimate { value: -3.0, low: -5.0, high: -1.0 };
        assert_eq!(seen.at_least_zero(), Estimate { value: 0.0, low: 0.0, high: 5.0 });
        assert_eq!(Estimate::exact(1.0).at_least_zero(), Estimate::exact(1.0));
    }
}
