//! Results as Markdown: the same tables on the terminal and in docs/lab/results.md.

use std::fmt::Write as _;

use super::results::Results;
use crate::{
    harness::{
        judge::{self, BASELINES, Bar, Judged, Limits},
        progress::interval,
        results::{Cell, Run, Status},
        statistics::median,
    },
    host::markdown::table,
};

/// What the lab's predictions must keep to.
const LIMITS: Limits =
    Limits { median_error: 3.0, percentile_90_error: 8.0, control_error: 2.0, sign: 1.0, inside: 0.8 };

/// In place of a figure that there is not.
const NONE: &str = "–";

/// The whole document.
pub(super) fn document(results: &Results) -> String {
    let settings = &results.settings;
    format!(
        "# Predicted and measured

Written by `cargo xtask lab table` from results.json, which is one run of `cargo xtask lab predict --write`. Do not edit.

{machine}
## How it is measured

A cell is a blocking program under a load, and a twin that does the same work asynchronously. `check` is shown the
blocking program only, and states what a twin would save of its CPU; the answer is on disk before any twin of the run
is started. It is asked several times, in passes over all cells that lie minutes apart, and the median of what it says counts. Then all versions run without the profiler, each on a core of its own with its load on the other one: in every round
they are started anew, and take turns in random order, while the others rest. Measured is 1 − CPU per operation of the
twin / of the blocking version: the median of the turns, and the 90 % interval of a bootstrap over rounds and their
turns. CPU is the process's CPU clock, operations are the program's own count over the same interval. Errors are predicted less measured, in percentage points of the blocking version's
CPU. \"Inside\" says whether the measured value lies in the predicted interval (\"touches\": only their intervals meet).
The sign counts where the measured saving is larger than 3 points and its interval leaves out 0. A control gains nothing
by definition: its twin is itself. A cell about which `check` says nothing counts as neither inside nor right.

{tables}
## Plots

![Predicted against measured](scatter.svg)

![Error of every cell](errors.svg)

![Echo server, closed loop](connections.svg)

## Again

As root, on a machine with two CPUs and nothing else to do:

```sh
cargo xtask lab predict{quick}{only} --checks {checks} --repeats {repeats} --seed {seed} --write
cargo xtask lab table
cargo xtask lab plot
```
",
        machine = table(&["", ""], facts(results)),
        tables = tables(results),
        quick = if settings.quick { " --quick" } else { "" },
        only = settings.only.as_ref().map(|glob| format!(" --only '{glob}'")).unwrap_or_default(),
        checks = settings.checks,
        repeats = settings.repeats,
        seed = settings.seed,
    )
}

/// The machine and the settings, name and value.
fn facts(results: &Results) -> Vec<Vec<String>> {
    let mut facts: Vec<Vec<String>> = results.facts.iter().map(|(n, v)| vec![n.clone(), v.clone()]).collect();
    let settings = &results.settings;
    let mut fact = |name: &str, value: String| facts.push(vec![name.to_owned(), value]);
    let of = format!("{} of {} turns of {:.2} s per version", settings.repeats, settings.turns, settings.turn_s);
    fact("Rounds", of);
    let check = format!("`check -d {:.0}s --exact`", settings.check_s);
    let after = if settings.quick { "" } else { ", each after a calibration of its own" };
    let times = if settings.checks > 1 { format!("the median of {} × ", settings.checks) } else { String::new() };
    fact("Prediction", format!("{times}{check}{after}"));
    fact("Seed", settings.seed.to_string());
    fact("Work loop", format!("{:.1} iterations per µs", results.iterations_per_us));
    if let Some(rate) = results.capacity_per_s {
        fact("Capacity for the open loop", format!("{rate:.0} requests/s"));
    }
    facts
}

/// All tables.
pub(super) fn tables(results: &Results) -> String {
    let rows: Vec<Judged> = results.cells.iter().filter_map(judge::judge).collect();
    let mut text = format!("## Bars\n\n{}\n", bars(&judge::bars(&rows, &LIMITS)));
    let silent = rows.iter().filter(|row| row.predicted.is_none()).count();
    let _ = writeln!(
        text,
        "{} cells measured, {} controls, {silent} without a claim, {} not run, {} failed. {}\n",
        rows.iter().filter(|row| !row.control).count(),
        rows.iter().filter(|row| row.control).count(),
        results.cells.iter().filter(|cell| cell.status == Status::NotRun).count(),
        results.cells.iter().filter(|cell| cell.status == Status::Failed).count(),
        order(results),
    );
    if let Some(floor) = judge::repeatability(&results.cells) {
        let _ = writeln!(
            text,
            "What one round of both versions measures is off from what the other rounds do by {:.1} points in the median, {:.1} at the\n\
             90th percentile, {:.1} in the mean: whoever runs the asynchronous version once, to see, is off by as much.\n",
            floor.median, floor.percentile_90, floor.mean
        );
    }
    let _ = write!(text, "## Cells\n\nIn % of the blocking version's CPU.\n\n{}", comparison(&rows));
    let runs: Vec<Vec<String>> = results.cells.iter().filter_map(runs_row).collect();
    if !runs.is_empty() {
        let head = [
            "Cell",
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
            "\n## Runs\n\nMedians of the rounds: blocking → twin. IPIs: interrupts that CPUs send each other, to wake who is idle. irq: interrupts are those of the whole machine, in cores; the part of \
             them that\ninterrupts the program is in its CPU too. Others: CPU of anything else, the largest of all rounds.\n\n{}",
            table(&head, runs)
        );
    }
    let open: Vec<Vec<String>> = results
        .cells
        .iter()
        .filter(|cell| cell.status != Status::Done)
        .map(|cell| {
            let status = if cell.status == Status::Failed { "failed" } else { "not run" };
            vec![cell.id.clone(), status.to_owned(), cell.reason.clone().unwrap_or_default()]
        })
        .collect();
    if !open.is_empty() {
        let _ = write!(text, "\n## Not compared\n\n{}", table(&["Cell", "", "Why"], open));
    }
    text
}

