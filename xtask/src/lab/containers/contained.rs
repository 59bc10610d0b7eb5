//! A program in a container, as the harness runs it. It speaks as the lab's programs do
//! (xtask/languages/README.md), and is measured from outside.

use std::{cell::Cell, fs, rc::Rc, time::Duration};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;

use super::{
    engine::Engine,
    languages::{Flags, Form},
    outside::signal,
};
use crate::{
    harness::{
        row::{Active, Count, Ended, Program, Start},
        workload::{self, answer, counted},
    },
    host::{
        child::{Running, pause},
        clocks,
    },
};

/// Limit for a program to be ready, its container included: a JVM takes a while.
const READY_WITHIN: Duration = Duration::from_secs(40);
/// Limit for a container to end.
const END_WITHIN: Duration = Duration::from_secs(20);
/// A program of the lab ends by itself after so many seconds.
const AT_MOST: &str = "3600";

thread_local! {
    /// Containers so far: no two have the same name.
    static STARTED: Cell<u32> = const { Cell::new(0) };
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// It listens.
    Server,
    /// It asks a server, some time before it counts.
    Client { warm_up: Duration },
    /// The lab's load: it asks a server, can rest, and knows latencies.
    Load { warm_up: Duration, rate: Option<f64> },
}

/// A form of a program under a setting.
pub(super) struct Contained {
    pub(super) engine: Rc<Engine>,
    pub(super) form: Form,
    /// What follows the form's words.
    pub(super) arguments: Vec<String>,
    pub(super) role: Role,
    pub(super) cpu: &'static str,
}

impl Program for Contained {
    fn name(&self) -> &str {
        self.form.name
    }

    fn line(&self) -> String {
        let words = self.form.words.split(' ').map(str::to_owned);
        words.chain(self.arguments.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    fn warm_up(&self) -> Duration {
        match self.role {
            Role::Server => Duration::ZERO,
            Role::Client { warm_up } | Role::Load { warm_up, .. } => warm_up,
        }
    }

    fn rate(&self) -> Option<f64> {
        match self.role {
            Role::Load { rate, .. } => rate,
            Role::Server | Role::Client { .. } => None,
        }
    }

    fn start(&self, start: &Start) -> Result<Box<dyn Active>> {
        let number = STARTED.replace(STARTED.get() + 1);
        let name = format!("sia-languages-{number}");
        let words = self.words(start.peer)?;
        let running = Running::start(&mut self.engine.command(&name, self.form.image, self.cpu, &words))?;
        // From here on, dropping the value ends the container, whatever happens.
        let rests = matches!(self.role, Role::Load { .. });
        let mut served = Served { running, pid: None, port: None, rests, at_ready: None };
        let key = match self.role {
            Role::Server => "port",
            Role::Client { .. } => "pid",
            Role::Load { .. } => "warm",
        };
        let within = start.deadline.at_most(READY_WITHIN + self.warm_up())?;
        let ready = answer(&mut served.running, key, within)?;
        let pid = self.engine.program(&name, served.running.pid())?;
        served.pid = Some(pid);
        served.at_ready = resident(pid);
        served.port = ready.get("port").and_then(Value::as_u64).map(u16::try_from).transpose()?;
        if let Role::Client { warm_up } = self.role {
            pause(start.deadline.at_most(warm_up)?)?;
        }
        Ok(Box::new(served))
    }
}

impl Contained {
    /// Its words with what only a start knows.
    fn words(&self, peer: Option<u16>) -> Result<Vec<String>> {
        let mut words: Vec<String> = self.form.words.split(' ').map(str::to_owned).collect();
        words.extend(self.arguments.iter().cloned());
        let mut push = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if self.form.flags == Flags::Lab {
            push("--seconds", AT_MOST.to_owned());
        }
        let port = || peer.map(|port| port.to_string()).context("a client without a server");
        match (self.role, self.form.flags) {
            (Role::Server, _) => {}
            (Role::Client { .. }, Flags::Languages) => push("--port", port()?),
            (Role::Client { .. }, Flags::Lab) => push("--backend", port()?),
            (Role::Load { warm_up, .. }, _) => {
                push("--port", port()?);
                push("--duration", AT_MOST.to_owned());
                push("--warmup", warm_up.as_secs_f64().to_string());
            }
        }
        Ok(words)
    }
}

/// A container that runs.
struct Served {
    /// The command that stays in front of it.
    running: Running,
    /// The program itself, once it is ready.
    pid: Option<u32>,
    port: Option<u16>,
    /// Whether it rests when asked. If not, a signal stops it.
    rests: bool,
    /// Its memory when it was ready.
    at_ready: Option<u64>,
}

impl Served {
    fn signal(&self, of: Signal) {
        if let Some(pid) = self.pid {
            signal(pid, of);
        }
    }
}

impl Active for Served {
    fn pid(&self) -> u32 {
        self.pid.unwrap_or_else(|| self.running.pid())
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn check_alive(&mut self) -> Result<()> {
        self.running.check_alive()
    }

    fn cpu(&self) -> Result<Duration> {
        clocks::process_cpu(self.pid())
    }

    fn count(&mut self, within: Duration) -> Result<Option<Count>> {
        counted(&mut self.running, within).map(Some)
    }

    fn switches(&self) -> Option<u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
        let each = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
        Some(each.map(|status| switches(&status)).sum())
    }

    fn grown(&self) -> Option<u64> {
        Some(resident(self.pid())?.saturating_sub(self.at_ready?))
    }

    fn rest(&mut self, within: Duration) -> Result<()> {
        if self.rests {
            self.running.send("rest")?;
            answer(&mut self.running, "resting", within)?;
        } else {
            self.signal(Signal::STOP);
        }
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        if self.rests {
            return self.running.send("go");
        }
        self.signal(Signal::CONT);
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<Ended> {
        self.signal(Signal::CONT);
        let said = self.running.close_stdin(END_WITHIN)?;
        self.pid = None;
        Ok(workload::last_words(&said))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Its command ends with it.
        if matches!(self.running.poll(), Ok(false)) {
            self.signal(Signal::KILL);
        }
    }
}

/// Context switches of a thread, of either kind: proc(5), `status`.
fn switches(status: &str) -> u64 {
    let lines = status.lines().filter(|line| line.contains("voluntary_ctxt_switches:"));
    lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_of_both_kinds_count() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(switches(status), 42);
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
    }
}
