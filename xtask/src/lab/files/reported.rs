//! One run of a program of ours. It looks at itself and prints one line.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{
    cell::Access,
    program::{Hand, Kind, Reader},
    results::Sample,
};
use crate::host::{child::Running, clocks};

/// The name of the Go program, and of its source without the ending.
pub(super) const GO: &str = "readat";
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// What these programs print.
#[derive(Deserialize)]
struct Said {
    operations: f64,
    seconds: f64,
    cpu_ns: f64,
    switches: f64,
    threads: f64,
    p50_ns: f64,
    p99_ns: f64,
}

/// Reads a file once.
pub(super) fn read(reader: &Reader, program: &Path, file: &Path, window: Duration) -> Result<Sample> {
    let mut command = Command::new(program);
    let way = match reader.kind {
        Kind::Go => "readat",
        Kind::GoRaw => "raw",
        Kind::Threads => "threads",
        Kind::Ring => "ring",
    };
    command.args((!reader.kind.is_go()).then_some("read"));
    command.args(["--way", way, "--at-once", &reader.at_once.to_string(), "--file"]).arg(file);
    command.args((reader.access == Access::Direct).then_some("--direct"));
    let (said, others) = run(&mut command, window)?;
    ensure!(said.operations > 0.0, "no read ended in {} ms", window.as_millis());
    Ok(Sample { latency_ns: Some([said.p50_ns, said.p99_ns]), ..said.sample(said.operations, others) })
}

/// Has the threads hand over once. An operation is a switch.
pub(super) fn hand(hand: &Hand, program: &Path, cpus: u32, window: Duration) -> Result<Sample> {
    let list: Vec<String> = hand.cpu.map_or((0..cpus).collect(), |cpu| vec![cpu]).iter().map(u32::to_string).collect();
    let mut command = Command::new(program);
    command.args(["hand", "--by", hand.by.title(), "--cpus", &list.join(",")]);
    let (said, others) = run(&mut command, window)?;
    ensure!(said.switches > 0.0, "no switch in {} ms", window.as_millis());
    Ok(said.sample(said.switches, others))
}

/// Runs a program, and says what all others used meanwhile, in cores.
fn run(command: &mut Command, window: Duration) -> Result<(Said, f64)> {
    command.args(["--ms", &window.as_millis().to_string()]);
    let own = clocks::children_cpu();
    let (busy, begun) = (clocks::machine_busy()?, Instant::now());
    let stdout = Running::start(command)?.wait(ENDS_WITHIN)?.stdout;
    let seconds = begun.elapsed().as_secs_f64();
    let own = clocks::children_cpu().saturating_sub(own);
    let others = clocks::machine_busy()?.saturating_sub(busy).saturating_sub(own);
    let said = serde_json::from_str(&stdout).with_context(|| format!("it printed {stdout}"))?;
    Ok((said, others.as_secs_f64() / seconds))
}

impl Said {
    fn sample(&self, operations: f64, others: f64) -> Sample {
        Sample {
            operations_per_s: operations / self.seconds,
            cpu_ns: self.cpu_ns / operations,
            switches: self.switches / operations,
            latency_ns: None,
            from_storage: None,
            threads: Some(self.threads),
            others,
        }
    }
}
