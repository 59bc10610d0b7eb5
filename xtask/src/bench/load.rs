//! One measurement: a fresh server, an observer on it, the load for exactly so long, and what a
//! request cost.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};

use super::observer::Observer;
use crate::host::{
    child::{self, Running},
    clocks,
    machine::{OTHERS_AT_MOST, await_quiet},
};

/// The server has a core to itself, and so has the load.
const SERVER_CPU: &str = "0";
const CLIENT_CPU: &str = "1";
/// Connections, a server thread each.
pub(super) const CONNECTIONS: u32 = 64;
/// Between the start of the server and that of the observer.
const SETTLE: Duration = Duration::from_millis(300);
/// Measurements at most, for one that is not disturbed.
const ATTEMPTS: u32 = 3;
/// The observer and the server may run this much longer than the load.
const MARGIN: u64 = 60;

/// What one stretch of load measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// CPU time of the server per request, ns.
    pub(super) cpu_per_request: f64,
    pub(super) rate: f64,
    /// CPU of the observer's own processes, in cores.
    pub(super) observer: f64,
    /// CPU that neither server, load nor observer used, in cores.
    pub(super) others: f64,
}

impl Sample {
    /// Whether no other program disturbed it.
    pub(super) fn is_quiet(&self) -> bool {
        self.others <= OTHERS_AT_MOST
    }
}

/// A server without load.
pub(super) struct Server {
    running: Running,
    port: String,
}

impl Server {
    pub(super) fn start(own: &Path, seconds: u64) -> Result<Self> {
        let seconds = (seconds + MARGIN).to_string();
        let mut command = Command::new(own);
        command.args(["demo-server", "--cpu", SERVER_CPU, "--seconds", &seconds]);
        let mut running = Running::start(&mut command)?;
        let port = running.next_line(Duration::from_secs(5))?;
        child::pause(SETTLE)?;
        Ok(Self { running, port })
    }

    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Loads it for so many seconds. `at_start` and `at_end` are called when counted requests begin
    /// and end.
    pub(super) fn load(
        &self,
        own: &Path,
        seconds: u64,
        mut at_start: impl FnMut(u32) -> Result<()>,
        mut at_end: impl FnMut(u32) -> Result<()>,
    ) -> Result<Served> {
        let mut command = Command::new(own);
        command.args(["demo-client", "--port", &self.port, "--cpu", CLIENT_CPU]);
        command.args(["--connections", &CONNECTIONS.to_string(), "--seconds", &seconds.to_string()]);
        let mut client = Running::start(&mut command)?;
        client.next_line(Duration::from_secs(20))?;
        at_start(client.pid())?;
        let line = client.next_line(Duration::from_secs(seconds + 20))?;
        at_end(client.pid())?;
        let mut words = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(requests)), Some(Ok(nanos))) = (words.next(), words.next()) else {
            anyhow::bail!("the load printed {line:?}");
        };
        anyhow::ensure!(requests > 0, "the load made no request");
        Ok(Served { requests, length: Duration::from_nanos(nanos) })
    }
}

/// What the load did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) requests: u64,
    pub(super) length: Duration,
}

/// Measures, and again if other programs took too much CPU time. The number says how often it was
/// done again.
pub(super) fn measure(own: &Path, observer: Observer, seconds: u64, patience: Duration) -> Result<(Sample, u32)> {
    let mut again = 0;
    loop {
        await_quiet(patience)?;
        let sample = attempt(own, observer, seconds)?;
        if sample.is_quiet() || again + 1 >= ATTEMPTS {
            return Ok((sample, again));
        }
        again += 1;
    }
}

fn attempt(own: &Path, observer: Observer, seconds: u64) -> Result<Sample> {
    let server = Server::start(own, seconds)?;
    let mut watching = observer.start(own, server.pid(), seconds + MARGIN)?;
    let read = |client: u32| -> Result<[Duration; 4]> {
        let server = clocks::process_cpu(server.pid())?;
        Ok([server, clocks::machine_busy()?, watching.cpu()?, clocks::process_cpu(client)?])
    };
    let (mut before, mut after) = (None, None);
    let served = server.load(
        own,
        seconds,
        |client| {
            before = Some(read(client)?);
            Ok(())
        },
        |client| {
            after = Some(read(client)?);
            Ok(())
        },
    )?;
    watching.check_alive().with_context(|| observer.title())?;
    watching.end(|| {})?;
    let (before, after) = before.zip(after).context("the load did not run")?;
    let [cpu, busy, observer, client] = [0, 1, 2, 3].map(|i| after[i].saturating_sub(before[i]).as_secs_f64());
    let length = served.length.as_secs_f64();
    Ok(Sample {
        cpu_per_request: cpu * 1e9 / served.requests as f64,
        rate: served.requests as f64 / length,
        observer: observer / length,
        others: (busy - cpu - observer - client).max(0.0) / length,
    })
}
