//! What comes in turns: what users do, and what goes wrong.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use serde_json::Value;

use crate::host::{
    child::{self, Running},
    file,
    package::Pair,
};

/// Far longer than any turn takes, the machine being full.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a turn measures.
const MEASURED: &str = "2s";
/// Blocks of the workload whose count is known, and those of its gate beside them.
const KNOWN: u64 = 2_000;
const GATE: u64 = 8;
/// Exit codes of docs/faults.md.
const NO_TARGET: i32 = 3;
const NOT_WRITTEN: i32 = 6;
/// By how much the clock is stepped, seconds.
const STEP: i64 = 2;

/// Where turns happen.
pub(super) struct Place<'a> {
    pub(super) programs: &'a Pair,
    pub(super) scratch: &'a Path,
    pub(super) server: u32,
}

/// A turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Check,
    Exact,
    Known,
    Recording,
    Stalls,
    FullDisk,
    DyingTarget,
    KilledCheck,
    KilledRecording,
    KilledServe,
    KilledStalls,
    SteppedClock,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Check,
        Self::Exact,
        Self::Known,
        Self::Recording,
        Self::Stalls,
        Self::FullDisk,
        Self::DyingTarget,
        Self::KilledCheck,
        Self::KilledRecording,
        Self::KilledServe,
        Self::KilledStalls,
        Self::SteppedClock,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Exact => "check --exact, against the kernel's counters",
            Self::Known => "check of a command whose blocks are known",
            Self::Recording => "record, and a report of it",
            Self::Stalls => "stalls",
            Self::FullDisk => "record on a disk that fills",
            Self::DyingTarget => "check of a target that is killed",
            Self::KilledCheck => "check, killed",
            Self::KilledRecording => "record, killed, and a report of what is there",
            Self::KilledServe => "serve, killed",
            Self::KilledStalls => "stalls, killed",
            Self::SteppedClock => "check while the clock steps",
        }
    }

    /// Plays it. An error says what was not as it should be.
    pub(super) fn play(self, place: &Place<'_>, rng: &mut fastrand::Rng) -> Result<()> {
        let server = place.server.to_string();
        match self {
            Self::Check => check(place, &["-p", &server]).map(drop),
            Self::Exact => exact(place, &server),
            Self::Known => known(place),
            Self::Recording => recording(place, &server),
            Self::Stalls => place.json(&["stalls", "-d", MEASURED, "-p", &server, "--json"]).map(drop),
            Self::FullDisk => full_disk(place, &server),
            Self::DyingTarget => dying_target(place, rng),
            Self::KilledCheck => place.kill(&["check", "-p", &server, "-d", "1h"], rng),
            Self::KilledRecording => killed_recording(place, &server, rng),
            Self::KilledServe => place.kill(&["serve", "--listen", "127.0.0.1:0"], rng),
            Self::KilledStalls => place.kill(&["stalls", "-p", &server, "-d", "1h"], rng),
            Self::SteppedClock => stepped_clock(place, &server),
        }
    }
}

impl Place<'_> {
    fn start(&self, args: &[&str]) -> Result<Running> {
        Running::start(Command::new(&self.programs.tool).args(args))
    }

    /// Runs the tool to its end: its exit code, and what it said. It may not panic.
    fn ended(&self, args: &[&str]) -> Result<(Option<i32>, child::Said)> {
        let (status, said) = self.start(args)?.ended(LIMIT)?;
        ensure!(!said.stderr.contains("panicked"), "it panicked: {}", said.stderr);
        Ok((status.code(), said))
    }

    /// What it prints as JSON.
    fn json(&self, args: &[&str]) -> Result<Value> {
        let (code, said) = self.ended(args)?;
        ensure!(code == Some(0), "exit code {code:?}: {}", said.reason());
        serde_json::from_str(&said.stdout).context("it printed no JSON")
    }

    /// Starts the tool and kills it somewhere in its first seconds.
    fn kill(&self, args: &[&str], rng: &mut fastrand::Rng) -> Result<()> {
        let mut running = self.start(args)?;
        child::pause(Duration::from_millis(rng.u64(20..4_000)))?;
        running.check_alive()?;
        let said = running.kill();
        ensure!(!said.stderr.contains("panicked"), "it panicked: {}", said.stderr);
        Ok(())
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        let file = self.scratch.join(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("removing a file"),
            _ => Ok(file),
        }
    }
}

fn check(place: &Place<'_>, target: &[&str]) -> Result<Value> {
    place.json(&[&["check", "-d", MEASURED, "--json"], target].concat())
}

/// The kernel's counters of switches and of blocks agree, or what is missing was counted as lost.
fn exact(place: &Place<'_>, server: &str) -> Result<()> {
    let report = check(place, &["--exact", "-p", server])?;
    let checked = &report["check"];
    let lost = report["quality"]["lost_count"]["value"].as_u64().context("no count of what was lost")?;
    ensure!(checked["counts_agree"] == true || lost > 0, "counts differ, and nothing was lost: {checked}");
    Ok(())
}

