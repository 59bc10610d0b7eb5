//! `cargo xtask child`: the class file that `calibrate --runtime` runs in a JVM. It travels with
//! the source, because runtime environments have no compiler.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{exec, say::say};

/// Compile profiler/src/calibrate/runtime/jvm/Child.java into the class file beside it. It needs a
/// JDK of version 17.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail where that would change something, and write nothing
    #[arg(long)]
    check: bool,
}

const FOLDER: &str = "profiler/src/calibrate/runtime/jvm";
const SOURCE: &str = "Child.java";
const JAR: &str = "child.jar";
/// The oldest Java that the class is for.
const RELEASE: &str = "11";
/// A fixed date, so that the file is the same whenever it is made.
const DATE: &str = "--date=2020-01-01T00:00:00Z";

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let (folder, work) = (root.join(FOLDER), root.join("target").join("child"));
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    exec::run(Command::new("javac").args(["--release", RELEASE, "-d"]).arg(&work).arg(folder.join(SOURCE)))?;
    let jar = ["--create", "--file", JAR, "--no-manifest", DATE, "Child.class"];
    exec::run(Command::new("jar").current_dir(&work).args(jar))?;
    let (made, kept) = (work.join(JAR), folder.join(JAR));
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    if options.check {
        ensure!(
            read(&made)? == read(&kept)?,
            "{FOLDER}/{JAR} is not what {SOURCE} compiles to: run `cargo xtask child`"
        );
        return say(&format!("{FOLDER}/{JAR} is what {SOURCE} compiles to"));
    }
    fs::copy(&made, &kept).with_context(|| format!("writing {}", kept.display()))?;
    say(&format!("written: {FOLDER}/{JAR}"))
}
