//! One figure of a calibration as a cell of a table.

use crate::{
    quantity::{Nanos, Repeats},
    text::numbers::NA,
};

/// The median, ± half the spread as a share of it. For a cost that may be zero there is no such
/// share: it is called noise, ± half the spread.
pub(super) fn cost(cost: &Repeats) -> String {
    let half = cost.spread() / 2.0;
    if cost.may_be_zero() {
        return format!("noise ±{}", span(half));
    }
    format!("{} ±{:.0}%", span(cost.median), half / cost.median.abs() * 100.0)
}

pub(super) fn maybe(value: Option<&Repeats>) -> String {
    value.map_or_else(|| NA.to_owned(), cost)
}

/// A time with its sign: a difference of two costs may be negative.
pub(super) fn span(ns: f64) -> String {
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() }
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
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
    fn every_other_cost_has_its_spread() {
        let cell = |median, low, high, repeats| cost(&Repeats { median, low, high, repeats });
        assert_eq!(cell(2_090.0, 2_000.0, 2_200.0, 21), "2.09 µs ±5%");
        assert_eq!(cell(-300.0, -330.0, -270.0, 61), "-300 ns ±10%", "all repeats agree that it is less");
        assert_eq!(maybe(None), "n/a");
    }

    #[test]
    fn sizes_and_times_have_the_unit_that_fits() {
        assert_eq!([64, 4096, 8 << 20].map(size), ["64 B", "4 KiB", "8 MiB"]);
        assert_eq!([-1_500.0, -0.2, 873.0].map(span), ["-1.50 µs", "0 ns", "873 ns"]);
    }
}
