//! `cargo xtask tidy`: the house rules that no compiler checks. [`rules`] is the list of them, with
//! their reasons.

mod check;
mod circles;
mod doors;
mod finding;
mod items;
mod limits;
mod place;
mod rooms;
mod rules;
mod source;
mod stale;
mod surface;
mod syntax;
mod trail;
mod tree;
mod twice;
mod verdict;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::finding::Finding;
use self::place::SourceFile;
use self::verdict::Verdict;
use crate::say::say;

/// Checks the house rules: who may import whom, purity, circles, re-exports, sentences, lengths,
/// unsafe blocks, top-level folders.
#[derive(Args)]
pub(crate) struct Options {
    /// Prints the rules and their reasons instead.
    #[arg(long)]
    rules: bool,
    /// Prints every breach of the rules that are not enforced yet, too.
    #[arg(long, conflicts_with = "rules")]
    all: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.rules {
        return say(&rules::as_text());
    }
    let names = names_in(root)?;
    let mut files = Vec::new();
    for folder in rules::SOURCE_FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut findings = check::top_level(&names);
    let (mut sources, mut uses) = (Vec::new(), check::Uses::default());
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(path);
        findings.extend(check::file(relative, &text));
        uses.add(relative, &text);
        sources.push(SourceFile::parse(relative, &text).with_context(|| format!("reading {}", path.display()))?);
    }
    findings.extend(of_all(&sources));
    findings.extend(stale::check(&stale::Tables::TODAY, &sources, &names));
    findings.extend(uses.unused(rooms::ROOMS, rooms::HOMES));
    let document = fs::read_to_string(root.join(trail::DOCUMENT)).context("reading CONTRIBUTING.md")?;
    findings.extend(trail::check(&document, &|path| read(&root.join(path))));
    // A `use` with many branches breaches a rule once.
    findings.dedup();
    let verdict = Verdict::new(findings, rules::PENDING, options.all);
    let mut stderr = std::io::stderr().lock();
    for finding in &verdict.shown {
        writeln!(stderr, "{finding}").context("writing to stderr")?;
    }
    for line in &verdict.pending {
        writeln!(stderr, "{line}").context("writing to stderr")?;
    }
    if verdict.errors > 0 {
        bail!("{} breaches of the house rules; `cargo xtask tidy --rules` gives their reasons", verdict.errors);
    }
    say(&format!("tidy: {} files, {} warnings", files.len(), verdict.warnings))
}

/// The rules that need more than one file at a time, or their syntax.
fn of_all(sources: &[SourceFile]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = sources.iter().flat_map(limits::columns).collect();
    findings.extend(twice::check(sources));
    findings.extend(limits::functions(sources, rules::LONG));
    findings.extend(limits::sentences(sources, rooms::SILENT_ROOMS, rooms::NUMBERS_IN, rooms::TARGET_NAMES));
    for krate in rules::CRATES {
        let tree = tree::Tree::new(krate, sources);
        findings.extend(circles::check(&tree));
        if krate.has_rooms {
            findings.extend(doors::reexports(&tree));
            findings.extend(doors::wire(&tree));
        }
    }
    findings
}

/// The text of a file; that of a folder, or of what is no text, is empty.
fn read(path: &Path) -> Option<String> {
    path.exists().then(|| fs::read_to_string(path).unwrap_or_default())
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
