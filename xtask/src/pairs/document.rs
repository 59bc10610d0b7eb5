//! Results as Markdown: docs/pairs/results.md, and the same tables on the terminal.

use std::fmt::Write as _;

use anyhow::Result;

use super::{
    pair::WRONG,
    results::{Kept, Results},
    rows,
};
use crate::{
    harness::{
        judge::{self, Judged, Limits},
        missed::{Residuals, Suite},
        results::{Cell, Status, fact},
        statistics::median,
        table,
    },
    host::{
        markdown,
        numbers::{NA, decimal, hundredths},
    },
};

/// What the names of rows mean, and who counts operations.
const LOADS: &str = "\
| In a row's name | Load |
|-----------------|------|
| `c64`           | a closed loop on 64 kept connections |
| `r50`           | Poisson arrivals at half of what the blocking form can serve |
| `d16`           | 16 requests at once to a disk, kept up by the program or by its load |

Operations are counted by the load (replies). They are blocks of 4 KiB of the device for qemu-nbd, PostgreSQL and fio
where they go past the page cache. fio through the page cache, nginx with cold files and Node.js have less memory than
their files (a cgroup limits all forms of a row together): there they are pages that came into memory, and for Node.js
reads, which it counts itself. MariaDB counts queries itself.
";

/// The text of docs/pairs/results.md.
pub(super) fn document(kept: &Kept, missed: &Residuals, others: &[Suite]) -> Result<String> {
    let newest = kept.newest()?;
    let facts = newest.facts.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
    let settings = &newest.settings;
    Ok(format!(
        "# Public programs, blocking and async: predicted and measured

Written by `cargo xtask pairs --table` from results.json, which has the last {runs} of `cargo xtask pairs --write`, the newest
first; none is chosen. Do not edit.

{facts}
## How it is measured

A row is a public program in its blocking form under a load, and the same program in an async form. `{check}`
is shown the blocking form only; its answer is on disk before any async form of the run is started. Then both forms run
without the profiler on one CPU, each with a load of its own on the other CPU: in each of {rounds} rounds they are started anew,
and take {turns} turns of {turn} in random order, while the others rest. Measured is 1 − CPU per operation of the async form / of
the blocking one, with a 90 % interval by bootstrap over rounds and turns. CPU is the CPU clock of all processes of the
program, threads of io_uring included. A control is a program that async does not help: only its answer counts.
Intervals are those that follow from what predictions of other programs were off by, in the newest kept runs of lab and
pairs.

{LOADS}
{together}
{tables}
## Plots

![Predicted against measured](scatter.svg)

![Error of every row](errors.svg)

## Runs before

{before}
## Again

As root, on a machine with two CPUs and nothing else to do. It installs what it needs: Debian's packages, and all else
under target/pairs.

```sh
cargo xtask pairs{quick}{exact} --checks {checks} --repeats {rounds} --seed {seed} --write
```
",
        runs = if kept.runs.len() == 1 { "run".to_owned() } else { format!("{} runs", kept.runs.len()) },
        facts = markdown::table(&["", ""], facts),
        check = settings.check(),
        rounds = settings.repeats,
        turns = settings.turns,
        turn = hundredths(settings.turn_s),
        together = table::bars_with_other_suites(&newest.cells, others, missed),
        tables = tables(newest, missed),
        before = before(&kept.runs[1..]),
        quick = if settings.quick { " --quick" } else { "" },
        exact = if settings.exact { " --exact" } else { "" },
        checks = settings.checks,
        seed = settings.seed,
    ))
}

/// All tables of a run.
pub(super) fn tables(run: &Results, missed: &Residuals) -> String {
    format!(
        "## Answers\n\n{}\n{}",
        answers(&run.cells),
        table::tables(&run.cells, missed, run.settings.first_twin_unix_ns, &Limits::PAIRS)
    )
}

