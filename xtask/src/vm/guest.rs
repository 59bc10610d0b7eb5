//! Static programs for a guest, and the archive that it boots into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::case::{self, Case, TESTS_IN_GUEST};
use super::initramfs::{Archive, script};
use super::{Arch, Options};
use crate::{
    exec,
    host::{arch::cargo_build_static, machine::executables},
};

const PACKAGE: &str = "should-i-async";
const TOOL: &str = "should-i-async";
/// What the tests run.
const WORKLOADS: &str = "truth";
/// For commands by hand.
const LAB: &str = "lab";

fn examples(options: &Options) -> &'static [&'static str] {
    if options.command.is_empty() { &[WORKLOADS] } else { &[WORKLOADS, LAB] }
}

/// What was built for a guest: paths on this machine by cargo's names.
pub(super) struct Programs {
    by_name: BTreeMap<String, PathBuf>,
}

/// Builds for an architecture: the tool, the workloads, the tests.
pub(super) fn build(root: &Path, arch: Arch, options: &Options) -> Result<Programs> {
    let mut cargo = cargo_build_static(root, PACKAGE, arch)?;
    cargo.args(["--bin", TOOL]);
    for example in examples(options) {
        cargo.args(["--example", example]);
    }
    for program in case::programs(root) {
        cargo.args(["--test", program.name]);
    }
    let by_name = executables(&exec::output(&mut cargo)?).collect();
    let programs = Programs { by_name };
    for name in [TOOL].iter().chain(examples(options)) {
        programs.path(name)?;
    }
    Ok(programs)
}

impl Programs {
    fn path(&self, name: &str) -> Result<&Path> {
        self.by_name.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no {name}"))
    }
}

/// Writes the archive of a guest that runs these.
pub(super) fn pack(
    to: &Path,
    root: &Path,
    programs: &Programs,
    busybox: &Path,
    cases: &[&Case],
    options: &Options,
) -> Result<()> {
    let mut archive = Archive::create(to)?;
    archive.program(busybox, "bin/busybox")?;
    let tool = programs.path(TOOL)?;
    archive.program(tool, &format!("bin/{TOOL}"))?;
    // Cargo compiles the tool's path into the tests.
    archive.link(tool.strip_prefix("/")?.to_str().context("a path that is not UTF-8")?, &format!("/bin/{TOOL}"))?;
    for example in examples(options) {
        archive.program(programs.path(example)?, &format!("bin/{example}"))?;
        archive.link(&format!("t/examples/{example}"), &format!("/bin/{example}"))?;
    }
    for program in case::programs(root) {
        let path = format!("/{TESTS_IN_GUEST}/{}", program.name);
        if cases.iter().any(|case| case.command.first() == Some(&path)) || !options.command.is_empty() {
            archive.program(programs.path(program.name)?, &path[1..])?;
        }
    }
    for file in &options.add {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
            bail!("{} has no name", file.display());
        };
        archive.program(file, &format!("bin/{name}"))?;
    }
    archive.finish(&script(cases))
}
