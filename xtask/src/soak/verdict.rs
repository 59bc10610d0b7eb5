//! What came of it: turns that failed, memory, counters that went back, losses.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::Result;

use super::{
    turns::Kind,
    watched::{Left, Look, NAMES},
};
use crate::{
    harness::statistics::median,
    host::{
        markdown,
        numbers::{count, decimal, percent},
    },
};

/// Memory is judged from this length on: `serve` keeps what has ended for up to an hour.
const JUDGED_FROM: Duration = Duration::from_secs(3 * 3_600);
/// By how much the last quarter may lie above the second.
const FLAT: f64 = 0.10;
/// No program is larger, however short it ran, bytes.
const CEILING: u64 = 512 * 1024 * 1024;
/// `serve` against the kernel's clock, from [`JUDGED_FROM`] on.
const CLOSES: f64 = 0.10;
/// Failures that are told in full.
const TOLD: usize = 20;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Tally {
    /// By kind: turns, and those that failed.
    turns: BTreeMap<Kind, (u64, u64)>,
    faults: Vec<String>,
    looks: Vec<Seen>,
    /// Figures of `serve` at the last look.
    figures: BTreeMap<String, f64>,
    left: Option<Left>,
    births: u64,
}

/// What is kept of a look: a day has thousands of them.
struct Seen {
    at: Duration,
    memory: [u64; 3],
    /// CPU of the server by `serve`, s; `None` before its first figures.
    by_serve: Option<f64>,
    /// The same by the kernel's clock.
    by_clock: f64,
}

impl Tally {
    pub(super) fn turn(&mut self, kind: Kind, outcome: Result<()>) {
        let (all, failed) = self.turns.entry(kind).or_default();
        *all += 1;
        if let Err(error) = outcome {
            *failed += 1;
            self.faults.push(format!("{}: {error:#}", kind.name()));
        }
    }

    pub(super) fn orphans(&mut self, ids: &BTreeSet<u32>) {
        if !ids.is_empty() {
            self.faults.push(format!("programs that nobody holds: {ids:?}"));
        }
    }

    pub(super) fn watched(&mut self, at: Duration, look: Look) {
        let Look { memory, figures, server_cpu, label } = look;
        let back = |(name, value): (&String, &f64)| {
            let is_counter = name.split('{').next().is_some_and(|name| name.ends_with("_total"));
            let then = self.figures.get(name).copied().unwrap_or(0.0);
            (is_counter && *value < then).then(|| format!("{name} went back from {then} to {value}"))
        };
        self.faults.extend(figures.iter().filter_map(back));
        let of_server = |name: &str| name.starts_with("should_i_async_cpu_seconds_total{") && name.contains(&label);
        let by_serve = figures.iter().find(|(name, _)| of_server(name)).map(|(_, value)| *value);
        self.looks.push(Seen { at, memory, by_serve, by_clock: server_cpu.as_secs_f64() });
        self.figures = figures;
    }

    pub(super) fn ended(&mut self, left: Left, births: u64) {
        self.faults.extend(left.faults.iter().cloned());
        for (i, name) in NAMES.iter().enumerate() {
            let most = self.most(i);
            if most > CEILING {
                self.faults.push(format!("{name} took {} MiB", mebibytes(most as f64)));
            }
        }
        self.left = Some(left);
        self.births = births;
        if self.looks.last().is_some_and(|seen| seen.at >= JUDGED_FROM) {
            self.judge();
        }
    }

    /// What only a long run can tell.
    fn judge(&mut self) {
        for (i, name) in NAMES.iter().enumerate() {
            if let Some(growth) = self.growth(i).filter(|growth| *growth > FLAT) {
                self.faults.push(format!("memory of {name} grew by {}", percent(growth)));
            }
        }
        if let Some(off) = self.off_the_clock().filter(|off| off.abs() > CLOSES) {
            self.faults.push(format!("CPU of the server by serve is {} off its clock", percent(off)));
        }
    }

    /// Memory of a program in the last quarter against that in the second.
    fn growth(&self, program: usize) -> Option<f64> {
        let n = self.looks.len();
        let middle = |of: &[Seen]| median(&of.iter().map(|seen| seen.memory[program] as f64).collect::<Vec<_>>());
        Some(middle(&self.looks[n * 3 / 4..])? / middle(&self.looks[n / 4..n / 2])? - 1.0)
    }

    /// The most memory that a program had when it was looked at, bytes.
    fn most(&self, program: usize) -> u64 {
        self.looks.iter().map(|seen| seen.memory[program]).max().unwrap_or(0)
    }

