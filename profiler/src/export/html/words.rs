//! Figures in words. A missing one is `n/a`, with its reason, and never a number.

use crate::{
    quantity::{Estimate, Figure, Provenance},
    text::numbers::NA,
    words::InWords,
};

/// A 90 % interval of a share.
pub(super) fn interval(i: Estimate) -> String {
    format!("90 % interval {:.1} to {:.1} %", i.low * 100.0, i.high * 100.0)
}

/// `measured`, `modelled: how`, `n/a: why`.
pub(super) fn provenance<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = if figure.provenance() == Provenance::Unavailable { NA } else { figure.provenance().name() };
    figure.note().map_or_else(|| name.to_owned(), |note| format!("{name}: {}", note.in_words()))
}

/// A figure, or `n/a`.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NA.to_owned(), words)
}

/// A figure with where it comes from; without one only the reason.
pub(super) fn told<T, N: InWords>(f: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    f.value().map_or_else(|| provenance(f), |value| format!("{} ({})", words(value), provenance(f)))
}
