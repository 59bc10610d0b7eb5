//! dist/package: the Debian package, by cargo-deb. What goes where is in profiler/Cargo.toml.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    build::Purpose,
    files::{NAME, VERSION, sorted, source_date},
    licences,
};
use crate::{exec, host::arch::Arch};

/// What the package holds beside a man page for each command.
const FILES: [&str; 15] = [
    "usr/bin/should-i-async",
    "usr/lib/systemd/system/should-i-async-record@.service",
    "usr/lib/systemd/system/should-i-async-serve.service",
    "usr/libexec/should-i-async/record-service",
    "usr/share/bash-completion/completions/should-i-async",
    "usr/share/doc/should-i-async/README.md",
    "usr/share/doc/should-i-async/changelog.gz",
    "usr/share/doc/should-i-async/copyright",
    "usr/share/doc/should-i-async/grafana-dashboard.json",
    "usr/share/doc/should-i-async/prometheus-rules.yml",
    "usr/share/doc/should-i-async/third-party-licences.txt.gz",
    "usr/share/fish/vendor_completions.d/should-i-async.fish",
    "usr/share/lintian/overrides/should-i-async",
    "usr/share/man/man1/should-i-async.1.gz",
    "usr/share/zsh/vendor-completions/_should-i-async",
];

/// What a file of the pages is.
pub(super) fn kind(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('.') {
        Some((_, "1")) => "man page",
        Some((_, "bash")) => "completion, bash",
        Some((_, "fish")) => "completion, fish",
        Some((_, "txt")) => "licences of what is linked in",
        _ => "completion, zsh",
    }
}

/// Makes the package and says where it is.
pub(super) fn build(root: &Path, out: &Path, program: &Path, arch: Arch, purpose: Purpose) -> Result<PathBuf> {
    if exec::output_if_present(Command::new("cargo-deb").arg("--version"))?.is_none() {
        bail!("cargo-deb is missing: run `.ci/setup`, which installs it");
    }
    let date = source_date(root)?;
    let stage = root.join("target").join("dist-stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("emptying {}", stage.display()))?;
    }
    lay_out(root, out, &stage, program, date)?;
    let package = out.join(format!("{NAME}_{VERSION}_{}.deb", arch.debian()));
    let mut cargo_deb = Command::new("cargo-deb");
    cargo_deb
        .current_dir(root)
        .args(["--quiet", "--locked", "--no-build", "--no-strip", "--profile", "dist", "--package", NAME])
        .args(["--target", &arch.target(), "--output"])
        .arg(&package)
        .env("CARGO_TARGET_DIR", root.join("target").join("dist-build"))
        .env("SOURCE_DATE_EPOCH", date.to_string());
    if purpose == Purpose::Check {
        cargo_deb.arg("--fast");
    }
    exec::run(&mut cargo_deb)?;
    fs::remove_dir_all(&stage).with_context(|| format!("removing {}", stage.display()))?;
    Ok(package)
}

/// Everything that profiler/Cargo.toml names below target/dist-stage.
fn lay_out(root: &Path, out: &Path, stage: &Path, program: &Path, date: u64) -> Result<()> {
    let man = stage.join("man");
    fs::create_dir_all(&man)?;
    fs::copy(program, stage.join(NAME)).context("laying out the program")?;
    for page in sorted(&out.join("pages"))? {
        let folder = if page.extension().is_some_and(|e| e == "1") { &man } else { stage };
        fs::copy(&page, folder.join(page.file_name().unwrap_or_default()))?;
    }
    let texts = out.join("third-party-licences.txt");
    fs::write(&texts, licences::third_party(root)?)?;
    // -n: without a date, so that the same text is the same bytes.
    let packed = Command::new("gzip").args(["-9n", "--stdout"]).arg(&texts).output().context("cannot start gzip")?;
    ensure!(packed.status.success(), "gzip failed: {}", packed.status);
    fs::write(stage.join("third-party-licences.txt.gz"), packed.stdout)?;
    fs::write(stage.join("copyright"), copyright(&fs::read_to_string(root.join("LICENSE-MIT"))?))?;
    let date = exec::output(Command::new("date").env("LC_ALL", "C").args(["-u", "-R", "-d", &format!("@{date}")]))?;
    fs::write(stage.join("changelog"), changelog(date.trim()))?;
    Ok(())
}