/// What the report said, and whether that can be right.
fn answers(cells: &[Cell]) -> String {
    let with_prediction = |cell: &Cell| Some((cell.clone(), cell.prediction.clone()?));
    let known: Vec<_> = cells.iter().filter_map(with_prediction).collect();
    let right = |id: &str, answer| is_right(id, answer);
    let outcome = |control: bool| {
        let rights: Vec<bool> = known
            .iter()
            .filter(|(cell, _)| cell.control == control)
            .map(|(cell, p)| right(&cell.id, p.answer))
            .collect();
        format!("{} of {}", rights.iter().filter(|right| **right).count(), rights.len())
    };
    let mut text = format!(
        "Called neither async already nor bound by locks, where threads serve connections or files: {}. Right in controls: {}.\n\n",
        outcome(false),
        outcome(true)
    );
    let rows = known
        .iter()
        .map(|(cell, prediction)| {
            let verdict = if right(&cell.id, prediction.answer) { "right" } else { "**wrong**" };
            vec![cell.id.clone(), verdict.to_owned(), prediction.sentence.replace('|', "\\|")]
        })
        .collect();
    let _ = write!(text, "{}", markdown::table(&["Row", "Judged", "Answer"], rows));
    text
}

fn is_right(id: &str, answer: crate::harness::report::Answer) -> bool {
    match rows::pair_of(id) {
        Some(pair) if !pair.answers.is_empty() => pair.answers.contains(&answer),
        _ => !WRONG.contains(&answer),
    }
}

/// A line for each run before the newest.
fn before(runs: &[Results]) -> String {
    if runs.is_empty() {
        return "None is kept.\n".to_owned();
    }
    let line = |run: &Results| {
        let judged: Vec<Judged> = run
            .cells
            .iter()
            .filter_map(|cell| judge::judge(cell, &Residuals::default(), Limits::PAIRS.sign_from))
            .filter(|row| !row.control)
            .collect();
        let errors: Vec<f64> = judged.iter().filter_map(|row| row.error).map(f64::abs).collect();
        let known = run.cells.iter().filter(|cell| cell.status == Status::Done && !cell.control);
        let wrong = known.filter(|c| c.prediction.as_ref().is_some_and(|p| !is_right(&c.id, p.answer))).count();
        vec![
            fact(&run.facts, "Date").to_owned(),
            fact(&run.facts, "Commit").to_owned(),
            judged.len().to_string(),
            median(&errors).map_or_else(|| NA.to_owned(), |error| decimal(error, 1)),
            wrong.to_string(),
        ]
    };
    let head = ["Date", "Commit", "Rows measured", "Median error, points", "Called async or locks"];
    markdown::table(&head, runs.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::run, *};
    use crate::harness::{judge::tests::cell, report::Answer};

    fn results() -> Results {
        let mut results = run(7);
        let mut called = cell("mhd-c64-epoll", Some([0.0; 3]), [0.40, 0.417, 0.43]);
        called.prediction.as_mut().unwrap().answer = Answer::AlreadyAsync;
        let mut control = cell("control-redis-c64", Some([0.0; 3]), [0.0; 3]);
        control.prediction.as_mut().unwrap().answer = Answer::AlreadyAsync;
        results.cells = vec![called, cell("mhd-c8-epoll", Some([0.2, 0.3, 0.4]), [0.3; 3]), control];
        results
    }

    #[test]
    fn a_blocking_form_that_is_called_async_is_wrong_and_redis_is_not() {
        let text = tables(&results(), &Residuals::default());
        assert!(text.contains("threads serve connections or files: 1 of 2. Right in controls: 1 of 1."), "{text}");
        let wrong: Vec<&str> = text.lines().filter(|l| l.contains("**wrong**") && l.contains("Yes.")).collect();
        assert!(wrong.len() == 1 && wrong[0].starts_with("| mhd-c64-epoll"), "{wrong:?}");
    }

    #[test]
    fn runs_before_have_a_line_each() {
        let text = document(
            &serde_json::from_value(serde_json::json!({
                "version": 1, "runs": [results(), results(), results()]
            }))
            .unwrap(),
            &Residuals::default(),
            &[],
        )
        .unwrap();
        assert!(text.contains("the last 3 runs of"));
        assert!(text.contains("| Rows measured | Median error, points | Called async or locks |"));
        // Off by 41.7 and 0 points, one of the two called async.
        let row = |line: &&str| line.split('|').map(str::trim).eq(["", NA, NA, "2", "20.8", "1", ""]);
        assert_eq!(text.lines().filter(row).count(), 2, "{text}");
    }
}
