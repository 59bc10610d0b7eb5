//! Kernels and busybox from Debian, kept under `target/vm`.
//!
//! The mirror is the one that the machine's apt is set up with. Everything else is apt's, but in a
//! configuration of our own: other suites, two architectures, no installed packages. Nothing is
//! installed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::cell::Cell;
use crate::{
    exec,
    host::{
        apt::{self, SUITES},
        arch::Arch,
    },
};

const SECURITY_SUITES: [&str; 3] = ["bullseye-security", "bookworm-security", "trixie-security"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Why a package is missing, in the words of the table.
type Why = String;

/// A kernel image on this machine.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) image: PathBuf,
    /// Version of the package.
    pub(super) version: String,
}

/// Kernels by cell, each or why there is none, and a busybox by architecture.
pub(super) struct Fetched {
    pub(super) kernels: BTreeMap<Cell, Result<Kernel, Why>>,
    pub(super) busybox: BTreeMap<Arch, Result<PathBuf, Why>>,
}

/// Looks into the cache first. Asks apt for what is not there, or for everything with `anew`.
pub(super) fn fetch(dir: &Path, cells: &[Cell], anew: bool) -> Result<Fetched> {
    let cache = Cache { dir: dir.join("kernels") };
    fs::create_dir_all(&cache.dir).with_context(|| format!("making {}", cache.dir.display()))?;
    let mut fetched = Fetched { kernels: BTreeMap::new(), busybox: BTreeMap::new() };
    let mut apt = None;
    for &cell in cells {
        let name = format!("{}-{}", cell.arch.name(), cell.series);
        let kernel = cache.get(&name, anew, || kernel(Apt::once(&mut apt, dir)?, cell));
        fetched.kernels.insert(cell, kernel.map_err(|error| format!("{error:#}")));
        if let Entry::Vacant(place) = fetched.busybox.entry(cell.arch) {
            let name = format!("{}-busybox", cell.arch.name());
            let busybox = cache.get(&name, anew, || busybox(Apt::once(&mut apt, dir)?, cell.arch));
            place.insert(busybox.map(|b| b.image).map_err(|error| format!("{error:#}")));
        }
    }
    Ok(fetched)
}

struct Cache {
    dir: PathBuf,
}

impl Cache {
    fn get(&self, name: &str, anew: bool, fetch: impl FnOnce() -> Result<(Vec<u8>, String)>) -> Result<Kernel> {
        let (image, note) = (self.dir.join(name), self.dir.join(format!("{name}.version")));
        if let (false, true, Ok(version)) = (anew, image.exists(), fs::read_to_string(&note)) {
            return Ok(Kernel { image, version });
        }
        let (bytes, version) = fetch()?;
        fs::write(&image, bytes).with_context(|| format!("writing {}", image.display()))?;
        // Last: an image without it is fetched again.
        fs::write(&note, &version)?;
        Ok(Kernel { image, version })
    }
}

/// The newest kernel of a series that the mirror really has: an index may name files that are gone.
fn kernel(apt: &Apt, cell: Cell) -> Result<(Vec<u8>, String)> {
    let candidates = apt.kernels.iter().filter(|k| k.arch == cell.arch && k.is_of(cell.series));
    let mut failed = format!("the mirror has no kernel {} for {}", cell.series, cell.arch.name());
    for candidate in candidates {
        // Where kernels are packaged apart from their modules, the image's package is empty.
        let split = candidate.package.replacen("linux-image-", "linux-binary-", 1);
        for package in [&candidate.package, &split] {
            let found = apt.download(package, candidate.arch, &candidate.version);
            match found.and_then(|package| unpack(&package, &["./boot/vmlinuz-*", "./usr/lib/modules/*/vmlinuz"])) {
                Ok(image) => return Ok((image, candidate.version.clone())),
                Err(error) => failed = format!("{package} {}: {error:#}", candidate.version),
            }
        }
    }
    bail!("{failed}")
}

