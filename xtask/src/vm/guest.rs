//! Static programs for a guest, and the archive that it boots into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::case::{self, Case, TESTS_IN_GUEST};
use super::initramfs::{Archive, script};
use super::{Arch, Options};
use crate::exec;

const PACKAGE: &str = "should-i-async";
const TOOL: &str = "should-i-async";
const EXAMPLES: &[&str] = &["truth", "lab"];

/// What was built for a guest: paths on this machine by cargo's names.
pub(super) struct Programs {
    by_name: BTreeMap<String, PathBuf>,
}

/// Builds for an architecture: the tool, the workloads, the tests.
pub(super) fn build(root: &Path, arch: Arch) -> Result<Programs> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--locked", "--package", PACKAGE, "--target", arch.triple()]);
    cargo.args(["--message-format=json-render-diagnostics", "--bin", TOOL]);
    for example in EXAMPLES {
        cargo.args(["--example", example]);
    }
    for program in case::programs(root) {
        cargo.args(["--test", program.name]);
    }
    let variable = |name: &str| format!("CARGO_TARGET_{}_{name}", arch.triple().to_uppercase().replace('-', "_"));
    cargo
        .env(variable("RUSTFLAGS"), "-C target-feature=+crt-static")
        // Guests are small, and nobody debugs in them.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // A folder of their own: build scripts ask for RUSTC_BOOTSTRAP, and would run again for every other build.
        .env("CARGO_TARGET_DIR", root.join("target").join("vm").join("build"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTFLAGS");
    if arch == Arch::Aarch64 {
        // Its standard library is built from the compiler's own sources, which is for nightly, or RUSTC_BOOTSTRAP.
        cargo.arg("-Zbuild-std=std,test").env(variable("LINKER"), "aarch64-linux-gnu-gcc");
    }
    let line = exec::line(&cargo);
    let built = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start `cargo`")?;
    ensure!(built.status.success(), "`{line}` failed: {}", built.status);
    let by_name = executables(&String::from_utf8_lossy(&built.stdout));
    let programs = Programs { by_name };
    for name in [TOOL].iter().chain(EXAMPLES) {
        programs.path(name)?;
    }
    Ok(programs)
}

/// Targets and their executables, from cargo's messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let artifact = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let path = PathBuf::from(message["executable"].as_str()?);
        Some((message["target"]["name"].as_str()?.to_owned(), path))
    };
    messages.lines().filter_map(artifact).collect()
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
    for example in EXAMPLES {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_told_from_libraries() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"truth\"},\"executable\":\"/x/truth\"}\n\
                        {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"lib\"},\"executable\":null}\n\
                        {\"reason\":\"build-finished\"}\n";
        assert_eq!(executables(messages), BTreeMap::from([("truth".to_owned(), PathBuf::from("/x/truth"))]));
    }
}
