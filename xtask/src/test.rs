//! `cargo xtask test`: every test, the ones on the real kernel included.
//!
//! Kernel tests are the integration tests `profiler/tests/kernel_*.rs`. They attach to the one
//! kernel there is and read its clocks, so they run one at a time, after all others. Each test
//! checks by itself whether it can run (root, BTF): if not, it prints a line with `SKIPPED (…)`,
//! and with `CI=true` it fails. The smallest forms of `pairs`, of `lab containers` and of `lab
//! files` come after them and follow the same rule.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    exec,
    host::{
        numbers::seconds,
        package::{COMMON, LAB, MESSAGES, Pair, Programs, STORAGE, TOOL, TRUTH, WORKLOADS, XTASK},
        programs,
    },
    lab::{containers, files},
    pairs::smoke::{self, Outcome},
    say::say,
};

const KERNEL_PREFIX: &str = "kernel_";

/// Tells the tests where the workloads are (profiler/tests/common/truth.rs).
const WORKLOADS_VARIABLE: &str = "SIA_WORKLOADS";

/// The kernel frees a program a moment after its last user has gone (RCU).
const PROGRAM_GRACE: Duration = Duration::from_secs(3);

/// Runs every test, the ones on the real kernel included.
#[derive(Args)]
pub(crate) struct Options {
    /// Only tests whose name contains this.
    #[arg(long)]
    filter: Option<String>,
    /// Leaves out the tests that need the kernel.
    #[arg(long)]
    no_kernel: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let begun = Instant::now();
    let programs_before = our_programs();
    let suites = suites(root, options)?;
    let leftover = leftover(&programs_before);
    for suite in &suites {
        say(&format!("{}: {}", suite.name, suite.counts.text()))?;
    }
    say(&leftover.text())?;
    let total = suites.iter().fold(Counts::default(), |sum, suite| sum.plus(&suite.counts));
    let failed: Vec<&str> = suites.iter().filter(|suite| !suite.good).map(|suite| suite.name).collect();
    let verdict = if failed.is_empty() && leftover.is_clean() { "ok" } else { "FAILED" };
    say(&format!("all tests: {verdict}. {} in {}", total.text(), seconds(begun.elapsed().as_secs_f64())))?;
    if !failed.is_empty() {
        bail!("{} failed", failed.join(" and "));
    }
    if !leftover.is_clean() {
        bail!("BPF programs outlived the tests");
    }
    Ok(())
}

/// Runs all suites, the kernel tests last.
fn suites(root: &Path, options: &Options) -> Result<Vec<Suite>> {
    let profiler = integration_tests(&root.join("profiler"))?;
    let (kernel, plain): (Vec<String>, Vec<String>) =
        profiler.into_iter().partition(|name| name.starts_with(KERNEL_PREFIX));
    let of_workloads = integration_tests(&root.join("xtask").join("workloads"))?;
    let named =
        |names: &[String]| names.iter().flat_map(|name| ["--test".to_owned(), name.clone()]).collect::<Vec<_>>();

    // With the tests, so that the features chosen are theirs and nothing is compiled twice.
    let mut build = cargo(root, "build", &[TOOL, WORKLOADS]);
    build.args([MESSAGES, "--bin", TOOL, "--bin", TRUTH, "--bin", LAB, "--bin", STORAGE]);
    let programs = Programs::build(build.args(named(&plain)).args(named(&kernel)).args(named(&of_workloads)))?;
    let workloads = programs.path(TRUTH)?.parent().context("a program lies in a folder")?;

    // Not the whole workspace at once: what the profiler and this program share would get the
    // features of both, and be compiled once more.
    let test = |packages: &[&str]| {
        let mut test = cargo(root, "test", packages);
        test.arg("--no-fail-fast").env(WORKLOADS_VARIABLE, workloads);
        test
    };
    let mut suites = Vec::new();
    let mut units = test(&[TOOL, COMMON, WORKLOADS]);
    units.args(["--lib", "--bin", TOOL]).args(named(&plain)).args(named(&of_workloads));
    suites.push(Suite::run("unit and integration tests", &mut units, options, &[])?);
    suites.push(Suite::run("tests of the automation", test(&[XTASK]).arg("--bins"), options, &[])?);
    suites.push(Suite::run("documentation tests", test(&[TOOL, COMMON]).arg("--doc"), options, &[])?);
    if !options.no_kernel && !kernel.is_empty() {
        let mut kernel_tests = test(&[TOOL]);
        suites.push(Suite::run("kernel tests", kernel_tests.args(named(&kernel)), options, &["--test-threads=1"])?);
    }
    if !options.no_kernel && options.filter.is_none() {
        let path = |name| programs.path(name).map(PathBuf::from);
        suites.push(pairs(root, Pair { tool: path(TOOL)?, workload: path(LAB)? })?);
        suites.push(containers(root, &Pair { tool: path(TOOL)?, workload: path(LAB)? })?);
        suites.push(reads(root, workloads)?);
    }
    Ok(suites)
}

