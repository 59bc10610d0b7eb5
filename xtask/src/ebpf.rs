//! `cargo xtask ebpf`: builds the kernel programs into the object that is committed and embedded.
//!
//! The bytes must be equal on every machine and in every checkout folder, so that CI can compare
//! them. Three things would make them differ:
//!
//! - paths of sources, in panic messages and in BTF line information: they are remapped;
//! - cargo's crate metadata, a hash over the paths of path dependencies and of `core`, which
//!   reaches symbol names: this program stands between cargo and rustc and replaces it by the
//!   crate's name;
//! - DWARF, which names the build folder: it is stripped, and `.BTF` and `.BTF.ext` stay.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use object::build::elf::{Builder, SectionData};

use crate::{exec, host::numbers::count, say::say};

const TARGET: &str = "bpfel-unknown-none";
const BINARY: &str = "should-i-async-bpf";
pub(crate) const OBJECT: &str = "profiler-ebpf/should-i-async.bpf.o";
const SET_UP: &str = "run `.ci/setup`, which installs what the kernel object is built with";

/// Set where cargo runs this program as rustc's wrapper.
const WRAPPER: &str = "XTASK_AS_RUSTC_WRAPPER";

/// Builds the kernel programs into the object that is committed and embedded.
#[derive(Args)]
pub(crate) struct Options {
    /// Writes nothing; fails where the rebuilt object differs from the committed one.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let built = build(root)?;
    let committed = root.join(OBJECT);
    if !options.check {
        fs::write(&committed, &built).with_context(|| format!("writing {}", committed.display()))?;
        return say(&format!("ebpf: wrote {OBJECT}, {} bytes", count(built.len() as f64)));
    }
    let old = fs::read(&committed).with_context(|| format!("reading {}", committed.display()))?;
    if let Some(difference) = difference(&old, &built) {
        let rebuilt = root.join("target").join("rebuilt.bpf.o");
        fs::create_dir_all(root.join("target"))?;
        fs::write(&rebuilt, &built)?;
        bail!(
            "{OBJECT} is not what its source builds to: {difference}. The rebuilt object is {}. Run `cargo xtask ebpf` \
             and commit the object with its source",
            rebuilt.display()
        );
    }
    say(&format!("ebpf: {OBJECT} is what its source builds to, {} bytes", count(built.len() as f64)))
}

/// Builds the object and returns its bytes without DWARF.
fn build(root: &Path) -> Result<Vec<u8>> {
    let crate_dir = root.join("profiler-ebpf");
    let sysroot = PathBuf::from(exec::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
    require_tools(&sysroot)?;
    // A build folder of its own: cargo would take what was built by hand, with the same flags but
    // without the wrapper.
    let target_dir = root.join("target").join("ebpf");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "-Zbuild-std=core", "--target", TARGET])
        .current_dir(&crate_dir)
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root, &sysroot)?.join("\u{1f}"))
        // Nightly's build-std on the stable compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_WRAPPER", std::env::current_exe()?)
        .env(WRAPPER, "1")
        // `cargo run` sets these. The inner cargo must not take our toolchain from them.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_RUSTFLAGS");
    exec::run(&mut cargo)?;
    let object = target_dir.join(TARGET).join("release").join(BINARY);
    let bytes = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    without_dwarf(&bytes).with_context(|| format!("stripping {}", object.display()))
}

fn require_tools(sysroot: &Path) -> Result<()> {
    let core = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !core.exists() {
        bail!("rustc's library sources (rust-src) are missing: {SET_UP}");
    }
    match exec::output_if_present(Command::new("bpf-linker").arg("--version"))? {
        Some(_) => Ok(()),
        None => bail!("bpf-linker is missing: {SET_UP}"),
    }
}

/// The flags of TARGET's build. aya-ebpf wants a `bpf_target_arch`; the programs use none of its
/// register helpers, so the object serves every architecture and the choice is arbitrary.
fn flags(root: &Path, sysroot: &Path) -> Result<Vec<String>> {
    let mut flags: Vec<String> =
        ["-Cdebuginfo=2", "-Clink-arg=--btf", "--cfg=bpf_target_arch=\"x86_64\""].map(String::from).into();
    flags.extend(remapped_paths(root, sysroot)?);
    Ok(flags)
}

