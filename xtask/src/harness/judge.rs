//! How good the predictions were: errors cell by cell, baselines, and the bars that must be met.

use super::{
    missed::Residuals,
    report::{Answer, Decision},
    results::{Cell, Status, rounds},
    statistics::{CONFIDENCE, Interval, mean, median, percentile, savings},
};
use crate::host::numbers::{decimal, points, whole_percent};

/// A baseline: what a switch is said to cost.
const SWITCH_NS: f64 = 1_700.0;
/// A baseline: what async is said to save.
const RULE_OF_THUMB: f64 = 0.18;
/// From this measured saving on, in percentage points, it matters that an answer decides.
const WORTH: f64 = 5.0;
/// Over all suites: the share of cells inside, and the median of half the interval's width.
const ALL_INSIDE: f64 = 0.85;
const ALL_HALF_WIDTH: f64 = 8.0;
/// The share of truths that an interval may miss.
const ALPHA: f64 = 1.0 - CONFIDENCE;

/// A cell with its errors, in percent of the CPU of the blocking form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) id: String,
    pub(crate) control: bool,
    /// The prediction, with the interval that follows from programs other than the judged one.
    /// `None` where `check` made no claim.
    pub(crate) predicted: Option<Interval>,
    pub(crate) measured: Interval,
    /// The predicted saving less the measured one, a share of the CPU; `None` without a prediction.
    pub(crate) error: Option<f64>,
    /// The errors of the [`BASELINES`].
    pub(crate) baselines: [f64; 3],
    /// The measured value is inside the predicted interval.
    pub(crate) inside: bool,
    /// The two intervals meet.
    pub(crate) overlaps: bool,
    /// Whether the sign is right. `None` where the measured saving is small, or its interval
    /// includes zero.
    pub(crate) sign: Option<bool>,
    /// What the interval decides.
    pub(crate) decision: Decision,
    /// Whether a decision mattered: the measured saving is worth it, or the loss is as large.
    pub(crate) matters: bool,
    /// The interval score (Gneiting and Raftery 2007), in percentage points: its width, and what it
    /// missed times 2/α.
    pub(crate) score: Option<f64>,
}

pub(crate) const BASELINES: [&str; 3] = ["switches × 1.7 µs", "always 18 %", "always 0"];

/// Something that must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) what: String,
    /// What was found; `None` where nothing was to be judged.
    pub(crate) found: Option<String>,
    pub(crate) met: bool,
}

/// Judges a cell by what was missed elsewhere; `None` where the prediction or the truth is missing.
pub(crate) fn judge(cell: &Cell, missed: &Residuals, sign_from: f64) -> Option<Judged> {
    if cell.status != Status::Done {
        return None;
    }
    let (prediction, truth) = (cell.prediction.as_ref()?, cell.truth.as_ref()?);
    let measured = truth.saving.percent();
    let predicted = missed.interval(cell).or(prediction.saving).map(Interval::percent);
    let error = |guess: f64| guess - measured.value;
    let cores = prediction.cpu_cores;
    let switching = if cores > 0.0 { prediction.switches_per_s * SWITCH_NS / 1e9 / cores } else { 0.0 };
    let real = measured.value.abs() > sign_from && !measured.contains(0.0);
    Some(Judged {
        id: cell.id.clone(),
        control: cell.control,
        predicted,
        measured,
        error: predicted.map(|p| error(p.value)),
        baselines: [switching * 100.0, RULE_OF_THUMB * 100.0, 0.0].map(error),
        inside: predicted.is_some_and(|p| p.contains(measured.value)),
        overlaps: predicted.is_some_and(|p| p.overlaps(&measured)),
        sign: real.then(|| predicted.is_some_and(|p| p.value * measured.value > 0.0)),
        decision: decision(prediction.answer, predicted),
        matters: measured.value.abs() >= WORTH,
        score: predicted.map(|p| interval_score(p, measured.value)),
    })
}

