//! The origin of prices: when they were measured, and how busy the machine was.

use serde::{Deserialize, Serialize};

/// Where prices come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// When they were measured.
    pub taken: Taken,
    /// Share of the CPUs that others used while they were measured, 0 to 1.
    pub others: f64,
}

/// When prices were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// By `calibrate`, so many seconds before they were used.
    Earlier {
        /// How long before, in seconds.
        seconds: u64,
    },
    /// Right after the target was measured.
    OnTheSpot,
}

/// Where the prices of a list come from, and how the pace has changed them since. It is kept in
/// words, because recordings keep it as text: `words` makes them from an [`Origin`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Source {
    words: String,
    /// How much slower the CPUs were than when the prices were measured, as a share: 0.25 is 25 %
    /// slower. Prices that are kept are those of the pace at which they were measured.
    pub slowed_by: f64,
}

impl Source {
    /// The origin in words.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Adds where some of the prices come from, in words made by `words`.
    pub fn add(&mut self, words: &str) {
        self.words.push_str("; ");
        self.words.push_str(words);
    }

    /// The same prices after CPUs have become slower by a factor of `by`.
    pub(super) fn slower(&self, by: f64) -> Self {
        Self { words: self.words.clone(), slowed_by: (1.0 + self.slowed_by) * by - 1.0 }
    }
}

impl From<String> for Source {
    fn from(words: String) -> Self {
        Self { words, slowed_by: 0.0 }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_kept_as_text_and_without_a_pace() {
        let source = Source::from("made up".to_owned());
        let kept = serde_json::to_string(&source.slower(1.5)).unwrap();
        assert_eq!(kept, r#""made up""#);
        assert_eq!(serde_json::from_str::<Source>(&kept).unwrap(), source);
    }
}
