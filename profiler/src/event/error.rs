//! event/error: what makes no sense among what came over the wire.

/// A record that makes no sense: the object and the user side are not of one build, or memory was
/// torn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{record} {id}: {field} holds {value}, which means nothing")]
pub struct DecodeError {
    pub(super) record: &'static str,
    pub(super) id: u32,
    pub(super) field: &'static str,
    pub(super) value: u32,
}

/// No counter of one measurement reaches this: 2.3 years in nanoseconds. Sums of a thousand such
/// still fit.
pub(super) const LIMIT: u64 = 1 << 56;
