//! What can be said in English.

use crate::{quantity::Figure, text::numbers::NA};

/// A value that has an English phrase or sentence.
pub trait InWords {
    /// The phrase, without a full stop unless it is a whole sentence.
    fn in_words(&self) -> String;
}

/// A phrase with a capital, as titles and sentences begin.
pub fn title(phrase: &str) -> String {
    let mut letters = phrase.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Where a figure comes from: `measured`, `modelled: why`, `n/a: why`.
pub fn provenance<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = if figure.value().is_none() { NA } else { figure.provenance().name() };
    match note(figure).as_str() {
        "" => name.to_owned(),
        note => format!("{name}: {note}"),
    }
}

/// A figure's note in words; empty where it was measured plainly.
pub fn note<T, N: InWords>(figure: &Figure<T, N>) -> String {
    figure.note().map(InWords::in_words).unwrap_or_default()
}