/// What an answer with this figure decides. An answer that rests on no figure stands as it is.
fn decision(answer: Answer, predicted: Option<Interval>) -> Decision {
    match (answer, predicted) {
        (answer, _) if answer.abstains() => Decision::Abstains,
        (_, None) => Decision::Abstains,
        (Answer::AlreadyAsync | Answer::NoBlockingIo | Answer::ParkedTasks | Answer::Locks, _) => Decision::No,
        (_, Some(p)) if p.low > 0.0 && p.value >= WORTH => Decision::Yes,
        (_, Some(p)) if p.high < WORTH => Decision::No,
        _ => Decision::Perhaps,
    }
}

fn interval_score(p: Interval, came: f64) -> f64 {
    p.high - p.low + 2.0 / ALPHA * ((p.low - came).max(0.0) + (came - p.high).max(0.0))
}

/// Seconds from the last prediction on disk to the start of the first async form: below zero where
/// a form was started too early. `None` without predictions or without a form that was started.
pub(crate) fn head_start(cells: &[Cell], first_twin_unix_ns: Option<u64>) -> Option<f64> {
    let last = cells.iter().filter_map(|cell| cell.prediction.as_ref()?.at_unix_ns).max()?;
    Some((i128::from(first_twin_unix_ns?) - i128::from(last)) as f64 / 1e9)
}

/// What a suite's predictions must keep to. Errors are in percentage points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) median_error: f64,
    pub(crate) percentile_90_error: f64,
    pub(crate) control_error: f64,
    /// Measured savings from which the sign matters.
    pub(crate) sign_from: f64,
    /// Share of the cells whose measured saving must be inside the predicted interval.
    pub(crate) inside: f64,
    /// Median of half the interval's width.
    pub(crate) half_width: f64,
    /// Largest mean interval score that passes; `None` where it is not judged.
    pub(crate) score: Option<f64>,
    /// Share of the cells that must be decided, where that matters.
    pub(crate) decided: f64,
    /// Share of the cells that may go without an answer.
    pub(crate) abstained: f64,
}

impl Limits {
    /// What predictions must keep to in the end on public programs, and on those in containers. The
    /// lab's bars are narrower.
    pub(crate) const PAIRS: Self = Self {
        median_error: 4.0,
        percentile_90_error: 12.0,
        control_error: 2.0,
        sign_from: 5.0,
        inside: 0.85,
        half_width: 8.0,
        score: None,
        decided: 0.8,
        abstained: 0.1,
    };
}

/// All bars. Controls are judged apart: their truth is known beforehand, and such easy cells would
/// flatter the errors.
pub(crate) fn bars(cells: &[Judged], limits: &Limits) -> Vec<Bar> {
    let (controls, pairs): (Vec<&Judged>, Vec<&Judged>) = cells.iter().partition(|row| row.control);
    let errors: Vec<f64> = pairs.iter().filter_map(|row| row.error).map(f64::abs).collect();
    let mut bars = vec![
        at_most("median error", median(&errors), limits.median_error),
        at_most("90th percentile of the error", percentile(&errors, 0.9), limits.percentile_90_error),
        shares(
            &format!(
                "sign right where the measured saving is beyond ±{} points and its own interval",
                decimal(limits.sign_from, 0)
            ),
            &pairs.iter().filter_map(|row| row.sign).collect::<Vec<_>>(),
            1.0,
        ),
        // A cell without a prediction is not inside: saying nothing must not pay.
        shares(
            "measured saving inside the predicted interval",
            &pairs.iter().map(|row| row.inside).collect::<Vec<_>>(),
            limits.inside,
        ),
        at_most("median half-width of the interval", median(&half_widths(&pairs)), limits.half_width),
        shares(
            &format!("decided, yes or no, where the measured saving is beyond ±{} points", decimal(WORTH, 0)),
            &pairs.iter().filter(|row| row.matters).map(|row| row.is_decided()).collect::<Vec<_>>(),
            limits.decided,
        ),
        shares(
            "with an answer",
            &pairs.iter().map(|row| row.decision != Decision::Abstains).collect::<Vec<_>>(),
            1.0 - limits.abstained,
        ),
        at_most("largest error of a control", largest(&controls), limits.control_error),
    ];
    if let Some(limit) = limits.score {
        let scores: Vec<f64> = pairs.iter().filter_map(|row| row.score).collect();
        bars.push(at_most("mean interval score", mean(&scores), limit));
    }
    for (i, name) in BASELINES.iter().enumerate() {
        // Both errors are taken over the same cells.
        let theirs: Vec<f64> =
            pairs.iter().filter(|row| row.error.is_some()).map(|row| row.baselines[i].abs()).collect();
        for (what, average) in [("mean", mean as fn(&[f64]) -> Option<f64>), ("median", median)] {
            let pair = average(&errors).zip(average(&theirs));
            bars.push(Bar {
                what: format!("{what} error at most half of that of \"{name}\""),
                found: pair.map(|(ours, theirs)| format!("{} against {}", decimal(ours, 1), points(theirs))),
                met: pair.is_some_and(|(ours, theirs)| ours <= theirs / 2.0),
            });
        }
    }
    bars
}

