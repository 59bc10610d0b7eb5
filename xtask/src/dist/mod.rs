//! `cargo xtask dist`: makes what people install who do not build it themselves: static programs,
//! completions, man pages, packages.
//!
//! It goes to target/dist. With `--check` it is made of the development build and goes to
//! target/dist-check.

mod build;
mod files;
mod licences;
mod package;
mod trial;

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    exec,
    host::{
        arch::{Arch, strip},
        markdown,
    },
    say::say,
};
use build::Purpose;
use files::{NAME, VERSION, sorted};

/// Makes static programs for x86_64 and aarch64, completions, man pages, and Debian packages, and
/// tries one of these.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only a package of the development build for this machine, to see that it is made, installs,
    /// works and goes.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let (purpose, folder) = if options.check { (Purpose::Check, "dist-check") } else { (Purpose::Ship, "dist") };
    let out = root.join("target").join(folder);
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("emptying {}", out.display()))?;
    }
    fs::create_dir_all(&out)?;
    let host = Arch::of_host()?;
    // The host's program comes first: it prints the pages for all.
    let arches: Vec<Arch> =
        [host].into_iter().chain(Arch::ALL.into_iter().filter(|arch| *arch != host && !options.check)).collect();

    let mut rows = Vec::new();
    let mut row = |path: &Path, what: &str| -> Result<()> {
        let name = path.strip_prefix(&out).unwrap_or(path).display().to_string();
        rows.push(vec![name, thousands(fs::metadata(path)?.len()), what.to_owned()]);
        Ok(())
    };
    let mut tried = None;
    let pages = out.join("pages");
    for arch in arches {
        let built = build::build(root, arch, purpose)?;
        let program = out.join(format!("{NAME}-{VERSION}-{}-linux", arch.name()));
        match purpose {
            Purpose::Check => strip(&built, &program, arch)?,
            // Cargo has stripped it.
            Purpose::Ship => {
                fs::copy(&built, &program).with_context(|| format!("copying {}", built.display()))?;
            }
        }
        build::check_static(&program, arch)?;
        if purpose == Purpose::Ship {
            build::check_anonymous(&program, root)?;
        }
        row(&program, "static program")?;
        if arch == host {
            exec::run(Command::new(&program).arg("pages").arg(&pages))?;
        }
        let package = package::build(root, &out, &program, arch, purpose)?;
        package::check_contents(&package, &pages)?;
        if purpose == Purpose::Ship {
            package::lint(&package)?;
        }
        row(&package, "Debian package")?;
        if arch == host {
            tried = Some(trial::run(root, &package, options.check)?);
        }
    }
    let mut files = sorted(&pages)?;
    files.push(out.join("third-party-licences.txt"));
    for path in &files {
        row(path, package::kind(path))?;
    }
    sums(&out)?;
    say(&markdown::table(&["File", "Bytes", "What"], rows))?;
    if let Some(tried) = tried {
        say(&format!("dist: {tried}"))?;
    }
    say(&format!("dist: all in {}", out.display()))
}

/// SHA256SUMS of everything that is made to be fetched, for `sha256sum --check`.
fn sums(out: &Path) -> Result<()> {
    let mut command = Command::new("sha256sum");
    command.current_dir(out).arg("--");
    for path in sorted(out)?.iter().filter(|path| path.is_file()) {
        command.args(path.file_name());
    }
    fs::write(out.join("SHA256SUMS"), exec::output(&mut command)?).context("writing SHA256SUMS")
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_easily() {
        assert_eq!([0, 999, 1000, 1234567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
