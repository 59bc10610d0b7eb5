//! How good the predictions were: errors cell by cell, baselines, and the bars that must be met.

use super::{
    results::{Cell, Results, Status, rounds},
    statistics::{Interval, mean, median, percentile, savings},
};

/// What a switch is said to cost, for a baseline.
const SWITCH_NS: f64 = 1_700.0;
/// What async is said to save, for a baseline.
const RULE_OF_THUMB: f64 = 0.18;
/// In percentage points: measured savings from which the sign matters.
const SIGN_FROM: f64 = 3.0;

/// A measured cell, in percent of the CPU of the blocking version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) control: bool,
    /// `None` where `check` made no claim.
    pub(super) predicted: Option<Interval>,
    pub(super) measured: Interval,
    /// Predicted less measured; also of the baselines.
    pub(super) error: Option<f64>,
    pub(super) baselines: [f64; 3],
    /// The measured value is within what was predicted; the intervals meet.
    pub(super) inside: bool,
    pub(super) overlaps: bool,
    /// `None` where the measured saving is too small, or within its own spread of nothing.
    pub(super) sign: Option<bool>,
}

pub(super) const BASELINES: [&str; 3] = ["switches × 1.7 µs", "always 18 %", "always 0"];

/// Something that must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) what: String,
    /// What was found; `None` where nothing was to be judged.
    pub(super) found: Option<String>,
    pub(super) met: bool,
}

fn percent(share: Interval) -> Interval {
    Interval { low: share.low * 100.0, value: share.value * 100.0, high: share.high * 100.0 }
}

/// A cell's row; `None` where a side is missing.
pub(super) fn row(cell: &Cell) -> Option<Row> {
    if cell.status != Status::Done {
        return None;
    }
    let (prediction, truth) = (cell.prediction.as_ref()?, cell.truth.as_ref()?);
    let measured = percent(truth.saving);
    let predicted = prediction.saving.map(percent);
    let error = |guess: f64| guess - measured.value;
    let cores = prediction.cpu_cores;
    let switching = if cores > 0.0 { prediction.switches_per_s * SWITCH_NS / 1e9 / cores } else { 0.0 };
    let real = measured.value.abs() > SIGN_FROM && !measured.contains(0.0);
    Some(Row {
        id: cell.id.clone(),
        control: cell.control,
        predicted,
        measured,
        error: predicted.map(|p| error(p.value)),
        baselines: [switching * 100.0, RULE_OF_THUMB * 100.0, 0.0].map(error),
        inside: predicted.is_some_and(|p| p.contains(measured.value)),
        overlaps: predicted.is_some_and(|p| p.overlaps(&measured)),
        sign: real.then(|| predicted.is_some_and(|p| p.value * measured.value > 0.0)),
    })
}

/// All rows of a run.
pub(super) fn rows(results: &Results) -> Vec<Row> {
    results.cells.iter().filter_map(row).collect()
}

/// All bars. Controls are judged apart: their truth is known to everyone, and easy cells would flatter the errors.
pub(super) fn bars(rows: &[Row]) -> Vec<Bar> {
    let (controls, pairs): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.control);
    let errors: Vec<f64> = pairs.iter().filter_map(|row| row.error).map(f64::abs).collect();
    let mut bars = vec![
        at_most("median error", median(&errors), 3.0),
        at_most("90th percentile of the error", percentile(&errors, 0.9), 8.0),
        shares(
            &format!("sign right where the measured saving is beyond ±{SIGN_FROM:.0} points and its own interval"),
            &pairs.iter().filter_map(|row| row.sign).collect::<Vec<_>>(),
            1.0,
        ),
        // A cell without a prediction is not inside: saying nothing must not pay.
        shares(
            "measured saving inside the predicted interval",
            &pairs.iter().map(|row| row.inside).collect::<Vec<_>>(),
            0.8,
        ),
        at_most("largest error of a control", largest(&controls), 2.0),
    ];
    for (i, name) in BASELINES.iter().enumerate() {
        // Both sides over the same cells.
        let theirs: Vec<f64> =
            pairs.iter().filter(|row| row.error.is_some()).map(|row| row.baselines[i].abs()).collect();
        for (what, of) in [("mean", mean as fn(&[f64]) -> Option<f64>), ("median", median)] {
            let pair = of(&errors).zip(of(&theirs));
            bars.push(Bar {
                what: format!("{what} error at most half of that of \"{name}\""),
                found: pair.map(|(ours, theirs)| format!("{ours:.1} against {theirs:.1} points")),
                met: pair.is_some_and(|(ours, theirs)| ours <= theirs / 2.0),
            });
        }
    }
    bars
}

