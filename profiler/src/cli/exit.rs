//! How a run ends: exit codes and the message that goes with each. `docs/faults.md` is the table
//! for people.

use std::{error::Error, process::ExitCode};

#[cfg(feature = "serve")]
use crate::serve::{ListenError, TokenError};
use crate::{
    calibrate::runtime::RuntimeError,
    kernel::LoadError,
    pipeline::{self, Failure, outputs::OutputError},
    process::TargetError,
    record::RecordError,
};

/// What the command exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; also when Ctrl-C or the target's end cut the measurement short: the report was
    /// printed.
    Success = 0,
    /// `doctor`: `check` could not work here.
    Unfit = 1,
    /// Flags that make no sense.
    Usage = 2,
    /// No such target, or one that cannot be measured.
    Target = 3,
    /// Rights to measure are missing.
    Permission = 4,
    /// This kernel cannot do it.
    Kernel = 5,
    /// The result could not be written.
    Output = 6,
    /// A bug of ours.
    Internal = 7,
    /// `diff --fail-above`: a cost rose by more.
    Worse = 8,
    /// Two recordings did not do the same work.
    Incomparable = 9,
    /// What was measured cannot be.
    Impossible = 10,
    /// `-- CMD` cannot be executed.
    NotExecutable = 126,
    /// `-- CMD` was not found.
    NotFound = 127,
}

impl Exit {
    /// Each with its meaning, for the man page.
    pub(super) const MEANINGS: [(Self, &'static str); 13] = [
        (Self::Success, "Done, also after Ctrl-C and after the target's end."),
        (Self::Unfit, "doctor: measuring could not work here."),
        (Self::Usage, "Flags that make no sense, or a file that is no recording."),
        (Self::Target, "No such target, or one that cannot be measured."),
        (Self::Permission, "Rights are missing."),
        (Self::Kernel, "This kernel cannot do it, or memory or descriptors are short."),
        (Self::Output, "The result could not be written."),
        (Self::Internal, "A fault of should-i-async itself."),
        (Self::Worse, "diff --fail-above: a cost rose by more, beyond the noise."),
        (Self::Incomparable, "diff, predict-check: the two recordings did not do the same work."),
        (Self::Impossible, "What was measured cannot be, as more CPU than there is: no report."),
        (Self::NotExecutable, "The command after -- cannot be executed."),
        (Self::NotFound, "The command after -- was not found."),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked for: the cases that have an exit code of their own
/// and an error in no other room.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// A flag has a value that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// `doctor` found that `check` could not work here. It has already printed why.
    #[error("")]
    Unfit,
    /// A cost rose by more than `diff --fail-above` allows. The table is printed.
    #[error("{0}")]
    Worse(String),
    /// Two recordings did not do the same work, or nobody can tell.
    #[error("{0}")]
    Incomparable(String),
    /// stdout cannot be written.
    #[error("cannot write the result: {0}. Run again, with stdout to another place")]
    Output(std::io::Error),
    /// `-- CMD` cannot be run.
    #[error("cannot run {command}: {source}")]
    Command {
        /// The command's first word.
        command: String,
        source: std::io::Error,
    },
}

/// The message of an error. `None` where everything has been said.
pub(super) fn message(error: &anyhow::Error) -> Option<String> {
    if matches!(error.downcast_ref(), Some(CliError::Unfit)) {
        return None;
    }
    Some(pipeline::in_one_line(error))
}

/// The exit code of an error: that of the first of its causes that has one.
pub(super) fn code(error: &anyhow::Error) -> Exit {
    error.chain().find_map(code_of).unwrap_or(Exit::Internal)
}

/// The exit code of one cause. `None` if this cause does not decide it.
fn code_of(cause: &(dyn Error + 'static)) -> Option<Exit> {
    let own = cause.downcast_ref().map(CliError::code);
    let target = || cause.downcast_ref().map(code_of_target);
    let load = || cause.downcast_ref().map(code_of_load);
    let failure = || {
        cause.downcast_ref().map(|failure| match failure {
            Failure::Target(error) => code_of_target(error),
            Failure::Load(error) => code_of_load(error),
            Failure::Decode(_) => Exit::Internal,
            Failure::Impossible(_) => Exit::Impossible,
        })
    };
    let record = || {
        cause.downcast_ref().map(|error| match error {
            RecordError::Unwritable { .. } => Exit::Output,
            _ => Exit::Usage,
        })
    };
    let file = || {
        cause.downcast_ref().map(|error| match error {
            OutputError::Ending(_) | OutputError::Stalls(_) => Exit::Usage,
            _ => Exit::Output,
        })
    };
    let runtime = || cause.downcast_ref().map(|_: &RuntimeError| Exit::Target);
    #[cfg(feature = "serve")]
    if let Some(error) = cause.downcast_ref() {
        return Some(code_of_server(error));
    }
    #[cfg(feature = "serve")]
    if cause.is::<TokenError>() {
        return Some(Exit::Usage);
    }
    own.or_else(target).or_else(load).or_else(failure).or_else(record).or_else(file).or_else(runtime)
}

impl CliError {
    fn code(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unfit => Exit::Unfit,
            Self::Output(_) => Exit::Output,
            Self::Worse(_) => Exit::Worse,
            Self::Incomparable(_) => Exit::Incomparable,
            Self::Command { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
            Self::Command { .. } => Exit::NotExecutable,
        }
    }
}

fn code_of_target(error: &TargetError) -> Exit {
    match error {
        TargetError::NotPermitted { .. } | TargetError::Hidden { .. } | TargetError::InsideUserNamespace { .. } => {
            Exit::Permission
        }
        TargetError::Empty | TargetError::BadName { .. } => Exit::Usage,
        _ => Exit::Target,
    }
}

#[cfg(feature = "serve")]
fn code_of_server(error: &ListenError) -> Exit {
    match error {
        ListenError::NoAddress(_) | ListenError::NotLocal(_) => Exit::Usage,
        ListenError::Bind { .. } | ListenError::Runtime(_) => Exit::Output,
    }
}

fn code_of_load(error: &LoadError) -> Exit {
    match error {
        LoadError::Denied => Exit::Permission,
        LoadError::Btf(_)
        | LoadError::NoMemory(_)
        | LoadError::LittleMemory(_)
        | LoadError::Descriptors { .. }
        | LoadError::NoDescriptor { .. }
        | LoadError::Refused { .. }
        | LoadError::Attach { .. } => Exit::Kernel,
        LoadError::Object(_) => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Error};

    use super::*;

    fn refused() -> std::io::Error {
        std::io::Error::from(std::io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn a_message_says_what_was_being_done_and_each_cause_once() {
        let plain = Err::<(), _>(refused()).context("cannot make a pipe").unwrap_err();
        assert_eq!(message(&plain).as_deref(), Some("cannot make a pipe: permission denied"));
        assert_eq!(code(&plain), Exit::Internal);
        let named = Error::new(CliError::Command { command: "true".into(), source: refused() });
        assert_eq!(message(&named).as_deref(), Some("cannot run true: permission denied"));
        assert_eq!(code(&named), Exit::NotExecutable);
    }

    #[test]
    fn context_hides_no_exit_code() {
        let error = Error::new(Failure::Load(LoadError::Denied)).context("inside").context("outside");
        assert_eq!(code(&error), Exit::Permission);
        assert!(message(&error).is_some_and(|text| text.starts_with("outside: inside: not permitted")));
        assert_eq!(code(&Error::new(TargetError::Empty)), Exit::Usage);
        assert_eq!(message(&Error::new(CliError::Unfit)), None);
    }
}