fn known(place: &Place<'_>) -> Result<()> {
    let truth = place.programs.workload.to_str().context("the workload's path")?;
    let lines = place.file("lines")?;
    fs::write(&lines, "\n\n").context("writing a workload's input")?;
    let script = "exec \"$0\" pipe --n \"$1\" --us 100 <\"$2\" >/dev/null";
    let lines = lines.to_str().context("the scratch folder's name")?;
    let command = ["--exact", "--", "sh", "-c", script, truth, &KNOWN.to_string(), lines];
    let report = place.json(&[&["check", "--json"], &command[..]].concat())?;
    let classes = report["wall"]["blocked"].as_array().context("no classes")?;
    let pipe = classes.iter().find(|class| class["class"] == "pipe").context("no class pipe")?;
    let blocks = pipe["blocks_count"]["value"].as_u64().context("no count")?;
    let lost = report["quality"]["lost_count"]["value"].as_u64().context("no count of what was lost")?;
    let enough = blocks + lost >= KNOWN;
    ensure!(enough && blocks <= KNOWN + GATE, "{blocks} blocks and {lost} lost, of {KNOWN}");
    Ok(())
}

fn recording(place: &Place<'_>, server: &str) -> Result<()> {
    let file = place.file("turn.sia")?;
    let file = file.to_str().context("the scratch folder's name")?;
    let (code, said) = place.ended(&["record", "-p", server, "-d", MEASURED, "-o", file])?;
    ensure!(code == Some(0), "exit code {code:?}: {}", said.reason());
    let json = place.file("turn.json")?;
    let (code, said) = place.ended(&["report", file, "-o", json.to_str().context("the scratch folder's name")?])?;
    ensure!(code == Some(0), "the report's exit code {code:?}: {}", said.reason());
    file::read_json::<Value>(&json).map(drop)
}

/// On a file system of one page, in a mount namespace that ends with it.
fn full_disk(place: &Place<'_>, server: &str) -> Result<()> {
    let folder = place.scratch.join("full");
    fs::create_dir_all(&folder).context("making a folder")?;
    let script = "mount -t tmpfs -o size=4k none \"$0\" && exec \"$1\" record --exact -p \"$2\" -d 4s -o \"$0/a.sia\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(&folder).arg(&place.programs.tool).arg(server);
    let (status, said) = Running::start(&mut command)?.ended(LIMIT)?;
    ensure!(!said.stderr.contains("panicked"), "it panicked: {}", said.stderr);
    ensure!(status.code() == Some(NOT_WRITTEN), "{status}: {}", said.reason());
    ensure!(said.stderr.contains("No space left on device"), "the reason is not named: {}", said.reason());
    Ok(())
}

/// What was seen until then is told, or that there is no such process any more.
fn dying_target(place: &Place<'_>, rng: &mut fastrand::Rng) -> Result<()> {
    let target = place.start(&["demo-server", "--seconds", "600"])?;
    let check = place.start(&["check", "-p", &target.pid().to_string(), "-d", "1h"])?;
    child::pause(Duration::from_millis(rng.u64(0..4_000)))?;
    target.kill();
    let (status, said) = check.ended(LIMIT)?;
    ensure!(!said.stderr.contains("panicked"), "it panicked: {}", said.stderr);
    ensure!(matches!(status.code(), Some(0 | NO_TARGET)), "{status}: {}", said.reason());
    Ok(())
}

fn killed_recording(place: &Place<'_>, server: &str, rng: &mut fastrand::Rng) -> Result<()> {
    let file = place.file("killed.sia")?;
    let name = file.to_str().context("the scratch folder's name")?;
    place.kill(&["record", "-p", server, "-d", "1h", "-o", name], rng)?;
    if !file.exists() {
        return Ok(());
    }
    // A report of what is there, or one message that there is nothing yet.
    let (code, said) = place.ended(&["report", name])?;
    let refused = code.is_some_and(|code| code > 0 && code != 7) && said.stderr.trim_end().lines().count() == 1;
    ensure!(code == Some(0) || refused, "exit code {code:?}: {}", said.reason());
    Ok(())
}

/// The wall clock is not what lengths are measured by.
fn stepped_clock(place: &Place<'_>, server: &str) -> Result<()> {
    let running = place.start(&["check", "-d", "4s", "-p", server, "--json"])?;
    let mut stepped = Stepped(0);
    for to in [STEP, -STEP, 0] {
        child::pause(Duration::from_millis(1_200))?;
        stepped.to(to)?;
    }
    let (status, said) = running.ended(LIMIT)?;
    ensure!(status.success(), "{status}: {}", said.reason());
    let report: Value = serde_json::from_str(&said.stdout).context("it printed no JSON")?;
    let wall = report["window"]["wall_ns"]["value"].as_f64().context("no length")? / 1e9;
    ensure!((3.9..5.0).contains(&wall), "{wall} s were measured, of 4");
    Ok(())
}

/// By how many seconds the wall clock was stepped. It is stepped back in the end.
struct Stepped(i64);

impl Stepped {
    fn to(&mut self, seconds: i64) -> Result<()> {
        let now = clock_gettime(ClockId::Realtime);
        let then = Timespec { tv_sec: now.tv_sec + seconds - self.0, ..now };
        clock_settime(ClockId::Realtime, then).context("stepping the clock")?;
        self.0 = seconds;
        Ok(())
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        let _ = self.to(0);
    }
}
