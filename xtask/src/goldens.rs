//! `cargo xtask goldens`: what the profiler says of kept recordings, kept as well.
//!
//! The recordings and every output made of them lie in profiler/tests/goldens. Three tests compare:
//! `profiler/tests/goldens.rs` the files that the command writes, `profiler/src/cli/screens.rs` the
//! screens, and `profiler/tests/documents.rs` what documents show of reports. This command tells
//! them to write instead; with `--record` it makes the recordings first.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    ebpf, exec,
    host::{
        child::{self, Running},
        numbers::bytes,
        package::{LAB, MESSAGES, Programs, TOOL, WORKLOADS},
    },
    say::say,
};

/// Where recordings and outputs are kept.
const FOLDER: &str = "profiler/tests/goldens";
/// If this variable is set, the tests write what they would compare.
const RENEW: &str = "RENEW_GOLDENS";
/// If this variable is set, a test makes up the recording with hardware counters.
const RECORD: &str = "RECORD_GOLDENS";
/// The recording that a test makes up.
const COUNTED: &str = "counted";
/// Where the programs run: their paths are recorded, and must not name a checkout.
const STAGE: &str = "/tmp/should-i-async-goldens";
/// Largest size of a recording, in bytes.
const BYTES_AT_MOST: u64 = 800 << 10;
/// Length of a recording: three parts.
const LENGTH: &str = "3s";
/// Length of the demo's recording: without think time, it records more in half the time.
const DEMO_LENGTH: &str = "1500ms";
/// Programs end by themselves after so many seconds.
const SECONDS: &str = "150";
/// From the start of the load until the recording begins.
const WARM_UP: Duration = Duration::from_millis(500);
const READY_WITHIN: Duration = Duration::from_secs(15);
/// The recording and the measurement of this machine's prices.
const RECORDED_WITHIN: Duration = Duration::from_secs(90);

/// Renew what is kept of the recordings in profiler/tests/goldens, after a change that is meant to
/// change what the tool says.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Make the recordings anew first; needs root. Figures change: seldom wanted
    #[arg(long)]
    record: bool,
    /// With --record: only this recording
    #[arg(long, value_name = "NAME", requires = "record")]
    only: Option<String>,
    /// With --record: builds nothing and takes `should-i-async` and `lab` from here
    #[arg(long, value_name = "FOLDER", requires = "record")]
    binaries: Option<PathBuf>,
}

/// A recording: a program, its load, and the options of `record`.
struct Target {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// Command line of its load; the port is added at its end.
    load: &'static [&'static str],
    length: &'static str,
    record: &'static [&'static str],
}

impl Target {
    const fn new(name: &'static str, arguments: &'static [&'static str], load: &'static [&'static str]) -> Self {
        Self { name, program: "lab", arguments, load, length: LENGTH, record: &["--exact"] }
    }
}

/// One connection sends 250 requests a second, so that the recorded block ends stay few.
const LOAD_OF_16: [&str; 4] = ["load", "--connections=16", "--think-us=4000", "--duration=150"];
const LOAD_OF_8: [&str; 4] = ["load", "--connections=8", "--think-us=4000", "--duration=150"];

/// What is recorded.
const TARGETS: [Target; 10] = [
    Target::new("echo-threads", &["echo", "--mode=threads", "--work=4000"], &LOAD_OF_16),
    Target::new("echo-pool", &["echo", "--mode=pool", "--pool=8", "--work=4000"], &LOAD_OF_8),
    Target::new(
        "files-direct",
        &["files", "--mode=pread", "--direct", "--depth=4", "--work=400000", "--create=64", "--file=blocks.bin"],
        &[],
    ),
    Target::new("locks", &["control", "--mode=lock", "--work=200000"], &[]),
    Target::new("already-async", &["control", "--mode=async", "--work=4000"], &LOAD_OF_16),
    Target::new("cpu-bound", &["control", "--mode=cpu"], &[]),
    Target::new(
        "many-threads",
        &["brigade", "--mode=threads", "--stages=300", "--messages-in-flight=4", "--work=400000"],
        &[],
    ),
    Target {
        record: &["--max-overhead=0.2%"],
        ..Target::new(
            "sampled",
            &["echo", "--mode=threads", "--work=4000"],
            &["load", "--connections=16", "--duration=150"],
        )
    },
    Target {
        program: "should-i-async",
        length: DEMO_LENGTH,
        ..Target::new("demo", &["demo-server"], &["demo-client", "--connections=4"])
    },
    Target::new("idle", &["control", "--mode=idle"], &[]),
];

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.record {
        if options.only.as_deref() != Some(COUNTED) {
            record_all(root, options)?;
        }
        if options.only.as_deref().is_none_or(|name| name == COUNTED) {
            test(root, RECORD, ["--lib", "one_recording_has_hardware_counters"])?;
        }
    }
    renew(root)
}

/// Has the tests write what they would compare.
fn renew(root: &Path) -> Result<()> {
    test(root, RENEW, ["--test", "goldens"])?;
    test(root, RENEW, ["--test", "documents"])?;
    test(root, RENEW, ["--lib", "cli::screens"])?;
    say(&format!("goldens: wrote {FOLDER} and the documents; `git diff --stat {FOLDER} docs` shows what has changed"))
}

/// Runs tests that write where this variable is set.
fn test(root: &Path, variable: &str, tests: [&str; 2]) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["test", "--quiet", "--locked", "--package", "should-i-async"]).args(tests);
    exec::run(cargo.env(variable, "1"))
}

