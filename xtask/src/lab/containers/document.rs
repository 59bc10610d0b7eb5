//! Results as Markdown: docs/lab/languages.md, and the same tables on the terminal.

use super::results::{Place, Results};
use crate::{
    harness::{
        judge::Limits,
        missed::Residuals,
        results::{Beside, Cell, Run, Truth},
        statistics::median,
        table,
    },
    host::{
        markdown,
        numbers::{NA, bytes, cores, count, decimal, hundredths, with_range},
    },
};

/// The text of docs/lab/languages.md.
pub(super) fn document(results: &Results, missed: &Residuals) -> String {
    let settings = &results.settings;
    let facts = results.facts.iter().map(|(name, value)| vec![name.clone(), value.clone()]);
    let facts = facts.chain([vec!["Containers".to_owned(), results.engine.clone()]]).collect();
    format!(
        "# Several languages, in containers

Written by `cargo xtask lab containers --table` from languages.json. Do not edit.

{facts}
## How it is measured

A program and its peer run in containers of their own that share one network namespace, and talk over 127.0.0.1. The
program that is studied has CPU 0 to itself, its peer has CPU 1. All programs speak the same protocols, and do the same
work for each request ([xtask/languages](../../xtask/languages/README.md)). `{check}` looks at the blocking form from
outside its container; its answer is on disk before any async form is started. Then all forms run without the profiler:
in each of {rounds} rounds they are started anew, and take {turns} turns of {turn} in random order, while the others
rest. The name of a row says what is studied, the language, the protocol, the connections, with one request under way on each, the bytes
of a request and of its reply, and the work for a request in µs of CPU; `p50` is a target of 50 % of what the blocking form can
serve, `t200us` a peer that thinks for 200 µs. Go is async by nature: only the answer about it is judged.
{how}

## Forms

Medians of the rounds, with the lowest and the highest: where two of these ranges meet, nothing was found to differ. CPU
is that of a request, of the program and of its peer. Switches are those of a request, of either kind, on both sides. Interrupts, softirqs
included, are those of the whole machine, in cores; what of them interrupts a program is in its CPU too. Latency is the
load's (HdrHistogram, three digits); only the load of servers over TCP and HTTP knows it. Memory is what the program took between being
ready and the last turn, for each connection.

{forms}
{tables}
## Again

As root, on a machine with two CPUs and nothing else to do. Nothing is installed that starts a service, and no image is
pulled:

```sh
cargo xtask lab containers{quick} --checks {checks} --repeats {rounds} --seed {seed} --write
```
",
        facts = markdown::table(&["", ""], facts),
        check = settings.check(),
        rounds = settings.repeats,
        turns = settings.turns,
        turn = hundredths(settings.turn_s),
        forms = forms(results),
        tables = judged(results, missed),
        quick = if settings.quick { " --quick" } else { "" },
        how = how(results),
        checks = settings.checks,
        seed = settings.seed,
    )
}

/// What the newest run was like, where that makes its figures rough.
fn how(results: &Results) -> String {
    let truths = results.cells.iter().filter_map(|cell| cell.truth.as_ref());
    let runs = truths.flat_map(|truth| truth.blocking.iter().chain(&truth.twin));
    let busiest = runs.filter_map(|run| run.others).fold(0.0, f64::max);
    let short =
        if results.settings.quick { "a short run (`--quick`), for which no price was measured anew. " } else { "" };
    let others = format!("Other programs of the machine took up to {} cores meanwhile", cores(busiest));
    if short.is_empty() { format!("\n{others}.") } else { format!("\nThis is {short}{others}.") }
}

/// The tables on the terminal.
pub(super) fn tables(results: &Results, missed: &Residuals) -> String {
    format!("## Forms\n\n{}\n{}", forms(results), judged(results, missed))
}

fn judged(results: &Results, missed: &Residuals) -> String {
    table::tables(&results.cells, missed, results.settings.first_twin_unix_ns, &Limits::PAIRS)
}

const HEAD: [&str; 11] = [
    "Form",
    "op/s",
    "CPU µs/op",
    "peer's CPU µs/op",
    "switches/op",
    "peer's switches/op",
    "irq cores",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "memory/connection",
];

/// A line for each form that was measured. Blocking forms stand once, with their first twin.
fn forms(results: &Results) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for place in &results.places {
        let cell = results.cells.iter().find(|cell| cell.id == place.cell);
        let Some(truth) = cell.and_then(|cell: &Cell| cell.truth.as_ref()) else { continue };
        let Truth { blocking, twin, .. } = truth;
        let group = place.twin.as_ref().map_or(&*place.cell, |twin| place.cell.trim_end_matches(&format!("-{twin}")));
        let name = format!("{group} {}", place.blocking);
        if !rows.iter().any(|row| row.first() == Some(&name)) {
            rows.extend(form(&name, place, blocking));
        }
        rows.extend(place.twin.iter().filter_map(|name| form(&format!("{group} {name}"), place, twin)));
    }
    markdown::table(&HEAD, rows)
}

/// `None` for a form without runs.
fn form(name: &str, place: &Place, runs: &[Run]) -> Option<Vec<String>> {
    let beside = |field: fn(&Beside) -> f64| move |run: &Run| run.beside.as_ref().map(field);
    let latency = |field: fn(&Run) -> Option<f64>| range(runs, |run| Some(field(run)? / 1e3), |us| decimal(us, 0));
    let connections = f64::from(place.setting.connections);
    let memory = |run: &Run| Some(run.beside?.grown_bytes? / connections);
    (!runs.is_empty()).then(|| {
        vec![
            name.to_owned(),
            range(runs, |run| Some(run.operations_per_s), count),
            range(runs, |run| Some(run.cpu_per_operation_ns / 1e3), |us| decimal(us, 2)),
            range(runs, |run| Some(run.beside?.load_cpu_ns / 1e3), |us| decimal(us, 2)),
            range(runs, beside(|b| b.switches), |n| decimal(n, 2)),
            range(runs, beside(|b| b.load_switches), |n| decimal(n, 2)),
            range(runs, |run| run.interrupts, cores),
            latency(|run| run.beside?.p50_ns),
            latency(|run| run.p99_ns),
            latency(|run| run.beside?.p999_ns),
            range(runs, memory, bytes),
        ]
    })
}

/// The median of the rounds with both ends of their spread, where each round has the figure.
fn range(runs: &[Run], of: impl Fn(&Run) -> Option<f64>, each: impl Fn(f64) -> String) -> String {
    let Some(values) = runs.iter().map(of).collect::<Option<Vec<f64>>>() else { return NA.to_owned() };
    let (low, high) =
        (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max));
    median(&values).map_or_else(|| NA.to_owned(), |value| with_range([low, value, high], each))
}
