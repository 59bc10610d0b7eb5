//! Tables in Markdown: the same on the terminal and in docs/performance.md.

use std::fmt::Write as _;

use super::{
    figures::{Bar, Spread, cell},
    findings::{Findings, Limits},
    limits::{MANY, RunTime},
    load::CONNECTIONS,
    observer::Observer,
};
use crate::host::{
    markdown::table,
    numbers::{NA, bytes, cores, count, increase, millis, nanos, per_second, percent, residual},
};

/// The document around the tables.
pub(super) fn document(facts: &[(&'static str, String)], found: &Findings, tables: &str, scale: &str) -> String {
    let mut facts = facts.to_vec();
    facts.push(("Rounds", format!("{} of {} s of load per configuration", found.rounds, found.seconds)));
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    format!(
        "# Performance

Written by `cargo xtask bench overhead --write`; every number comes from one run of it, but for those by size. Do not
edit.

{machine}
## How it is measured

The echo server of `demo` (a thread per connection, {CONNECTIONS} connections, 64-byte messages) on one core, its
closed-loop load on the other. Per measurement: a fresh server, the load, the observer attached to its PID while all its
threads live and work, and then the given time. CPU per request is the server's own CPU clock over that time by the requests answered in it: work that
programs on tracepoints do is charged to the thread that they interrupt, and so it is in there. Configurations take
turns in random order; each is compared with \"no profiler\" of the same round. Figures are medians, smallest and
largest round in brackets. \"Counted\" is what the observer told of the calls, switches or time off the CPU that there
were; one that told of less than half has no row. \"Others\" is CPU that neither server, load nor observer used. A measurement with more than
0.15 cores of it is disturbed: it was made again, up to twice ({repeated} more measurements), and left out where it
still was. The column \"Rounds\" says how many count; only rounds in which neither side was disturbed are compared.

A bar is met where its median is; where it lies within the spread of the rounds, the table says so.

{tables}
{scale}
## Again

As root, on a machine with two CPUs and nothing else to do:

```sh
cargo xtask bench overhead --rounds {rounds} --seconds {seconds} --write
```

`--only check,peers` measures just these, `--no-limits` leaves the limits out. Peers: `libbpf-tools` (offcputime,
syscount, runqlat), `perf`, `strace`; what is not installed has `n/a` in its row, with the reason. tracefs is mounted for them
where it is not, and unmounted afterwards.
",
        machine = table(&["", ""], rows),
        repeated = found.repeated,
        rounds = found.rounds,
        seconds = found.seconds,
    )
}

/// All tables of docs/performance.md.
pub(super) fn tables(found: &Findings, bars: &[Bar]) -> String {
    let mut text = format!("## Bars\n\n{}\n## Overhead\n\n{}", bars_table(bars), overhead(found));
    if !found.check_runs.means.is_empty() {
        let _ = write!(text, "\n## Run time of the programs\n\n{}", run_times(&found.check_runs, &found.empty_runs));
    }
    if found.limits_disturbed {
        text.push_str(
            "\nOther programs ran during some of these and of the following measurements: they are upper bounds.\n",
        );
    }
    if let Some(limits) = &found.limits {
        let _ = write!(text, "\n## The daemon\n\n{}", daemon(limits));
    }
    text
}

fn bars_table(bars: &[Bar]) -> String {
    let rows = bars
        .iter()
        .map(|bar| {
            let (found, outcome) = match &bar.found {
                Ok((found, outcome)) => (found.clone(), outcome.to_string()),
                Err(why) => (format!("{NA}: {why}"), "not judged".to_owned()),
            };
            vec![bar.what.clone(), bar.limit.clone(), found, outcome]
        })
        .collect();
    table(&["What", "Bar", "Measured", "Outcome"], rows)
}

fn overhead(found: &Findings) -> String {
    let head = [
        "Configuration",
        "CPU per request",
        "against none",
        "Throughput",
        "Observer, cores",
        "Others, cores",
        "Counted, of what was true",
        "Rounds",
    ];
    let mut rows = Vec::new();
    for &observer in <Observer as clap::ValueEnum>::value_variants() {
        if let Some(why) = found.absent.get(&observer) {
            let mut row = vec![observer.title().to_owned(), format!("{NA}: {why}")];
            row.resize(head.len(), NA.to_owned());
            rows.push(row);
            continue;
        }
        let Some(samples) = found.samples.get(&observer) else { continue };
        let own = found.own(observer, |s| s.cpu_per_request);
        let cost = found.cost(observer);
        let rate = found.against_none(observer, |sample, none| sample.rate / none.rate);
        let watcher = found.own(observer, |s| s.observer);
        let others = Spread::from_values(samples.iter().map(|(_, s)| s.others));
        let rounds = format!("{} of {}", own.map_or(0, |s| s.rounds), samples.len());
        let compared = observer != Observer::None;
        let first = if compared { cell(rate, increase) } else { cell(found.own(observer, |s| s.rate), per_second) };
        rows.push(vec![
            observer.title().to_owned(),
            cell(own, nanos),
            if compared { cell(cost, increase) } else { NA.to_owned() },
            first,
            cell(watcher, cores),
            cell(others, cores),
            cell(Spread::from_values(samples.iter().filter_map(|(_, s)| s.counted)), percent),
            rounds,
        ]);
    }
    table(&head, rows)
}

fn run_times(check: &RunTime, empty: &RunTime) -> String {
    let mean = |runs: &RunTime, name: &str| {
        cell(runs.programs.get(name).and_then(|p| Spread::from_values(p.iter().map(|(_, mean)| *mean))), nanos)
    };
    // Empty programs have names of their own; they stand in rows of their own.
    let mut rows: Vec<Vec<String>> = [(check, "`check --exact`"), (empty, "empty")]
        .into_iter()
        .flat_map(|(runs, title)| {
            runs.programs.iter().map(move |(name, rounds)| {
                let rate = Spread::from_values(rounds.iter().map(|(rate, _)| *rate));
                let rate = rate.map_or_else(|| NA.to_owned(), |s| count(s.median));
                vec![title.to_owned(), format!("`{name}`"), rate, mean(runs, name)]
            })
        })
        .collect();
    for (runs, title) in [(check, "`check --exact`"), (empty, "empty")] {
        if let Some(means) = Spread::from_values(runs.means.iter().copied()) {
            rows.push(vec![title.to_owned(), "all, by run".to_owned(), NA.to_owned(), means.text(nanos)]);
        }
    }
    if let Some(own) = Spread::from_values(check.own.iter().copied()) {
        rows.push(vec!["`check --exact`".to_owned(), "by its own report".to_owned(), NA.to_owned(), own.text(nanos)]);
    }
    let text = table(&["Configuration", "Program", "Runs per second", "Mean run time"], rows);
    format!(
        "Under the same load, with the kernel's BPF statistics on. Programs run for every process of the machine: \
         those that\nare not the target leave at once. The kernel's two clock reads around a run are partly in these \
         means: the empty\nprograms show how much.\n\n{text}"
    )
}

fn daemon(limits: &Limits) -> String {
    let Limits { daemon, large, start } = limits;
    let row = |what: String, cell: String| vec![what, cell];
    table(
        &["What", "Measured"],
        vec![
            row("switches per second of the ping-pong target".into(), cell(daemon.switches, count)),
            row("daemon while measuring it, of a core".into(), cell(daemon.share, residual)),
            row("daemon before and after (load, verify, report), CPU".into(), cell(daemon.around, millis)),
            row(
                format!("threads of the large target (asked for: {})", count(MANY as f64)),
                count(large.threads as f64),
            ),
            row("daemon, largest RSS with them, while it measures".into(), cell(Some(large.rss_measuring), bytes)),
            row("daemon, largest RSS with them, report included".into(), cell(Some(large.rss), bytes)),
            row("from exec until events count, with them".into(), cell(Some(large.start), millis)),
            row("from SIGINT until it is gone, with them".into(), cell(Some(large.end), millis)),
            row("from exec until events count, target of 2 threads".into(), cell(Some(*start), millis)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::{findings::bars, limits::Daemon, limits::Large, load::Sample};

    fn spread(values: [f64; 3]) -> Spread {
        Spread::from_values(values).unwrap()
    }

    fn findings() -> Findings {
        let rounds = |cpu: [f64; 3]| {
            let sample = |cpu| Sample {
                cpu_per_request: cpu,
                rate: 1e9 / cpu,
                observer: 0.01,
                others: 0.0,
                counted: Some(0.98),
            };
            cpu.into_iter().map(sample).zip(0..).map(|(sample, round)| (round, sample)).collect()
        };
        let mut found = Findings::new(3, 1);
        found.samples = BTreeMap::from([
            (Observer::None, rounds([5_000.0, 5_000.0, 5_000.0])),
            (Observer::Check, rounds([4_900.0, 5_250.0, 5_500.0])),
        ]);
        found.absent.insert(Observer::Strace, "strace is not installed".to_owned());
        let rate = |mean| vec![(152_849.0, mean); 3];
        found.check_runs.programs.insert("sia_switch".to_owned(), rate(1_237.0));
        found.check_runs.means = vec![100.0, 102.0, 104.0];
        found.check_runs.own = vec![101.0];
        let daemon = Daemon { switches: Some(spread([1e5, 2e5, 3e5])), share: None, around: None };
        let seconds = spread([1.138, 1.139, 1.143]);
        let rss = spread([61.9 * 1_048_576.0, 62.3 * 1_048_576.0, 62.9 * 1_048_576.0]);
        let large = Large { threads: 10_001, rss_measuring: rss, rss, start: seconds, end: seconds };
        found.limits = Some(Limits { daemon, large, start: seconds });
        found
    }

    #[test]
    fn numbers_have_one_format_and_no_cell_is_blank() {
        let found = findings();
        let text = tables(&found, &bars(&found));
        for part in [
            "5,250 ns (4,900–5,500 ns)",
            "+5.0 % (-2.0 to +10.0 %)",
            "200,000/s",
            "n/a: strace is not installed",
            "| 152,849         | 1,237 ns",
            "1,139 ms (1,138–1,143 ms)",
            "62.3 MiB (61.9–62.9 MiB)",
            "200,000 (100,000–300,000)",
            "10,001",
            "n/a: not measured in this run",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.lines().any(|line| line.starts_with("| ") && line.contains("|  ")), "{text}");
    }
}
