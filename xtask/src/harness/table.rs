//! What was found as Markdown tables: the same on the terminal and in a suite's document.

use std::fmt::Write as _;

use super::{
    judge::{self, BASELINES, Bar, Judged, Limits},
    missed::{Residuals, Suite},
    report::Decision,
    results::{Cell, Run, Status},
    statistics::{Interval, median},
};
use crate::host::{
    markdown::table,
    numbers::{self, NA, count, decimal, signed, tenths, with_range},
};

/// The tables of a suite's results, with a heading each.
pub(crate) fn tables(cells: &[Cell], missed: &Residuals, first_twin_unix_ns: Option<u64>, limits: &Limits) -> String {
    let rows: Vec<Judged> = cells.iter().filter_map(|cell| judge::judge(cell, missed, limits.sign_from)).collect();
    let mut text = format!("## Bars\n\n{}\n", bars(&judge::bars(&rows, limits)));
    let silent = rows.iter().filter(|row| row.predicted.is_none()).count();
    let _ = writeln!(
        text,
        "{} cells measured, {} controls, {silent} without a claim, {} not run, {} failed. {}\n",
        rows.iter().filter(|row| !row.control).count(),
        rows.iter().filter(|row| row.control).count(),
        cells.iter().filter(|cell| cell.status == Status::NotRun).count(),
        cells.iter().filter(|cell| cell.status == Status::Failed).count(),
        order_of_runs(cells, first_twin_unix_ns),
    );
    if let Some(floor) = judge::repeatability(cells) {
        let _ = writeln!(
            text,
            "What one round of both versions measures is off from what the other rounds do by {} points in the median, {} at the\n\
             90th percentile, {} in the mean: whoever runs the asynchronous version once, to see, is off by as much.\n",
            decimal(floor.median, 1),
            decimal(floor.percentile_90, 1),
            decimal(floor.mean, 1)
        );
    }
    let _ = write!(text, "## Cells\n\nIn % of the blocking version's CPU.\n\n{}", comparison(&rows));
    let runs: Vec<Vec<String>> = cells.iter().filter_map(runs_row).collect();
    if !runs.is_empty() {
        let head = [
            "Cell",
            "ns/op under check",
            "ns/op blocking",
            "ns/op twin",
            "op/s blocking",
            "op/s twin",
            "p99 µs",
            "IPIs/op",
            "irq cores",
            "others",
        ];
        let _ = write!(
            text,
            "\n## Runs\n\nMedians of the rounds: blocking → twin. Under check: what an operation of the blocking version took while\n\
             `check` measured, hooks included; far from what it took without, the profiler changed the program. IPIs: interrupts that CPUs send\n\
             each other, to wake who is idle. irq: interrupts are those of the whole machine, in cores; the part of them that\n\
             interrupts the program is in its CPU too. Others: CPU of anything else, the largest of all rounds.\n\n{}",
            table(&head, runs)
        );
    }
    let open: Vec<Vec<String>> = cells
        .iter()
        .filter(|cell| cell.status != Status::Done)
        .map(|cell| {
            let status = if cell.status == Status::Failed { "failed" } else { "not run" };
            vec![cell.id.clone(), status.to_owned(), cell.reason.clone().unwrap_or_else(|| NA.to_owned())]
        })
        .collect();
    if !open.is_empty() {
        let _ = write!(text, "\n## Not compared\n\n{}", table(&["Cell", "Status", "Why"], open));
    }
    text
}

/// What must hold over this suite and the others that are kept.
pub(crate) fn bars_with_other_suites(cells: &[Cell], others: &[Suite], missed: &Residuals) -> String {
    let all = cells.iter().chain(others.iter().flat_map(|suite| &suite.cells));
    let rows: Vec<Judged> = all.filter_map(|cell| judge::judge(cell, missed, 0.0)).collect();
    let names: Vec<&str> = others.iter().map(|suite| suite.name).collect();
    format!("## Together with {}\n\n{}", names.join(", "), bars(&judge::bars_of_all(&rows)))
}

/// Whether the predictions came first.
fn order_of_runs(cells: &[Cell], first_twin_unix_ns: Option<u64>) -> String {
    match judge::head_start(cells, first_twin_unix_ns) {
        Some(seconds) if seconds > 0.0 => {
            format!("The last prediction was on disk {} before the first twin started.", tenths(seconds))
        }
        Some(_) => "**A twin was started before the last prediction was on disk.**".to_owned(),
        None => "No twin was run after a prediction.".to_owned(),
    }
}

fn bars(bars: &[Bar]) -> String {
    let rows = bars
        .iter()
        .map(|bar| {
            let outcome = match (&bar.found, bar.met) {
                (None, _) => "nothing to judge",
                (_, true) => "met",
                (_, false) => "**missed**",
            };
            vec![bar.what.clone(), bar.found.clone().unwrap_or_else(|| NA.to_owned()), outcome.to_owned()]
        })
        .collect();
    table(&["Bar", "Found", "Outcome"], rows)
}

