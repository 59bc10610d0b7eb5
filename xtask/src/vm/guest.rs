//! Static programs for a guest, and the archive that it boots into.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::case::{self, Case, TESTS_IN_GUEST};
use super::initramfs::{Archive, script};
use super::{Arch, Options};
use crate::{
    exec,
    host::{
        arch::{cargo_build_static, strip},
        machine::executables,
    },
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

/// What was built for a guest, by cargo's names.
pub(super) struct Programs {
    /// Paths as cargo has them.
    built: BTreeMap<String, PathBuf>,
    /// Where they are without what only debuggers need: a guest's memory holds them all.
    stripped: PathBuf,
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
    let built = executables(&exec::output(&mut cargo)?).collect();
    let stripped = root.join("target").join("vm").join(format!("programs-{}", arch.name()));
    fs::create_dir_all(&stripped).with_context(|| format!("making {}", stripped.display()))?;
    let programs = Programs { built, stripped };
    for name in [TOOL].iter().chain(examples(options)) {
        programs.built(name)?;
    }
    for (name, path) in &programs.built {
        strip(path, &programs.stripped.join(name), arch)?;
    }
    Ok(programs)
}

impl Programs {
    fn built(&self, name: &str) -> Result<&Path> {
        self.built.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no {name}"))
    }

    /// What to put into a guest.
    fn path(&self, name: &str) -> Result<PathBuf> {
        self.built(name).map(|_| self.stripped.join(name))
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
    archive.program(&programs.path(TOOL)?, &format!("bin/{TOOL}"))?;
    // Cargo compiles the tool's path into the tests.
    let tool = programs.built(TOOL)?.strip_prefix("/")?;
    archive.link(tool.to_str().context("a path that is not UTF-8")?, &format!("/bin/{TOOL}"))?;
    for example in examples(options) {
        archive.program(&programs.path(example)?, &format!("bin/{example}"))?;
        archive.link(&format!("t/examples/{example}"), &format!("/bin/{example}"))?;
    }
    for program in case::programs(root) {
        let path = format!("/{TESTS_IN_GUEST}/{}", program.name);
        if cases.iter().any(|case| case.command.first() == Some(&path)) || !options.command.is_empty() {
            archive.program(&programs.path(program.name)?, &path[1..])?;
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