/// Whether the predictions came first.
fn order(results: &Results) -> String {
    match judge::head_start(&results.cells, results.settings.first_twin_unix_ns) {
        Some(seconds) if seconds > 0.0 => {
            format!("The last prediction was on disk {seconds:.1} s before the first twin started.")
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
            vec![bar.what.clone(), bar.found.clone().unwrap_or_else(|| NONE.to_owned()), outcome.to_owned()]
        })
        .collect();
    table(&["Bar", "Found", ""], rows)
}

fn comparison(rows: &[Judged]) -> String {
    let body = rows
        .iter()
        .map(|row| {
            let points = |error: f64| format!("{error:+.1}");
            let inside = match (&row.predicted, row.inside, row.overlaps) {
                (None, ..) => "no claim",
                (_, true, _) => "yes",
                (_, false, true) => "touches",
                (_, false, false) => "no",
            };
            let sign = row.sign.map_or("", |right| if right { "right" } else { "**wrong**" });
            let mut cells = vec![
                row.id.clone(),
                row.predicted.as_ref().map_or_else(|| NONE.to_owned(), interval),
                if row.control { "0 by definition".to_owned() } else { interval(&row.measured) },
                row.error.map_or_else(|| NONE.to_owned(), points),
                inside.to_owned(),
                sign.to_owned(),
            ];
            // Controls are not what the baselines are compared on.
            cells.extend(row.baselines.iter().map(|e| if row.control { String::new() } else { points(*e) }));
            cells
        })
        .collect();
    let head = ["Cell", "Predicted", "Measured", "Error", "Inside", "Sign"];
    table(&[&head[..], &BASELINES[..]].concat(), body)
}

fn runs_row(cell: &Cell) -> Option<Vec<String>> {
    let truth = cell.truth.as_ref().filter(|truth| !truth.blocking.is_empty())?;
    // The median over the runs of one version, where every one of them has that figure.
    let typical = |runs: &[Run], of: fn(&Run) -> Option<f64>| median(&runs.iter().map(of).collect::<Option<Vec<_>>>()?);
    let both = |of: fn(&Run) -> Option<f64>, digits: usize| {
        [&truth.blocking, &truth.twin].map(|runs| typical(runs, of).map(|value| format!("{value:.digits$}")))
    };
    let text = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
    let arrow = |ends: [Option<String>; 2]| {
        if ends == [None, None] { NONE.to_owned() } else { ends.map(text).join(" → ") }
    };
    let [blocking, twin] = both(|run| Some(run.cpu_per_operation_ns), 0).map(text);
    let [rate, twin_rate] = both(|run| Some(run.operations_per_s), 0).map(text);
    let latency = arrow(both(|run| run.p99_ns.map(|ns| ns / 1e3), 0));
    let interrupts = arrow(both(|run| Some(run.interrupts), 2));
    let between = arrow(both(|run| run.between_cpus, 2));
    let others = truth.blocking.iter().chain(&truth.twin).map(|run| run.others).fold(0.0, f64::max);
    Some(vec![cell.id.clone(), blocking, twin, rate, twin_rate, latency, between, interrupts, format!("{others:.2}")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{judge::tests::cell, results::Settings};

    fn results() -> Results {
        let settings = Settings {
            quick: true,
            only: Some("echo*".into()),
            checks: 2,
            repeats: 3,
            seed: 9,
            turns: 6,
            turn_s: 0.1,
            check_s: 3.0,
            first_twin_unix_ns: Some(1_500_000_001),
        };
        let mut results = Results::new(&[("Kernel", "6.18".to_owned())], settings);
        let failed = Cell {
            status: Status::Failed,
            reason: Some("measurement: it ended early".into()),
            ..cell("gone", None, [0.0; 3])
        };
        results.cells = vec![
            cell("echo-a", Some([0.10, 0.15, 0.20]), [0.21, 0.22, 0.23]),
            cell("echo-b", None, [0.1, 0.2, 0.3]),
            cell("control-lock", Some([0.0; 3]), [0.0; 3]),
            failed,
        ];
        results
    }

    #[test]
    fn every_cell_is_shown() {
        let text = tables(&results());
        let line = |id: &str| text.lines().find(|l| l.starts_with(&format!("| {id}"))).unwrap().to_owned();
        for part in ["15.0 (10.0 – 20.0)", "22.0 (21.0 – 23.0)", "-7.0", "no", "right", "-5.0", "-4.0", "-22.0"] {
            assert!(line("echo-a").contains(part), "{part}: {}", line("echo-a"));
        }
        assert!(line("echo-b").contains("no claim") && line("echo-b").contains("**wrong**"));
        assert!(line("control-lock").contains("0 by definition"));
        assert!(line("gone").contains("measurement: it ended early"));
        assert!(text.contains("on disk 1.5 s before the first twin"), "{text}");
        assert!(text.contains("2 cells measured, 1 controls, 1 without a claim, 0 not run, 1 failed."));
    }

    #[test]
    fn the_document_says_how_to_repeat_it() {
        let text = document(&results());
        assert!(
            text.contains("cargo xtask lab predict --quick --only 'echo*' --checks 2 --repeats 3 --seed 9 --write")
        );
    }

    #[test]
    fn a_twin_before_a_prediction_is_named() {
        let mut results = results();
        results.settings.first_twin_unix_ns = Some(0);
        assert!(tables(&results).contains("**A twin was started before"));
    }
}
