//! Figures in words. A missing one is `n/a`, with its reason, and never a number.

use crate::{
    quantity::{Figure, Interval, Provenance},
    text::numbers::NA,
};

/// A 90 % interval of a share.
pub(super) fn interval(i: Interval) -> String {
    format!("90 % interval {:.1} to {:.1} %", i.low * 100.0, i.high * 100.0)
}

/// `measured`, `modelled: how`, `n/a: why`.
pub(super) fn provenance<T>(figure: &Figure<T>) -> String {
    let name = if figure.provenance() == Provenance::Unavailable { NA } else { figure.provenance().name() };
    if figure.note().is_empty() { name.to_owned() } else { format!("{name}: {}", figure.note()) }
}

/// A figure, or `n/a`.
pub(super) fn figure<T>(figure: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NA.to_owned(), words)
}

/// A figure with where it comes from; without one only the reason.
pub(super) fn told<T>(f: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    f.value().map_or_else(|| provenance(f), |value| format!("{} ({})", words(value), provenance(f)))
}
