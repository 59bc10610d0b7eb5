//! `cargo xtask bench programs`: the committed kernel object against another one, in turns.
//!
//! The object is part of the binary. So a copy of this checkout is built twice, around the one
//! object and around the other. Everything else in the two binaries is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{
    figures::{Spread, cell},
    kernel::{self, Size},
    limits::{self, RunTime},
    load::{self, Sample, Server},
    machine::SUITE,
    observer::Observer,
};
use crate::{
    ebpf::OBJECT,
    exec,
    host::{
        child, machine,
        markdown::table,
        numbers::{NA, count, hook_difference, hook_nanos, increase, nanos},
        package::{MESSAGES, Programs, TOOL},
    },
    say::{self, say},
};

/// Run time of each kernel program and CPU per request, of the committed object and of another one.
#[derive(Args)]
pub(super) struct Options {
    /// The other object, of the same layout: a version from before, for example.
    #[arg(long)]
    object: PathBuf,
    /// Rounds; each measures both objects once.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of load per measurement.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds to wait for other programs to be done, before each measurement.
    #[arg(long, default_value_t = 10)]
    patience: u64,
}

/// One object, in its binary, and what was measured of it.
struct Side {
    binary: PathBuf,
    sizes: BTreeMap<String, Size>,
    run_time: RunTime,
    samples: Vec<Sample>,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let other_object = fs::read(&options.object).with_context(|| format!("reading {}", options.object.display()))?;
    let committed_object = fs::read(root.join(OBJECT)).with_context(|| format!("reading {OBJECT}"))?;
    let work = root.join("target").join("bench-programs");
    copy_checkout(root, &work.join("source"))?;
    let mut other = Side::new(build(&work, &other_object, "other")?)?;
    let mut committed = Side::new(build(&work, &committed_object, "committed")?)?;

    let patience = Duration::from_secs(options.patience);
    let (mut none, mut disturbed) = (Vec::new(), 0);
    for round in 1..=options.rounds {
        none.push(load::measure(&committed.binary, Observer::None, options.seconds, patience)?.0);
        let mut sides = [("committed", &mut committed), ("other", &mut other)];
        if round % 2 == 0 {
            sides.reverse();
        }
        for (name, side) in sides {
            disturbed += u32::from(!machine::await_quiet(patience)?);
            limits::run_time(&side.binary, Observer::Check, options.seconds, &mut side.run_time)?;
            let (sample, _) = load::measure(&side.binary, Observer::Check, options.seconds, patience)?;
            side.samples.push(sample);
            let mean = side.run_time.means.last().copied().unwrap_or_default();
            let line = format!(
                "round {round}/{}: {name}: {} per run, {} per request",
                options.rounds,
                hook_nanos(mean),
                nanos(sample.cpu_per_request)
            );
            say::progress(SUITE, &line)?;
        }
    }
    let all = none.iter().chain(&committed.samples).chain(&other.samples);
    let loud = all.filter(|sample| !sample.is_quiet()).count();
    say(&format!("{}\n{}", programs_table(&committed, &other), requests_table(&none, &committed, &other)))?;
    say(&format!(
        "Medians of {} rounds of {} s, smallest and largest in brackets; differences are within each round.\n\
         Disturbed by other programs: {disturbed} of the run times, {loud} of the CPU times.",
        options.rounds, options.seconds
    ))
}

impl Side {
    fn new(binary: PathBuf) -> Result<Self> {
        let server = Server::start(&binary, 30)?;
        let watching = Observer::Check.start(&binary, server.pid(), 30)?;
        let sizes = kernel::sizes(watching.pid().context("no observer")?);
        watching.end(|| {})?;
        Ok(Self { binary, sizes, run_time: RunTime::default(), samples: Vec::new() })
    }

    /// Mean run time of a program in each round in which it ran.
    fn means(&self, program: &str) -> Vec<f64> {
        self.run_time.programs.get(program).into_iter().flatten().map(|(_, mean)| *mean).collect()
    }

    /// As [`Self::means`], but empty if the program did not run in every round: for differences.
    fn whole(&self, program: &str) -> Vec<f64> {
        let means = self.means(program);
        if means.len() == self.run_time.means.len() { means } else { Vec::new() }
    }
}

/// Copies what git knows of a checkout, and what it would add, but for the object. Files that are
/// equal stay untouched, so that cargo does not build them again.
fn copy_checkout(root: &Path, copy: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = exec::output(&mut git)?;
    let files: BTreeSet<&str> = listed.split('\0').filter(|name| root.join(name).is_file()).collect();
    for name in &files {
        let bytes = fs::read(root.join(name)).with_context(|| format!("reading {name}"))?;
        if *name != OBJECT {
            write_if_changed(&copy.join(name), &bytes)?;
        }
    }
    // A file that was removed from the checkout would still be compiled as a module.
    let mut stale = vec![copy.to_owned()];
    while let Some(dir) = stale.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            let name = path.strip_prefix(copy)?.to_string_lossy().into_owned();
            if path.is_dir() {
                stale.push(path);
            } else if name != OBJECT && !files.contains(name.as_str()) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// Builds the profiler of the copy around an object, for release, and keeps it under a name.
///
/// The build folder is the copy's own. Cargo names what it builds by paths within the workspace: in
/// a shared folder it would take the binary around one object for that around the other.
fn build(work: &Path, object: &[u8], name: &str) -> Result<PathBuf> {
    let source = work.join("source");
    write_if_changed(&source.join(OBJECT), object)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&source).env("CARGO_TARGET_DIR", work.join("target"));
    cargo.args(["build", "--release", "--locked", "--package", TOOL, "--bin", TOOL, MESSAGES]);
    let programs = Programs::build(&mut cargo)?;
    let built = programs.path(TOOL)?;
    let binary = work.join(name);
    fs::copy(built, &binary).with_context(|| format!("copying {} to {}", built.display(), binary.display()))?;
    let holds = contains(&fs::read(&binary)?, object);
    ensure!(holds, "{} does not hold the object it was built around", binary.display());
    Ok(binary)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.into_iter().any(|(at, _)| bytes[at..].starts_with(part))
}

