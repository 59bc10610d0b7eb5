//! dist/build: one program for one architecture, static, with no path of this machine in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use object::{
    Architecture, Endianness, Object as _,
    elf::{PT_DYNAMIC, PT_INTERP},
    read::elf::{ElfFile64, ProgramHeader as _},
};

use super::NAME;
use crate::{ebpf, exec, host::machine::executables};

const STATIC: &str = "-C target-feature=+crt-static";

/// What we ship for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arch {
    X86_64,
    Aarch64,
}

impl Arch {
    pub(super) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    pub(super) fn of_host() -> Result<Self> {
        let host = std::env::consts::ARCH;
        Self::ALL.into_iter().find(|arch| arch.name() == host).with_context(|| format!("we do not ship for {host}"))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Debian's name.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// rustc's name.
    pub(super) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    fn cross_linker(self) -> String {
        format!("{}-linux-gnu-gcc", self.name())
    }

    fn machine(self) -> Architecture {
        match self {
            Self::X86_64 => Architecture::X86_64,
            Self::Aarch64 => Architecture::Aarch64,
        }
    }
}

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be given away: optimised as a whole, nothing of this machine in it. Minutes.
    Ship,
    /// To see that packaging works: as the guests of `cargo xtask vm` have it, so that the two share one build.
    Check,
}

/// Builds the program and says where it is.
pub(super) fn build(root: &Path, arch: Arch, purpose: Purpose) -> Result<PathBuf> {
    let sysroot = PathBuf::from(exec::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
    let target = arch.target();
    let variable = |name: &str| format!("CARGO_TARGET_{}_{name}", target.to_uppercase().replace('-', "_"));
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--package", NAME, "--bin", NAME, "--target", &target])
        .arg("--message-format=json-render-diagnostics")
        .env_remove("RUSTFLAGS");
    match purpose {
        Purpose::Ship => {
            let mut flags = STATIC.split(' ').map(str::to_owned).collect::<Vec<_>>();
            flags.extend(ebpf::remapped_paths(root, &sysroot)?);
            // A folder of its own: these flags would have release builds compiled anew.
            cargo.args(["--profile", "dist"]).env("CARGO_TARGET_DIR", root.join("target").join("dist-build"));
            cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        }
        Purpose::Check => {
            // All as in `vm/guest.rs`: then nothing is left to compile after the guests.
            cargo.env(variable("RUSTFLAGS"), STATIC).env("CARGO_PROFILE_DEV_DEBUG", "0");
            cargo.env("CARGO_TARGET_DIR", root.join("target").join("vm").join("build")).env("RUSTC_BOOTSTRAP", "1");
            // With an example cargo chooses features as it does for the guests' tests.
            cargo.args(["--example", "truth"]);
        }
    }
    if arch != Arch::of_host()? {
        let linker = arch.cross_linker();
        if exec::output_if_present(Command::new(&linker).arg("--version"))?.is_none() {
            bail!(
                "{linker} is missing: `apt-get install gcc-{0}-linux-gnu libc6-dev-{1}-cross`, or `dist --check` for this \
                 machine's architecture only",
                arch.name().replace('_', "-"),
                arch.debian()
            );
        }
        cargo.env(variable("LINKER"), linker);
    }
    if !sysroot.join("lib/rustlib").join(&target).join("lib").is_dir() {
        // The library of this target is not installed: built from its sources, as the kernel programs' core is.
        cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
    }
    let messages = exec::output(&mut cargo)?;
    let built = executables(&messages).find(|(name, _)| name == NAME);
    built.map(|(_, path)| path).with_context(|| format!("cargo built no {NAME}"))
}

/// Fails unless the program is for this architecture and needs no other file to start.
pub(super) fn check_static(program: &Path, arch: Arch) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    check_elf(&bytes, arch).with_context(|| program.display().to_string())
}

fn check_elf(bytes: &[u8], arch: Arch) -> Result<()> {
    let elf = ElfFile64::<Endianness>::parse(bytes)?;
    ensure!(elf.architecture() == arch.machine(), "it is for {:?}", elf.architecture());
    let endian = elf.endian();
    ensure!(!elf.elf_program_headers().iter().any(|part| part.p_type(endian) == PT_INTERP), "it wants an interpreter");
    // A static-pie has a dynamic section, and no library in it.
    let dynamic = elf.elf_program_headers().iter().any(|part| part.p_type(endian) == PT_DYNAMIC);
    if dynamic {
        let libraries = elf.imports()?;
        ensure!(libraries.is_empty(), "it wants {} symbols of libraries", libraries.len());
    }
    Ok(())
}

/// Fails where the program names a folder of who built it: the checkout, or cargo's and rustup's.
pub(super) fn check_anonymous(program: &Path, root: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let home = std::env::home_dir().context("no home folder")?;
    for folder in [format!("{}/", root.display()), format!("{}/.", home.display())] {
        let found = bytes.windows(folder.len()).any(|part| part == folder.as_bytes());
        ensure!(!found, "{} names {folder}", program.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_this_machine_that_is_not_static_is_told() {
        let own = fs::read("/proc/self/exe").unwrap();
        let error = check_elf(&own, Arch::of_host().unwrap()).unwrap_err();
        assert!(error.to_string().contains("interpreter"), "{error}");
    }

    #[test]
    fn a_program_of_another_architecture_is_told() {
        let own = fs::read("/proc/self/exe").unwrap();
        let host = Arch::of_host().unwrap();
        for arch in Arch::ALL.into_iter().filter(|arch| *arch != host) {
            assert!(check_elf(&own, arch).unwrap_err().to_string().starts_with("it is for"));
        }
    }
}
