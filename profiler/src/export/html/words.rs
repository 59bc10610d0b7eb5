//! Figures in words. A missing one is `n/a`, with its reason, and never a number.

use crate::{
    quantity::{Estimate, Figure},
    text::numbers::{NA, range},
};

/// A 90 % interval of a share.
pub(super) fn interval(i: Estimate) -> String {
    format!("90 %: {}", range(i))
}

/// A figure, or `n/a`.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NA.to_owned(), words)
}
