//! What is compared: programs, their load, and which way of `check` each async form takes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A scenario of `check`, by its name in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// Readiness: epoll and one read per event.
    Level,
    /// Readiness: epoll and one extra attempt per event.
    Naive,
    /// A general runtime on one thread.
    Runtime,
    /// A loop over io_uring, with requests in batches.
    Tuned,
    /// The same with 32 requests on files at once.
    #[serde(rename = "deep32")]
    Deep32,
    /// The same with 128.
    #[serde(rename = "deep128")]
    Deep128,
    /// Linux AIO, for reads and writes past the page cache.
    Aio,
    /// Calls on files that a pool of workers makes.
    Workers,
    /// Reads and writes on the thread that a pool did them for.
    Inline,
    /// A loop that hands what is ready to a pool of workers.
    Pooled,
    /// A loop whose threads wait by turns, and serve what they find.
    Shared,
    /// asyncio's streams, in CPython.
    Streams,
    /// asyncio's protocols, in CPython.
    Protocols,
    /// uvloop in place of asyncio's loop, in CPython.
    Uvloop,
    /// Greenlets of gevent, in CPython.
    Gevent,
    /// Virtual threads, in a JVM.
    Virtual,
    /// JVM: a virtual thread for each task that a loop hands out.
    Tasks,
    /// JVM: a loop over a selector.
    Selector,
}

impl Scenario {
    /// Those that the lab has programs for, in machine code.
    pub(crate) const NATIVE: [Self; 3] = [Self::Naive, Self::Runtime, Self::Tuned];
    pub(crate) const ALL: [Self; 18] = [
        Self::Level,
        Self::Naive,
        Self::Runtime,
        Self::Tuned,
        Self::Deep32,
        Self::Deep128,
        Self::Aio,
        Self::Workers,
        Self::Inline,
        Self::Pooled,
        Self::Shared,
        Self::Streams,
        Self::Protocols,
        Self::Uvloop,
        Self::Gevent,
        Self::Virtual,
        Self::Tasks,
        Self::Selector,
    ];
}

/// A program that can be started again and again: one form of what is compared, or a load.
pub(crate) trait Program {
    /// A short name for messages, as `threads` or `epoll`.
    fn name(&self) -> &str;

    /// Its command line, for readers.
    fn line(&self) -> String;

    /// How long a load works before it counts.
    fn warm_up(&self) -> Duration {
        Duration::ZERO
    }

    /// Operations a second that a load asks for, whatever the program can do.
    fn rate(&self) -> Option<f64> {
        None
    }

    /// Starts it and waits until it is ready. A load is ready when it has warmed up.
    fn start(&self, start: &Start) -> Result<Box<dyn Active>>;
}

/// How a program is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Where its peer listens: the server of a load, or the backend of a server.
    pub(crate) peer: Option<u16>,
    /// How long it is needed. It may end by itself some time after that.
    pub(crate) stay: Duration,
    pub(crate) deadline: Deadline,
}

/// A program that runs. Dropping it ends it.
pub(crate) trait Active {
    /// The process, or the first one of a tree.
    fn pid(&self) -> u32;

    /// The port that it listens on; `None` if it does not.
    fn port(&self) -> Option<u16>;

    /// The arguments that tell `check` what to measure.
    fn target(&self) -> Vec<String> {
        vec!["-p".to_owned(), self.pid().to_string()]
    }

    /// An error with its reason once it runs no more.
    fn check_alive(&mut self) -> Result<()>;

    /// CPU time so far, of all its processes.
    fn cpu(&self) -> Result<Duration>;

    /// Operations so far. `None` for a program that does not count them: then its load does.
    fn count(&mut self, within: Duration) -> Result<Option<Count>>;

    /// Context switches of its threads so far, of either kind; `None` for a program that nobody
    /// asks for them.
    fn switches(&self) -> Option<u64> {
        None
    }

    /// Resident memory that it took since it was ready, in bytes.
    fn grown(&self) -> Option<u64> {
        None
    }

    /// Reads again which processes it has. Between turns: nothing is measured meanwhile.
    fn refresh(&mut self) {}

    /// Keeps it idle until [`Self::go`]. A load first waits for its last replies.
    fn rest(&mut self, within: Duration) -> Result<()>;

    /// After a rest: goes on as before.
    fn go(&mut self) -> Result<()>;

    /// Ends it, and reads what it says at its end.
    fn end(self: Box<Self>) -> Result<Ended>;
}

/// Operations at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) operations: f64,
    /// When they were counted, `CLOCK_MONOTONIC` in ns.
    pub(crate) at_ns: f64,
}

/// What a program said at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) errors: f64,
    /// Latency at the 99th percentile. Only loads know it.
    pub(crate) p99_ns: Option<f64>,
    pub(crate) p50_ns: Option<f64>,
    pub(crate) p999_ns: Option<f64>,
}

/// What keeps a program busy.
pub(crate) enum Load {
    /// The program loads itself, or nothing does.
    Alone,
    /// It asks the program.
    Client(Box<dyn Program>),
    /// The program asks it.
    Backend(Box<dyn Program>),
}

impl Load {
    pub(crate) fn line(&self) -> Option<String> {
        self.program().map(Program::line)
    }

    /// Operations a second that it asks for; `None` where it asks as fast as it is answered.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.program().and_then(Program::rate)
    }

    fn program(&self) -> Option<&dyn Program> {
        match self {
            Self::Alone => None,
            Self::Client(program) | Self::Backend(program) => Some(&**program),
        }
    }
}

/// An async form of a blocking program.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) program: Box<dyn Program>,
    /// The scenario whose prediction is compared.
    pub(crate) scenario: Scenario,
}

/// Rows that have the blocking program and the load in common, so that `check` is asked and the
/// blocking program is measured once for all of them. Without rows it is a control: a program that
/// async does not help, which is its own async form.
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) blocking: Box<dyn Program>,
    pub(crate) load: Load,
    pub(crate) rows: Vec<Row>,
    /// The program, where the id does not begin with its name.
    pub(crate) program: Option<&'static str>,
    /// Why this machine cannot run it.
    pub(crate) obstacle: Option<String>,
    /// Where the suite's plot shows it: connections, and work in µs.
    pub(crate) grid: Option<(u32, u32)>,
    /// A control is measured too: its runs are shown, and compared with nothing.
    pub(crate) keeps_runs: bool,
}

impl Group {
    pub(crate) fn is_control(&self) -> bool {
        self.rows.is_empty()
    }

    /// How long its load works before it counts.
    pub(crate) fn warm_up(&self) -> Duration {
        self.load.program().map_or(Duration::ZERO, Program::warm_up)
    }

    /// All forms, the blocking one first.
    pub(crate) fn forms(&self) -> Vec<&dyn Program> {
        std::iter::once(&*self.blocking).chain(self.rows.iter().map(|row| &*row.program)).collect()
    }

    /// Where the whole report of one check goes.
    pub(crate) fn raw_path(&self, folder: &Path, check: u32) -> std::path::PathBuf {
        folder.join(format!("{}.{check}.check.json", self.id))
    }
}

/// When something must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The wanted time, or what is left of the limit if that is less. An error once nothing is
    /// left.
    pub(crate) fn at_most(self, wanted: Duration) -> Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "the time of this row is over");
        Ok(wanted.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_out_of_time_is_an_error() {
        assert!(Deadline::after(Duration::ZERO).at_most(Duration::from_secs(1)).is_err());
        assert!(Deadline::after(Duration::from_secs(60)).at_most(Duration::from_secs(1)).is_ok());
    }
}
