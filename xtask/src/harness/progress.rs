//! Lines for the terminal while a suite runs.

use anyhow::{Context as _, Result};

use super::{
    results::{Cell, Prediction, Status, Truth},
    statistics::Interval,
};
use crate::host::numbers::decimal;

/// Writes a line of a suite to stderr: stdout is for the tables.
pub(crate) fn tell(suite: &str, line: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{suite}: {line}").context("writing to stderr")
}

/// `28.1 (25.0 – 31.0)`
pub(crate) fn interval(found: &Interval) -> String {
    let [value, low, high] = [found.value, found.low, found.high].map(|percent| decimal(percent, 1));
    format!("{value} ({low} – {high})")
}

/// The newest check of a cell.
pub(super) fn check_line(cell: &Cell) -> String {
    prediction_line(cell, cell.checks.last())
}

/// The prediction that is compared with the truth.
pub(super) fn forecast_line(cell: &Cell) -> String {
    prediction_line(cell, cell.prediction.as_ref())
}

fn prediction_line(cell: &Cell, prediction: Option<&Prediction>) -> String {
    let Cell { id, status, reason, .. } = cell;
    match (status, prediction) {
        (Status::Done, Some(Prediction { saving: Some(saving), refused: None, .. })) => {
            format!("{id}: {} %", interval(&saving.percent()))
        }
        (Status::Done, Some(Prediction { saving, refused, .. })) => {
            let counts = if saving.is_some() { "counts as 0" } else { "no claim" };
            format!("{id}: {counts}: {}", refused.as_deref().unwrap_or("no value"))
        }
        _ => format!("{id}: {}", reason.as_deref().unwrap_or("no prediction")),
    }
}

/// The truth beside the prediction.
pub(super) fn truth_line(cell: &Cell) -> String {
    let Some(Truth { saving, .. }) = &cell.truth else { return format!("{}: not measured", cell.id) };
    match cell.prediction.as_ref().and_then(|prediction| prediction.saving) {
        Some(predicted) => format!(
            "{}: measured {} %, predicted {} %",
            cell.id,
            interval(&saving.percent()),
            interval(&predicted.percent())
        ),
        None => format!("{}: measured {} %", cell.id, interval(&saving.percent())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!(interval(&Interval { low: -0.04, value: -0.0, high: 0.04 }), "0.0 (0.0 – 0.0)");
    }
}