fn busybox(apt: &Apt, arch: Arch) -> Result<(Vec<u8>, String)> {
    let package = apt.download("busybox-static", arch, "")?;
    Ok((unpack(&package, &["./bin/busybox", "./usr/bin/busybox"])?, String::new()))
}

/// Bytes of the one file of a package whose path is one of these patterns.
fn unpack(package: &Path, patterns: &[&str]) -> Result<Vec<u8>> {
    let mut files = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start `dpkg-deb`")?;
    let tar = Command::new("tar")
        .args(["-xO", "--wildcards"])
        .args(patterns)
        .stdin(files.stdout.take().map_or_else(Stdio::null, Stdio::from))
        .stderr(Stdio::null())
        .output()
        .context("cannot start `tar`")?;
    files.wait()?;
    // tar complains of patterns that match nothing, so only what was written counts.
    ensure!(!tar.stdout.is_empty(), "it holds none of {}", patterns.join(", "));
    Ok(tar.stdout)
}

/// A package with a kernel, as the index describes it.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    arch: Arch,
    package: String,
    version: String,
}

impl Candidate {
    fn is_of(&self, series: &str) -> bool {
        self.version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// apt with a configuration of its own.
struct Apt {
    dir: PathBuf,
    options: Vec<String>,
    /// Kernels that can be had, the newest first.
    kernels: Vec<Candidate>,
}

impl Apt {
    /// The same one again, or a new one, with fresh indexes.
    fn once<'a>(apt: &'a mut Option<Result<Self, Why>>, dir: &Path) -> Result<&'a Self> {
        let made = apt.get_or_insert_with(|| Self::new(dir).map_err(|error| format!("{error:#}")));
        made.as_ref().map_err(|why| anyhow::anyhow!("{why}"))
    }

    fn new(dir: &Path) -> Result<Self> {
        let dir = dir.join("apt");
        for part in ["lists/partial", "cache/archives/partial", "deb"] {
            fs::create_dir_all(dir.join(part)).with_context(|| format!("making {}", dir.display()))?;
        }
        fs::write(dir.join("status"), "")?;
        fs::write(dir.join("sources.list"), sources(&apt::served()?)?)?;
        let at = |part: &str| dir.join(part).display().to_string();
        let options = [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".into(),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            // Container images switch these off, and each query would then parse every index.
            "Dir::Cache::pkgcache=pkgcache.bin".into(),
            "Dir::Cache::srcpkgcache=srcpkgcache.bin".into(),
            "Acquire::GzipIndexes=false".into(),
            "Acquire::Languages=none".into(),
            "Acquire::Retries=2".into(),
            "APT::Sandbox::User=root".into(),
            "APT::Architecture=amd64".into(),
            "APT::Architectures::=amd64".into(),
            "APT::Architectures::=arm64".into(),
        ];
        let options = options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect();
        let mut apt = Self { dir, options, kernels: Vec::new() };
        apt.update();
        let flavours = Arch::ALL.map(|arch| format!("linux-image-cloud-{0}:{0}", arch.debian()));
        let shown =
            exec::output(apt.command("apt-cache").arg("show").args(flavours)).context("no indexes of kernels")?;
        apt.kernels = candidates(&shown);
        Ok(apt)
    }

