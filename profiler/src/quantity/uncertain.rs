//! A value with its variance: what sums and differences are made of before an interval is stated.

use super::estimate::{Estimate, Z90};

/// A value with its variance, in the unit that its field names and in the square of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Uncertain {
    pub(crate) value: f64,
    pub(crate) variance: f64,
}

impl Uncertain {
    /// Zero, and nothing uncertain about it.
    pub(crate) const ZERO: Self = Self { value: 0.0, variance: 0.0 };

    /// A value with its standard error.
    pub(crate) fn with_standard_error(value: f64, standard_error: f64) -> Self {
        Self { value, variance: standard_error.powi(2) }
    }

    /// The sum of two whose errors have nothing to do with each other.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { value: self.value + other.value, variance: self.variance + other.variance }
    }

    /// The difference of two whose errors have nothing to do with each other.
    pub(crate) fn less(self, other: Self) -> Self {
        Self { value: self.value - other.value, variance: self.variance + other.variance }
    }

    /// Without something that is known exactly.
    pub(crate) fn less_exactly(self, known: f64) -> Self {
        Self { value: self.value - known, ..self }
    }

    /// So many times as much.
    pub(crate) fn scaled(self, by: f64) -> Self {
        Self { value: self.value * by, variance: self.variance * by.powi(2) }
    }

    /// With its 90 % interval, by the normal approximation.
    pub(crate) fn by_normal(self) -> Estimate {
        Estimate::with_half_width(self.value, Z90 * self.variance.sqrt())
    }

    /// The mean of two estimates of one value, each with the weight of its variance; neither of
    /// which may be zero.
    pub(crate) fn pooled(self, other: Self) -> Self {
        let (a, b) = (1.0 / self.variance, 1.0 / other.variance);
        Self { value: (self.value * a + other.value * b) / (a + b), variance: 1.0 / (a + b) }
    }

    /// With its 90 % interval, by Student's t: the variance was found with so many degrees of
    /// freedom.
    pub(crate) fn by_student(self, freedom: f64) -> Estimate {
        Estimate::with_half_width(self.value, Z90 * (self.variance.max(0.0).sqrt() * student_widening(freedom)))
    }
}

impl From<Estimate> for Uncertain {
    fn from(estimate: Estimate) -> Self {
        Self::with_standard_error(estimate.value, estimate.standard_error())
    }
}

/// How much wider than the normal distribution's a 90 % interval of Student's t is (the expansion
/// of Cornish and Fisher).
fn student_widening(freedom: f64) -> f64 {
    let v = freedom.max(1.0);
    let z2 = Z90 * Z90;
    1.0 + (z2 + 1.0) / (4.0 * v) + (5.0 * z2 * z2 + 16.0 * z2 + 3.0) / (96.0 * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ninety_per_cent_interval_is_three_point_two_nine_standard_errors_wide() {
        let estimate = Uncertain::with_standard_error(5.0, 2.0).by_normal();
        assert!((estimate.high - estimate.low - 2.0 * 3.289_707_2).abs() < 1e-9);
        assert!((estimate.standard_error() - 2.0).abs() < 1e-12);
        assert!((Uncertain::from(estimate).variance - 4.0).abs() < 1e-9);
    }

    #[test]
    fn few_degrees_of_freedom_make_a_wide_interval() {
        // Student's t table, 95th percentile.
        for (freedom, t) in [(5.0, 2.015), (10.0, 1.812), (30.0, 1.697)] {
            let half = Uncertain { value: 0.0, variance: 1.0 }.by_student(freedom).high;
            assert!((half / t - 1.0).abs() < 0.01, "{freedom}: {half} for {t}");
        }
    }

    #[test]
    fn variances_add_up_in_sums_and_in_differences() {
        let (a, b) = (Uncertain { value: 5.0, variance: 3.0 }, Uncertain { value: 2.0, variance: 1.0 });
        assert_eq!(a.plus(b), Uncertain { value: 7.0, variance: 4.0 });
        assert_eq!(a.less(b).scaled(-2.0), Uncertain { value: -6.0, variance: 16.0 });
        assert_eq!(a.less_exactly(1.0), Uncertain { value: 4.0, variance: 3.0 });
    }
}
