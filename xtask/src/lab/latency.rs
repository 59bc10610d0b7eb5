//! `cargo xtask lab latency`: how long clients wait, by `check` and by the server's own clock: the
//! kernel stamps each request where it receives it, and the server takes the time after its reply.
//! Then the same server as one event loop, against what the replay said of it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::results::documents;
use crate::{
    harness::statistics::{median, percentile},
    host::{
        child::{self, Running, pause},
        file, machine, markdown,
        numbers::{NA, decimal, percent, signed, whole_percent},
        package::{Pair, TRUTH},
    },
    say::say,
};

/// Connections, µs of work for a request, and µs from a reply to the next request in the mean. One
/// request in five waits 2 ms for another service.
const CELLS: [(u64, u64, u64); 14] = [
    (1, 100, 500),
    (2, 50, 500),
    (4, 20, 300),
    (4, 100, 500),
    (4, 1_000, 5_000),
    (8, 20, 300),
    (8, 50, 1_000),
    (16, 20, 1_000),
    (16, 100, 2_000),
    (32, 50, 4_000),
    (64, 20, 5_000),
    (64, 200, 20_000),
    // Full: the requests come as soon as they can.
    (8, 20, 20),
    (32, 50, 50),
];
/// How long a server serves, as well as can be told before.
const LASTS: Duration = Duration::from_secs(6);
/// Mean wait of a request for the other service.
const SERVICE_US: u64 = 400;
/// Time that a server runs before `check` starts, and how long that measures.
const WARM_UP: Duration = Duration::from_millis(500);
const CHECK: &str = "4s";
const READY_WITHIN: Duration = Duration::from_secs(20);
const CHECK_WITHIN: Duration = Duration::from_secs(90);
/// The bars: of today's median and 99th percentile, and of those in another form.
const BARS: [(&str, f64); 4] =
    [("p50 now", 0.10), ("p99 now", 0.20), ("p50 as one loop", 0.20), ("p99 as one loop", 0.35)];

/// How long clients wait, by `check` and by servers that know it.
#[derive(Args)]
pub(super) struct Options {
    /// Rounds; the median of each figure counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Only so many cells.
    #[arg(long)]
    cells: Option<usize>,
    /// Measures in sampled windows, as `check` does by itself.
    #[arg(long)]
    sampled: bool,
    /// Builds nothing and takes `should-i-async` and `truth` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Writes latency.json and latency.md to docs/lab.
    #[arg(long)]
    write: bool,
}

/// The results of a run.
#[derive(Serialize, Deserialize)]
struct Results {
    facts: Vec<(String, String)>,
    rounds: u32,
    sampled: bool,
    cells: Vec<Cell>,
}

/// What was found of a cell: medians over the rounds, ns. p50 and p99.
#[derive(Serialize, Deserialize)]
struct Cell {
    connections: u64,
    work_us: u64,
    gap_us: u64,
    /// By the server's clock.
    now: [f64; 2],
    /// By `check`; `None` where it had no figure in most of the rounds.
    told: [Option<f64>; 2],
    /// As one event loop, by its clock.
    other: [f64; 2],
    /// The same, predicted.
    predicted: [Option<f64>; 2],
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let programs = Pair::find(root, TRUTH, options.binaries.as_deref())?;
    let facts = machine::facts(root)?.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut cells = Vec::new();
    for &(connections, work_us, gap_us) in CELLS.iter().take(options.cells.unwrap_or(CELLS.len())) {
        let shape = Shape { connections, work_us, gap_us };
        let rounds =
            (0..options.rounds).map(|_| shape.round(&programs, options.sampled)).collect::<Result<Vec<_>>>()?;
        let cell = shape.cell(&rounds)?;
        say(&format!("{}: {}", cell.name(), cell.row()[1..].join(" · ")))?;
        cells.push(cell);
    }
    let results = Results { facts, rounds: options.rounds, sampled: options.sampled, cells };
    say(&results.document())?;
    if options.write {
        let folder = documents(root);
        file::write_json(&results, &folder.join("latency.json"))?;
        markdown::write(&folder.join("latency.md"), &results.document())?;
    }
    Ok(())
}

/// Writes latency.md of the kept results.
#[cfg(test)]
pub(super) fn write_kept(root: &Path, folder: &Path) -> Result<()> {
    let results: Results = file::read_json(&documents(root).join("latency.json"))?;
    markdown::write(&folder.join("latency.md"), &results.document())
}

/// A server and its load.
#[derive(Clone, Copy)]
struct Shape {
    connections: u64,
    work_us: u64,
    gap_us: u64,
}

/// p50 and p99 of one round, ns.
struct Round {
    now: [f64; 2],
    told: [Option<f64>; 2],
    other: [f64; 2],
    predicted: [Option<f64>; 2],
}

impl Shape {
    fn round(self, programs: &Pair, sampled: bool) -> Result<Round> {
        let mut report = Value::Null;
        let now = self.serve(programs, "requests", |server| {
            pause(WARM_UP)?;
            let mut check = Command::new(&programs.tool);
            check.args(["check", "--pid", &server.to_string(), "--duration", CHECK, "--json"]);
            check.args((!sampled).then_some("--exact"));
            let said = Running::start(&mut check)?.wait(CHECK_WITHIN)?;
            report = serde_json::from_str(&said.stdout).context("`check` printed no report")?;
            Ok(())
        })?;
        let other = self.serve(programs, "requests-loop", |_| Ok(()))?;
        let latency = &report["latency"];
        let ways = latency["ways"].as_array();
        let one_loop = ways.and_then(|ways| ways.iter().find(|way| way["name"] == "level"));
        let predicted = one_loop.map_or([None; 2], |way| quantiles(&way["quantiles"]));
        Ok(Round { now, told: quantiles(&latency["quantiles"]), other, predicted })
    }

