//! Figures with their provenance.

use crate::{
    quantity::Figure,
    text::{clean::clean, numbers::NA},
    words::{InWords, provenance},
};

/// A figure and where it comes from: `1.50 µs, measured`, `1.50 µs, modelled: why`, `n/a: why`.
pub(super) fn with_origin<T, N: InWords>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    let origin = clean(&provenance(figure));
    figure.value().map_or_else(|| origin.clone(), |value| format!("{}, {origin}", words(value)))
}

/// A figure, or `n/a`.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NA.to_owned(), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost;

    #[test]
    fn what_is_unavailable_is_a_word_and_never_a_number() {
        let none: Figure<u64, _> = Figure::unavailable(cost::Note::NoCalibration);
        assert_eq!(
            (figure(&none, u64::to_string), with_origin(&none, u64::to_string)),
            (NA.into(), "n/a: no calibration".into())
        );
    }
}