/// In Debian's machine-readable format.
fn copyright(mit: &str) -> String {
    let indented: Vec<String> = mit
        .lines()
        .skip_while(|line| !line.starts_with("Permission"))
        .map(|line| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") })
        .collect();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: {NAME}\n\
         Source: {source}\n\
         \n\
         Files: *\n\
         Copyright: 2026 The should-i-async authors\n\
         License: MIT or Apache-2.0\n\
         Comment: The program is linked with libraries of others, statically.\n \
         third-party-licences.txt.gz in this folder names them, with their licences.\n\
         \n\
         License: MIT\n{mit}\n\
         \n\
         License: Apache-2.0\n \
         The full text is in /usr/share/common-licenses/Apache-2.0.\n",
        source = env!("CARGO_PKG_REPOSITORY"),
        mit = indented.join("\n"),
    )
}

fn changelog(date: &str) -> String {
    format!(
        "{NAME} ({VERSION}) unstable; urgency=medium\n\n  * Made from the sources of this date.\n\n \
         -- The should-i-async authors <should-i-async@users.noreply.github.com>  {date}\n"
    )
}

/// Fails unless the package holds what it should: every page, and nothing else.
pub(super) fn check_contents(package: &Path, pages: &Path) -> Result<()> {
    let tar = exec::output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    let found = files_of(&tar);
    let mut wanted: BTreeSet<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
    for page in sorted(pages)?.iter().filter(|page| kind(page) == "man page") {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        wanted.insert(format!("usr/share/man/man1/{name}.gz"));
    }
    ensure!(wanted.len() > FILES.len(), "there is no man page of a subcommand");
    let missing: Vec<_> = wanted.difference(&found).cloned().collect();
    let strange: Vec<_> = found.difference(&wanted).cloned().collect();
    ensure!(missing.is_empty(), "{} lacks {}", package.display(), missing.join(", "));
    ensure!(strange.is_empty(), "{} has {}, which nobody expects", package.display(), strange.join(", "));
    Ok(())
}

/// Runs Debian's own checker where it is installed. An error where it complains.
pub(super) fn lint(package: &Path) -> Result<()> {
    if exec::output_if_present(Command::new("lintian").arg("--version"))?.is_none() {
        return Ok(());
    }
    exec::run(Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(package))
}

/// Files, not folders, of dpkg-deb's listing, as paths from the root.
fn files_of(listing: &str) -> BTreeSet<String> {
    let paths = listing.lines().filter(|line| !line.starts_with('d')).filter_map(|line| line.split(" ./").nth(1));
    paths.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_no_files() {
        let listing = "drwxr-xr-x 0/0 0 2026-01-01 00:00 ./usr/bin/\n\
                       -rwxr-xr-x 0/0 7 2026-01-01 00:00 ./usr/bin/should-i-async\n";
        assert_eq!(files_of(listing).into_iter().collect::<Vec<_>>(), ["usr/bin/should-i-async"]);
    }

    #[test]
    fn the_copyright_has_the_whole_licence_and_no_empty_line_in_it() {
        let text = copyright("MIT License\n\nCopyright (c) 2026 Us\n\nPermission is granted\n\nTHE SOFTWARE\n");
        assert!(
            text.contains("License: MIT\n Permission is granted\n .\n THE SOFTWARE\n\nLicense: Apache-2.0\n"),
            "{text}"
        );
    }

    #[test]
    fn the_changelog_is_as_debian_has_it() {
        let text = changelog("Sat, 21 Nov 2026 03:00:00 +0000");
        assert!(text.starts_with(&format!("{NAME} ({VERSION}) unstable; urgency=medium\n\n  * ")), "{text}");
        assert!(text.ends_with(">  Sat, 21 Nov 2026 03:00:00 +0000\n"), "{text}");
    }
}