    /// An index may fail once with a wrong size, and a suite may have left the mirror: what is
    /// there counts.
    fn update(&self) {
        for _ in 0..2 {
            let mut update = self.command("apt-get");
            let done = update.args(["update", "-q"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if done.status().is_ok_and(|status| status.success()) {
                return;
            }
        }
    }

    /// Fetches one package; any version where none is named.
    fn download(&self, package: &str, arch: Arch, version: &str) -> Result<PathBuf> {
        let into = self.dir.join("deb").join(format!("{package}-{}", arch.debian()));
        // An interrupted run may have left it.
        let _ = fs::remove_dir_all(&into);
        fs::create_dir_all(&into)?;
        let mut wanted = format!("{package}:{}", arch.debian());
        if !version.is_empty() {
            wanted = format!("{wanted}={version}");
        }
        let mut get = self.command("apt-get");
        let got = get.args(["download", "-q", &wanted]).current_dir(&into).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&got.stderr);
        let reason = said.lines().find(|line| line.starts_with("E: ")).unwrap_or("apt-get did not say why");
        ensure!(got.status.success(), "cannot be downloaded: {}", reason.trim_start_matches("E: "));
        let file = fs::read_dir(&into)?.next().context("apt-get downloaded nothing")??;
        Ok(file.path())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }
}

/// The sources of the kernels. Security updates are a mirror of their own, beside the plain one
/// where apt has none.
fn sources(served: &[(String, String)]) -> Result<String> {
    let mirror = apt::mirror(served).context("kernels cannot be fetched")?;
    let security = served.iter().find(|(_, suite)| SECURITY_SUITES.contains(&suite.as_str()));
    let security =
        security.map_or_else(|| format!("{}-security/", mirror.trim_end_matches('/')), |(uri, _)| uri.clone());
    let mut list = Vec::new();
    let plain = SUITES.iter().map(|suite| (mirror, suite));
    for (uri, suite) in plain.chain(SECURITY_SUITES.iter().map(|suite| (security.as_str(), suite))) {
        writeln!(list, "deb [arch=amd64,arm64 target=Packages signed-by={KEYRING}] {uri} {suite} main")?;
    }
    Ok(String::from_utf8(list)?)
}

/// Reads what `apt-cache show` says of the packages that depend on the newest kernel of their
/// suite.
fn candidates(shown: &str) -> Vec<Candidate> {
    let field = |stanza: &str, name: &str| {
        let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let candidate = |stanza: &str| {
        let architecture = field(stanza, "Architecture")?;
        let depends = field(stanza, "Depends")?;
        let package = depends.split([' ', ',']).find(|word| word.starts_with("linux-image-"))?.to_owned();
        let arch = Arch::ALL.into_iter().find(|arch| arch.debian() == architecture)?;
        Some(Candidate { arch, package, version: field(stanza, "Version")? })
    };
    shown.split("\n\n").filter_map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_what_the_flavour_depends_on() {
        let shown = "Package: linux-image-cloud-arm64\nVersion: 7.2.13-1\nArchitecture: arm64\n\
                     Depends: linux-base-cloud-arm64 (= 7.2.13-1), linux-image-7.2.13+deb14-cloud-arm64 (= 7.2.13-1)\n\n\
                     Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\nArchitecture: amd64\n\
                     Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\n";
        let found = candidates(shown);
        let candidate = |arch, package: &str, version: &str| Candidate {
            arch,
            package: package.to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(
            found,
            [
                candidate(Arch::Aarch64, "linux-image-7.2.13+deb14-cloud-arm64", "7.2.13-1"),
                candidate(Arch::X86_64, "linux-image-6.1.0-56-cloud-amd64", "6.1.192-2")
            ]
        );
        assert!(found[0].is_of("7") && !found[0].is_of("7.21") && found[1].is_of("6.1") && !found[1].is_of("6.12"));
    }

    #[test]
    fn the_mirror_is_the_machines() {
        let machine = [("http://mirror.test/debian/", "bookworm"), ("http://mirror.test/other/", "stable")];
        let machine = machine.map(|(uri, suite)| (uri.to_owned(), suite.to_owned()));
        let list = sources(&machine).expect("there is a mirror");
        assert!(list.contains("] http://mirror.test/debian/ bullseye main\n"), "{list}");
        assert!(list.contains("] http://mirror.test/debian-security/ bullseye-security main\n"), "{list}");
        assert!(sources(&machine[1..]).is_err());
    }
}
