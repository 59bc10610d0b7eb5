//! The section of docs/performance.md.

use std::fmt::Write as _;

use super::{
    growth::{Step, steps, worst},
    measure::{FEW, RATE, SPREAD_OVER},
    results::{Axis, Kind, Results, Series},
};
use crate::{
    bench::figures::{Bar, cell},
    host::{
        markdown::table,
        numbers::{NA, count, decimal},
    },
};

/// The steps of all figures, each with its axis and figure.
pub(super) fn judged(results: &Results) -> Vec<(Axis, Kind, Vec<Step>)> {
    let of = |series: &Series| -> Vec<_> {
        series.kinds().into_iter().map(|kind| (series.axis, kind, steps(&series.by_size(kind)))).collect()
    };
    results.series.iter().flat_map(of).collect()
}

/// What `live` may take with 10,000 threads.
pub(super) fn bars(results: &Results) -> Vec<Bar> {
    const THREADS: u64 = 10_000;
    let row =
        results.series.iter().find(|s| s.axis == Axis::Threads).and_then(|s| s.rows.iter().find(|r| r.size == THREADS));
    [(Kind::Live, 0.05), (Kind::LiveMemory, 128.0 * 1_048_576.0)]
        .into_iter()
        .map(|(kind, limit)| {
            let found = row.and_then(|row| row.spread(kind)).ok_or_else(|| "not measured".to_owned());
            Bar::at_most(&format!("{}, {} threads", kind.title(), count(THREADS as f64)), limit, found, |v| {
                kind.print(v)
            })
        })
        .collect()
}

/// All of the section, its heading included.
pub(super) fn section(results: &Results) -> String {
    let mut text = format!(
        "## By size\n\nWritten by `cargo xtask bench scale --write`. A crowd of threads waits for eventfds and is woken in turn, \
         {} times a second in all, whatever its size: what grows does so because of the size. Figures are medians, smallest and \
         largest round in brackets; sizes take turns within a round. A step from one size to the next fails where even the \
         smallest round of the larger size over the largest of the smaller one is more than n·log n. The exponent is that of \
         the medians over the steepest step: 0 is no growth, 1 is in proportion.\n\n![by size](scale/growth.svg)\n",
        count(RATE as f64)
    );
    let rows = bars(results).into_iter().map(|bar| {
        let (found, outcome) = match bar.found {
            Ok((found, outcome)) => (found, outcome.to_string()),
            Err(why) => (format!("{NA}: {why}"), "not judged".to_owned()),
        };
        vec![bar.what, bar.limit, found, outcome]
    });
    let _ = write!(text, "\n{}", table(&["What", "Bar", "Measured", "Outcome"], rows.collect()));
    for series in &results.series {
        let _ = write!(text, "\n### {}\n\n{}\n\n{}", heading(series.axis), about(series), sizes(series));
        let _ = write!(text, "\n{}", growth(series));
    }
    text
}

fn heading(axis: Axis) -> &'static str {
    match axis {
        Axis::Threads => "Threads",
        Axis::Processes => "Processes, with `--tree`",
        Axis::Sites => "Sites",
        Axis::Recording => "Length of a recording",
    }
}

fn about(series: &Series) -> String {
    let what = match series.axis {
        Axis::Threads => "One process.".to_owned(),
        Axis::Processes => format!("{} threads, spread over the processes.", count(SPREAD_OVER as f64)),
        Axis::Sites => format!(
            "{} threads, and `--max-sites` for all of them. By default there is room for 2,048 sites: calls at others are counted \
             as calls without a site, so by default nothing grows beyond that.",
            count(FEW as f64)
        ),
        Axis::Recording => format!(
            "{} threads. An hour is told by this shorter series. Beyond 600 parts of a second each two neighbours become one, and \
             a part has 128 threads by name, so parts are bounded.",
            count(FEW as f64)
        ),
    };
    let facts: Vec<String> = series.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let rounds = if series.rounds == 1 { "One round".to_owned() } else { format!("{} rounds", series.rounds) };
    format!("{what} {rounds}. {}.", facts.join("; "))
}

fn sizes(series: &Series) -> String {
    let kinds = series.kinds();
    let head: Vec<&str> = std::iter::once(series.axis.title()).chain(kinds.iter().map(|kind| kind.title())).collect();
    let rows = series.rows.iter().map(|row| {
        let mut cells = vec![count(row.size as f64)];
        match (&row.not_run, &row.failed) {
            (Some(why), _) => cells.push(format!("not run: {why}")),
            (None, Some(why)) => cells.push(format!("**FAILED**: {why}")),
            (None, None) => cells.extend(kinds.iter().map(|&kind| cell(row.spread(kind), |v| kind.print(v)))),
        }
        cells.resize(head.len(), NA.to_owned());
        cells
    });
    table(&head, rows.collect())
}

fn growth(series: &Series) -> String {
    let rows = series.kinds().into_iter().filter_map(|kind| {
        let worst = worst(&steps(&series.by_size(kind)))?;
        let step = format!("{} → {}", count(worst.from as f64), count(worst.to as f64));
        Some(vec![kind.title().to_owned(), step, decimal(worst.exponent, 2), worst.growth.to_string()])
    });
    table(&["Figure", "Steepest step", "Exponent", "Outcome"], rows.collect())
}
