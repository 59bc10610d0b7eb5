//! What can be said in English.

use crate::quantity::Figure;

/// A value that has an English phrase or sentence.
pub trait InWords {
    /// The phrase, without a full stop unless it is a whole sentence.
    fn in_words(&self) -> String;
}

/// A figure's note in words; empty where it was measured plainly.
pub fn note<T, N: InWords>(figure: &Figure<T, N>) -> String {
    figure.note().map(InWords::in_words).unwrap_or_default()
}
