//! Where text goes: results to stdout, complaints and progress to stderr.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::exit::CliError;
use crate::{answer::Report, pipeline::Progress, quantity::Nanos, record::RecordError, report, text::numbers::clock};

/// Writes a result to stdout, all of it or with an error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
        // `| head` has seen enough: that is not our failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| CliError::Output(error).into()),
    }
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    pub(super) json: bool,
    pub(super) verbose: bool,
    pub(super) explain: bool,
}

/// Says where a calibration is kept. If it could not be kept its result still holds, and the next
/// run measures again.
pub(super) fn tell_kept<E: std::fmt::Display>(kept: Result<PathBuf, E>) {
    match kept {
        Ok(path) => complain(&format!("the result is kept in {}", path.display())),
        Err(error) => complain(&format!("the result is not kept: {error}")),
    }
}

/// Fails at once where the file cannot be written, and not after half a minute of measuring.
pub(super) fn writable(path: &Path) -> Result<()> {
    let unwritable = |source| RecordError::Unwritable { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(unwritable(std::io::Error::from(std::io::ErrorKind::IsADirectory)).into());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".should-i-async.{}.part", std::process::id()));
    fs::File::create_new(&probe).and_then(|_| fs::remove_file(&probe)).map_err(unwritable)?;
    Ok(())
}

/// Writes a report to stdout.
pub(super) fn show(found: &Report, view: &View) -> Result<()> {
    if view.json {
        return print(&report::json(found));
    }
    let options = report::TextOptions {
        width: width(),
        verbose: view.verbose,
        explain: view.explain,
        color: wants_color(),
        ..Default::default()
    };
    print(&report::text(found, &options))
}

/// Writes a message to stderr, with the command's name.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "should-i-async: {text}");
}

/// Writes to stderr what was done, where the result is a file.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether stdout is a terminal that wants colours.
pub(super) fn wants_color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Columns of the terminal; `None` where stdout is none.
pub(super) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Columns of the terminal, but no fewer than the report needs and no more than it is made for.
pub(super) fn width() -> usize {
    columns().map_or(100, |columns| columns.clamp(80, 100))
}

/// Progress as one line on a terminal; elsewhere nothing is shown.
pub(super) struct ProgressLine<'a> {
    shown: bool,
    terminal: bool,
    on_begin: Option<Box<dyn FnOnce() + 'a>>,
}

impl<'a> ProgressLine<'a> {
    pub(super) fn new() -> Self {
        Self { shown: false, terminal: std::io::stderr().is_terminal(), on_begin: None }
    }

    /// Calls this once events count.
    pub(super) fn on_begin(mut self, f: impl FnOnce() + 'a) -> Self {
        self.on_begin = Some(Box::new(f));
        self
    }
}

impl Progress for ProgressLine<'_> {
    fn begun(&mut self) {
        if let Some(f) = self.on_begin.take() {
            f();
        }
    }

    fn tick(&mut self, elapsed: Nanos, duration: Option<Nanos>) {
        if !self.terminal {
            return;
        }
        let whole = duration.map_or_else(String::new, |d| format!(" of {d}"));
        let _ = write!(std::io::stderr(), "\r\x1b[Kmeasuring {}{whole}  (Ctrl-C ends it)", clock(elapsed));
        self.shown = true;
    }

    fn pricing(&mut self, at_most: Duration) {
        if self.terminal {
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[Kmeasuring what calls cost on this machine, {} at most",
                Nanos::from(at_most)
            );
            self.shown = true;
        }
    }

    fn done(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// The log of library and programs, on stderr.
struct Log;

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        // The programs' log does not go through the macros, which would have checked this.
        if !self.enabled(record.metadata()) {
            return;
        }
        let _ = writeln!(std::io::stderr(), "[{}] {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// Warnings from -v on, everything from -vv on; nothing without.
pub(super) fn log_to_stderr(verbose: u8) {
    static LOG: Log = Log;
    let level = match verbose {
        0 => log::LevelFilter::Off,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(level);
    }
}
