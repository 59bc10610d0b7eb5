//! The demo, end to end on the real kernel: its JSON keeps to the committed schema, its ledgers
//! close, and nothing stays behind. With `SIA_RECORD=1` it also renews the fixture of
//! `stages.rs`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

use std::{
    io::{BufRead as _, BufReader},
    process::Command,
    sync::atomic::AtomicBool,
};

use serde_json::Value;
use should_i_async::{
    pipeline::{Progress, Request, measure},
    process::{TargetSpec, resolve},
    quantity::Nanos,
};

const BINARY: &str = env!("CARGO_BIN_EXE_should-i-async");

fn number(report: &Value, path: &str) -> f64 {
    let found = report.pointer(path).unwrap_or_else(|| panic!("no {path}"));
    found["value"].as_f64().unwrap_or_else(|| panic!("{path} is {found}"))
}

#[test]
fn the_demos_json_holds_to_the_committed_schema_and_its_ledgers_close() {
    if !common::can_measure() {
        return;
    }
    let output = Command::new(BINARY).args(["demo", "--json", "-d", "1s", "--connections", "16"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    // The demo's server has a thread for each connection, and each of them sleeps after a reply.
    let memory = |key: &str| number(&report, &format!("/memory/{key}"));
    assert!(memory("threads_count") >= 17.0 && memory("looked_at_count") >= 8.0, "{}", report["memory"]);
    assert!(memory("resident_bytes") > 4_096.0 && memory("resident_bytes") < memory("reserved_bytes"));
    assert!(memory("reserved_bytes") > 17.0 * f64::from(1 << 20) && memory("kernel_bytes") > 17.0 * 4_096.0);

    let wall = number(&report, "/wall/total_ns");
    let unknown = number(&report, "/wall/unknown_ns") + number(&report, "/wall/excess_ns");
    assert!(unknown <= wall / 100.0, "{unknown} of {wall} ns");
    let cpu = number(&report, "/cpu/total_ns");
    assert!(number(&report, "/cpu/rest_ns").abs() <= cpu / 100.0);
}

struct Silent;
impl Progress for Silent {
    fn tick(&mut self, _: Nanos, _: Option<Nanos>) {}
}

/// Makes the fixture if that is asked for; checks nothing.
#[test]
fn record_the_fixture() {
    if std::env::var_os("SIA_RECORD").is_none() || !common::can_measure() {
        return;
    }
    let mut server = Command::new(BINARY)
        .args(["demo-server", "--seconds", "20"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let mut client = Command::new(BINARY)
        .args(["demo-client", "--connections", "8", "--seconds", "3", "--port", line.trim()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let target = resolve(&TargetSpec { pids: vec![server.id()], ..TargetSpec::default() }).unwrap();
    let request =
        Request { duration: Some(Nanos::from_millis(500)), price: true, keep_wire: true, ..Request::exact(target) };
    let measured = measure(&request, &AtomicBool::new(false), &mut Silent).unwrap();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo.wire"), measured.wire.unwrap()).unwrap();
    client.wait().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
}
