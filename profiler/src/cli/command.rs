//! `-- CMD`: a command that is measured from its first instruction.
//!
//! The command must not run before the programs count. So this binary starts itself once more
//! (`launch`), that process waits for a byte, and then becomes the command. Its stdout goes to
//! stderr: stdout is for the report.

use std::{
    cell::RefCell,
    ffi::OsString,
    fs::File,
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        unix::process::CommandExt as _,
    },
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::io::{FdFlags, fcntl_setfd};

use super::{exit::CliError, flags::LaunchFlags};

/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// A command that waits, or runs.
pub(super) struct Command {
    name: String,
    child: RefCell<Child>,
    gate: RefCell<Option<PipeWriter>>,
    status: RefCell<PipeReader>,
}

impl Command {
    /// Starts the waiting process.
    pub(super) fn spawn(command: &[OsString]) -> Result<Self> {
        let (wait, gate) = pipe().context("cannot make a pipe")?;
        let (status, report) = pipe().context("cannot make a pipe")?;
        for fd in [wait.as_raw_fd(), report.as_raw_fd()] {
            // SAFETY: open descriptors of the two pipes, which outlive the borrow.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
            fcntl_setfd(fd, FdFlags::empty()).context("cannot share a pipe")?;
        }
        let own = std::env::current_exe().context("cannot find this program")?;
        let child = std::process::Command::new(own)
            .arg("launch")
            .arg(wait.as_raw_fd().to_string())
            .arg(report.as_raw_fd().to_string())
            .arg("--")
            .args(command)
            .stdout(Stdio::from(std::io::stderr()))
            .spawn()
            .context("cannot start the command")?;
        Ok(Self {
            name: command.first().map(|c| c.to_string_lossy().into_owned()).unwrap_or_default(),
            child: RefCell::new(child),
            gate: RefCell::new(Some(gate)),
            status: RefCell::new(status),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Lets it become the command, and waits until it is.
    pub(super) fn release(&self) -> Result<()> {
        let failed = |source| CliError::Command { command: self.name.clone(), source };
        if let Some(mut gate) = self.gate.borrow_mut().take() {
            gate.write_all(b"g").map_err(failed)?;
        }
        // A successful exec closes the pipe; a failed one writes the reason.
        let mut code = [0; 4];
        match self.status.borrow_mut().read(&mut code) {
            Ok(4) => Err(failed(std::io::Error::from_raw_os_error(i32::from_ne_bytes(code))).into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Command {
    /// Ends the command if it still runs: this process started it.
    fn drop(&mut self) {
        end(self.child.get_mut());
    }
}

fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The waiting process. Returns only with an error.
pub(super) fn launch(flags: &LaunchFlags) -> CliError {
    // SAFETY: the descriptors that `spawn` left open for this process, and nobody else's.
    let (mut wait, mut status) = unsafe { (File::from_raw_fd(flags.wait_fd), File::from_raw_fd(flags.status_fd)) };
    let name = flags.command.first().cloned().unwrap_or_default();
    let failed = |source| CliError::Command { command: name.to_string_lossy().into_owned(), source };
    for fd in [&wait, &status] {
        // Not for the command.
        if let Err(error) = fcntl_setfd(fd, FdFlags::CLOEXEC) {
            return failed(error.into());
        }
    }
    let mut byte = [0];
    if !matches!(wait.read(&mut byte), Ok(1)) {
        // The profiler is gone: nothing is started, and there is nobody to print a message for.
        return CliError::Unfit;
    }
    let error = std::process::Command::new(&name).args(flags.command.iter().skip(1)).exec();
    let code = error.raw_os_error().unwrap_or(0);
    let _ = status.write_all(&code.to_ne_bytes());
    // The profiler says it; saying it twice would not help.
    CliError::Unfit
}
