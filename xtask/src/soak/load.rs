//! What is measured: the demo's server under clients that come, go and change their number, and
//! processes that are born and end.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::host::child::Running;

/// Longer than any soak: the server ends with us.
const FOREVER: &str = "2600000";
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Clients, by turns. None is a server that idles.
const CONNECTIONS: [u32; 5] = [0, 1, 8, 32, 64];

pub(super) struct Load {
    tool: PathBuf,
    server: Running,
    port: String,
    clients: Option<Running>,
    births: Births,
}

impl Load {
    pub(super) fn start(tool: &Path, births: u32) -> Result<Self> {
        let mut command = Command::new(tool);
        let mut server = Running::start(command.args(["demo-server", "--seconds", FOREVER]))?;
        let port = server.next_line(READY_WITHIN)?.trim().to_owned();
        Ok(Self { tool: tool.to_owned(), server, port, clients: None, births: Births::start(births)? })
    }

    pub(super) fn server(&self) -> u32 {
        self.server.pid()
    }

    /// Other clients, or none.
    pub(super) fn change(&mut self, rng: &mut fastrand::Rng) -> Result<()> {
        self.server.check_alive()?;
        if let Some(clients) = self.clients.take() {
            // Half of them end in the middle of whatever they do.
            if rng.bool() {
                clients.kill()
            } else {
                clients.end(|| {})
            };
        }
        let connections = CONNECTIONS[rng.usize(..CONNECTIONS.len())];
        if connections > 0 {
            let mut command = Command::new(&self.tool);
            command.args(["demo-client", "--seconds", FOREVER, "--port", &self.port]);
            self.clients = Some(Running::start(command.args(["--connections", &connections.to_string()]))?);
        }
        Ok(())
    }

    /// Ends it; returns how many processes were born.
    pub(super) fn end(mut self) -> u64 {
        if let Some(clients) = self.clients.take() {
            clients.end(|| {});
        }
        self.server.end(|| {});
        self.births.end()
    }
}

/// Processes that are born and end at once, by a thread of ours.
struct Births {
    stop: Arc<AtomicBool>,
    born: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Births {
    fn start(rate: u32) -> Result<Self> {
        let (stop, born) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, counts) = (Arc::clone(&stop), Arc::clone(&born));
        let bear = move || {
            let begun = Instant::now();
            while !ends.load(Ordering::Relaxed) {
                let due = begun.elapsed().as_secs_f64() * f64::from(rate);
                if (counts.load(Ordering::Relaxed) as f64) < due {
                    let mut command = Command::new("true");
                    let born = command.stdin(Stdio::null()).status();
                    counts.fetch_add(u64::from(born.is_ok()), Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let thread = std::thread::Builder::new().name("births".to_owned()).spawn(bear).context("starting a thread")?;
        Ok(Self { stop, born, thread: Some(thread) })
    }

    fn end(mut self) -> u64 {
        self.finish();
        self.born.load(Ordering::Relaxed)
    }

    fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Births {
    fn drop(&mut self) {
        self.finish();
    }
}
