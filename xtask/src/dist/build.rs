//! dist/build: one program for one architecture, static, with no path of this machine in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use object::{
    Architecture, Endianness, Object as _,
    elf::{PT_DYNAMIC, PT_INTERP},
    read::elf::{ElfFile64, ProgramHeader as _},
};

use super::files::NAME;
use crate::{
    ebpf, exec,
    host::{
        arch::{Arch, STATIC, cargo_build, cargo_build_static},
        package::Programs,
    },
};

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be published: optimised as a whole, without traces of this machine. Takes minutes.
    Ship,
    /// To see that packaging works. Built as for the guests of `cargo xtask vm`, so that the two
    /// share one build.
    Check,
}

/// Builds the program and says where it is.
pub(super) fn build(root: &Path, arch: Arch, purpose: Purpose) -> Result<PathBuf> {
    let mut cargo = match purpose {
        Purpose::Ship => {
            let sysroot = PathBuf::from(exec::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
            let mut flags = STATIC.split(' ').map(str::to_owned).collect::<Vec<_>>();
            flags.extend(ebpf::remapped_paths(root, &sysroot)?);
            let mut cargo = cargo_build(root, arch, "std,panic_abort")
                .context("`dist --check` is for this machine's architecture only")?;
            // A folder of its own: these flags would have release builds compiled anew.
            cargo.args(["--profile", "dist"]).env("CARGO_TARGET_DIR", root.join("target").join("dist-build"));
            cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
            cargo
        }
        Purpose::Check => {
            let mut cargo = cargo_build_static(root, arch)?;
            // A test, so that cargo chooses the features that the guests' programs have.
            cargo.args(["--test", "cli"]);
            cargo
        }
    };
    let programs = Programs::build(cargo.args(["--package", NAME, "--bin", NAME]))?;
    programs.path(NAME).map(Path::to_owned)
}

/// The name that an ELF header has for an architecture.
fn machine(arch: Arch) -> Architecture {
    match arch {
        Arch::X86_64 => Architecture::X86_64,
        Arch::Aarch64 => Architecture::Aarch64,
    }
}

/// Fails unless the program is for this architecture and needs no other file to start.
pub(super) fn check_static(program: &Path, arch: Arch) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    check_elf(&bytes, arch).with_context(|| program.display().to_string())
}

fn check_elf(bytes: &[u8], arch: Arch) -> Result<()> {
    let elf = ElfFile64::<Endianness>::parse(bytes)?;
    ensure!(elf.architecture() == machine(arch), "it is for {:?}", elf.architecture());
    let endian = elf.endian();
    ensure!(!elf.elf_program_headers().iter().any(|part| part.p_type(endian) == PT_INTERP), "it wants an interpreter");
    // A static-pie has a dynamic section, and no library in it.
    let dynamic = elf.elf_program_headers().iter().any(|part| part.p_type(endian) == PT_DYNAMIC);
    if dynamic {
        let symbols = elf.imports()?.count();
        ensure!(symbols == 0, "it wants {symbols} symbols of libraries");
    }
    Ok(())
}

/// Fails where the program names a folder of the machine that built it: the checkout, cargo's or
/// rustup's.
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
    fn a_program_of_this_machine_that_is_not_static_is_refused() {
        // Not this test's own program: `.ci/run` builds it static.
        let shell = fs::read("/bin/sh").unwrap();
        let error = check_elf(&shell, Arch::of_host().unwrap()).unwrap_err();
        assert!(error.to_string().contains("interpreter"), "{error}");
    }

    #[test]
    fn a_program_of_another_architecture_is_refused() {
        let own = fs::read("/proc/self/exe").unwrap();
        let host = Arch::of_host().unwrap();
        for arch in Arch::ALL.into_iter().filter(|arch| *arch != host) {
            assert!(check_elf(&own, arch).unwrap_err().to_string().starts_with("it is for"));
        }
    }
}
