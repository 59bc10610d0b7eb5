//! One measurement: a fresh server under load, an observer that is attached to it while the load
//! runs, and what a request cost in exactly so long a time.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    counted::{self, LEAST, Truth},
    observer::Observer,
};
use crate::host::{
    child::{self, Running},
    clocks,
    machine::{OTHERS_AT_MOST, await_quiet},
    numbers::percent,
};

/// The server has a core to itself, and so has the load.
const SERVER_CPU: &str = "0";
const CLIENT_CPU: &str = "1";
/// Connections, a server thread each.
pub(super) const CONNECTIONS: u32 = 64;
/// System calls of a request: the server reads and writes.
const CALLS: f64 = 2.0;
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
    /// What the observer counted, as a share of what was true; `None` where it counts nothing.
    pub(super) counted: Option<f64>,
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

    /// Loads it, from now on: all its threads live. Requests are not counted yet.
    pub(super) fn load(&self, own: &Path, seconds: u64) -> Result<Load> {
        let mut command = Command::new(own);
        command.args(["demo-client", "--port", &self.port, "--cpu", CLIENT_CPU]);
        command.args(["--connections", &CONNECTIONS.to_string(), "--seconds", &seconds.to_string(), "--warm-up"]);
        let mut client = Running::start(&mut command)?;
        client.next_line(Duration::from_secs(20))?;
        Ok(Load { client, seconds })
    }
}

/// A load that runs.
pub(super) struct Load {
    client: Running,
    seconds: u64,
}

impl Load {
    /// Counts requests for as long as was said. `at_start` and `at_end` are called when counted
    /// requests begin and end.
    pub(super) fn count(
        mut self,
        mut at_start: impl FnMut(u32) -> Result<()>,
        mut at_end: impl FnMut(u32) -> Result<()>,
    ) -> Result<Served> {
        self.client.enter()?;
        self.client.next_line(Duration::from_secs(20))?;
        at_start(self.client.pid())?;
        let line = self.client.next_line(Duration::from_secs(self.seconds + 20))?;
        at_end(self.client.pid())?;
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
    let load = server.load(own, seconds)?;
    let mut watching = observer.start(own, server.pid(), seconds + MARGIN)?;
    let attached = Instant::now();
    let read = |client: u32| -> Result<([Duration; 4], u64)> {
        let own = clocks::process_cpu(server.pid())?;
        let cpu = [own, clocks::machine_busy()?, watching.cpu()?, clocks::process_cpu(client)?];
        Ok((cpu, clocks::switches(server.pid())?))
    };
    let (mut before, mut after) = (None, None);
    let served = load.count(
        |client| {
            before = Some(read(client)?);
            Ok(())
        },
        |client| {
            after = Some(read(client)?);
            Ok(())
        },
    )?;
    let watched = attached.elapsed();
    watching.check_alive().with_context(|| observer.title())?;
    let said = watching.end(|| {})?;
    let ((before, switched), (after, switches)) = before.zip(after).context("the load did not run")?;
    let [cpu, busy, watcher, client] = [0, 1, 2, 3].map(|i| after[i].saturating_sub(before[i]).as_secs_f64());
    let length = served.length.as_secs_f64();
    let truth = Truth {
        seconds: watched.as_secs_f64(),
        calls: CALLS * served.requests as f64 / length,
        switches: switches.saturating_sub(switched) as f64 / length,
        off_cpu: f64::from(CONNECTIONS) - cpu / length,
    };
    // `perf` and `strace` write to stderr.
    let said = said.map(|said| said.stdout + "\n" + &said.stderr);
    let counted = said.and_then(|said| counted::share(observer, &said, truth));
    ensure!(
        counted.is_none_or(|share| share >= LEAST),
        "it counted {} of what was true",
        percent(counted.unwrap_or_default())
    );
    Ok(Sample {
        counted,
        cpu_per_request: cpu * 1e9 / served.requests as f64,
        rate: served.requests as f64 / length,
        observer: watcher / length,
        others: (busy - cpu - watcher - client).max(0.0) / length,
    })
}
