//! dist/trial: installs the package into an empty folder, uses it there, and removes and purges it.
//! Nothing may remain.
//!
//! dpkg takes the folder as its root, so this machine's own packages are not touched. `doctor` runs
//! with that folder as the root of its file system: whatever the program wanted beside itself would
//! be missing. The unit's command runs with the capabilities that the unit leaves it.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::files::{NAME, VERSION, sorted};
use crate::{exec, host::child::Running};

const UNIT: &str = "usr/lib/systemd/system/should-i-async-record@.service";
const SERVER: &str = "usr/lib/systemd/system/should-i-async-serve.service";
const RECORDS: &str = "var/lib/should-i-async";
const CACHE: &str = "var/cache/should-i-async";
/// The service that the unit is asked to record.
const SERVICE: &str = "trial";

/// Tries the package and says what was seen. With `must` it is an error if it cannot be tried.
pub(super) fn run(root: &Path, package: &Path, must: bool) -> Result<String> {
    let lacks = if rustix::process::geteuid().is_root() { missing_program() } else { Some("root".to_owned()) };
    if let Some(lacks) = lacks {
        ensure!(!must, "the package cannot be tried without {lacks}");
        return Ok(format!("the package was NOT tried: that takes {lacks}"));
    }
    let folder = root.join("target").join("dist-trial");
    let trial = Trial { root: folder.join("root"), folder };
    trial.begin()?;
    let seen = trial.run(package);
    trial.clear()?;
    seen
}

fn missing_program() -> Option<String> {
    let absent =
        |program: &&&str| !matches!(exec::output_if_present(Command::new(program).arg("--version")), Ok(Some(_)));
    ["dpkg", "unshare", "setpriv"].iter().find(absent).map(|program| (*program).to_owned())
}

struct Trial {
    folder: PathBuf,
    /// The root of the packages' file system.
    root: PathBuf,
}

