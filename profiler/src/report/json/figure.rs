//! A figure in JSON: a value that says where it comes from.

use crate::quantity;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    event::Stat,
    quantity::{Estimate, Nanos},
    words::{self, InWords, note},
};

/// A share: 0.5 is 50 %.
pub(super) type Ratio = f64;

/// Low, middle, high; modelled, 90 %.
#[derive(Serialize, JsonSchema)]
pub(super) struct Range {
    /// Lower end.
    low: f64,
    /// The middle: the figure itself.
    value: f64,
    /// Upper end.
    high: f64,
}

impl From<Estimate> for Range {
    fn from(estimate: Estimate) -> Self {
        let Estimate { value, low, high } = estimate;
        Self { low, value, high }
    }
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Provenance {
    /// Counted or timed on the target itself.
    Measured,
    /// Derived from measurements by an assumption that the note names.
    Modelled,
    /// Not to be had; the note says why.
    Unavailable,
}

/// A figure. Its unit is in the key that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(extend(
    "if" = { "properties": { "provenance": { "const": "unavailable" } } },
    "then" = { "properties": { "value": { "type": "null" } }, "required": ["note"] },
    "else" = { "properties": { "value": { "not": { "type": "null" } } } }
))]
pub(super) struct Figure<T> {
    /// The value; null when, and only when, it is unavailable.
    value: Option<T>,
    /// Whether it was measured or modelled, or is not available.
    provenance: Provenance,
    /// The assumption behind it, or why it is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl<T> Figure<T> {
    pub(super) fn measured(value: T) -> Self {
        Self { value: Some(value), provenance: Provenance::Measured, note: None }
    }

    pub(super) fn modelled(value: T, note: &str) -> Self {
        Self { value: Some(value), provenance: Provenance::Modelled, note: Some(note.to_owned()) }
    }

    pub(super) fn unavailable(note: &str) -> Self {
        let note = if note.is_empty() { words::NO_REASON } else { note };
        Self { value: None, provenance: Provenance::Unavailable, note: Some(note.to_owned()) }
    }

    /// Measured where there was something to measure.
    pub(super) fn maybe(value: Option<T>, why_not: &str) -> Self {
        value.map_or_else(|| Self::unavailable(why_not), Self::measured)
    }

    /// With a note on how exact it is.
    pub(super) fn noted(self, note: &str) -> Self {
        if self.value.is_none() { self } else { Self { note: Some(note.to_owned()), ..self } }
    }
}

impl Figure<f64> {
    /// A number from the model; one that is none (a division by nothing) is unavailable.
    pub(super) fn new<N: InWords>(figure: &quantity::Figure<f64, N>) -> Self {
        Self::derived(figure, figure.value().copied(), words::NOT_A_NUMBER)
    }

    /// Another number of the same origin.
    pub(super) fn derived<U, N: InWords>(from: &quantity::Figure<U, N>, value: Option<f64>, why_not: &str) -> Self {
        match (value.filter(|v| v.is_finite()), from.provenance()) {
            (_, quantity::Provenance::Unavailable) => Self::unavailable(&note(from)),
            (None, _) => Self::unavailable(why_not),
            (Some(value), quantity::Provenance::Measured) => {
                Self { note: from.note().map(InWords::in_words), ..Self::measured(value) }
            }
            (Some(value), quantity::Provenance::Modelled) => Self::modelled(value, &note(from)),
        }
    }

    /// A quotient of two measured numbers.
    pub(super) fn ratio(part: f64, whole: f64, why_not: &str) -> Self {
        Self::maybe(Some(part / whole).filter(|r| r.is_finite()), why_not)
    }

    /// A measured number that may be none.
    pub(super) fn finite(value: f64) -> Self {
        Self::maybe(Some(value).filter(|v| v.is_finite()), words::NOT_A_NUMBER)
    }
}

impl Figure<u64> {
    /// A time.
    pub(super) fn time(time: Nanos) -> Self {
        Self::measured(time.as_nanos())
    }

    /// A time where there was something to time.
    pub(super) fn maybe_time(time: Option<Nanos>, why_not: &str) -> Self {
        Self::maybe(time.map(Nanos::as_nanos), why_not)
    }

    /// A time from the model.
    pub(super) fn from_time<N: InWords>(figure: &quantity::Figure<Nanos, N>) -> Self {
        match (figure.value(), figure.provenance()) {
            (Some(time), quantity::Provenance::Measured) => Self::time(*time),
            (Some(time), quantity::Provenance::Modelled) => Self::modelled(time.as_nanos(), &note(figure)),
            _ => Self::unavailable(&note(figure)),
        }
    }
}

/// A bucket of a log2 histogram of durations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct TimeBucket {
    /// Shortest duration in it.
    from_ns: u64,
    /// Durations in it are shorter than this; null in the last, open bucket.
    below_ns: Option<u64>,
    /// Durations in the bucket.
    count: u64,
}

/// The buckets that are not empty.
pub(super) fn histogram(buckets: &[u32]) -> Figure<Vec<TimeBucket>> {
    let last = buckets.len().saturating_sub(1);
    debug_assert_eq!(buckets.len(), Stat::ZERO.buckets.len());
    let buckets = buckets.iter().enumerate().filter(|&(_, &n)| n > 0).map(|(i, &n)| TimeBucket {
        from_ns: if i == 0 { 0 } else { 1 << i },
        below_ns: (i < last).then(|| 1 << (i + 1)),
        count: n.into(),
    });
    Figure::measured(buckets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Note;

    #[test]
    fn a_number_that_is_none_is_unavailable() {
        let nan = Figure::new(&quantity::Figure::<_, Note>::measured(f64::NAN));
        assert_eq!(nan, Figure::unavailable("not a number"));
        assert_eq!(Figure::ratio(0.0, 0.0, "nothing").provenance, Provenance::Unavailable);
        assert_eq!(Figure::finite(f64::INFINITY).value, None);
    }

    #[test]
    fn the_origin_goes_with_the_value() {
        let figure = Figure::new(&quantity::Figure::modelled(0.5, Note::SmallWorkingSets));
        assert_eq!(
            serde_json::to_string(&figure).unwrap(),
            r#"{"value":0.5,"provenance":"modelled","note":"two threads with small working sets, on this machine"}"#
        );
        let none = Figure::from_time(&quantity::Figure::unavailable(Note::NoCalibration));
        assert_eq!(
            serde_json::to_string(&none).unwrap(),
            r#"{"value":null,"provenance":"unavailable","note":"no calibration"}"#
        );
    }

    #[test]
    fn the_last_bucket_is_open() {
        let mut buckets = Stat::ZERO.buckets;
        buckets[0] = 1;
        buckets[35] = 2;
        let figure = histogram(&buckets).value.unwrap();
        assert_eq!(figure[0], TimeBucket { from_ns: 0, below_ns: Some(2), count: 1 });
        assert_eq!(figure[1], TimeBucket { from_ns: 1 << 35, below_ns: None, count: 2 });
    }
}
