//! `cargo xtask residuals`: by how much predictions were off in the kept runs of lab and pairs, as
//! the table that travels in the profiler's binary, and as a section of docs/intervals.md.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    exec,
    harness::{
        forecast::Forecast,
        missed::{self, Missed, Residuals, Suite},
        report::{Kind, Report},
        row::Scenario,
    },
    host::{
        file::{between, read_json, write_json},
        markdown,
        numbers::{NA, count, decimal},
    },
    say::say,
};

/// Write what predictions were off by in the kept runs of lab and pairs into the profiler's source
/// and docs/intervals.md.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail where that would change something, and write nothing
    #[arg(long)]
    check: bool,
    /// First computes the model's own uncertainty again, with this program, from the recordings
    /// that the last runs left under target/. The predicted savings stay as they are
    #[arg(long, value_name = "PROGRAM", conflicts_with = "check")]
    again: Option<PathBuf>,
}

/// The table in the profiler.
const TABLE: &str = "profiler/src/predict/missed.rs";
/// The document with the section, and the lines around what is written.
const DOCUMENT: &str = "docs/intervals.md";
const BEGIN: &str = "<!-- written by `cargo xtask residuals`: begin -->\n";
const END: &str = "<!-- written by `cargo xtask residuals`: end -->\n";

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if let Some(tool) = &options.again {
        recompute_kept(root, tool)?;
    }
    let suites = missed::kept(root)?;
    let all = Residuals::from_cells(suites.iter().flat_map(|suite| &suite.cells));
    let pooled = all.pooled().context("no kept run says how unsure its predictions are: run lab and pairs first")?;
    let document = root.join(DOCUMENT);
    let text = fs::read_to_string(&document).with_context(|| format!("reading {DOCUMENT}"))?;
    let written = [
        (root.join(TABLE), table(&all, pooled, &suites)),
        (
            document,
            between(&text, (BEGIN, END), &format!("\n{}\n", section(&all, pooled, &suites)))
                .with_context(|| format!("in {DOCUMENT}"))?,
        ),
    ];
    for (path, text) in written {
        let is = fs::read_to_string(&path).unwrap_or_default();
        ensure!(!options.check || is == text, "{} is not what `cargo xtask residuals` writes", path.display());
        if is != text {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            say(&format!("written: {}", path.display()))?;
        }
    }
    Ok(())
}

/// Computes the uncertainty of the newest kept runs again.
fn recompute_kept(root: &Path, tool: &Path) -> Result<()> {
    for name in ["lab", "pairs"] {
        let path = root.join("docs").join(name).join("results.json");
        let mut kept: Value = read_json(&path)?;
        let run = if kept.get("runs").is_some() { &mut kept["runs"][0] } else { &mut kept };
        let cells = run["cells"].as_array_mut().context("no cells")?;
        for cell in cells.iter_mut().filter(|cell| has_uncertainty(cell)) {
            recompute_cell(cell, tool, &root.join("target").join(name))?;
        }
        write_json(&kept, &path)?;
        say(&format!("computed again: {}", path.display()))?;
    }
    Ok(())
}

/// Whether a prediction states its uncertainty. That of a control does not.
fn has_uncertainty(cell: &Value) -> bool {
    cell["control"] == false && cell["prediction"]["unsure"].is_object()
}

/// Computes the uncertainty of a cell's checks again; the median gets that of the nearest check.
fn recompute_cell(cell: &mut Value, tool: &Path, recordings: &Path) -> Result<()> {
    let id = cell["id"].as_str().context("a cell without a name")?.to_owned();
    let scenario: Option<Scenario> = serde_json::from_value(cell["scenario"].clone())?;
    let group = id.rsplit_once('-').map_or(&*id, |(group, _)| group);
    let middle = cell["prediction"]["saving"]["value"].as_f64().unwrap_or_default();
    let mut nearest: Option<(f64, Value)> = None;
    for (i, check) in cell["checks"].as_array_mut().context("no checks")?.iter_mut().enumerate() {
        let recording = recordings.join(format!("{group}.{}.check.sia", i + 1));
        let json = recording.with_extension("again.json");
        exec::output(Command::new(tool).arg("report").arg(&recording).arg("-o").arg(&json))?;
        let text = fs::read_to_string(&json).with_context(|| format!("reading {}", json.display()))?;
        let found = Forecast::new(Report::parse(&text)?).prediction(scenario)?;
        let unsure = serde_json::to_value(found.unsure)?;
        let off = (check["saving"]["value"].as_f64().unwrap_or_default() - middle).abs();
        if nearest.as_ref().is_none_or(|(best, _)| off < *best) {
            nearest = Some((off, unsure.clone()));
        }
        check["unsure"] = unsure;
    }
    if let Some((_, unsure)) = nearest {
        cell["prediction"]["unsure"] = unsure;
    }
    Ok(())
}