impl Trial {
    fn begin(&self) -> Result<()> {
        self.clear()?;
        for folder in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log", "var/cache", "proc", "sys"] {
            fs::create_dir_all(self.root.join(folder))?;
        }
        fs::write(self.root.join("var/lib/dpkg/status"), "").context("an empty list of packages")
    }

    fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("removing {}", self.folder.display()))?;
        }
        Ok(())
    }

    fn run(&self, package: &Path) -> Result<String> {
        let before = self.tree()?;
        self.dpkg("--install", package)?;
        ensure!(self.status()? == format!("installed {VERSION}"), "after the installation it is {}", self.status()?);
        let unit = fs::read_to_string(self.root.join(UNIT)).context("reading the unit")?;
        self.verify(&unit)?;
        let server = fs::read_to_string(self.root.join(SERVER)).context("reading the server's unit")?;
        self.verify(&server)?;
        let copyright = fs::read_to_string(self.root.join("usr/share/doc").join(NAME).join("copyright"))?;
        ensure!(copyright.contains("Permission is hereby granted"), "the licence is not in there:\n{copyright}");
        let lines = self.doctor()?;
        let bytes = self.record(&unit)?;
        let figures = self.serve(&server)?;

        self.dpkg("--remove", Path::new(NAME))?;
        let left = self.since(&before)?;
        let kept = |path: &String| path.starts_with(RECORDS) || path.starts_with(CACHE);
        ensure!(left.iter().all(kept), "removed, and there still is {}", left.join(", "));
        ensure!(left.iter().any(kept), "removing the package took the recordings along");
        self.dpkg("--purge", Path::new(NAME))?;
        let left = self.since(&before)?;
        ensure!(left.is_empty(), "purged, and there still is {}", left.join(", "));
        ensure!(self.status()?.is_empty(), "purged, and dpkg still says {}", self.status()?);
        Ok(format!(
            "{} was installed; doctor, alone in there, said in {lines} lines that measuring works; the units' commands with \
             the units' capabilities recorded {bytes} bytes and told {figures} figures; after the purge nothing was left",
            package.file_name().unwrap_or_default().to_string_lossy()
        ))
    }

    /// What this machine's dpkg does to the folder. Its scripts find the folder in DPKG_ROOT.
    fn dpkg(&self, action: &str, what: &Path) -> Result<()> {
        let mut command = Command::new("dpkg");
        command.arg("--root").arg(&self.root).args(["--force-script-chrootless", action]).arg(what);
        exec::output(&mut command).map(drop)
    }

    /// What dpkg knows about the package; empty where it knows nothing.
    fn status(&self) -> Result<String> {
        let mut command = Command::new("dpkg-query");
        command.arg("--root").arg(&self.root).args([
            "--show",
            "--showformat",
            "${Package} ${db:Status-Status} ${Version}\n",
        ]);
        let all = exec::output(&mut command)?;
        let ours = all.lines().find_map(|line| line.strip_prefix(NAME));
        Ok(ours.map(str::trim).unwrap_or_default().to_owned())
    }

    /// Every file and folder, without dpkg's own database.
    fn tree(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.root.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
                let path = entry?.path();
                let name = path.strip_prefix(&self.root)?.display().to_string();
                if name == "var/lib/dpkg" || name == "var/log/dpkg.log" {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                }
                found.insert(name);
            }
        }
        Ok(found)
    }

    fn since(&self, before: &BTreeSet<String>) -> Result<Vec<String>> {
        Ok(self.tree()?.difference(before).cloned().collect())
    }

    /// `doctor` in a file system that holds the package, /proc and /sys. The number of its lines.
    fn doctor(&self) -> Result<usize> {
        let script = "mount --bind /proc \"$1/proc\" && mount --rbind /sys \"$1/sys\" && \
                      exec chroot \"$1\" /usr/bin/should-i-async doctor";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(&self.root);
        let output = command.output().with_context(|| format!("cannot start `{}`", exec::line(&command)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("the installed doctor: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(text.lines().count())
    }

    /// Fails where systemd would not take the unit.
    fn verify(&self, unit: &str) -> Result<()> {
        let start = setting(unit, "ExecStart").context("the unit starts nothing")?;
        let program = start.split(' ').next().unwrap_or_default().trim_start_matches('/');
        let mode = fs::metadata(self.root.join(program)).with_context(|| format!("the unit starts {program}"))?;
        ensure!(mode.permissions().mode() & 0o111 == 0o111, "the unit starts {program}, which is not executable");
        let mut verify = Command::new("systemd-analyze");
        // An instance: a template as such has nothing to start.
        let instance = self.folder.join(format!("should-i-async-{}@{SERVICE}.service", program.replace('/', "-")));
        fs::write(&instance, unit.replace("ExecStart=/", &format!("ExecStart={}/", self.root.display())))?;
        verify.args(["verify", "--man=no"]).arg(&instance);
        exec::output_if_present(&mut verify).map(drop)
    }

    /// The command of the server's unit, with the capabilities that the unit leaves. How many
    /// figures it tells.
    fn serve(&self, unit: &str) -> Result<usize> {
        let start = setting(unit, "ExecStart").context("the server's unit starts nothing")?;
        let mut words = start.split(' ');
        let program = self.root.join(words.next().unwrap_or_default().trim_start_matches('/'));
        let socket = self.folder.join("socket");
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", &format!("--bounding-set={}", bounding(unit)?), "--"]).arg(program);
        let options = format!("--listen=unix:{}", socket.display());
        command.args(words.map(|word| if word == "$OPTIONS" { &*options } else { word }));
        command.env("XDG_CACHE_HOME", self.root.join("var/cache"));
        let server = Running::start(&mut command)?;
        let until = Instant::now() + Duration::from_secs(30);
        let mut told = String::new();
        while Instant::now() < until && !told.starts_with("HTTP/1.1 200 ") {
            std::thread::sleep(Duration::from_millis(100));
            told = asked(&socket).unwrap_or_default();
        }
        drop(server);
        let figures = told.lines().filter(|line| line.starts_with("should_i_async_")).count();
        ensure!(figures > 20, "the server's unit tells {figures} figures:\n{told}");
        Ok(figures)
    }

    /// The unit's command, with the capabilities that the unit leaves, on a process that blocks.
    /// Bytes of the recording.
    fn record(&self, unit: &str) -> Result<u64> {
        let mut target = Running::start(Command::new("sh").args(["-c", "echo; while sleep 0.01; do :; done"]))?;
        target.next_line(Duration::from_secs(10))?;
        // The machine's own systemd knows no such service.
        let fake = self.folder.join("bin");
        fs::create_dir_all(&fake)?;
        let systemctl = fake.join("systemctl");
        fs::write(&systemctl, format!("#!/bin/sh\necho {}\n", target.pid()))?;
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755))?;
        let (records, cache) = (self.root.join(RECORDS), self.root.join(CACHE));
        fs::create_dir_all(&records)?;
        fs::create_dir_all(&cache)?;

        let start = setting(unit, "ExecStart").context("the unit starts nothing")?.replace("%i", SERVICE);
        let mut words = start.split(' ');
        let script = self.root.join(words.next().unwrap_or_default().trim_start_matches('/'));
        let path = [&fake, &self.root.join("usr/bin")].map(|folder| folder.display().to_string()).join(":");
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", &format!("--bounding-set={}", bounding(unit)?), "--"]);
        command.arg(&script).args(words);
        command.env("PATH", format!("{path}:/usr/bin:/bin")).env("DURATION", "1s");
        command.env("STATE_DIRECTORY", &records).env("XDG_CACHE_HOME", self.root.join("var/cache"));
        let output = command.output().with_context(|| format!("cannot start `{}`", exec::line(&command)))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{}`: {}: {said}", exec::line(&command), output.status);

        let made = sorted(&records)?;
        let [recording] = &made[..] else { bail!("the unit's command left {} files: {said}", made.len()) };
        let mut report = Command::new(self.root.join("usr/bin").join(NAME));
        let text = exec::output(report.arg("report").arg(recording))?;
        ensure!(text.contains("sleep"), "the report does not name the target:\n{text}");
        Ok(fs::metadata(recording)?.len())
    }
}

/// What the server answers on that socket.
fn asked(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: trial\r\n\r\n")?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    Ok(told)
}

/// A setting of a unit.
fn setting<'a>(unit: &'a str, name: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// The unit's capabilities as setpriv takes them.
fn bounding(unit: &str) -> Result<String> {
    let names = setting(unit, "CapabilityBoundingSet").context("the unit drops no capability")?;
    let names = names.split(' ').map(|name| name.strip_prefix("CAP_").map(|name| format!("+{}", name.to_lowercase())));
    let names = names.collect::<Option<Vec<_>>>().context("a capability without CAP_")?;
    Ok(format!("-all,{}", names.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../packaging/should-i-async-record@.service");

    #[test]
    fn settings_are_read_as_systemd_does() {
        assert_eq!(setting(OURS, "Type"), Some("oneshot"));
        assert_eq!(setting(OURS, "Typ"), None);
    }

    #[test]
    fn the_unit_has_the_capabilities_that_measuring_takes() {
        assert_eq!(bounding(OURS).unwrap(), "-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search,+syslog");
        let server = include_str!("../../packaging/should-i-async-serve.service");
        assert_eq!(bounding(server).unwrap(), bounding(OURS).unwrap());
    }
}
