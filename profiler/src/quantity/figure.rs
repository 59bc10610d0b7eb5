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
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "modelled",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A value with its provenance, and a note of type `N`: what it assumes, or why there is none.
/// What is unavailable has no value: never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<T, N> {
    value: Option<T>,
    provenance: Provenance,
    note: Option<N>,
}

impl<T, N> Figure<T, N> {
    /// A figure that was counted or timed.
    pub fn measured(value: T) -> Self {
        Self { value: Some(value), provenance: Provenance::Measured, note: None }
    }

    /// Derived; `note` names the assumption.
    pub fn modelled(value: T, note: N) -> Self {
        Self { value: Some(value), provenance: Provenance::Modelled, note: Some(note) }
    }

    /// Not to be had; `note` says why.
    pub fn unavailable(note: N) -> Self {
        Self { value: None, provenance: Provenance::Unavailable, note: Some(note) }
    }

    /// With a note on what it rests on.
    pub fn noted(self, note: N) -> Self {
        Self { note: Some(note), ..self }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Where it comes from.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The assumption or the reason; `None` for what was measured plainly.
    pub fn note(&self) -> Option<&N> {
        self.note.as_ref()
    }

    /// The same figure with a note of another type.
    pub fn map_note<M>(self, f: impl FnOnce(N) -> M) -> Figure<T, M> {
        Figure { value: self.value, provenance: self.provenance, note: self.note.map(f) }
    }
}

impl<T, N: Clone> Figure<T, N> {
    /// Another value of the same origin.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Figure<U, N> {
        Figure { value: self.value.as_ref().map(f), provenance: self.provenance, note: self.note.clone() }
    }
}
