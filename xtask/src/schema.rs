//! `cargo xtask schema`: writes docs/report.schema.json from the types that `check --json` prints.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{exec, say::say};

/// File of the schema.
const FILE: &str = "docs/report.schema.json";

/// Writes docs/report.schema.json from the types that `check --json` prints.
#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(root: &Path, _options: &Options) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["run", "--quiet", "--package", "should-i-async", "--", "schema"]);
    let schema = exec::output(&mut command)?;
    std::fs::write(root.join(FILE), schema).with_context(|| format!("writing {FILE}"))?;
    say(&format!("schema: wrote {FILE}"))
}