/// The smallest form of the pairs. Only CI may install what is missing for it.
fn pairs(root: &Path, programs: Pair) -> Result<Suite> {
    let ci = std::env::var_os("CI").is_some();
    let (said, counts) = counted(smoke::run(root, programs, ci), ci);
    say(&format!("test a pair from installing to its row ... {said}"))?;
    Ok(Suite { name: "smallest form of the pairs", good: counts.failed == 0, counts })
}

/// The smallest form of the programs in several languages, without a daemon.
fn containers(root: &Path, programs: &Pair) -> Result<Suite> {
    let ci = std::env::var_os("CI").is_some();
    let (said, counts) = counted(containers::smoke::run(root, programs, ci), ci);
    say(&format!("test programs of several languages in containers ... {said}"))?;
    Ok(Suite { name: "smallest form of the containers", good: counts.failed == 0, counts })
}

/// The smallest form of the reads of files.
fn reads(root: &Path, workloads: &Path) -> Result<Suite> {
    let ci = std::env::var_os("CI").is_some();
    let (said, counts) = counted(files::smoke::run(root, Some(workloads), ci), ci);
    say(&format!("test reads of files by threads, AIO, rings and goroutines ... {said}"))?;
    Ok(Suite { name: "smallest form of the reads of files", good: counts.failed == 0, counts })
}

/// A row that cannot run passes, but fails in CI.
fn counted(outcome: Result<Outcome>, ci: bool) -> (String, Counts) {
    let (passed, failed) = (Counts { passed: 1, ..Counts::default() }, Counts { failed: 1, ..Counts::default() });
    match outcome {
        Ok(Outcome::Good(_)) => ("ok".to_owned(), passed),
        Ok(Outcome::NotRun(why)) if ci => (format!("FAILED: {why}, and CI must run it"), failed),
        Ok(Outcome::NotRun(why)) => (format!("SKIPPED ({why})"), Counts { skipped: 1, ..passed }),
        Err(error) => (format!("FAILED: {error:#}"), failed),
    }
}

fn cargo(root: &Path, subcommand: &str, packages: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args([subcommand, "--locked"]);
    command.args(packages.iter().flat_map(|&package| ["--package", package]));
    command
}

/// Names of the integration tests of the package in this folder.
fn integration_tests(package: &Path) -> Result<Vec<String>> {
    let dir = package.join("tests");
    let mut names = Vec::new();
    if dir.is_dir() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            let stem = if path.is_dir() && path.join("main.rs").exists() { path.file_name() } else { path.file_stem() };
            let is_test = path.is_dir() && path.join("main.rs").exists() || path.extension().is_some_and(|e| e == "rs");
            if let (true, Some(stem)) = (is_test, stem) {
                names.push(stem.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The outcome of one `cargo test`.
struct Suite {
    name: &'static str,
    counts: Counts,
    good: bool,
}

impl Suite {
    /// Runs `command`, passes its output on as it comes, and counts.
    fn run(name: &'static str, command: &mut Command, options: &Options, harness: &[&str]) -> Result<Self> {
        command.arg("--").args(harness).args(&options.filter);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", exec::line(command)))?;
        let mut counts = Counts::default();
        if let Some(stdout) = child.stdout.take() {
            // A test's own output need not be UTF-8.
            for line in BufReader::new(stdout).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                counts.take(&line);
                say(&line)?;
            }
        }
        Ok(Self { name, counts, good: child.wait()?.success() })
    }
}

/// Sums of libtest's closing lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Tests that passed without doing anything.
    skipped: u64,
}

impl Counts {
    /// Reads one line of output.
    fn take(&mut self, line: &str) {
        if line.contains("SKIPPED (") {
            self.skipped += 1;
        }
        let Some((_, rest)) = line.split_once("test result: ") else { return };
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
            skipped: self.skipped + other.skipped,
        }
    }

    fn text(&self) -> String {
        let Self { passed, failed, ignored, skipped } = self;
        let skips = if *skipped > 0 { format!(" ({skipped} of them SKIPPED: see above)") } else { String::new() };
        format!("{passed} passed{skips}; {failed} failed; {ignored} ignored")
    }
}

