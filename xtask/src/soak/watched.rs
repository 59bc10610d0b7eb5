//! The programs that run all the time, and what is seen of them.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::host::{
    child::{self, Running},
    clocks,
};

/// The longest that `record` takes: it is ended before.
const FOREVER: &str = "24h";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A scrape costs a copy of the last text; the machine is full.
const SCRAPED_WITHIN: Duration = Duration::from_secs(5);
/// The names of the programs, in the order of their figures.
pub(super) const NAMES: [&str; 3] = ["serve", "live", "record"];

pub(super) struct Watched {
    serve: Running,
    /// `live` in a terminal of its own, and its process.
    terminal: Running,
    live: u32,
    record: Running,
    socket: PathBuf,
    recording: PathBuf,
    tool: PathBuf,
}

/// What was seen at one moment.
pub(super) struct Look {
    /// Memory of their own in the order of [`NAMES`], bytes.
    pub(super) memory: [u64; 3],
    /// Figures of `serve` by name and labels.
    pub(super) figures: BTreeMap<String, f64>,
    /// CPU time of the server by the kernel's clock.
    pub(super) server_cpu: Duration,
    /// The server's label in the figures.
    pub(super) label: String,
}

/// What they left in the end.
pub(super) struct Left {
    pub(super) recording_bytes: u64,
    /// What was wrong with their end.
    pub(super) faults: Vec<String>,
}

impl Watched {
    pub(super) fn start(tool: &Path, server: u32, scratch: &Path) -> Result<Self> {
        let (socket, recording) = (scratch.join("serve"), scratch.join("all.sia"));
        let path = |path: &Path| path.to_str().map(str::to_owned).context("the scratch folder's name");
        let pid = server.to_string();
        let mut serve = Command::new(tool);
        serve.args(["serve", "--listen", &format!("unix:{}", path(&socket)?), "--stalls", "10ms"]);
        let mut serve = Running::start(&mut serve)?;
        let mut record = Command::new(tool);
        let record = Running::start(record.args(["record", "-p", &pid, "-d", FOREVER, "-o", &path(&recording)?]))?;
        let line = format!("stty cols 110 rows 34; exec '{}' live -p {pid}", path(tool)?);
        // What it draws is read by nobody.
        let mut script = Command::new("sh");
        script.args(["-c", "exec script -q -e -c \"$0\" /dev/null >/dev/null", &line]);
        let terminal = Running::start(&mut script)?;
        let mut live = None;
        child::wait_until("live", READY_WITHIN, || {
            let found = fs::read_to_string(format!("/proc/{0}/task/{0}/children", terminal.pid())).unwrap_or_default();
            live = found.split_whitespace().next().and_then(|pid| pid.parse().ok());
            Ok(live.is_some())
        })?;
        child::wait_until("serve", READY_WITHIN, || {
            serve.check_alive()?;
            Ok(scrape(&socket).is_ok())
        })?;
        Ok(Self { serve, terminal, live: live.context("no live")?, record, socket, recording, tool: tool.to_owned() })
    }

    /// An error if one of them has ended, or `serve` does not answer.
    pub(super) fn look(&mut self, server: u32) -> Result<Look> {
        for (running, name) in [&mut self.serve, &mut self.terminal, &mut self.record].into_iter().zip(NAMES) {
            running.check_alive().context(name)?;
        }
        let pids = [self.serve.pid(), self.live, self.record.pid()];
        let mut memory = [0; 3];
        for (memory, pid) in memory.iter_mut().zip(pids) {
            *memory = clocks::own_memory(pid).context("a program has ended")?;
        }
        let figures = scrape(&self.socket)?;
        Ok(Look { memory, figures, server_cpu: clocks::process_cpu(server)?, label: format!("pid=\"{server}\"") })
    }

    /// Ends them as users do; the recording must be one.
    pub(super) fn end(mut self) -> Result<Left> {
        let mut faults = Vec::new();
        let mut judge = |name: &str, said: Result<child::Said>| match said {
            Ok(said) if said.stderr.contains("panicked") => faults.push(format!("{name} panicked: {}", said.reason())),
            Ok(_) => {}
            Err(error) => faults.push(format!("{name}: {error:#}")),
        };
        self.terminal.send("q")?;
        judge("live", self.terminal.wait(READY_WITHIN));
        judge("serve", Ok(self.serve.end(|| {})));
        judge("record", Ok(self.record.end(|| {})));
        let mut report = Command::new(&self.tool);
        let report = Running::start(report.arg("report").arg(&self.recording))?;
        judge("a report of the recording", report.wait(READY_WITHIN));
        let recording_bytes = fs::metadata(&self.recording).map_or(0, |file| file.len());
        Ok(Left { recording_bytes, faults })
    }
}

/// The figures by name and labels; none in the first seconds.
fn scrape(socket: &Path) -> Result<BTreeMap<String, f64>> {
    let mut stream = UnixStream::connect(socket).context("connecting to serve")?;
    stream.set_read_timeout(Some(SCRAPED_WITHIN))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("reading what serve answers")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("serve answered no HTTP")?;
    if head.starts_with("HTTP/1.1 503 ") {
        return Ok(BTreeMap::new());
    }
    ensure!(head.starts_with("HTTP/1.1 200 "), "serve answered {}", head.lines().next().unwrap_or_default());
    Ok(figures_of(body))
}

fn figures_of(body: &str) -> BTreeMap<String, f64> {
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let sample =
        |line: &str| line.rsplit_once(' ').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    samples.filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_comments_are_not() {
        let figures = figures_of("# HELP a b c 3\na_total{what=\"x y\"} 4\nb 0.5\n");
        assert_eq!(
            figures.into_iter().collect::<Vec<_>>(),
            [("a_total{what=\"x y\"}".to_owned(), 4.0), ("b".to_owned(), 0.5)]
        );
    }
}
