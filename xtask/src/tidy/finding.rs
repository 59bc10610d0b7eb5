//! What a breach of a rule is, and how it is printed.

use std::fmt;
use std::path::PathBuf;

use super::rules::Rule;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Warning,
    Error,
}

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) severity: Severity,
    pub(super) file: PathBuf,
    /// From 1; 0 for the file as a whole.
    pub(super) line: usize,
    pub(super) message: String,
}

impl Finding {
    /// A breach that stands in the tables of the rules themselves.
    pub(super) fn of_tables(message: String) -> Self {
        Self { rule: Rule::Stale, severity: Severity::Error, file: PathBuf::from("xtask/src/tidy"), line: 0, message }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Error { "error" } else { "warning" })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}
