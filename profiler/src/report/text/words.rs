//! Figures in words: counts, shares, spans, provenance.

use super::clean::clean;
use crate::{
    event::Family,
    quantity::{Figure, Nanos, Provenance},
    text::numbers,
    words::{InWords, note},
};

/// What stands where there is no figure because there was nothing to measure.
pub(super) const NOTHING: &str = "–";

/// A share in percent; what is there and too small to print is `<0.1 %`, not 0.
pub(super) fn percent(ratio: f64) -> String {
    numbers::share(ratio, 1).unwrap_or_else(|| NOTHING.to_owned())
}

/// A share that should be tiny, one digit finer.
pub(super) fn residual(ratio: f64) -> String {
    numbers::share(ratio, 2).unwrap_or_else(|| NOTHING.to_owned())
}

/// A part of a whole in percent; nothing where the whole is.
pub(super) fn part(part: f64, whole: Nanos) -> String {
    numbers::part(part, whole).unwrap_or_else(|| NOTHING.to_owned())
}

/// Signed nanoseconds.
pub(super) fn span(ns: f64) -> String {
    numbers::span(ns).unwrap_or_else(|| NOTHING.to_owned())
}

/// A time where there is one.
pub(super) fn maybe(time: Option<Nanos>) -> String {
    time.map_or_else(|| NOTHING.to_owned(), |t| t.to_string())
}

/// A mean where something was counted.
pub(super) fn mean(sum: Nanos, count: u64) -> String {
    maybe(sum.as_nanos().checked_div(count).map(Nanos::from_nanos))
}

/// `measured`, or `modelled: why`.
pub(super) fn provenance<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = figure.provenance().name();
    match (figure.provenance(), clean(&note(figure))) {
        (_, note) if note.is_empty() => name.to_owned(),
        // The word stands where the figure would.
        (Provenance::Unavailable, note) => note,
        (_, note) => format!("{name}: {note}"),
    }
}

/// A figure, or the word that there is none.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| Provenance::Unavailable.name().to_owned(), words)
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
    use crate::cost;

    #[test]
    fn what_is_unavailable_is_a_word_and_never_a_number() {
        let none: Figure<u64, _> = Figure::unavailable(cost::Note::NoCalibration);
        assert_eq!((figure(&none, u64::to_string), provenance(&none)), ("unavailable".into(), "no calibration".into()));
    }
}