/// How far what one round measures is from what the others do, over the cells: what a prediction would be off by that had seen both
/// versions run, once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Repeatability {
    pub(super) median: f64,
    pub(super) percentile_90: f64,
    pub(super) mean: f64,
}

/// In percentage points; `None` where no cell has three rounds. Of a cell the median over its rounds counts.
pub(super) fn repeatability(cells: &[Cell]) -> Option<Repeatability> {
    let cells = cells.iter().filter(|cell| !cell.control && cell.status == Status::Done);
    let of_cell = |cell: &Cell| {
        let truth = cell.truth.as_ref()?;
        let rounds = rounds(&truth.blocking, &truth.twin);
        let savings: Vec<f64> = rounds.iter().filter_map(|turns| median(&savings(turns))).collect();
        let apart = |round: usize| {
            let others: Vec<f64> = savings.iter().enumerate().filter(|(i, _)| *i != round).map(|(_, s)| *s).collect();
            Some(100.0 * (savings[round] - median(&others)?).abs())
        };
        let apart: Vec<f64> = (0..savings.len()).filter_map(apart).collect();
        median(&apart).filter(|_| savings.len() > 2)
    };
    let apart: Vec<f64> = cells.filter_map(of_cell).collect();
    Some(Repeatability { median: median(&apart)?, percentile_90: percentile(&apart, 0.9)?, mean: mean(&apart)? })
}

/// A control about which nothing is claimed promises nothing, which is right; it is shown as such in its row.
fn largest(controls: &[&Row]) -> Option<f64> {
    controls.iter().map(|row| row.error.unwrap_or(0.0).abs()).max_by(f64::total_cmp)
}

fn at_most(what: &str, found: Option<f64>, limit: f64) -> Bar {
    Bar {
        what: format!("{what} at most {limit:.0} points"),
        found: found.map(|error| format!("{error:.1} points")),
        met: found.is_some_and(|error| error <= limit),
    }
}

