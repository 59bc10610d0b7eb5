//! The machine that is measured on: its name, and whether it is busy with something else.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{child, clocks, numbers::NA};
use crate::exec;

/// CPU that other programs may use, in cores, while a measurement counts as undisturbed.
pub(crate) const OTHERS_AT_MOST: f64 = 0.15;

/// Facts about the machine for the head of a document: name and value.
pub(crate) fn facts(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let field = |name: &str| {
        cpuinfo.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned())
    };
    let model = field("model name").or_else(|| field("CPU part")).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let guest = field("flags").is_some_and(|flags| flags.split_whitespace().any(|f| f == "hypervisor"));
    let cpus = std::thread::available_parallelism()?;
    let virtual_machine = if guest { ", virtual machine" } else { "" };
    let uname = rustix::system::uname();
    let date = exec::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let commit = exec::output(Command::new("git").current_dir(root).args(["rev-parse", "--short", "HEAD"]));
    let changed =
        exec::output(Command::new("git").current_dir(root).args(["status", "--porcelain", "--untracked-files=no"]));
    let changes = if changed.is_ok_and(|text| text.trim().is_empty()) { "" } else { ", with changes" };
    Ok(vec![
        ("Date", date.trim().to_owned()),
        ("Commit", format!("{}{changes}", commit.as_deref().unwrap_or(NA).trim())),
        ("CPU", format!("{model}, {cpus} CPUs{virtual_machine}")),
        ("Kernel", uname.release().to_string_lossy().into_owned()),
    ])
}

/// Waits a while for other programs to be done, and says whether they are.
pub(crate) fn await_quiet(patience: Duration) -> Result<bool> {
    const SAMPLE: Duration = Duration::from_millis(250);
    let begun = Instant::now();
    loop {
        let before = clocks::machine_busy()?;
        child::pause(SAMPLE)?;
        let busy = clocks::machine_busy()?.saturating_sub(before).as_secs_f64() / SAMPLE.as_secs_f64();
        if busy <= OTHERS_AT_MOST {
            return Ok(true);
        }
        if begun.elapsed() > patience {
            return Ok(false);
        }
    }
}
