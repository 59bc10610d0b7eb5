//! Static programs for a guest, and the archive that it boots into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::case::{self, Case, TESTS_IN_GUEST, WORKLOADS_IN_GUEST};
use super::initramfs::{Archive, script};
use super::options::Options;
use crate::{
    exec,
    host::{
        arch::{Arch, cargo_build_static, strip},
        package::{self, Programs, TOOL, WORKLOADS},
    },
};

/// Bytes of a guest's disk: what the tests write is far less.
const DISK_BYTES: u64 = 256 << 20;

/// The workloads of a guest: what the tests run, and what commands by hand may run.
fn workloads(options: &Options) -> &'static [&'static str] {
    if options.command.is_empty() { &[package::TRUTH] } else { &[package::TRUTH, package::LAB] }
}

/// The programs that were built for a guest, by cargo's names.
pub(super) struct GuestPrograms {
    /// Paths as cargo has them.
    built: Programs,
    /// Folder of the same programs without debug information: a guest's memory holds them all.
    stripped: PathBuf,
}

/// Builds for an architecture: the tool, the workloads, the tests.
pub(super) fn build(root: &Path, arch: Arch, options: &Options) -> Result<GuestPrograms> {
    let mut cargo = cargo_build_static(root, arch)?;
    cargo.args(["--package", TOOL, "--package", WORKLOADS, "--bin", TOOL]);
    for name in workloads(options) {
        cargo.args(["--bin", name]);
    }
    for program in case::programs(root) {
        cargo.args(["--test", program.name]);
    }
    let built = Programs::build(&mut cargo)?;
    let stripped = root.join("target").join("vm").join(format!("programs-{}", arch.name()));
    fs::create_dir_all(&stripped).with_context(|| format!("making {}", stripped.display()))?;
    for name in [TOOL].iter().chain(workloads(options)) {
        built.path(name)?;
    }
    for (name, path) in built.iter() {
        strip(path, &stripped.join(name), arch)?;
    }
    Ok(GuestPrograms { built, stripped })
}

impl GuestPrograms {
    /// The stripped program, to be put into a guest.
    fn path(&self, name: &str) -> Result<PathBuf> {
        self.built.path(name).map(|_| self.stripped.join(name))
    }
}

/// Makes the image of a guest's disk: an empty ext4, as the oldest of the kernels can read it.
pub(super) fn format(disk: &Path) -> Result<()> {
    let image = fs::File::create(disk).with_context(|| format!("writing {}", disk.display()))?;
    image.set_len(DISK_BYTES)?;
    exec::output(Command::new("mkfs.ext4").args(["-q", "-F", "-O", "^metadata_csum_seed,^orphan_file"]).arg(disk))?;
    Ok(())
}

/// Writes the archive of a guest that runs these.
pub(super) fn pack(
    to: &Path,
    root: &Path,
    programs: &GuestPrograms,
    busybox: &Path,
    cases: &[&Case],
    options: &Options,
) -> Result<()> {
    let mut archive = Archive::create(to)?;
    archive.program(busybox, "bin/busybox")?;
    archive.program(&programs.path(TOOL)?, &format!("bin/{TOOL}"))?;
    // Cargo compiles the tool's path into the tests.
    let tool = programs.built.path(TOOL)?.strip_prefix("/")?;
    archive.link(tool.to_str().context("a path that is not UTF-8")?, &format!("/bin/{TOOL}"))?;
    for name in workloads(options) {
        archive.program(&programs.path(name)?, &format!("bin/{name}"))?;
        archive.link(&format!("{WORKLOADS_IN_GUEST}/{name}"), &format!("/bin/{name}"))?;
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
