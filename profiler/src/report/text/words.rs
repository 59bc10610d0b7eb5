//! Figures with their provenance, and the names of families.

use crate::{
    event::Family,
    quantity::{Figure, Provenance},
    text::{clean::clean, numbers::NA},
};

/// `measured`, or `modelled: why`.
pub(super) fn provenance<T>(figure: &Figure<T>) -> String {
    let name = figure.provenance().name();
    match (figure.provenance(), figure.note()) {
        (_, "") => name.to_owned(),
        // `n/a` stands where the figure would.
        (Provenance::Unavailable, note) => clean(note),
        (_, note) => format!("{name}: {}", clean(note)),
    }
}

/// A figure, or `n/a`.
pub(super) fn figure<T>(figure: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NA.to_owned(), words)
}

/// A family's name.
pub(super) const fn family(family: Family) -> &'static str {
    match family {
        Family::BlockingIo => "blocking IO",
        Family::EventWait => "event wait",
        Family::Lock => "lock",
        Family::Timer => "timer",
        Family::Accept => "accept",
        Family::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unavailable_is_a_word_and_never_a_number() {
        let none: Figure<u64> = Figure::unavailable("no PMU");
        assert_eq!((figure(&none, u64::to_string), provenance(&none)), (NA.into(), "no PMU".into()));
    }
}
