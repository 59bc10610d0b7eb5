//! `cargo xtask schema`: writes the schemas in docs from the types that `check --json`,
//! `top --json` and `stalls --json` print.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{exec, say::say};

/// Files of the schemas, and the flags that print each.
const FILES: [(&str, &[&str]); 3] = [
    ("docs/report.schema.json", &["schema"]),
    ("docs/top.schema.json", &["schema", "--top"]),
    ("docs/stalls.schema.json", &["schema", "--stalls"]),
];

/// Writes the schemas of docs (`report`, `top` and `stalls`) from the types that are printed.
#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(root: &Path, _options: &Options) -> Result<()> {
    for (file, flags) in FILES {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(root).args(["run", "--quiet", "--package", "should-i-async", "--"]).args(flags);
        let schema = exec::output(&mut command)?;
        std::fs::write(root.join(file), schema).with_context(|| format!("writing {file}"))?;
        say(&format!("schema: wrote {file}"))?;
    }
    Ok(())
}
