//! `cargo xtask bench paid`: what a target pays, by an outside clock, against what the report says
//! and what the budget allows.
//!
//! One server and its load live through all turns. A turn is two seconds without a profiler, under
//! `check` with its default budget, or under `check --exact`, in random order; turns of a round
//! are compared with each other. CPU per request is the CPU clock of the server by the segments
//! that loopback delivered: each request and each reply is one.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{machine::SUITE, observer::Observer};
use crate::{
    harness::statistics::{mean, median},
    host::{
        child::{self, Running},
        clocks, markdown,
        numbers::{increase, points},
        package::{self, Pair},
    },
    say::{self, say},
};

/// The server has a core to itself, and so has the load.
const SERVER_CPU: &str = "0";
const LOAD_CPU: &str = "1";
const CONNECTIONS: &str = "64";
/// Both end by themselves after so many seconds.
const LONGEST: u64 = 1_800;
/// Length of a turn, seconds.
const TURN: u64 = 2;
/// Between two turns: links of the one before go, queues are worked off.
const APART: Duration = Duration::from_millis(200);
/// A server is done when half the 90 % interval of what the default budget pays is so small.
const SURE: f64 = 0.005;
/// Half a 90 % interval of a mean, in standard errors.
const Z90: f64 = 1.645;
/// Fewest rounds whose spread means something.
const FEWEST: u32 = 5;

/// The servers: a thread per connection, and what a message is.
const SERVERS: [(&str, &[&str], &str); 3] = [
    ("64 B, no work", &["--bytes", "64"], "64"),
    ("256 B, 0.5 µs of work", &["--bytes", "256", "--work", "400"], "256"),
    ("4 KiB, no work", &["--bytes", "4096"], "4096"),
];

/// What a server pays while it is measured, against what is reported and the budget.
#[derive(Args)]
pub(super) struct Options {
    /// Rounds at most, for each server.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(2..=1000))]
    rounds: u32,
}

/// What one turn saw.
#[derive(Clone, Copy, Default)]
struct Turn {
    /// CPU of the server per request, ns.
    per_request: f64,
    /// What the report said that the target paid, as a share of its CPU.
    reported: Option<f64>,
}

/// A mean and half its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mean {
    value: f64,
    half: f64,
}

impl Mean {
    fn new(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let value = mean(values)?;
        let squares: f64 = values.iter().map(|v| (v - value).powi(2)).sum();
        (values.len() >= 2).then(|| Self { value, half: Z90 * (squares / (count - 1.0) / count).sqrt() })
    }

    fn text(self) -> String {
        format!("{} ± {}", increase(1.0 + self.value), points(self.half * 100.0))
    }
}

/// The turns of a server, round by round: alone, default budget, exact.
type Rounds = Vec<[Turn; 3]>;

const OBSERVERS: [Observer; 3] = [Observer::None, Observer::CheckBudget, Observer::Check];

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let Pair { tool, workload } = Pair::find(root, package::LAB, None)?;
    let mut rows = Vec::new();
    for (name, server, bytes) in SERVERS {
        let rounds = measure(&tool, &workload, (name, server, bytes), options.rounds)?;
        rows.extend([(1, "3 %"), (2, "none")].map(|(which, budget)| row(name, &rounds, which, budget)));
    }
    say(&markdown::table(&["Server", "Configuration", "Budget", "Paid", "Paid, median", "Reported", "Rounds"], rows))
}

/// Paid by one configuration in each round, as a share of what the server takes alone.
fn paid(rounds: &Rounds, which: usize) -> Vec<f64> {
    rounds.iter().map(|round| round[which].per_request / round[0].per_request - 1.0).collect()
}

fn row(name: &str, rounds: &Rounds, which: usize, budget: &str) -> Vec<String> {
    let paid = paid(rounds, which);
    let reported: Vec<f64> = rounds.iter().filter_map(|round| round[which].reported).collect();
    let text = |values: &[f64]| Mean::new(values).map_or_else(String::new, Mean::text);
    vec![
        name.to_owned(),
        OBSERVERS[which].title().to_owned(),
        budget.to_owned(),
        text(&paid),
        median(&paid).map_or_else(String::new, |value| increase(1.0 + value)),
        text(&reported),
        rounds.len().to_string(),
    ]
}

