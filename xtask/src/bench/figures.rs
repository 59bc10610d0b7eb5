//! Medians with their spread, and bars: what must hold, and how sure the rounds make us of it.

use std::fmt;

use crate::{
    harness::statistics::median,
    host::numbers::{NA, with_range},
};

/// Median, smallest and largest of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) rounds: usize,
}

impl Spread {
    /// `None` where there are no values.
    pub(super) fn from_values(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        Some(Self { median: median(&values)?, min, max, rounds: values.len() })
    }

    /// As text, every number through `each`.
    pub(super) fn text(&self, each: impl Fn(f64) -> String) -> String {
        if self.rounds == 1 {
            return each(self.median);
        }
        with_range([self.min, self.median, self.max], each)
    }
}

/// A cell of a table.
pub(super) fn cell(spread: Option<Spread>, each: impl Fn(f64) -> String) -> String {
    spread.map_or_else(|| NA.to_owned(), |spread| spread.text(each))
}

/// How a bar came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every round is on the good side.
    Pass,
    /// The median is on the good side, but not every round.
    PassInNoise,
    /// Every round is on the bad side.
    Fail,
    /// The median is on the bad side, but not every round.
    FailInNoise,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::PassInNoise => "pass, but the bar is within the spread",
            Self::Fail => "**FAIL**",
            Self::FailInNoise => "**FAIL**, but the bar is within the spread",
        })
    }
}

/// Something that must hold.
pub(super) struct Bar {
    pub(super) what: String,
    /// The limit in words.
    pub(super) limit: String,
    /// What was measured, in words, and how it came out; an error says why it was not.
    pub(super) found: Result<(String, Outcome), String>,
}

impl Bar {
    /// At most `limit`; `each` prints a value in its unit.
    pub(super) fn at_most(what: &str, limit: f64, found: Result<Spread, String>, each: impl Fn(f64) -> String) -> Self {
        let found = found.map(|spread| {
            let outcome = match (spread.median <= limit, spread.max <= limit, spread.min <= limit) {
                (true, true, _) => Outcome::Pass,
                (true, false, _) => Outcome::PassInNoise,
                (false, _, true) => Outcome::FailInNoise,
                (false, _, false) => Outcome::Fail,
            };
            (spread.text(&each), outcome)
        });
        Self { what: what.to_owned(), limit: format!("≤ {}", each(limit)), found }
    }

    /// What the bar needs is not met, or not known.
    pub(super) fn holds(&self) -> bool {
        matches!(&self.found, Ok((_, Outcome::Pass | Outcome::PassInNoise)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::numbers::nanos;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(Spread::from_values([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0, rounds: 3 }));
        assert_eq!(Spread::from_values([4.0, 1.0, 2.0, 3.0]).map(|s| s.median), Some(2.5));
        assert_eq!(Spread::from_values([]), None);
    }

    #[test]
    fn a_bar_within_the_spread_is_named_so() {
        let outcome = |values: [f64; 3]| {
            let spread = Spread::from_values(values).ok_or_else(String::new);
            Bar::at_most("x", 10.0, spread, nanos).found.map(|(_, outcome)| outcome)
        };
        assert_eq!(outcome([1.0, 2.0, 10.0]), Ok(Outcome::Pass));
        assert_eq!(outcome([1.0, 2.0, 11.0]), Ok(Outcome::PassInNoise));
        assert_eq!(outcome([9.0, 11.0, 12.0]), Ok(Outcome::FailInNoise));
        assert_eq!(outcome([11.0, 11.0, 12.0]), Ok(Outcome::Fail));
        assert!(!Bar::at_most("x", 1.0, Err("not measured".into()), nanos).holds());
    }
}
