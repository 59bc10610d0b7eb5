//! One figure of a calibration as a cell of a table.

use crate::{
    quantity::{Estimate, Repeats},
    text::numbers::{NA, span, whole_percent},
};

/// The median, ± half the spread as a share of it. For a cost that may be zero there is no such
/// share: it is called noise, ± half the spread.
pub(super) fn cost(cost: &Repeats) -> String {
    let half = cost.spread() / 2.0;
    if cost.may_be_zero() {
        return format!("noise ±{}", span(half));
    }
    format!("{} ±{}", span(cost.median), whole_percent(half / cost.median.abs()))
}

/// The value, ± half its interval; noise, where the interval includes zero.
pub(super) fn estimate(cost: Estimate) -> String {
    let half = span(cost.half_width());
    if cost.contains(0.0) {
        return format!("noise ±{half}");
    }
    format!("{} ±{half}", span(cost.value))
}

pub(super) fn maybe(value: Option<&Repeats>) -> String {
    value.map_or_else(|| NA.to_owned(), cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_that_may_be_zero_is_called_noise() {
        let cell = |median, low, high, repeats| cost(&Repeats { median, low, high, repeats });
        assert_eq!(cell(-18_300.0, -40_000.0, 12_400.0, 9), "noise ±26.2 µs");
        assert_eq!(cell(60.0, -700.0, 800.0, 7), "noise ±750 ns");
        assert_eq!(cell(-0.2, -0.4, 1_200.0, 31), "noise ±600 ns");
        assert_eq!(cell(0.0, 0.0, 0.0, 5), "noise ±0 ns");
    }

    #[test]
    fn an_interval_that_includes_zero_is_called_noise() {
        let cell = |value, low, high| estimate(Estimate { value, low, high });
        assert_eq!(cell(-300.0, -1_400.0, 1_000.0), "noise ±1.20 µs");
        assert_eq!(cell(2_000.0, 1_900.0, 2_100.0), "2.00 µs ±100 ns");
    }

    #[test]
    fn every_other_cost_has_its_spread() {
        let cell = |median, low, high, repeats| cost(&Repeats { median, low, high, repeats });
        assert_eq!(cell(2_090.0, 2_000.0, 2_200.0, 21), "2.09 µs ±5 %");
        assert_eq!(cell(-300.0, -330.0, -270.0, 61), "-300 ns ±10 %", "all repeats agree that it is less");
        assert_eq!(maybe(None), "n/a");
    }
}
