//! What only the screen says: modelled figures with their mark, where a figure comes from, names of
//! modules, and what a search finds.

use crate::words::{InWords, provenance};
use crate::{
    quantity::{Figure, Provenance},
    text::{clean::clean, numbers::NA},
};

/// A figure: `~` before what is modelled, and a word for what is not to be had.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    match (figure.value(), figure.provenance()) {
        (None, _) => NA.to_owned(),
        (Some(value), Provenance::Modelled) => format!("~{}", words(value)),
        (Some(value), _) => words(value),
    }
}

/// Where a figure comes from: `measured`, `modelled: why`, `n/a: why`.
pub(super) fn origin<T, N: InWords>(figure: &Figure<T, N>) -> String {
    clean(&provenance(figure))
}

/// A module's name in brackets; some have theirs already.
pub(super) fn bracketed(module: &str) -> String {
    match module {
        "" => String::new(),
        name if name.starts_with('[') => format!(" {}", clean(name)),
        name => format!(" [{}]", clean(name)),
    }
}

/// Whether `text` holds `wanted`; capitals count only where `wanted` has some.
pub(super) fn contains(text: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return false;
    }
    if wanted.chars().any(char::is_uppercase) { text.contains(wanted) } else { text.to_lowercase().contains(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Note;
    use crate::text::numbers::percent;

    #[test]
    fn what_is_modelled_is_marked_and_what_is_missing_is_no_number() {
        let none: Figure<f64, _> = Figure::unavailable(Note::NoCalibration);
        assert_eq!((figure(&none, |v| v.to_string()), origin(&none)), (NA.into(), "n/a: no calibration".into()));
        assert_eq!(figure(&Figure::modelled(0.5, Note::SmallWorkingSets), |&v| percent(v)), "~50.0 %");
    }

    #[test]
    fn a_search_without_capitals_ignores_them() {
        assert!(contains("Read TCP", "tcp") && !contains("read tcp", "TCP") && !contains("anything", ""));
    }
}
