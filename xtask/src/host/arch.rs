//! The architectures that the tool is made for, and static builds for them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use super::package::MESSAGES;
use crate::exec;

/// The flag that links the standard library and the C library into the program.
pub(crate) const STATIC: &str = "-C target-feature=+crt-static";

/// An architecture that the kernel programs run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    Aarch64,
}

impl Arch {
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    pub(crate) fn of_host() -> Result<Self> {
        let host = std::env::consts::ARCH;
        Self::ALL.into_iter().find(|arch| arch.name() == host).with_context(|| format!("we do not ship for {host}"))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Debian's name of it.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// rustc's name of it.
    pub(crate) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    /// A variable that cargo reads for this target.
    fn variable(self, name: &str) -> String {
        format!("CARGO_TARGET_{}_{name}", self.target().to_uppercase().replace('-', "_"))
    }
}

/// `cargo build` for an architecture, with its linker, and with these crates of the standard
/// library built from their sources where the compiler brings none. The caller says what is built
/// and how it is linked.
pub(crate) fn cargo_build(root: &Path, arch: Arch, library: &str) -> Result<Command> {
    let target = arch.target();
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--locked", MESSAGES, "--target", &target]).env_remove("RUSTFLAGS");
    if arch != Arch::of_host()? {
        let linker = format!("{}-linux-gnu-gcc", arch.name());
        if exec::output_if_present(Command::new(&linker).arg("--version"))?.is_none() {
            bail!(
                "{linker} is missing: `apt-get install gcc-{0}-linux-gnu libc6-dev-{1}-cross`",
                arch.name().replace('_', "-"),
                arch.debian()
            );
        }
        cargo.env(arch.variable("LINKER"), linker);
    }
    let sysroot = PathBuf::from(exec::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
    if !sysroot.join("lib/rustlib").join(&target).join("lib").is_dir() {
        cargo.arg(format!("-Zbuild-std={library}")).env("RUSTC_BOOTSTRAP", "1");
    }
    Ok(cargo)
}

/// As [`cargo_build`], for static programs by the development profile. All callers share one
/// folder. Nothing in it is compiled twice as long as they choose the same features: with a test
/// among what is built, cargo chooses those of the tests. `.ci/run` builds the tests of this
/// machine there too.
pub(crate) fn cargo_build_static(root: &Path, arch: Arch) -> Result<Command> {
    let mut cargo = cargo_build(root, arch, "std,test")?;
    cargo
        .env(arch.variable("RUSTFLAGS"), STATIC)
        // A folder of their own: build scripts ask for RUSTC_BOOTSTRAP, and would run again for
        // every other build.
        .env("CARGO_TARGET_DIR", root.join("target").join("vm").join("build"))
        .env("RUSTC_BOOTSTRAP", "1");
    if arch != Arch::of_host()? {
        // Nobody debugs in a guest.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    }
    Ok(cargo)
}

/// Writes a program without its debug information. The names of its functions stay.
pub(crate) fn strip(program: &Path, to: &Path, arch: Arch) -> Result<()> {
    let tool = if arch == Arch::of_host()? { "strip".to_owned() } else { format!("{}-linux-gnu-strip", arch.name()) };
    exec::run(Command::new(tool).arg("--strip-debug").arg("-o").arg(to).arg(program))
}
