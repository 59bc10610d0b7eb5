//! `cargo xtask tidy`: the house rules that no compiler checks. [`rules`] is the list of them, with their reasons.

mod check;
mod rules;
mod source;

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::say;

/// Checks the house rules: who may import whom, purity, module docs, file length, unsafe blocks, top-level folders.
#[derive(Args)]
pub(crate) struct Options {
    /// Prints the rules and their reasons instead.
    #[arg(long)]
    rules: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    severity: Severity,
    file: PathBuf,
    /// From 1; 0 for the file as a whole.
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{word}: {}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.rules {
        return say(&rules::as_text());
    }
    let mut findings = check::top_level(&names_in(root)?);
    let mut files = Vec::new();
    for folder in rules::SOURCE_FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(path);
        findings.extend(check::file(relative, &text));
    }
    // A `use` with many branches breaches a rule once.
    findings.dedup();
    let mut stderr = std::io::stderr().lock();
    for finding in &findings {
        writeln!(stderr, "{finding}").context("writing to stderr")?;
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        bail!("{errors} breaches of the house rules; `cargo xtask tidy --rules` gives their reasons");
    }
    say(&format!("tidy: {} files, {} warnings", files.len(), findings.len()))
}

fn names_in(dir: &Path) -> Result<Vec<(String, bool)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let entry = entry?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.file_type()?.is_dir()));
    }
    names.sort();
    Ok(names)
}

/// Adds every Rust source below `dir`, without build folders.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for (name, is_dir) in names_in(dir)? {
        let path = dir.join(&name);
        // A build folder is known by cargo's tag in it: `target` is the name of a room as well.
        if is_dir && !name.starts_with('.') && !path.join("CACHEDIR.TAG").exists() {
            collect(&path, files)?;
        } else if !is_dir && name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