fn record_all(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let wanted = |target: &&Target| options.only.as_deref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    ensure!(
        !targets.is_empty(),
        "no such recording; there are {COUNTED}, {}",
        TARGETS.each_ref().map(|t| t.name).join(", ")
    );
    let built = match &options.binaries {
        Some(folder) => [folder.join(TOOL), folder.join(LAB)],
        None => build(root)?,
    };
    let stage = Stage::create()?;
    for path in &built {
        let name = path.file_name().context("a program without a name")?;
        fs::copy(path, Path::new(STAGE).join(name)).with_context(|| format!("copying {}", path.display()))?;
    }
    for target in targets {
        let folder = root.join(FOLDER).join(target.name);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let size = stage.record(target).with_context(|| format!("recording {}", target.name))?;
        ensure!(size <= BYTES_AT_MOST, "{} has {}: give it less to do", target.name, bytes(size as f64));
        let recording = folder.join("recording.sia");
        fs::copy(stage.recording(), &recording).with_context(|| format!("writing {}", recording.display()))?;
        say(&format!("goldens: recorded {}, {}", target.name, bytes(size as f64)))?;
    }
    Ok(())
}

/// Builds the profiler and the lab's programs, with no path of this machine in their debug
/// information.
fn build(root: &Path) -> Result<[PathBuf; 2]> {
    let sysroot = PathBuf::from(exec::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--locked", MESSAGES]);
    cargo.args(["--package", TOOL, "--bin", TOOL, "--package", WORKLOADS, "--bin", LAB]);
    // A folder of its own: these flags would have release builds compiled anew.
    cargo.env("CARGO_TARGET_DIR", root.join("target").join("goldens"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", ebpf::remapped_paths(root, &sysroot)?.join("\u{1f}"));
    let programs = Programs::build(&mut cargo)?;
    Ok([programs.path(TOOL)?.to_owned(), programs.path(LAB)?.to_owned()])
}

/// The folder in which the programs run; removed when the value is dropped.
struct Stage;

impl Stage {
    fn create() -> Result<Self> {
        fs::create_dir(STAGE).with_context(|| format!("creating {STAGE}: remove it if nobody else uses it"))?;
        Ok(Self)
    }

    fn program(name: &str) -> Command {
        let mut command = Command::new(Path::new(STAGE).join(name));
        command.current_dir(STAGE);
        command
    }

    fn recording(&self) -> PathBuf {
        Path::new(STAGE).join("recording.sia")
    }

    /// Starts a program with its load, records it, and ends both. Returns the recording's size in
    /// bytes.
    fn record(&self, target: &Target) -> Result<u64> {
        let mut program =
            Running::start(Self::program(target.program).args(target.arguments).args(["--seconds", SECONDS]))?;
        let ready = program.next_line(READY_WITHIN)?;
        let mut load = None;
        if !target.load.is_empty() {
            let mut command = Self::program(target.program);
            command.args(target.load).args(["--port", &port(&ready)?, "--seconds", SECONDS]);
            load = Some(Running::start(&mut command)?);
        }
        child::pause(WARM_UP)?;
        let mut recorder = Self::program("should-i-async");
        recorder.args(["record", "-p", &program.pid().to_string(), "-d", target.length, "-o"]).arg(self.recording());
        let done = Running::start(recorder.args(target.record)).and_then(|running| running.wait(RECORDED_WITHIN));
        if let Some(load) = load {
            load.end(|| {});
        }
        program.end(|| {});
        done?;
        Ok(fs::metadata(self.recording()).context("the recording")?.len())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(STAGE);
    }
}

/// The port in a server's first line: the line itself, or a value in it.
fn port(ready: &str) -> Result<String> {
    let value: Value = serde_json::from_str(ready).with_context(|| format!("`{ready}` names no port"))?;
    let port = value.as_u64().or_else(|| value.get("port")?.as_u64());
    Ok(port.with_context(|| format!("`{ready}` names no port"))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_first_line_names_its_port() {
        assert_eq!(port("4242").unwrap(), "4242");
        assert_eq!(port(r#"{"pid":1,"port":4243}"#).unwrap(), "4243");
        assert!(port("ready").is_err());
    }
}