    /// CPU of the server by `serve` against the kernel's clock.
    fn off_the_clock(&self) -> Option<f64> {
        let mut seen = self.looks.iter().filter_map(|seen| Some((seen.by_serve?, seen.by_clock)));
        let (first, last) = (seen.next()?, seen.next_back()?);
        Some((last.0 - first.0) / (last.1 - first.1) - 1.0)
    }

    pub(super) fn failures(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn document(&self, length: Duration) -> String {
        let turn = |(kind, (all, failed)): (&Kind, &(u64, u64))| {
            vec![kind.name().to_owned(), all.to_string(), failed.to_string()]
        };
        let turns = markdown::table(&["turn", "played", "failed"], self.turns.iter().map(turn).collect());
        let programs = NAMES.iter().enumerate().map(|(i, name)| {
            let growth = self.growth(i).map(percent).unwrap_or_default();
            vec![(*name).to_owned(), mebibytes(self.most(i) as f64), growth]
        });
        let programs =
            markdown::table(&["program", "most memory, MiB", "last quarter against second"], programs.collect());
        let mut lines = vec![
            format!(
                "{} minutes, {} processes born beside",
                decimal(length.as_secs_f64() / 60.0, 0),
                count(self.births as f64)
            ),
            format!(
                "CPU of the server by serve, against its clock: {}",
                self.off_the_clock().map(percent).unwrap_or_default()
            ),
            format!("recording: {} MiB", mebibytes(self.left.as_ref().map_or(0.0, |left| left.recording_bytes as f64))),
            format!("lost, as serve counts it: {}", self.lost()),
        ];
        lines.extend(self.faults.iter().take(TOLD).map(|fault| format!("FAILED: {fault}")));
        lines.extend(self.faults.len().checked_sub(TOLD + 1).map(|more| format!("… and {} more", more + 1)));
        format!("{turns}\n{programs}\n{}", lines.join("\n"))
    }

    fn lost(&self) -> String {
        if self.looks.is_empty() {
            return "nothing was seen".to_owned();
        }
        let lost = self.figures.iter().filter(|(name, value)| name.contains("_lost_total{") && **value > 0.0);
        let lost: Vec<String> =
            lost.filter_map(|(name, value)| Some(format!("{} {}", count(*value), name.split('"').nth(1)?))).collect();
        if lost.is_empty() { "nothing".to_owned() } else { lost.join(", ") }
    }
}

fn mebibytes(bytes: f64) -> String {
    decimal(bytes / (1024.0 * 1024.0), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(memory: u64, figures: &[(&str, f64)], cpu: u64) -> Look {
        Look {
            memory: [memory; 3],
            figures: figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            server_cpu: Duration::from_secs(cpu),
            label: "pid=\"7\"".to_owned(),
        }
    }

    fn left() -> Left {
        Left { recording_bytes: 1, faults: Vec::new() }
    }

    /// A run of so many hours whose memory is what `memory` says.
    fn run(hours: u64, memory: impl Fn(u64) -> u64) -> Tally {
        let mut tally = Tally::default();
        for minute in 0..hours * 60 + 1 {
            tally.watched(Duration::from_secs(minute * 60), look(memory(minute), &[], minute));
        }
        tally.ended(left(), 0);
        tally
    }

    #[test]
    fn memory_that_grows_is_a_fault_of_a_long_run() {
        assert_eq!(run(4, |_| 50).failures(), 0);
        assert_eq!(run(4, |minute| 50 + minute).failures(), NAMES.len());
        assert_eq!(run(1, |minute| 50 + minute).failures(), 0);
    }

    #[test]
    fn a_counter_that_goes_back_is_a_fault() {
        let mut tally = Tally::default();
        for value in [3.0, 4.0, 2.0] {
            tally.watched(Duration::ZERO, look(1, &[("a_total{x=\"y\"}", value), ("b", value)], 0));
        }
        assert_eq!(tally.faults, ["a_total{x=\"y\"} went back from 4 to 2"]);
    }

    #[test]
    fn the_clock_is_the_judge() {
        let mut tally = Tally::default();
        for second in 1..4u64 {
            let seen = [("should_i_async_cpu_seconds_total{pid=\"7\"}", 2.0 * second as f64)];
            tally.watched(Duration::from_secs(second), look(1, &seen, second));
        }
        assert_eq!(tally.off_the_clock(), Some(1.0));
    }

    #[test]
    fn losses_are_told_by_kind() {
        let mut tally = Tally::default();
        assert_eq!(tally.lost(), "nothing was seen");
        let figures = [("a_lost_total{what=\"threads\"}", 5.0), ("a_lost_total{what=\"sites\"}", 0.0)];
        tally.watched(Duration::ZERO, look(1, &figures, 0));
        assert_eq!(tally.lost(), "5 threads");
    }
}
