//! demo: a thread-per-connection echo server and its load, as child processes of the command. They
//! talk over loopback, last a bounded time, and die with their parent.

mod client;
mod server;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

pub use client::{ClientSettings, client};
pub use server::{ServerSettings, server};

/// Bytes of a request and of its reply.
const MESSAGE: usize = 64;

/// Why the demo did not work.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A socket, a process or a thread cannot be had.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A child printed something else than what was expected.
    #[error("the server did not start: it printed {0:?}")]
    Server(String),
}

/// Has the kernel kill this process when its parent ends.
fn die_with_parent() -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

/// Runs on one CPU only, where that is asked for.
fn pin(cpu: Option<usize>) -> std::io::Result<()> {
    if let Some(cpu) = cpu {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// Server and load, running. Ended and reaped when dropped.
pub struct Children {
    server: Child,
    client: Child,
}

impl Children {
    /// Starts both; they end by themselves after `seconds`.
    ///
    /// # Errors
    /// A process that does not start, or a server that does not listen.
    pub fn start(connections: u32, seconds: u64) -> Result<Self, DemoError> {
        Self::start_with(&std::env::current_exe()?, connections, seconds)
    }

    /// Starts both from the binary `own`. A test is not the binary that it wants to start.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_with(own: &Path, connections: u32, seconds: u64) -> Result<Self, DemoError> {
        let seconds = seconds.to_string();
        let mut server = Command::new(own)
            .args(["demo-server", "--seconds", &seconds])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = server.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Ok(port) = line.trim().parse::<u16>() else {
            let _ = server.kill();
            let _ = server.wait();
            return Err(DemoError::Server(line));
        };
        let client = Command::new(own)
            .args(["demo-client", "--seconds", &seconds, "--port", &port.to_string()])
            .args(["--connections", &connections.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut client = match client {
            Ok(client) => client,
            Err(error) => {
                let _ = server.kill();
                let _ = server.wait();
                return Err(error.into());
            }
        };
        // Every connection is made, and the first replies came.
        let mut line = String::new();
        if let Some(out) = client.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let children = Self { server, client };
        if line.trim() == "running" { Ok(children) } else { Err(DemoError::Server(line)) }
    }

    /// PID of the server, which `demo` measures.
    pub fn server_pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
