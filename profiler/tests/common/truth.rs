//! The workload, as a child process: see xtask/workloads/truth for its protocol.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A workload that has said `ready`: every worker is parked. Killed when dropped.
pub(crate) struct Truth {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What one worker did.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) tid: u32,
    pub(crate) class: String,
    pub(crate) syscall: String,
    pub(crate) calls: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    /// Blocks by class; those of parked threads are left out.
    pub(crate) blocks_by_class: BTreeMap<String, u64>,
    pub(crate) other_calls: BTreeMap<String, u64>,
    pub(crate) blocked_min: u64,
    pub(crate) blocked_max: u64,
    /// Blocks of class pipe after the counters were read.
    pub(crate) parks: u64,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
    pub(crate) cpu: u64,
    pub(crate) wall: u64,
    /// Turns in which its event loop stood still: when each began and its length, ns.
    pub(crate) stalls: Vec<(u64, u64)>,
    /// How long its clients waited for each reply, ns.
    pub(crate) requests: Vec<u64>,
    /// Of all that, waits for another service, ns.
    pub(crate) served: u64,
}

impl Row {
    fn from_json(value: &Value) -> Self {
        let number = |key: &str| value[key].as_u64().unwrap_or_else(|| panic!("no {key} in {value}"));
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        Self {
            tid: number("tid") as u32,
            class: text("class"),
            syscall: text("syscall"),
            calls: number("calls"),
            blocks: number("blocks"),
            bytes: number("bytes"),
            errors: number("errors"),
            blocks_by_class: counts(&value["blocks_by_class"]),
            other_calls: counts(&value["other_calls"]),
            blocked_min: number("blocked_min_ns"),
            blocked_max: number("blocked_max_ns"),
            parks: number("park_blocks"),
            voluntary: number("nvcsw"),
            involuntary: number("nivcsw"),
            cpu: number("cpu_ns"),
            wall: number("wall_ns"),
            stalls: serde_json::from_value(value["stalls"].clone()).unwrap(),
            requests: serde_json::from_value(value["requests"].clone()).unwrap(),
            served: number("served_ns"),
        }
    }

    /// Blocks of a class, parks included.
    pub(crate) fn expected(&self, class: &str) -> u64 {
        self.blocks_by_class.get(class).copied().unwrap_or(0) + if class == "pipe" { self.parks } else { 0 }
    }
}

/// An object of counts.
pub(crate) fn counts(value: &Value) -> BTreeMap<String, u64> {
    value.as_object().unwrap().iter().map(|(key, n)| (key.clone(), n.as_u64().unwrap())).collect()
}

/// What the workload prints at its end.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) value: Value,
    pub(crate) rows: Vec<Row>,
    /// Whether every count is known by construction.
    pub(crate) exact: bool,
}

impl Truth {
    /// Starts a workload and waits until it is ready.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child =
            Command::new(program()).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut truth = Self { child, input, output };
        assert_eq!(truth.read_line(), "ready", "truth {args:?}");
        // The main thread has written the line and is on its way into the read.
        truth.await_main_parked();
        truth
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets the workload go on: to its action, or, after that, to its end.
    pub(crate) fn go(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }

    /// Waits for the truth; afterwards everything is parked.
    pub(crate) fn line(&mut self) -> Line {
        let line = self.read_line();
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
        self.await_main_parked();
        let rows = value["workers"].as_array().unwrap().iter().map(Row::from_json).collect();
        Line { exact: value["exact"].as_bool().unwrap(), value, rows }
    }

    pub(crate) fn await_main_parked(&self) {
        super::procfs::await_asleep(self.pid(), self.pid(), &[libc::SYS_read]);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Lets it end, and waits for that.
    pub(crate) fn end(mut self) {
        self.go();
        assert!(self.child.wait().unwrap().success());
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `cargo xtask test` says that the workloads are; else beside the folder of the tests, where
/// cargo puts them.
pub(crate) fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let beside = || own.parent().and_then(Path::parent).unwrap().to_owned();
    let program = std::env::var_os("SIA_WORKLOADS").map_or_else(beside, PathBuf::from).join("truth");
    assert!(program.exists(), "{} is missing: cargo build -p workloads", program.display());
    program
}
