//! Time as one private integer: spans and monotonic instants in nanoseconds.

use std::fmt;

/// A span of time or a monotonic instant, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Nanos(u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    pub const fn from_micros(us: u64) -> Self {
        Self(us * 1_000)
    }

    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// In seconds, for ratios and screens.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// How many times as long as `other` it is. `other` counts as 1 ns at least: no time is nothing
    /// of no time.
    pub fn ratio_to(self, other: Self) -> f64 {
        self.0 as f64 / other.0.max(1) as f64
    }

    /// The difference, or zero where `other` is the larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// As the standard library's type.
    pub const fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(span: std::time::Duration) -> Self {
        Self(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Nanos {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a + b)
    }
}

/// Three significant figures and the unit that fits: `0 ns`, `873 ns`, `4.21 µs`, `1.50 s`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            0..1_000 => return f.pad(&format!("{} ns", self.0)),
            1_000..999_500 => (self.0 as f64 / 1e3, "µs"),
            999_500..999_500_000 => (self.0 as f64 / 1e6, "ms"),
            _ => (self.0 as f64 / 1e9, "s"),
        };
        let digits = match value {
            v if v < 9.995 => 2,
            v if v < 99.95 => 1,
            _ => 0,
        };
        f.pad(&format!("{value:.digits$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanos_print_three_figures_and_carry_into_the_next_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_996, "10.0 µs"),
            (123_456, "123 µs"),
            (999_499, "999 µs"),
            (999_600, "1.00 ms"),
            (999_500_000, "1.00 s"),
            (1_500_000_000, "1.50 s"),
        ] {
            assert_eq!(Nanos::from_nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn no_time_is_nothing_of_no_time() {
        let [zero, one, two] = [0, 1_000, 2_000].map(Nanos::from_nanos);
        assert_eq!((one.ratio_to(two), two.ratio_to(one), zero.ratio_to(zero)), (0.5, 2.0, 0.0));
    }

    #[test]
    fn differences_never_wrap() {
        assert_eq!(Nanos::from_nanos(1).saturating_sub(Nanos::from_nanos(2)), Nanos::ZERO);
    }
}
