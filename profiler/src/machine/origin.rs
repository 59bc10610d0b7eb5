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
    /// Beside a target that this process measured before, so many seconds before they were used.
    Here {
        /// How long before, in seconds.
        seconds: u64,
    },
    /// Right after the target was measured.
    OnTheSpot,
}

/// Prices of a list that come from elsewhere than the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// Those of requests past the page cache, from `calibrate --file` of the target's file system.
    FileSystem,
}

/// Where the prices of a list come from, and how the pace has changed them since. The origin is
/// kept in words, because recordings keep it as text: `words` makes them from an [`Origin`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Source {
    words: String,
    beside: Vec<Beside>,
    /// How much slower the CPUs were than when the prices were measured, as a share: 0.25 is 25 %
    /// slower. Prices that are kept are those of the pace at which they were measured.
    pub slowed_by: f64,
}

impl Source {
    /// The origin in words.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Which prices come from elsewhere.
    pub fn beside(&self) -> &[Beside] {
        &self.beside
    }

    /// Notes prices that come from elsewhere.
    pub fn add(&mut self, prices: Beside) {
        self.beside.push(prices);
    }

    /// The same prices after CPUs have become slower by a factor of `by`.
    pub(super) fn slower(&self, by: f64) -> Self {
        Self { slowed_by: (1.0 + self.slowed_by) * by - 1.0, ..self.clone() }
    }
}

impl From<String> for Source {
    fn from(words: String) -> Self {
        Self { words, ..Self::default() }
    }
}

/// A source as recordings keep it: its words alone, where nothing comes from elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Words(String),
    Parts { words: String, beside: Vec<Beside> },
}

impl From<Kept> for Source {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Words(words) => words.into(),
            Kept::Parts { words, beside } => Self { words, beside, slowed_by: 0.0 },
        }
    }
}

impl From<Source> for Kept {
    fn from(Source { words, beside, .. }: Source) -> Self {
        if beside.is_empty() { Self::Words(words) } else { Self::Parts { words, beside } }
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

    #[test]
    fn prices_from_elsewhere_are_kept_with_the_source() {
        let mut source = Source::from("made up".to_owned());
        source.add(Beside::FileSystem);
        let kept = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<Source>(&kept).unwrap(), source);
        assert_eq!(source.slower(2.0).beside(), [Beside::FileSystem]);
    }
}
