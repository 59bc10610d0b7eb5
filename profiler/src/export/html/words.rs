//! Figures in words. A missing one is `n/a`, with its reason, and never a number.

use crate::{
    quantity::{Estimate, Figure, Nanos, Provenance},
    text::numbers,
    words::InWords,
};

/// What stands where there is no figure.
pub(super) const NONE: &str = "n/a";

/// A share in percent; what is there and too small to print is `<0.1 %`, not 0.
pub(super) fn percent(ratio: f64) -> String {
    numbers::share(ratio, 1).unwrap_or_else(|| NONE.to_owned())
}

/// A part of a whole in percent; `n/a` where the whole is nothing.
pub(super) fn part(part: f64, whole: Nanos) -> String {
    numbers::part(part, whole).unwrap_or_else(|| NONE.to_owned())
}

/// Signed nanoseconds.
pub(super) fn span(ns: f64) -> String {
    numbers::span(ns).unwrap_or_else(|| NONE.to_owned())
}

/// A 90 % interval of a share.
pub(super) fn interval(i: Estimate) -> String {
    format!("90 % interval {:.1} to {:.1} %", i.low * 100.0, i.high * 100.0)
}

/// `measured`, `modelled: how`, `n/a: why`.
pub(super) fn provenance<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = if figure.provenance() == Provenance::Unavailable { NONE } else { figure.provenance().name() };
    figure.note().map_or_else(|| name.to_owned(), |note| format!("{name}: {}", note.in_words()))
}

/// A figure, or `n/a`.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NONE.to_owned(), words)
}

/// A figure with where it comes from; without one only the reason.
pub(super) fn told<T, N: InWords>(f: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    f.value().map_or_else(|| provenance(f), |value| format!("{} ({})", words(value), provenance(f)))
}
