//! How two recordings differ, in words.

use super::{in_words::InWords, missing::TOO_FEW_PARTS};
use crate::{
    answer::{Change, Diff, Measure},
    text::numbers::{self, NA, decimal, span},
};

/// How far a comparison goes.
pub const DIFF_NOISE: &str = "The noise is that of each recording's own seconds. Two runs of one program can differ by more: \
                              compare several pairs before you act on a small change. The direct cost is the mean of a whole \
                              recording times the blocks.";

impl Change {
    /// What it was before and after, both with the digits of the finer one.
    pub fn amounts(&self) -> [String; 2] {
        let both = [self.before, self.after];
        let fine = both.iter().any(|value| *value != 0.0 && value.abs() < 1.0) && both.iter().all(|v| v.abs() < 100.0);
        let one = |value| if fine && !self.measure.is_time() { decimal(value, 4) } else { amount(self.measure, value) };
        both.map(one)
    }

    /// By how much it changed, and the 90 % interval of that.
    pub fn in_percent(&self) -> (String, String) {
        match (self.relative(), self.difference) {
            (Some(share), Some(difference)) => {
                let interval = numbers::change_range(difference.scaled(1.0 / self.before));
                (numbers::change(share), format!("({interval})"))
            }
            (Some(share), None) => (numbers::change(share), format!("{NA}: {TOO_FEW_PARTS}")),
            (None, Some(_)) => (NA.to_owned(), NA.to_owned()),
            (None, None) => (NA.to_owned(), format!("{NA}: {TOO_FEW_PARTS}")),
        }
    }

    /// What that says; nothing where the interval says why it is missing.
    pub fn judgement(&self) -> &'static str {
        match (self.difference, self.is_beyond_noise()) {
            (None, _) => "",
            (_, false) => "within the noise",
            (_, true) if self.after > self.before => "more",
            (_, true) => "less",
        }
    }
}

impl Diff {
    /// How many units there were in one of the two.
    pub fn units_in_words(&self, units: f64) -> String {
        format!("{} × {}", amount(Measure::Calls, units), self.per.unit())
    }

    /// What figures are divided by, and why by that.
    pub fn unit_in_words(&self) -> String {
        format!("per {}: {}", self.per.unit(), self.why.in_words())
    }
}

fn amount(measure: Measure, value: f64) -> String {
    if measure.is_time() { span(value) } else { numbers::amount(value) }
}