/// Flags that keep the paths of this machine out of what rustc makes.
pub(crate) fn remapped_paths(root: &Path, sysroot: &Path) -> Result<Vec<String>> {
    let mut flags = Vec::new();
    // rustc takes the last remap that matches, so the more specific ones come last.
    let mut remap = |from: &Path, to: &str| -> Result<()> {
        let real = fs::canonicalize(from).with_context(|| format!("resolving {}", from.display()))?;
        for from in [from, &real] {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
        Ok(())
    };
    remap(root, "/should-i-async")?;
    remap(&sysroot.join("lib/rustlib/src/rust"), "/rustc")?;
    remap(&sysroot.join("lib/rustlib/src/rust/library"), "/rustc/library")?;
    // The folder under registry/src carries a hash of the registry's address, which a mirror
    // changes.
    for registry in subfolders(&cargo_home()?.join("registry/src")) {
        remap(&registry, "/crates")?;
    }
    Ok(flags)
}

fn cargo_home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(std::env::home_dir().context("no home folder: set CARGO_HOME")?.join(".cargo")),
    }
}

fn subfolders(dir: &Path) -> Vec<PathBuf> {
    // Without the folder nothing has been downloaded, and cargo will say so.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Whether cargo started us in rustc's place.
pub(crate) fn is_rustc_wrapper() -> bool {
    std::env::var_os(WRAPPER).is_some()
}

/// Runs rustc as cargo asked, with the crate's name for metadata. `arguments` begin with rustc's
/// path.
pub(crate) fn run_as_rustc(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let rustc = arguments.next().context("cargo named no rustc")?;
    let arguments = with_fixed_metadata(arguments.collect());
    // rustc replaces this process, so that cargo reads its messages and exit code.
    let mut command = Command::new(rustc);
    let error = command.args(arguments).env_remove(WRAPPER).exec();
    Err(error).context("starting rustc")
}

/// Replaces `-C metadata=HASH`. Build scripts and crates for the host keep theirs: two versions of
/// one crate are common there and must not collide, and nothing of them is in the object.
fn with_fixed_metadata(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let following = |flag: &str| {
        let at = arguments.iter().position(|a| a == flag)?;
        arguments.get(at + 1)?.to_str().map(str::to_owned)
    };
    if following("--target").as_deref() != Some(TARGET) {
        return arguments;
    }
    let Some(name) = following("--crate-name") else { return arguments };
    for argument in &mut arguments {
        if argument.to_str().is_some_and(|a| a.starts_with("metadata=")) {
            *argument = format!("metadata={name}").into();
        }
    }
    arguments
}

/// Drops the DWARF sections and their relocations. BTF is what the loader and the verifier read.
fn without_dwarf(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut elf = Builder::read(bytes)?;
    for section in &mut elf.sections {
        let name = section.name.to_vec();
        let is = |prefix: &[u8]| name.starts_with(prefix);
        if is(b".debug") || is(b".rel.debug") {
            section.delete = true;
        }
    }
    elf.delete_orphans();
    // LLVM keeps the names of sections and of symbols in one table, the builder in two.
    if !elf.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = elf.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = object::elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    if !elf.sections.iter().any(|section| &section.name[..] == b".BTF") {
        bail!("the object has no .BTF section: it was linked without --btf");
    }
    let mut stripped = Vec::new();
    elf.write(&mut stripped)?;
    Ok(stripped)
}

/// Where two objects begin to differ; `None` if they are equal.
fn difference(old: &[u8], new: &[u8]) -> Option<String> {
    if old == new {
        return None;
    }
    let at = old.iter().zip(new).position(|(a, b)| a != b).unwrap_or(old.len().min(new.len()));
    let [old, new, at] = [old.len(), new.len(), at].map(|n| count(n as f64));
    Some(format!("{old} bytes committed, {new} rebuilt, the first difference at byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn metadata_of_kernel_crates_is_their_name() {
        let given = words("--crate-name core --target bpfel-unknown-none -C metadata=0123 -C extra-filename=-4567");
        let wanted = words("--crate-name core --target bpfel-unknown-none -C metadata=core -C extra-filename=-4567");
        assert_eq!(with_fixed_metadata(given), wanted);
    }

    #[test]
    fn metadata_of_host_crates_stays() {
        let given = words("--crate-name syn -C metadata=0123");
        assert_eq!(with_fixed_metadata(given.clone()), given);
    }

    #[test]
    fn a_difference_names_its_place() {
        assert_eq!(difference(b"same", b"same"), None);
        assert_eq!(
            difference(b"abcd", b"abXd").as_deref(),
            Some("4 bytes committed, 4 rebuilt, the first difference at byte 2")
        );
        assert_eq!(
            difference(b"ab", b"abc").as_deref(),
            Some("2 bytes committed, 3 rebuilt, the first difference at byte 2")
        );
    }
}
