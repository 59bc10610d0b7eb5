//! Lines on stdout: what a workload tells who started it.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One line on stdout, at once.
pub(crate) fn say(line: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to stdout")
}