/// How far one round's saving is from that of the other rounds, over the cells. Somebody who
/// predicts by running both forms once would be off by as much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repeatability {
    pub(crate) median: f64,
    pub(crate) percentile_90: f64,
    pub(crate) mean: f64,
}

/// In percentage points; `None` where no cell has three rounds. The median over its rounds counts
/// for a cell.
pub(crate) fn repeatability(cells: &[Cell]) -> Option<Repeatability> {
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

/// What must hold over all suites together.
pub(crate) fn bars_of_all(cells: &[Judged]) -> Vec<Bar> {
    let rows: Vec<&Judged> = cells.iter().filter(|row| !row.control).collect();
    let inside = rows.iter().map(|row| row.inside).collect::<Vec<_>>();
    vec![
        shares("measured saving inside the predicted interval", &inside, ALL_INSIDE),
        at_most("median half-width of the interval", median(&half_widths(&rows)), ALL_HALF_WIDTH),
    ]
}

impl Judged {
    fn is_decided(&self) -> bool {
        matches!(self.decision, Decision::Yes | Decision::No)
    }
}

fn half_widths(rows: &[&Judged]) -> Vec<f64> {
    rows.iter().filter_map(|row| row.predicted).map(|p| (p.high - p.low) / 2.0).collect()
}

/// The largest error. For a control it is right to make no claim, because that promises nothing.
fn largest(controls: &[&Judged]) -> Option<f64> {
    controls.iter().map(|row| row.error.unwrap_or(0.0).abs()).max_by(f64::total_cmp)
}

fn at_most(what: &str, found: Option<f64>, limit: f64) -> Bar {
    Bar {
        what: format!("{what} at most {} points", decimal(limit, 0)),
        found: found.map(points),
        met: found.is_some_and(|error| error <= limit),
    }
}

fn shares(what: &str, outcomes: &[bool], least: f64) -> Bar {
    let right = outcomes.iter().filter(|right| **right).count();
    let share = right as f64 / outcomes.len().max(1) as f64;
    Bar {
        what: format!("{what}: at least {} of cells", whole_percent(least)),
        found: (!outcomes.is_empty()).then(|| format!("{right} of {} ({})", outcomes.len(), whole_percent(share))),
        met: !outcomes.is_empty() && share >= least,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{
        super::results::{Prediction, Run, Truth},
        *,
    };

    pub(crate) fn cell(id: &str, predicted: Option<[f64; 3]>, measured: [f64; 3]) -> Cell {
        let interval = |[low, value, high]: [f64; 3]| Interval { low, value, high };
        Cell {
            id: id.into(),
            control: id.starts_with("control"),
            status: Status::Done,
            program: None,
            reason: None,
            scenario: None,
            grid: None,
            blocking: "echo --mode threads".into(),
            twin: None,
            load: None,
            checks: Vec::new(),
            prediction: Some(Prediction {
                at_unix_ns: Some(1),
                saving: predicted.map(interval),
                refused: predicted.is_none().then(|| "not enough data".into()),
                unsure: None,
                answer: Answer::Unsure,
                sentence: "Yes.".into(),
                switches_per_s: 50_000.0,
                cpu_cores: 0.5,
                sleeps_remaining: None,
                events_per_wait: None,
                others: Some(0.0),
                asked_ns: None,
            }),
            truth: Some(Truth { saving: interval(measured), ..Truth::for_control() }),
        }
    }

    pub(crate) const LIMITS: Limits = Limits {
        median_error: 3.0,
        percentile_90_error: 8.0,
        control_error: 2.0,
        sign_from: 3.0,
        inside: 0.8,
        half_width: 8.0,
        score: Some(16.0),
        decided: 0.8,
        abstained: 0.1,
    };

    fn judge(cell: &Cell) -> Option<Judged> {
        super::judge(cell, &Residuals::default(), 3.0)
    }

    fn judged(cells: &[Cell]) -> (Vec<Judged>, Vec<Bar>) {
        let rows: Vec<Judged> = cells.iter().filter_map(judge).collect();
        let bars = bars(&rows, &LIMITS);
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
    fn a_prediction_must_be_on_disk_before_the_first_form() {
        let cells = [cell("a", Some([0.1, 0.2, 0.3]), [0.2; 3])];
        assert_eq!(head_start(&cells, Some(1_500_000_001)), Some(1.5));
        assert_eq!(head_start(&cells, Some(0)), Some(-1e-9));
        assert_eq!((head_start(&cells, None), head_start(&[], Some(5))), (None, None));
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
        assert_eq!(bars.len(), 15);
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
        assert_eq!((bars[2].met, bars[3].met, bars[6].met), (false, false, false));
        assert_eq!(bars[3].found.as_deref(), Some("1 of 2 (50 %)"));
        assert!(bars[7].met);
    }

    #[test]
    fn a_control_that_promises_misses_its_bar() {
        let (_, bars) = judged(&[cell("control-lock", Some([0.0, 0.05, 0.1]), [0.0; 3])]);
        assert!(!bars[7].met);
        // Nothing was measured: nothing is met.
        assert!(!bars[0].met && bars[0].found.is_none());
    }

    #[test]
    fn an_interval_that_misses_scores_twenty_times_what_it_missed() {
        let interval = Interval { low: 10.0, value: 15.0, high: 20.0 };
        assert!((interval_score(interval, 12.0) - 10.0).abs() < 1e-9);
        assert!((interval_score(interval, 22.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn an_interval_decides_and_an_answer_without_a_figure_does_not() {
        let decided = |answer, [low, value, high]: [f64; 3]| decision(answer, Some(Interval { low, value, high }));
        assert_eq!(decided(Answer::Unsure, [1.0, 6.0, 9.0]), Decision::Yes);
        assert_eq!(decided(Answer::Unsure, [-9.0, -6.0, 4.0]), Decision::No);
        assert_eq!(decided(Answer::Yes, [-1.0, 20.0, 40.0]), Decision::Perhaps);
        assert_eq!(decided(Answer::HandOver, [1.0, 6.0, 9.0]), Decision::Abstains);
        assert_eq!(decided(Answer::Locks, [1.0, 6.0, 9.0]), Decision::No);
        assert_eq!(decision(Answer::Yes, None), Decision::Abstains);
    }

    #[test]
    fn a_round_is_compared_with_the_others() {
        let run = |cpu_per_operation_ns| Run {
            cpu_per_operation_ns,
            turns_ns: vec![cpu_per_operation_ns; 3],
            operations_per_s: 1.0,
            cpu_cores: 1.0,
            interrupts: Some(0.0),
            between_cpus: None,
            others: Some(0.0),
            p99_ns: None,
            beside: None,
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
    fn failed_cells_are_not_judged() {
        let failed = Cell { status: Status::Failed, ..cell("a", None, [0.0; 3]) };
        assert_eq!(judge(&failed), None);
    }
}
