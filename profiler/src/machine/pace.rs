//! The machine's pace: how long the same work takes at one moment and at another.

/// How many times as long the same work takes at the pace `now` as at the pace `then`, both in ns
/// of the yardstick. 1 if one of them is not known.
pub(crate) fn slower(then: Option<f64>, now: Option<f64>) -> f64 {
    match (then, now) {
        (Some(then), Some(now)) if then > 0.0 && now > 0.0 => now / then,
        _ => 1.0,
    }
}
