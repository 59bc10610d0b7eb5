//! Which of two rows is better, where their runs say so.

use super::results::Row;
use crate::{harness::statistics::Interval, host::numbers::decimal};

/// What comes of comparing one row's figure with another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Difference {
    /// Their spreads overlap.
    None,
    /// The one's median as a multiple of the other's.
    Times(f64),
}

impl Difference {
    pub(super) fn new(one: Interval, other: Interval) -> Self {
        if one.overlaps(&other) { Self::None } else { Self::Times(one.value / other.value) }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Times(times) => format!("× {}", decimal(times, 2)),
        }
    }
}

/// One row against another: reads a second, and CPU for a read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Against {
    pub(super) rate: Difference,
    pub(super) cpu: Difference,
}

impl Against {
    pub(super) fn new(one: &Row, other: &Row) -> Option<Self> {
        Some(Self { rate: Difference::new(one.rate()?, other.rate()?), cpu: Difference::new(one.cpu()?, other.cpu()?) })
    }
}

/// In how many comparisons the one is ahead, behind, or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) more: usize,
    pub(super) none: usize,
    pub(super) less: usize,
}

impl Tally {
    pub(super) fn new(differences: impl Iterator<Item = Difference>) -> Self {
        differences.fold(Self::default(), |mut tally, difference| {
            match difference {
                Difference::None => tally.none += 1,
                Difference::Times(times) if times > 1.0 => tally.more += 1,
                Difference::Times(_) => tally.less += 1,
            }
            tally
        })
    }

    pub(super) const fn all(self) -> usize {
        self.more + self.none + self.less
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_inside_the_spread_is_none() {
        let figure = |low, value, high| Interval { low, value, high };
        let apart = Difference::new(figure(3.0, 4.0, 5.0), figure(1.0, 2.0, 2.5));
        let close = Difference::new(figure(2.0, 4.0, 5.0), figure(1.0, 2.0, 2.5));
        assert_eq!((apart, close), (Difference::Times(2.0), Difference::None));
        assert_eq!((apart.text(), close.text()), ("× 2.00".to_owned(), "none".to_owned()));
        let tally = Tally::new([apart, close, Difference::Times(0.5)].into_iter());
        assert_eq!(tally, Tally { more: 1, none: 1, less: 1 });
        assert_eq!(tally.all(), 3);
    }
}