/// What the tests left in the kernel.
enum Leftover {
    Nothing,
    Programs(Vec<String>),
    Unknown,
}

impl Leftover {
    fn is_clean(&self) -> bool {
        !matches!(self, Self::Programs(_))
    }

    fn text(&self) -> String {
        match self {
            Self::Nothing => "BPF programs left behind: none".into(),
            Self::Programs(programs) => format!("BPF programs left behind: {}", programs.join("; ")),
            Self::Unknown => "BPF programs left behind: not looked for, bpftool is missing or may not list them".into(),
        }
    }
}

/// Our programs that are loaded now and were not before. Gives the kernel a moment to free them.
fn leftover(before: &Option<BTreeSet<String>>) -> Leftover {
    let Some(before) = before else { return Leftover::Unknown };
    let begun = Instant::now();
    loop {
        let Some(now) = our_programs() else { return Leftover::Unknown };
        let left: Vec<String> = now.difference(before).cloned().collect();
        if left.is_empty() {
            return Leftover::Nothing;
        }
        if begun.elapsed() > PROGRAM_GRACE {
            return Leftover::Programs(left);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The first lines of `bpftool`'s entries for our programs. `None` where it cannot list them.
fn our_programs() -> Option<BTreeSet<String>> {
    let listed = Command::new("bpftool").args(["prog", "show"]).stdin(Stdio::null()).output().ok()?;
    if !listed.status.success() {
        return None;
    }
    Some(parse_programs(&String::from_utf8_lossy(&listed.stdout)))
}

fn parse_programs(listing: &str) -> BTreeSet<String> {
    let ours = |line: &&str| {
        let mut words = line.split_whitespace();
        words.find(|word| *word == "name").is_some() && words.next().is_some_and(|n| n.starts_with(programs::PREFIX))
    };
    listing.lines().filter(ours).map(|line| line.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut counts = Counts::default();
        counts.take("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 1.20s");
        counts.take("test kernel::attach ... SKIPPED (needs root)");
        counts
            .take("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        assert_eq!(counts, Counts { passed: 14, failed: 1, ignored: 1, skipped: 1 });
        assert_eq!(counts.text(), "14 passed (1 of them SKIPPED: see above); 1 failed; 1 ignored");
    }

    #[test]
    fn a_pair_that_cannot_run_is_a_skip_and_in_ci_a_failure() {
        let not_run = || Ok(Outcome::NotRun("needs root".to_owned()));
        let (said, counts) = counted(not_run(), false);
        assert_eq!((said.as_str(), counts.skipped, counts.failed), ("SKIPPED (needs root)", 1, 0));
        assert_eq!(counted(not_run(), true).1.failed, 1);
        let broken = || Err(anyhow::anyhow!("no work"));
        assert_eq!([false, true].map(|ci| counted(broken(), ci).1.failed), [1, 1]);
        assert_eq!(counted(Ok(Outcome::Good(String::new())), true).1, Counts { passed: 1, ..Counts::default() });
    }

    #[test]
    fn only_our_programs_are_ours() {
        let listing = "3: tracing  name sia_switch  tag 0011\n\txlated 8B\n4: cgroup_skb  name other  tag 22\n";
        assert_eq!(parse_programs(listing).into_iter().collect::<Vec<_>>(), ["3: tracing  name sia_switch  tag 0011"]);
    }
}
