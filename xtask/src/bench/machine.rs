//! What the benchmark runs on and with: binaries, tracefs, versions of the peers.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{
    exec,
    host::{
        machine,
        package::{self, Pair},
    },
};

/// The name of the benchmark in messages.
pub(super) const SUITE: &str = "bench";

/// The binaries under test, release builds.
pub(super) struct Binaries {
    /// The binary `should-i-async`.
    pub(super) own: PathBuf,
    /// The binary of the workloads of known truth.
    pub(super) truth: PathBuf,
}

impl Binaries {
    pub(super) fn build(root: &Path) -> Result<Self> {
        let Pair { tool, workload } = Pair::find(root, package::TRUTH, None)?;
        Ok(Self { own: tool, truth: workload })
    }
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
    let version = |program: &str, flag: &str| {
        exec::output_if_present(Command::new(program).arg(flag))
            .ok()
            .flatten()
            .and_then(|text| text.lines().next().map(|l| l.trim().to_owned()))
            .unwrap_or_else(|| format!("{program}: not installed"))
    };
    let peers = [("offcputime", "--version"), ("perf", "--version"), ("strace", "-V")].map(|(p, f)| version(p, f));
    let mut facts = machine::facts(root)?;
    facts.push(("Peers", peers.join("; ")));
    Ok(facts)
}
