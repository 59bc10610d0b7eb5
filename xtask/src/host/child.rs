//! Programs that run beside us. They are started, listened to, and ended by their own id whatever
//! happens.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::exec;

/// Time between SIGINT and SIGKILL. A peer needs it to resolve and print its stacks.
const GRACE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(2);

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C makes every wait of this module an error, so that destructors run: they end
/// children and unmount tracefs.
pub(crate) fn catch_interrupts() -> Result<()> {
    let stop = STOP.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(stop)).context("catching signals")?;
    }
    Ok(())
}

/// An error after a Ctrl-C.
pub(crate) fn check_interrupt() -> Result<()> {
    ensure!(!STOP.get().is_some_and(|stop| stop.load(Ordering::Relaxed)), "interrupted");
    Ok(())
}

/// Sleeps. An error after a Ctrl-C.
pub(crate) fn pause(length: Duration) -> Result<()> {
    std::thread::sleep(length);
    check_interrupt()
}

/// Calls `done` again and again until it returns true.
pub(crate) fn wait_until(what: &str, within: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !done()? {
        ensure!(begun.elapsed() < within, "{what}: not within {} s", within.as_secs());
        pause(Duration::from_millis(10))?;
    }
    Ok(())
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    line: String,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    readers: Vec<JoinHandle<()>>,
    frozen: bool,
}

/// Everything that a program said.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The reason of a failure: the last lines of stderr.
    pub(crate) fn reason(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(2)..].join("; ");
        if last.is_empty() { "it said nothing".to_owned() } else { last }
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let line = exec::line(command);
        // SAFETY: between fork and exec only one system call is made, and nothing is allocated.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{line}`"))?;
        let (send, lines) = channel();
        let stdout = child.stdout.take();
        let reader = std::thread::spawn(move || {
            let Some(stdout) = stdout else { return };
            for line in BufReader::new(stdout).split(b'\n') {
                let Ok(line) = line else { break };
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let stderr = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before a failure is kept.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Self { child, line, lines, errors: Some(errors), readers: vec![reader], frozen: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its stdout.
    pub(crate) fn next_line(&mut self, within: Duration) -> Result<String> {
        let begun = Instant::now();
        loop {
            check_interrupt()?;
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => {
                    let said = self.finish(GRACE, &mut || {});
                    bail!("`{}` ended: {}", self.line, said.reason());
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > within => {
                    bail!("`{}` said nothing within {} s", self.line, within.as_secs())
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Sends it an empty line.
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.send("")
    }

    /// Sends it a line.
    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("its stdin is closed")?;
        stdin.write_all(format!("{line}\n").as_bytes()).with_context(|| format!("writing to `{}`", self.line))
    }

    /// Stops it where it is, until [`Self::thaw`].
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        self.frozen = true;
    }

    /// Lets it go on.
    pub(crate) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.signal(Signal::CONT);
        }
    }

    /// An error with its reason if it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            return Ok(());
        }
        let said = self.finish(GRACE, &mut || {});
        bail!("it ended early: {}", said.reason())
    }

    /// Ends it: SIGINT, then SIGKILL. `meanwhile` is called again and again until it is gone.
    pub(crate) fn end(mut self, mut meanwhile: impl FnMut()) -> Said {
        self.signal(Signal::INT);
        self.finish(GRACE, &mut meanwhile)
    }

    /// Whether it has ended.
    pub(crate) fn poll(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has ended by itself. An error with its reason if it fails or takes longer.
    pub(crate) fn wait(mut self, within: Duration) -> Result<Said> {
        wait_until(&format!("`{}` has not ended", self.line), within, || self.poll())?;
        self.succeeded(GRACE)
    }

    /// Waits until it has ended by itself, however. An error if it takes longer.
    pub(crate) fn ended(mut self, within: Duration) -> Result<(ExitStatus, Said)> {
        wait_until(&format!("`{}` has not ended", self.line), within, || self.poll())?;
        let said = self.finish(GRACE, &mut || {});
        Ok((self.child.wait()?, said))
    }

    /// Ends it by SIGKILL, at once.
    pub(crate) fn kill(mut self) -> Said {
        self.signal(Signal::KILL);
        self.finish(GRACE, &mut || {})
    }

    /// Closes its stdin, which tells it to end, and waits. An error with its reason if it fails.
    pub(crate) fn close(mut self, within: Duration) -> Result<Said> {
        self.succeeded(within)
    }

    /// The same for a value that its owner cannot give away.
    pub(crate) fn close_stdin(&mut self, within: Duration) -> Result<Said> {
        self.succeeded(within)
    }

    fn succeeded(&mut self, within: Duration) -> Result<Said> {
        let said = self.finish(within, &mut || {});
        let status = self.child.wait()?;
        ensure!(status.success(), "`{}`: {status}: {}", self.line, said.reason());
        Ok(said)
    }

    fn signal(&mut self, signal: Signal) {
        // It has not been reaped, so the id is still its own.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), Pid::from_raw(self.child.id().cast_signed())) {
            let _ = kill_process(pid, signal);
        }
    }

    fn finish(&mut self, grace: Duration, meanwhile: &mut dyn FnMut()) -> Said {
        drop(self.child.stdin.take());
        self.thaw();
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > grace {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            meanwhile();
            std::thread::sleep(POLL);
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let stderr = self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Said { stdout: self.lines.try_iter().collect::<Vec<_>>().join("\n"), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::INT);
        self.finish(Duration::from_secs(3), &mut || {});
    }
}
