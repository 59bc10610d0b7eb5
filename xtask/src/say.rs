//! What a command says on stdout.

use std::io::Write as _;

use anyhow::{Context as _, Result};

/// Prints a line on stdout.
pub(crate) fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("writing to stdout")
}
