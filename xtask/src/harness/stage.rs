//! A program at work with its load: warmed up, read while it runs, and ended.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::row::{Active, Deadline, Ended, Group, Load, Program, Start};
use crate::host::{
    child,
    clocks::{self, Machine},
};

/// Time under load before a measurement begins.
pub(crate) const WARM_UP: Duration = Duration::from_millis(400);
/// Time between the end of a rest and the next measurement.
const SETTLING: Duration = Duration::from_millis(50);
/// Limit for a load that rests to get its last replies.
const RESTED_WITHIN: Duration = Duration::from_secs(15);
/// Limit for a program to say how much it has done.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

/// Counters of the program, its load and the machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) operations: f64,
    /// When it was read, in ns of `CLOCK_MONOTONIC`.
    pub(crate) now_ns: f64,
    /// CPU of the program, ns.
    pub(crate) cpu_ns: f64,
    /// CPU of the load or backend, ns.
    pub(crate) load_ns: f64,
    pub(crate) machine: Machine,
    /// Interrupts that CPUs sent each other; `None` where the kernel does not count them apart.
    pub(crate) between_cpus: Option<u64>,
    /// Context switches of the program and of its load or backend, where they are asked for.
    pub(crate) switches: Option<u64>,
    pub(crate) load_switches: Option<u64>,
    /// Memory that the program took since it was ready, in bytes.
    pub(crate) grown: Option<u64>,
}

/// A program with what keeps it busy.
pub(crate) struct Stage {
    program: Box<dyn Active>,
    companion: Companion,
    deadline: Deadline,
}

enum Companion {
    None,
    Client(Box<dyn Active>),
    Backend(Box<dyn Active>),
}

impl Companion {
    fn active(&mut self) -> Option<&mut dyn Active> {
        match self {
            Self::None => None,
            Self::Client(active) | Self::Backend(active) => Some(&mut **active),
        }
    }
}

/// What both said at their end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastWords {
    pub(crate) load: Ended,
    pub(crate) program: Ended,
}

impl Stage {
    /// Starts a form of the group with its load, for at least `stay`, and warms it up.
    pub(crate) fn start(group: &Group, form: &dyn Program, stay: Duration, deadline: Deadline) -> Result<Self> {
        let with = |peer| Start { peer, stay, deadline };
        let (program, companion) = match &group.load {
            Load::Alone => (form.start(&with(None))?, Companion::None),
            Load::Backend(backend) => {
                let backend = backend.start(&with(None))?;
                (form.start(&with(backend.port()))?, Companion::Backend(backend))
            }
            Load::Client(client) => {
                let program = form.start(&with(None))?;
                let client = client.start(&with(program.port()))?;
                (program, Companion::Client(client))
            }
        };
        // A client has warmed up by itself.
        if !matches!(companion, Companion::Client(_)) {
            child::pause(deadline.at_most(WARM_UP)?)?;
        }
        Ok(Self { program, companion, deadline })
    }

    /// The arguments that tell `check` what to measure.
    pub(crate) fn target(&self) -> Vec<String> {
        self.program.target()
    }

    /// Waits this long, and checks that the program is still there.
    pub(crate) fn run_for(&mut self, length: Duration) -> Result<()> {
        child::pause(self.deadline.at_most(length)?)?;
        self.program.check_alive()?;
        self.companion.active().map_or(Ok(()), |active| active.check_alive())
    }

    /// Stops all work: a client sends nothing, a program without one stands still.
    pub(crate) fn rest(&mut self) -> Result<()> {
        let within = self.deadline.at_most(RESTED_WITHIN)?;
        match &mut self.companion {
            Companion::Client(client) => client.rest(within),
            _ => self.program.rest(within),
        }
    }

    /// After a rest: goes on as before, and settles.
    pub(crate) fn go(&mut self) -> Result<()> {
        self.program.refresh();
        match &mut self.companion {
            Companion::Client(client) => client.go()?,
            _ => self.program.go()?,
        }
        child::pause(self.deadline.at_most(SETTLING)?)
    }

    /// Reads the counters of program, load and machine.
    pub(crate) fn read(&mut self) -> Result<Reading> {
        let load = self.companion.active().map_or(Ok(Duration::ZERO), |active| active.cpu())?;
        let load_switches = self.companion.active().and_then(|active| active.switches());
        let (switches, grown) = (self.program.switches(), self.program.grown());
        let machine = clocks::machine()?;
        let between_cpus = clocks::interrupts_between_cpus();
        let before = self.clocks()?;
        self.program.check_alive()?;
        let within = self.deadline.at_most(COUNTED_WITHIN)?;
        let count = match (self.program.count(within)?, self.companion.active()) {
            (None, Some(load)) => load.count(within)?,
            (count, _) => count,
        };
        let count = count.context("neither the program nor its load counts operations")?;
        Ok(Reading {
            operations: count.operations,
            now_ns: count.at_ns,
            cpu_ns: between(before, self.clocks()?, count.at_ns),
            load_ns: load.as_nanos() as f64,
            machine,
            between_cpus,
            switches,
            load_switches,
            grown,
        })
    }

    /// The time and the program's CPU, both in ns.
    fn clocks(&self) -> Result<(f64, f64)> {
        Ok((clocks::monotonic() as f64, self.program.cpu()?.as_nanos() as f64))
    }

    /// Ends everything. The side that sends requests ends first, so that no peer vanishes in the
    /// middle of a request.
    pub(crate) fn end(self) -> Result<LastWords> {
        let (program, load) = match self.companion {
            Companion::None => (self.program.end(), Ok(Ended::default())),
            Companion::Backend(backend) => (self.program.end(), backend.end()),
            Companion::Client(client) => {
                let load = client.end();
                (self.program.end(), load)
            }
        };
        Ok(LastWords { load: load?, program: program? })
    }
}

/// The CPU clock at the moment of the count, from readings before and after it: the program's
/// answer may have waited for a busy CPU.
fn between(before: (f64, f64), after: (f64, f64), now: f64) -> f64 {
    let share = if after.0 > before.0 { ((now - before.0) / (after.0 - before.0)).clamp(0.0, 1.0) } else { 0.0 };
    before.1 + (after.1 - before.1) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_clock_is_read_when_the_program_counted() {
        assert_eq!(between((0.0, 100.0), (10.0, 200.0), 5.0), 150.0);
        assert_eq!(between((0.0, 100.0), (10.0, 200.0), 99.0), 200.0);
        assert_eq!(between((3.0, 100.0), (3.0, 100.0), 3.0), 100.0);
    }
}