fn comparison(rows: &[Judged]) -> String {
    let body = rows
        .iter()
        .map(|row| {
            let points = |error: f64| signed(error, 1);
            let inside = match (&row.predicted, row.inside, row.overlaps) {
                (None, ..) => "no claim",
                (_, true, _) => "yes",
                (_, false, true) => "touches",
                (_, false, false) => "no",
            };
            let sign = row.sign.map_or(NA, |right| if right { "right" } else { "**wrong**" });
            let mut cells = vec![
                row.id.clone(),
                row.predicted.as_ref().map_or_else(|| NA.to_owned(), interval),
                if row.control { "0 by definition".to_owned() } else { interval(&row.measured) },
                row.error.map_or_else(|| NA.to_owned(), points),
                inside.to_owned(),
                sign.to_owned(),
                decision(row.decision).to_owned(),
            ];
            // Baselines are not judged on controls.
            cells.extend(row.baselines.iter().map(|e| if row.control { NA.to_owned() } else { points(*e) }));
            cells
        })
        .collect();
    let head = ["Cell", "Predicted", "Measured", "Error", "Inside", "Sign", "Decides"];
    table(&[&head[..], &BASELINES[..]].concat(), body)
}

/// An interval in a table whose heading has the unit.
fn interval(found: &Interval) -> String {
    with_range(found.ends(), |percent| decimal(percent, 1))
}

const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Yes => "yes",
        Decision::No => "no",
        Decision::Perhaps => "perhaps",
        Decision::Abstains => "abstains",
    }
}

fn runs_row(cell: &Cell) -> Option<Vec<String>> {
    let truth = cell.truth.as_ref().filter(|truth| !truth.blocking.is_empty())?;
    // The median over the runs of one version, if each run has that figure.
    let typical =
        |runs: &[Run], field: fn(&Run) -> Option<f64>| median(&runs.iter().map(field).collect::<Option<Vec<_>>>()?);
    let both = |field: fn(&Run) -> Option<f64>, each: fn(f64) -> String| {
        [&truth.blocking, &truth.twin].map(|runs| typical(runs, field).map(each))
    };
    let hundredths = |value: f64| decimal(value, 2);
    let text = |value: Option<String>| value.unwrap_or_else(|| NA.to_owned());
    let arrow = |ends: [Option<String>; 2]| {
        if ends == [None, None] { NA.to_owned() } else { ends.map(text).join(" → ") }
    };
    let [blocking, twin] = both(|run| Some(run.cpu_per_operation_ns), count).map(text);
    let [rate, twin_rate] = both(|run| Some(run.operations_per_s), count).map(text);
    let latency = arrow(both(|run| run.p99_ns.map(|ns| ns / 1e3), count));
    let interrupts = arrow(both(|run| run.interrupts, numbers::cores));
    let between = arrow(both(|run| run.between_cpus, hundredths));
    let others = truth.blocking.iter().chain(&truth.twin).filter_map(|run| run.others).max_by(f64::total_cmp);
    let others = text(others.map(numbers::cores));
    let under_check = text(cell.prediction.as_ref().and_then(|said| said.asked_ns).map(count));
    Some(vec![cell.id.clone(), under_check, blocking, twin, rate, twin_rate, latency, between, interrupts, others])
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::{LIMITS, cell};
    use super::*;

    fn cells() -> Vec<Cell> {
        let failed = Cell {
            status: Status::Failed,
            reason: Some("measurement: it ended early".into()),
            ..cell("gone", None, [0.0; 3])
        };
        vec![
            cell("echo-a", Some([0.10, 0.15, 0.20]), [0.21, 0.22, 0.23]),
            cell("echo-b", None, [0.1, 0.2, 0.3]),
            cell("control-lock", Some([0.0; 3]), [0.0; 3]),
            failed,
        ]
    }

    #[test]
    fn every_cell_is_shown() {
        let text = tables(&cells(), &Residuals::default(), Some(1_500_000_001), &LIMITS);
        let line = |id: &str| text.lines().find(|l| l.starts_with(&format!("| {id}"))).unwrap().to_owned();
        for part in ["15.0 (10.0–20.0)", "22.0 (21.0–23.0)", "-7.0", "no", "right", "-5.0", "-4.0", "-22.0"] {
            assert!(line("echo-a").contains(part), "{part}: {}", line("echo-a"));
        }
        assert!(line("echo-b").contains("no claim") && line("echo-b").contains("**wrong**"));
        assert!(line("control-lock").contains("0 by definition"));
        assert!(!text.lines().any(|line| line.starts_with("| ") && line.contains("|  ")), "a blank cell: {text}");
        assert!(line("gone").contains("measurement: it ended early"));
        assert!(text.contains("on disk 1.5 s before the first twin"), "{text}");
        assert!(text.contains("2 cells measured, 1 controls, 1 without a claim, 0 not run, 1 failed."));
    }

    #[test]
    fn a_twin_before_a_prediction_is_named() {
        assert!(tables(&cells(), &Residuals::default(), Some(0), &LIMITS).contains("**A twin was started before"));
    }
}
