//! What the benchmark runs on and with: binaries, tracefs, the machine's name, versions of the peers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::exec;

/// The binaries under test, release builds.
pub(super) struct Binaries {
    /// `should-i-async`
    pub(super) own: PathBuf,
    /// The workloads.
    pub(super) truth: PathBuf,
}

impl Binaries {
    pub(super) fn build(root: &Path) -> Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["build", "--release", "--locked", "--package", "should-i-async"]);
        cargo.args(["--bin", "should-i-async", "--example", "truth"]);
        cargo.arg("--message-format=json-render-diagnostics");
        let messages = exec::output(&mut cargo)?;
        let find = |name: &str| {
            executables(&messages)
                .find(|(n, _)| n == name)
                .map(|(_, path)| path)
                .with_context(|| format!("cargo built no {name}"))
        };
        Ok(Self { own: find("should-i-async")?, truth: find("truth")? })
    }
}

/// Names and paths of the executables in cargo's messages.
fn executables(messages: &str) -> impl Iterator<Item = (String, PathBuf)> + '_ {
    messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message.pointer("/target/name")?.as_str()?.to_owned();
        Some((name, PathBuf::from(message.get("executable")?.as_str()?)))
    })
}

/// tracefs, mounted for as long as this lives; peers find their tracepoints there.
pub(super) struct Tracefs {
    mounted: bool,
}

const TRACEFS: &str = "/sys/kernel/tracing";

impl Tracefs {
    /// Mounts it where nobody has.
    pub(super) fn mount() -> Result<Self> {
        if Path::new(TRACEFS).join("events").exists() {
            return Ok(Self { mounted: false });
        }
        exec::run(Command::new("mount").args(["-t", "tracefs", "tracefs", TRACEFS]))?;
        Ok(Self { mounted: true })
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        if self.mounted {
            // It stays where somebody else uses it by now.
            let _ = exec::output(Command::new("umount").arg(TRACEFS));
        }
    }
}

/// Facts for the head of the document, name and value.
pub(super) fn facts(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let field = |name: &str| {
        cpuinfo.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned())
    };
    let model = field("model name").or_else(|| field("CPU part")).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let guest = field("flags").is_some_and(|flags| flags.split_whitespace().any(|f| f == "hypervisor"));
    let cpus = std::thread::available_parallelism()?;
    let virtual_machine = if guest { ", virtual machine" } else { "" };
    let uname = rustix::system::uname();
    let version = |program: &str, flag: &str| {
        exec::output_if_present(Command::new(program).arg(flag))
            .ok()
            .flatten()
            .and_then(|text| text.lines().next().map(|l| l.trim().to_owned()))
            .unwrap_or_else(|| format!("{program}: not installed"))
    };
    let peers = [("offcputime", "--version"), ("perf", "--version"), ("strace", "-V")].map(|(p, f)| version(p, f));
    let date = exec::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let commit = exec::output(Command::new("git").current_dir(root).args(["rev-parse", "--short", "HEAD"]));
    let changed =
        exec::output(Command::new("git").current_dir(root).args(["status", "--porcelain", "--untracked-files=no"]));
    let changes = if changed.is_ok_and(|text| text.trim().is_empty()) { "" } else { ", with changes" };
    Ok(vec![
        ("Date", date.trim().to_owned()),
        ("Commit", format!("{}{changes}", commit.as_deref().unwrap_or("unknown").trim())),
        ("CPU", format!("{model}, {cpus} CPUs{virtual_machine}")),
        ("Kernel", uname.release().to_string_lossy().into_owned()),
        ("Peers", peers.join("; ")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_other_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"truth"},"executable":"/t/truth"}"#,
            "\n"
        );
        assert_eq!(executables(messages).collect::<Vec<_>>(), [("truth".to_owned(), PathBuf::from("/t/truth"))]);
    }
}
