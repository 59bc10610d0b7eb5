//! Figures with their provenance.

use crate::{
    quantity::{Figure, Provenance},
    text::{clean::clean, numbers::NA},
    words::{InWords, note},
};

/// `measured`, or `modelled: why`.
pub(super) fn provenance<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = figure.provenance().name();
    match (figure.provenance(), clean(&note(figure))) {
        (_, note) if note.is_empty() => name.to_owned(),
        // `n/a` stands where the figure would.
        (Provenance::Unavailable, note) => note,
        (_, note) => format!("{name}: {note}"),
    }
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
        assert_eq!((figure(&none, u64::to_string), provenance(&none)), (NA.into(), "no calibration".into()));
    }
}