    /// Starts a server, has `meanwhile` done beside it, and returns what it says of its clients.
    fn serve(self, programs: &Pair, kind: &str, meanwhile: impl FnOnce(u32) -> Result<()>) -> Result<[f64; 2]> {
        // As one loop, on one CPU, they wait for each other where that is full.
        let each = (self.gap_us + self.work_us + SERVICE_US).max(self.connections * self.work_us);
        let requests = LASTS.as_micros() as u64 / each;
        let mut command = Command::new(&programs.workload);
        command.args([kind, "--threads", &self.connections.to_string(), "--n", &requests.to_string()]);
        command.args(["--us", &self.work_us.to_string(), "--gap-us", &self.gap_us.to_string()]);
        let mut server = Running::start(&mut command)?;
        let ready = server.next_line(READY_WITHIN)?;
        ensure!(ready == "ready", "the server said {ready}");
        server.enter()?;
        meanwhile(server.pid())?;
        let truth: Value = serde_json::from_str(&server.next_line(4 * LASTS)?)?;
        server.enter()?;
        server.wait(READY_WITHIN)?;
        let rows = truth["workers"].as_array().context("no workers")?;
        let took: Vec<f64> =
            rows.iter().filter_map(|row| row["requests"].as_array()).flatten().filter_map(Value::as_f64).collect();
        let of = |share| percentile(&took, share).context("no request");
        Ok([of(0.5)?, of(0.99)?])
    }

    fn cell(self, rounds: &[Round]) -> Result<Cell> {
        let middle = |pick: &dyn Fn(&Round) -> Option<f64>| {
            let found: Vec<f64> = rounds.iter().filter_map(pick).collect();
            median(&found).filter(|_| 2 * found.len() > rounds.len())
        };
        let both = |pick: &dyn Fn(&Round, usize) -> Option<f64>| [0, 1].map(|i| middle(&|round| pick(round, i)));
        let sure = |pick: &dyn Fn(&Round, usize) -> Option<f64>| {
            let [p50, p99] = both(pick);
            Ok::<_, anyhow::Error>([p50.context("no round")?, p99.context("no round")?])
        };
        Ok(Cell {
            connections: self.connections,
            work_us: self.work_us,
            gap_us: self.gap_us,
            now: sure(&|round, i| Some(round.now[i]))?,
            told: both(&|round, i| round.told[i]),
            other: sure(&|round, i| Some(round.other[i]))?,
            predicted: both(&|round, i| round.predicted[i]),
        })
    }
}

fn quantiles(of: &Value) -> [Option<f64>; 2] {
    ["p50_ns", "p99_ns"].map(|name| of[name]["value"].as_f64())
}

impl Cell {
    fn name(&self) -> String {
        format!("{} connections, {} µs of work, {} µs apart", self.connections, self.work_us, self.gap_us)
    }

    /// By how much each figure is off, in the order of [`BARS`].
    fn off(&self) -> [Option<f64>; 4] {
        let off = |told: Option<f64>, truth: f64| told.map(|told| told / truth - 1.0);
        [
            off(self.told[0], self.now[0]),
            off(self.told[1], self.now[1]),
            off(self.predicted[0], self.other[0]),
            off(self.predicted[1], self.other[1]),
        ]
    }

    fn row(&self) -> Vec<String> {
        let truth = [self.now[0], self.now[1], self.other[0], self.other[1]];
        let one = |(truth, off): (f64, Option<f64>)| {
            let off = off.map_or_else(|| NA.to_owned(), |off| format!("{} %", signed(off * 100.0, 1)));
            format!("{} µs: {off}", decimal(truth / 1e3, 0))
        };
        let figures = truth.into_iter().zip(self.off()).map(one);
        [self.connections, self.work_us, self.gap_us].map(|n| n.to_string()).into_iter().chain(figures).collect()
    }
}

impl Results {
    fn document(&self) -> String {
        let facts: Vec<String> = self.facts.iter().map(|(name, value)| format!("- {name}: {value}")).collect();
        let windows = if self.sampled { "sampled windows" } else { "`--exact`" };
        let bars: Vec<Vec<String>> = BARS
            .iter()
            .enumerate()
            .map(|(i, (name, bar))| {
                let off: Vec<f64> = self.cells.iter().filter_map(|cell| cell.off()[i]).map(f64::abs).collect();
                let held = off.iter().filter(|&&off| off <= *bar).count();
                let middle = median(&off).map_or_else(|| NA.to_owned(), percent);
                vec![(*name).to_owned(), whole_percent(*bar), format!("{held} of {}", self.cells.len()), middle]
            })
            .collect();
        let head = ["connections", "work, µs", "apart, µs", "p50 now", "p99 now", "p50 as one loop", "p99 as one loop"];
        format!(
            "# How long clients wait: told, and by the server's own clock\n\nMade by `cargo xtask lab latency --write`. \
             A server of our own with a thread for each connection, on loopback, its clients another process. The kernel \
             stamps each request where it receives it (`SO_TIMESTAMPNS`); the server takes the time after its reply. One \
             request in five waits 2 ms for another service. `check` ({windows}, {CHECK}) says how long clients wait, and \
             what one event loop would make of it; then the same server is run as one event loop. Each figure is the \
             median of {} rounds: the server's own, and by how much `check` is off.\n\n{}\n\n{}\n{}",
            self.rounds,
            facts.join("\n"),
            markdown::table(&["figure", "bar", "held in", "off by, median"], bars),
            markdown::table(&head, self.cells.iter().map(Cell::row).collect()),
        )
    }
}