fn measure(tool: &Path, lab: &Path, (name, args, bytes): (&str, &[&str], &str), most: u32) -> Result<Rounds> {
    let seconds = LONGEST.to_string();
    let mut server = Command::new(lab);
    server.args(["echo", "--mode", "threads", "--cpu", SERVER_CPU, "--seconds", &seconds]).args(args);
    let mut server = Running::start(&mut server)?;
    let said: serde_json::Value = serde_json::from_str(&server.next_line(Duration::from_secs(10))?)?;
    let port = said["port"].as_u64().context("the server named no port")?.to_string();
    let mut load = Command::new(lab);
    load.args(["load", "--port", &port, "--connections", CONNECTIONS, "--bytes", bytes, "--cpu", LOAD_CPU]);
    load.args(["--seconds", &seconds, "--duration", &seconds]);
    let mut load = Running::start(&mut load)?;
    child::pause(Duration::from_secs(1))?;
    let mut rounds = Rounds::new();
    for round in 1..=most {
        let mut order = [0, 1, 2];
        fastrand::shuffle(&mut order);
        let mut turns = [Turn::default(); 3];
        for which in order {
            load.check_alive()?;
            turns[which] = turn(tool, OBSERVERS[which], server.pid())?;
            child::pause(APART)?;
        }
        rounds.push(turns);
        let sure = Mean::new(&paid(&rounds, 1));
        let so_far = sure.map_or_else(String::new, |mean| format!(": the default budget pays {}", mean.text()));
        say::progress(SUITE, &format!("{name}: round {round}/{most}{so_far}"))?;
        if round >= FEWEST && sure.is_some_and(|mean| mean.half <= SURE) {
            break;
        }
    }
    load.end(|| {});
    server.end(|| {});
    Ok(rounds)
}

fn turn(tool: &Path, observer: Observer, server: u32) -> Result<Turn> {
    let watching = observer.start(tool, server, TURN)?;
    let read = || -> Result<(Duration, u64)> { Ok((clocks::process_cpu(server)?, segments()?)) };
    let before = read()?;
    child::pause(Duration::from_secs(TURN) - Duration::from_millis(150))?;
    let after = read()?;
    let said = if observer == Observer::None { None } else { watching.wait(Duration::from_secs(30))? };
    let requests = after.1.saturating_sub(before.1) as f64 / 2.0;
    ensure!(requests > 0.0, "the load made no request");
    Ok(Turn {
        per_request: (after.0 - before.0).as_secs_f64() * 1e9 / requests,
        reported: said.and_then(|said| reported(&said)),
    })
}

/// What the report says that the target paid, over all the time.
fn reported(json: &str) -> Option<f64> {
    let report: serde_json::Value = serde_json::from_str(json).ok()?;
    report.pointer("/self_cost/paid_ratio/value")?.as_f64()
}

/// Segments that TCP received, of this network namespace.
fn segments() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/snmp").context("/proc/net/snmp")?;
    let mut tcp = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = tcp.next().zip(tcp.next()).context("/proc/net/snmp has no Tcp")?;
    let found = names.split_whitespace().zip(values.split_whitespace()).find(|(name, _)| *name == "InSegs");
    Ok(found.context("/proc/net/snmp has no InSegs")?.1.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_is_compared_within_a_round() {
        let turn = |per_request| Turn { per_request, reported: Some(0.03) };
        let rounds = vec![[100.0, 104.0, 120.0].map(turn), [200.0, 206.0, 250.0].map(turn)];
        let paid = paid(&rounds, 1);
        assert!((paid[0] - 0.04).abs() < 1e-9 && (paid[1] - 0.03).abs() < 1e-9);
        let mean = Mean::new(&paid).unwrap();
        assert!((mean.value - 0.035).abs() < 1e-9 && (mean.half - Z90 * 0.005).abs() < 1e-9, "{mean:?}");
        assert_eq!(Mean::new(&[0.03]), None);
    }

    #[test]
    fn the_reports_own_figure_is_found_where_there_is_one() {
        assert_eq!(reported(r#"{"self_cost":{"paid_ratio":{"value":0.031}}}"#), Some(0.031));
        assert_eq!(reported(r#"{"self_cost":{"paid_ratio":{"value":null}}}"#), None);
        assert_eq!(reported("not json"), None);
    }
}