const fn kind_in_source(kind: Kind) -> &'static str {
    match kind {
        Kind::Sockets => "Kind::Sockets",
        Kind::Files => "Kind::Files",
        Kind::Runtime => "Kind::Runtime",
        Kind::Pools => "Kind::Pools",
    }
}

const fn kind_in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Sockets => "machine code on sockets and pipes",
        Kind::Files => "files",
        Kind::Runtime => "interpreters and virtual machines",
        Kind::Pools => "a loop with a pool of workers",
    }
}

/// The source of the table.
fn table(all: &Residuals, pooled: Missed, suites: &[Suite]) -> String {
    let value = |Missed { times, rows, programs }: Missed| {
        let times = decimal(times, 2);
        format!("Missed {{ times: {times}, rows: {rows}, programs: {programs} }}")
    };
    let own: Vec<(Kind, Missed)> =
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, all.figure_of_kind(kind)?))).collect();
    let kinds = match own.as_slice() {
        [] => "&[]".to_owned(),
        [(kind, missed)] => format!("&[({}, {})]", kind_in_source(*kind), value(*missed)),
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|(kind, missed)| format!("    ({}, {}),\n", kind_in_source(*kind), value(*missed)))
                .collect();
            format!("&[\n{}]", lines.concat())
        }
    };
    let seen: Vec<&str> = Kind::ALL.into_iter().filter(|kind| all.has_kind(*kind)).map(kind_in_source).collect();
    let mut machines: Vec<String> = suites.iter().map(machine).collect();
    machines.dedup();
    let machines: Vec<String> = machines.iter().map(|machine| format!("    {machine:?},\n")).collect();
    format!(
        "//! By how much predictions were off so far. Written by `cargo xtask residuals` from what the lab
//! and the pairs found; do not edit. The unit is the model's own standard error.

use super::kind::{{Kind, Missed}};

/// Over programs of all kinds.
pub(super) const POOLED: Missed = {};

/// Kinds with enough rows of enough programs for a figure of their own.
pub(super) const KINDS: &[(Kind, Missed)] = {kinds};

/// Kinds of which there is any row.
pub(super) const SEEN: &[Kind] = &[{}];

/// Where they were measured.
#[rustfmt::skip]
pub(super) const MACHINES: &[&str] = &[
{}];
",
        value(pooled),
        seen.join(", "),
        machines.concat()
    )
}

/// Where a suite was run, in a line.
fn machine(suite: &Suite) -> String {
    let kernel = suite.fact("Kernel").split('-').next().unwrap_or(NA);
    format!("{}, Linux {kernel}", suite.fact("CPU"))
}

/// What the document says of it.
fn section(all: &Residuals, pooled: Missed, suites: &[Suite]) -> String {
    let row = |name: &str, found: Missed, used: &str| {
        vec![
            name.to_owned(),
            count(found.rows as f64),
            count(found.programs as f64),
            decimal(found.times, 2),
            used.to_owned(),
        ]
    };
    let mut rows = vec![row("all", pooled, "by kinds without a figure of their own")];
    for kind in Kind::ALL {
        let Some(found) = all.of_kind_pooled(kind) else { continue };
        let used = if all.figure_of_kind(kind).is_some() { "by its kind" } else { "too few for a figure of its own" };
        rows.push(row(kind_in_words(kind), found, used));
    }
    let mut text = markdown::table(&["Kind", "Rows", "Programs", "Times its own standard error", "Used"], rows);
    text.push('\n');
    for suite in suites {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "- {}: {}, commit {}, {}.",
            suite.name,
            suite.fact("Date"),
            suite.fact("Commit"),
            machine(suite)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiler_has_the_table_of_the_kept_runs() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        run(root, &Options { check: true, again: None }).unwrap();
    }
}
