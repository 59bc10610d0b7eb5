//! Lines for the terminal while a suite runs.

use super::{
    results::{Cell, Prediction, Status, Truth},
    statistics::Interval,
};
use crate::host::numbers;

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
            format!("{id}: {}", percent(saving))
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
        Some(predicted) => format!("{}: measured {}, predicted {}", cell.id, percent(saving), percent(&predicted)),
        None => format!("{}: measured {}", cell.id, percent(saving)),
    }
}

fn percent(share: &Interval) -> String {
    numbers::with_range(share.ends(), numbers::percent)
}
