//! Results as Markdown: the same tables on the terminal and in docs/lab/results.md.

use super::results::Results;
use crate::{
    harness::{judge::Limits, missed::Residuals, table},
    host::{
        markdown,
        numbers::{count, decimal, hundredths},
    },
};

/// What the lab's predictions must keep to.
const LIMITS: Limits = Limits {
    median_error: 2.0,
    percentile_90_error: 7.0,
    control_error: 2.0,
    sign_from: 3.0,
    inside: 0.85,
    half_width: 8.0,
    score: Some(16.0),
    decided: 0.8,
    abstained: 0.1,
};

/// The text of docs/lab/results.md.
pub(super) fn document(results: &Results, missed: &Residuals) -> String {
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
Intervals are
those that follow from what predictions of other programs were off by, in the newest kept runs of lab and pairs. The sign counts where the measured saving is larger than 3 points and its interval leaves out 0. A control gains nothing
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
        machine = markdown::table(&["", ""], facts(results)),
        tables = tables(results, missed),
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
    let turn = hundredths(settings.turn_s);
    fact("Rounds", format!("{} of {} turns of {turn} per version", settings.repeats, settings.turns));
    let check = format!("`{}`", settings.check());
    let after = if settings.quick { "" } else { ", each after a calibration of its own" };
    let times = if settings.checks > 1 { format!("the median of {} × ", settings.checks) } else { String::new() };
    fact("Prediction", format!("{times}{check}{after}"));
    fact("Seed", settings.seed.to_string());
    fact("Work loop", format!("{} iterations per µs", decimal(results.iterations_per_us, 1)));
    if let Some(rate) = results.capacity_per_s {
        fact("Capacity for the open loop", format!("{} requests/s", count(rate)));
    }
    facts
}

/// The tables of the results.
pub(super) fn tables(results: &Results, missed: &Residuals) -> String {
    table::tables(&results.cells, missed, results.settings.first_twin_unix_ns, &LIMITS)
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
            exact: true,
            first_twin_unix_ns: Some(1_500_000_001),
        };
        let mut results = Results::new(&[("Kernel", "6.18".to_owned())], settings);
        results.cells = vec![cell("echo-a", Some([0.10, 0.15, 0.20]), [0.21, 0.22, 0.23])];
        results
    }

    #[test]
    fn the_document_says_how_to_repeat_it() {
        let text = document(&results(), &Residuals::default());
        assert!(
            text.contains("cargo xtask lab predict --quick --only 'echo*' --checks 2 --repeats 3 --seed 9 --write")
        );
    }
}