/// Applies `f` to both values of each round; `None` if a round has only one.
fn paired(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Option<Spread> {
    if a.len() != b.len() {
        return None;
    }
    Spread::from_values(a.iter().zip(b).map(|(&a, &b)| f(a, b)))
}

fn programs_table(committed: &Side, other: &Side) -> String {
    let names: BTreeSet<&String> = committed.sizes.keys().chain(other.sizes.keys()).collect();
    let size = |side: &Side, name: &str| {
        let Some(size) = side.sizes.get(name) else { return NA.to_owned() };
        format!("{} / {} B", count(f64::from(size.instructions)), count(f64::from(size.machine_code)))
    };
    let mean = |means: Vec<f64>| cell(Spread::from_values(means), hook_nanos);
    let difference = |a: &[f64], b: &[f64]| cell(paired(a, b, |a, b| a - b), hook_difference);
    let mut rows: Vec<Vec<String>> = names
        .into_iter()
        .map(|name| {
            let rates = committed.run_time.programs.get(name).into_iter().flatten().map(|(rate, _)| *rate);
            let rate = Spread::from_values(rates).map_or_else(|| NA.to_owned(), |spread| count(spread.median));
            vec![
                format!("`{name}`"),
                size(other, name),
                size(committed, name),
                rate,
                mean(other.means(name)),
                mean(committed.means(name)),
                difference(&committed.whole(name), &other.whole(name)),
            ]
        })
        .collect();
    let (all, all_other) = (&committed.run_time.means, &other.run_time.means);
    rows.push(vec![
        "all, by run".into(),
        NA.to_owned(),
        NA.to_owned(),
        NA.to_owned(),
        mean(all_other.clone()),
        mean(all.clone()),
        difference(all, all_other),
    ]);
    let head = [
        "Program",
        "Instructions / code, other",
        "Instructions / code, committed",
        "Runs per second",
        "Mean run time, other",
        "Mean run time, committed",
        "committed − other",
    ];
    table(&head, rows)
}

fn requests_table(none: &[Sample], committed: &Side, other: &Side) -> String {
    const COMMITTED: &str = "committed object";
    let against = |a: &[f64], b: &[f64]| cell(paired(a, b, |a, b| a / b), increase);
    let cpu = |samples: &[Sample]| samples.iter().map(|s| s.cpu_per_request).collect::<Vec<f64>>();
    let none = cpu(none);
    let (committed, other) = (cpu(&committed.samples), cpu(&other.samples));
    let rows = [("no profiler", &none), ("other object", &other), (COMMITTED, &committed)]
        .into_iter()
        .map(|(name, values)| {
            vec![
                name.to_owned(),
                cell(Spread::from_values(values.iter().copied()), nanos),
                against(values, &none),
                if name == COMMITTED { against(values, &other) } else { NA.to_owned() },
            ]
        })
        .collect();
    table(&["`check --exact` with", "CPU per request", "against no profiler", "against the other object"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_its_checkout() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("bench-programs-{}", std::process::id()));
        let (root, copy) = (dir.join("root"), dir.join("copy"));
        fs::create_dir_all(root.join("profiler-ebpf"))?;
        fs::write(root.join("a.rs"), "a")?;
        fs::write(root.join(OBJECT), "committed")?;
        exec::run(Command::new("git").args(["init", "--quiet"]).current_dir(&root))?;
        copy_checkout(&root, &copy)?;
        write_if_changed(&copy.join(OBJECT), b"other")?;
        fs::rename(root.join("a.rs"), root.join("b.rs"))?;
        copy_checkout(&root, &copy)?;
        assert!(!copy.join("a.rs").exists());
        assert_eq!(fs::read(copy.join("b.rs"))?, b"a");
        assert_eq!(fs::read(copy.join(OBJECT))?, b"other");
        fs::remove_dir_all(&dir)?;
        Ok(())
    }

    #[test]
    fn an_object_is_found_in_a_binary() {
        assert!(contains(b"xxabcab", b"abca"));
        assert!(!contains(b"xxabc", b"abca"));
    }

    #[test]
    fn differences_are_within_a_round() {
        let spread = paired(&[10.0, 21.0, 30.0], &[9.0, 20.0, 29.0], |a, b| a - b);
        assert_eq!(spread, Some(Spread { median: 1.0, min: 1.0, max: 1.0, rounds: 3 }));
    }
}