fn shares(what: &str, outcomes: &[bool], least: f64) -> Bar {
    let right = outcomes.iter().filter(|right| **right).count();
    let share = right as f64 / outcomes.len().max(1) as f64;
    Bar {
        what: format!("{what}: at least {:.0} % of cells", least * 100.0),
        found: (!outcomes.is_empty()).then(|| format!("{right} of {} ({:.0} %)", outcomes.len(), share * 100.0)),
        met: !outcomes.is_empty() && share >= least,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::results::{Prediction, Run, Truth},
        *,
    };

    pub(in super::super) fn cell(id: &str, predicted: Option<[f64; 3]>, measured: [f64; 3]) -> Cell {
        let interval = |[low, value, high]: [f64; 3]| Interval { low, value, high };
        Cell {
            id: id.into(),
            control: id.starts_with("control"),
            status: Status::Done,
            reason: None,
            scenario: None,
            grid: None,
            blocking: "echo --mode threads".into(),
            twin: None,
            load: None,
            checks: Vec::new(),
            prediction: Some(Prediction {
                at_unix_ns: 1,
                saving: predicted.map(interval),
                refused: predicted.is_none().then(|| "not enough data".into()),
                answer: "blocking".into(),
                sentence: "Yes.".into(),
                switches_per_s: 50_000.0,
                cpu_cores: 0.5,
                sleeps_remaining: None,
                events_per_wait: None,
                others: 0.0,
            }),
            truth: Some(Truth { saving: interval(measured), ..Truth::of_control() }),
        }
    }

    fn judged(cells: &[Cell]) -> (Vec<Row>, Vec<Bar>) {
        let rows: Vec<Row> = cells.iter().filter_map(row).collect();
        let bars = bars(&rows);
        (rows, bars)
    }

    #[test]
    fn a_row_compares_in_percentage_points() {
        let (rows, _) = judged(&[cell("a", Some([0.10, 0.15, 0.20]), [0.11, 0.12, 0.13])]);
        let row = &rows[0];
        assert!((row.error.unwrap() - 3.0).abs() < 1e-9);
        assert!(row.inside && row.overlaps);
        assert_eq!(row.sign, Some(true));
        // 50,000 × 1.7 µs a second of half a core are 17 %.
        for (found, wanted) in row.baselines.iter().zip([5.0, 6.0, -12.0]) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
    }

    #[test]
    fn a_difference_within_the_spread_has_no_sign() {
        let sign = |predicted, measured| judged(&[cell("a", Some(predicted), measured)]).0[0].sign;
        assert_eq!(sign([0.0, 0.1, 0.2], [-0.01, 0.05, 0.1]), None);
        assert_eq!(sign([0.0, 0.1, 0.2], [0.01, 0.02, 0.03]), None);
        assert_eq!(sign([0.0, 0.1, 0.2], [-0.2, -0.1, -0.05]), Some(false));
        assert_eq!(sign([0.0, 0.0, 0.0], [0.05, 0.1, 0.2]), Some(false));
    }

    #[test]
    fn good_predictions_meet_every_bar() {
        let mut cells: Vec<Cell> = (0..10)
            .map(|i| {
                let truth = f64::from(i) * 0.05 + 0.2;
                cell(&format!("c{i}"), Some([truth - 0.03, truth + 0.01, truth + 0.04]), [truth; 3])
            })
            .collect();
        cells.push(cell("control-cpu", Some([0.0; 3]), [0.0; 3]));
        let (_, bars) = judged(&cells);
        assert_eq!(bars.len(), 11);
        assert_eq!(bars.iter().filter(|bar| !bar.met).map(|bar| &bar.what).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(bars[0].found.as_deref(), Some("1.0 points"));
    }

    #[test]
    fn saying_nothing_does_not_pay() {
        let (rows, bars) = judged(&[
            cell("a", Some([0.1, 0.2, 0.3]), [0.2; 3]),
            cell("b", None, [0.2; 3]),
            cell("control-idle", None, [0.0; 3]),
        ]);
        assert_eq!(rows[1].sign, Some(false));
        assert_eq!((bars[2].met, bars[3].met), (false, false));
        assert_eq!(bars[3].found.as_deref(), Some("1 of 2 (50 %)"));
        assert!(bars[4].met);
    }

    #[test]
    fn a_control_that_promises_misses_its_bar() {
        let (_, bars) = judged(&[cell("control-lock", Some([0.0, 0.05, 0.1]), [0.0; 3])]);
        assert!(!bars[4].met);
        // Nothing was measured: nothing is met.
        assert!(!bars[0].met && bars[0].found.is_none());
    }

    #[test]
    fn a_round_is_compared_with_the_others() {
        let run = |cpu_per_operation_ns| Run {
            cpu_per_operation_ns,
            turns_ns: vec![cpu_per_operation_ns; 3],
            operations_per_s: 1.0,
            cpu_cores: 1.0,
            interrupts: 0.0,
            between_cpus: None,
            others: 0.0,
            p99_ns: None,
        };
        let mut one = cell("a", None, [0.0; 3]);
        let truth = one.truth.as_mut().unwrap();
        truth.blocking = vec![run(100.0); 4];
        truth.twin = [80.0, 82.0, 84.0, 50.0].map(run).to_vec();
        // 20, 18, 16 and 50 % against the medians of the other three: 18, 20, 20 and 18.
        let found = repeatability(&[one]).unwrap();
        assert!((found.median - 3.0).abs() < 1e-9 && found.median == found.mean, "{found:?}");
    }

    #[test]
    fn failed_cells_have_no_row() {
        let failed = Cell { status: Status::Failed, ..cell("a", None, [0.0; 3]) };
        assert_eq!(row(&failed), None);
    }
}
