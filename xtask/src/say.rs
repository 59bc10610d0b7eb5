//! What a command says: results on stdout, its progress on stderr.

use std::io::Write as _;

use anyhow::{Context as _, Result};

/// Prints a line on stdout.
pub(crate) fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("writing to stdout")
}

/// Prints a line about the progress of `suite` on stderr.
pub(crate) fn progress(suite: &str, line: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "{suite}: {line}").context("writing to stderr")
}
