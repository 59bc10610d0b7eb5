//! How a run ends: exit codes and the message that goes with each. `docs/faults.md` is the table for people.

use std::process::ExitCode;

use crate::{
    kernel::LoadError,
    pipeline::{Failure, outputs::OutputError},
    process::TargetError,
    record::RecordError,
};

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; also when Ctrl-C or the target's end cut the measurement short: the report was printed.
    Success = 0,
    /// `doctor`: `check` could not work here.
    Unfit = 1,
    /// Flags that make no sense.
    Usage = 2,
    /// No such target, or one that cannot be measured.
    Target = 3,
    /// Rights are missing.
    Permission = 4,
    /// This kernel cannot do it.
    Kernel = 5,
    /// The result could not be written.
    Output = 6,
    /// A bug of ours.
    Internal = 7,
    /// `diff --fail-above`: a cost rose by more.
    Worse = 8,
    /// `-- CMD` cannot be executed.
    NotExecutable = 126,
    /// `-- CMD` was not found.
    NotFound = 127,
}

impl Exit {
    /// Each with what it means to whoever reads the man page.
    pub(super) const MEANINGS: [(Self, &'static str); 11] = [
        (Self::Success, "Done, also after Ctrl-C and after the target's end."),
        (Self::Unfit, "doctor: measuring could not work here."),
        (Self::Usage, "Flags that make no sense, or a file that is no recording."),
        (Self::Target, "No such target, or one that cannot be measured."),
        (Self::Permission, "Rights are missing."),
        (Self::Kernel, "This kernel cannot do it, or has not the memory."),
        (Self::Output, "The result could not be written."),
        (Self::Internal, "A fault of should-i-async itself."),
        (Self::Worse, "diff --fail-above: a cost rose by more, beyond the noise."),
        (Self::NotExecutable, "The command after -- cannot be executed."),
        (Self::NotFound, "The command after -- was not found."),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// A flag's value.
    #[error("{0}")]
    Usage(String),
    /// No report.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// `check` could not work: already printed.
    #[error("")]
    Unfit,
    /// `diff --fail-above`; the table is printed.
    #[error("{0}")]
    Worse(String),
    /// A recording.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of a report.
    #[error(transparent)]
    File(#[from] OutputError),
    /// stdout.
    #[error("cannot write the result: {0}. Nothing is lost but the text: run again with stdout somewhere else")]
    Output(std::io::Error),
    /// `-- CMD`.
    #[error("cannot run {command}: {source}")]
    Command {
        /// As given.
        command: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `demo`.
    #[error("the demo failed: {0}")]
    Demo(#[from] crate::demo::DemoError),
    /// `calibrate`.
    #[error("the calibration failed: {0}")]
    Calibrate(#[from] crate::calibrate::CalibrateError),
    /// Signals, pipes, processes of our own.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        Self::Failure(error.into())
    }
}

impl CliError {
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Unfit => None,
            other => Some(other.to_string()),
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unfit => Exit::Unfit,
            Self::Output(_) | Self::Record(RecordError::Unwritable { .. }) => Exit::Output,
            Self::Record(_) => Exit::Usage,
            Self::File(OutputError::Ending(_)) => Exit::Usage,
            Self::File(_) => Exit::Output,
            Self::Worse(_) => Exit::Worse,
            Self::Command { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
            Self::Command { .. } => Exit::NotExecutable,
            Self::Demo(_) | Self::Calibrate(_) | Self::System { .. } => Exit::Internal,
            Self::Failure(Failure::Target(error)) => match error {
                TargetError::NotPermitted { .. } | TargetError::Hidden { .. } => Exit::Permission,
                TargetError::Empty => Exit::Usage,
                _ => Exit::Target,
            },
            Self::Failure(Failure::Load(error)) => match error {
                LoadError::Denied => Exit::Permission,
                LoadError::Btf(_) | LoadError::NoMemory(_) | LoadError::Refused { .. } | LoadError::Attach { .. } => {
                    Exit::Kernel
                }
                LoadError::Object(_) => Exit::Internal,
            },
            Self::Failure(Failure::Decode(_)) => Exit::Internal,
        }
    }
}
