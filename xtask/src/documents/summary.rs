//! How the measured rows of the kept runs are spread: what async saved, cost, or left as it was.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::kept::Kept;

/// A saving or a loss of less than this is neither.
const WORTH: f64 = 0.05;

/// Rows of a run by what its async forms measured.
#[derive(Serialize)]
struct Spread {
    rows: f64,
    saves: f64,
    costs: f64,
    neither: f64,
    /// The largest and the smallest saving.
    most: f64,
    least: f64,
}

/// The spreads of the suites.
#[derive(Serialize)]
pub(super) struct Summary {
    worth: f64,
    pairs: Spread,
    lab: Spread,
}

impl Summary {
    pub(super) fn new(kept: &Kept) -> Result<Self> {
        let (pairs, lab) = (kept.json("docs/pairs/results.json")?, kept.json("docs/lab/results.json")?);
        Ok(Self { worth: WORTH, pairs: Spread::new(&pairs["runs"][0]["cells"])?, lab: Spread::new(&lab["cells"])? })
    }
}

impl Spread {
    fn new(cells: &Value) -> Result<Self> {
        let counts = |cell: &&Value| cell["control"] == false && cell["status"] == "done";
        let cells = cells.as_array().context("no cells")?.iter().filter(counts);
        let savings: Vec<f64> = cells.filter_map(|cell| cell["truth"]["saving"]["value"].as_f64()).collect();
        let count = |is: fn(f64) -> bool| savings.iter().filter(|saving| is(**saving)).count() as f64;
        Ok(Self {
            rows: savings.len() as f64,
            saves: count(|saving| saving >= WORTH),
            costs: count(|saving| saving <= -WORTH),
            neither: count(|saving| saving.abs() < WORTH),
            most: savings.iter().copied().reduce(f64::max).context("no row")?,
            least: savings.iter().copied().reduce(f64::min).context("no row")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_counted_by_what_they_save() {
        let cell = |control: bool, status: &str, saving: f64| json!({"control": control, "status": status, "truth": {"saving": {"value": saving}}});
        let cells = [
            cell(false, "done", 0.3),
            cell(false, "done", -0.7),
            cell(false, "done", 0.049),
            cell(true, "done", 0.0),
            cell(false, "failed", 0.9),
        ];
        let found = Spread::new(&json!(cells)).unwrap();
        assert_eq!([found.rows, found.saves, found.costs, found.neither], [3.0, 1.0, 1.0, 1.0]);
        assert_eq!([found.most, found.least], [0.3, -0.7]);
    }
}
