//! Programs of this repository as the harness runs them: they speak on stdin and stdout
//! (xtask/workloads/lab/main.rs).

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::row::{self, Count, Ended, Program, Start};
use crate::host::{
    child::{Running, Said},
    clocks,
};

/// A program that is not ended in time ends by itself, this much later.
const MARGIN: Duration = Duration::from_secs(60);
/// How many lines of a program are read, at most, to find an answer.
const LINES_AT_MOST: u32 = 10_000;
/// Limit for a program to become ready.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(15);
/// Limit for a program to end once it is asked to.
pub(crate) const END_WITHIN: Duration = Duration::from_secs(10);

/// A program with one way of doing IO.
pub(crate) struct Workload {
    pub(crate) binary: PathBuf,
    pub(crate) name: &'static str,
    /// What all its starts have in common.
    pub(crate) arguments: Vec<String>,
    pub(crate) role: Role,
}

/// What a program is for.
pub(crate) enum Role {
    /// It is measured. Some read a file.
    Target { file: Option<PathBuf> },
    /// It loads a target.
    Client { seed: u64, warm_up: Duration },
    /// It answers a target.
    Backend,
}

impl Program for Workload {
    fn name(&self) -> &str {
        self.name
    }

    fn line(&self) -> String {
        self.arguments.join(" ")
    }

    fn rate(&self) -> Option<f64> {
        let at = self.arguments.iter().position(|word| word == "--rate")?;
        self.arguments.get(at + 1)?.parse().ok()
    }

    fn warm_up(&self) -> Duration {
        match self.role {
            Role::Client { warm_up, .. } => warm_up,
            Role::Target { .. } | Role::Backend => Duration::ZERO,
        }
    }

    fn start(&self, start: &Start) -> Result<Box<dyn row::Active>> {
        let seconds = (start.stay + MARGIN).as_secs().to_string();
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments).args(["--seconds", &seconds]);
        let peer = start.peer.map(|port| port.to_string());
        let ready = match &self.role {
            Role::Target { file } => {
                command.args(file.iter().flat_map(|file| [Path::new("--file"), file]));
                command.args(peer.iter().flat_map(|port| ["--backend", port]));
                "pid"
            }
            Role::Backend => "pid",
            Role::Client { seed, warm_up } => {
                let port = peer.as_deref().context("the server of a client has no port")?;
                command.args(["--port", port, "--seed", &seed.to_string(), "--duration", &seconds]);
                command.args(["--warmup", &warm_up.as_secs_f64().to_string()]);
                "warm"
            }
        };
        let mut running = Running::start(&mut command)?;
        let ready = answer(&mut running, ready, start.deadline.at_most(READY_WITHIN + self.warm_up())?)?;
        let port = ready.get("port").and_then(Value::as_u64).map(u16::try_from).transpose()?;
        Ok(Box::new(Speaking { running, port, rests: matches!(self.role, Role::Client { .. }) }))
    }
}

/// A workload that runs, with what it has said.
struct Speaking {
    running: Running,
    port: Option<u16>,
    /// Whether it can rest when asked. If not, a signal stops it.
    rests: bool,
}

impl row::Active for Speaking {
    fn pid(&self) -> u32 {
        self.running.pid()
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn check_alive(&mut self) -> Result<()> {
        self.running.check_alive()
    }

    fn cpu(&self) -> Result<Duration> {
        clocks::process_cpu(self.running.pid())
    }

    fn count(&mut self, within: Duration) -> Result<Option<Count>> {
        counted(&mut self.running, within).map(Some)
    }

    fn rest(&mut self, within: Duration) -> Result<()> {
        if self.rests {
            self.running.send("rest")?;
            answer(&mut self.running, "resting", within)?;
        } else {
            self.running.freeze();
        }
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        if self.rests {
            return self.running.send("go");
        }
        self.running.thaw();
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<Ended> {
        Ok(last_words(&self.running.close(END_WITHIN)?))
    }
}

/// What the last line of a program says that is a JSON object.
pub(crate) fn last_words(said: &Said) -> Ended {
    let last = said.stdout.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let number = |key: &str| last.as_ref()?.get(key)?.as_f64();
    let [p50_ns, p99_ns, p999_ns] = ["p50_ns", "p99_ns", "p999_ns"].map(number);
    Ended { errors: number("errors").unwrap_or(0.0), p99_ns, p50_ns, p999_ns }
}

/// Asks a program how many operations it has done.
pub(crate) fn counted(program: &mut Running, within: Duration) -> Result<Count> {
    program.send("count")?;
    let count = answer(program, "now_ns", within)?;
    Ok(Count { operations: number(&count, "operations")?, at_ns: number(&count, "now_ns")? })
}

/// The next line of a program that is a JSON object with this key.
pub(crate) fn answer(program: &mut Running, key: &str, within: Duration) -> Result<Value> {
    for _ in 0..LINES_AT_MOST {
        let line = program.next_line(within)?;
        if let Ok(value) = serde_json::from_str::<Value>(&line)
            && value.get(key).is_some()
        {
            return Ok(value);
        }
    }
    bail!("no line with {key:?} among {LINES_AT_MOST}")
}

/// A number of such an object.
pub(crate) fn number(value: &Value, key: &str) -> Result<f64> {
    value.get(key).and_then(Value::as_f64).with_context(|| format!("{value}: {key:?} is no number"))
}
