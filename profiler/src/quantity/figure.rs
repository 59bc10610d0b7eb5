//! A figure and where it comes from.

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// Counted or timed on the target itself.
    Measured,
    /// Derived from measurements by an assumption that is named with it.
    Modelled,
    /// Not to be had here; the reason is named with it.
    Unavailable,
}

impl Provenance {
    /// In reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "modelled",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A value with its provenance. What is unavailable has no value: never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<T> {
    value: Option<T>,
    provenance: Provenance,
    note: String,
}

impl<T> Figure<T> {
    /// Counted or timed.
    pub fn measured(value: T) -> Self {
        Self { value: Some(value), provenance: Provenance::Measured, note: String::new() }
    }

    /// Derived; `note` names the assumption.
    pub fn modelled(value: T, note: impl Into<String>) -> Self {
        Self { value: Some(value), provenance: Provenance::Modelled, note: note.into() }
    }

    /// Not to be had; `note` says why.
    pub fn unavailable(note: impl Into<String>) -> Self {
        Self { value: None, provenance: Provenance::Unavailable, note: note.into() }
    }

    /// With a word on what it rests on.
    pub fn noted(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Where it comes from.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The assumption or the reason; empty for what was measured plainly.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Another value of the same origin.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Figure<U> {
        Figure { value: self.value.as_ref().map(f), provenance: self.provenance, note: self.note.clone() }
    }
}

/// A 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Around a mean with this standard error, by the normal approximation.
    pub fn around(mean: f64, standard_error: f64) -> Self {
        // The 95th percentile of the standard normal distribution.
        let half = 1.644_853_6 * standard_error;
        Self { low: mean - half, high: mean + half }
    }

    /// Half its width.
    pub fn half(self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Moved and stretched: `a + b·x`.
    pub fn scaled(self, a: f64, b: f64) -> Self {
        let (x, y) = (a + b * self.low, a + b * self.high);
        Self { low: x.min(y), high: x.max(y) }
    }
}
