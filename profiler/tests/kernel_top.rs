//! The machine at a glance, on the real kernel: each process, and each control group, has the
//! blocks and the CPU that are its own by its own account and clock. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::process::Command;

use common::cgroup::Cgroup;
use common::measuring::{Measuring, request_for};
use common::tool::{LIMIT, TOOL, within};
use common::truth::{Line, Truth};
use common::{can_measure, figures};
use serde_json::Value;
use should_i_async::answer::{By, Top, TopRow};
use should_i_async::event::BlockClass;
use should_i_async::pipeline::Request;
use should_i_async::pipeline::top::Roster;
use should_i_async::process::{self, TargetSpec};
use should_i_async::quantity::Tgid;

/// A workload that was measured with all others of the machine.
struct Seen {
    pid: u32,
    line: Line,
    /// By the process's own clock, seconds.
    cpu: f64,
}

fn request() -> Request {
    Request { follow: true, ..request_for(&TargetSpec { everyone: true, ..TargetSpec::default() }) }
}

/// Measures every process while these work, one after the other.
fn machine(works: &[&[&str]], by: By, place: impl Fn(&[u32])) -> (Top, Vec<Seen>) {
    let mut truths: Vec<Truth> = works.iter().map(|work| Truth::start(work)).collect();
    place(&truths.iter().map(Truth::pid).collect::<Vec<_>>());
    let request = request();
    let clock = |pid: u32| process::cpu_time(Tgid::from_raw(pid)).unwrap().as_secs_f64();
    let before: Vec<f64> = truths.iter().map(|truth| clock(truth.pid())).collect();
    let target = request.target.clone();
    let measuring = Measuring::start(request);
    let lines: Vec<Line> = truths
        .iter_mut()
        .map(|truth| {
            truth.go();
            truth.line()
        })
        .collect();
    let measured = measuring.stop();
    let seen = |((truth, line), before): ((&Truth, Line), f64)| Seen {
        pid: truth.pid(),
        line,
        cpu: clock(truth.pid()) - before,
    };
    let seen = truths.iter().zip(lines).zip(before).map(seen).collect();
    truths.into_iter().for_each(Truth::end);
    (Roster::new(&target).top(measured.window, &measured.inputs, by), seen)
}

fn row_of(top: &Top, pid: u32) -> &TopRow {
    let mut found = top.rows.iter().filter(|row| row.members.iter().any(|member| member.pid == pid));
    let row = found.next().unwrap_or_else(|| panic!("{pid} is in no row"));
    assert!(found.next().is_none(), "{pid} is in two rows");
    row
}

/// Blocks that the workload's own account has, in one row's seconds.
fn has_its_blocks(top: &Top, row: &TopRow, of: &[&Seen]) {
    let seconds = top.window.measured.as_secs_f64();
    let rows = || of.iter().flat_map(|seen| &seen.line.rows);
    let (calls, parks) = (rows().map(|row| row.blocks).sum::<u64>(), rows().map(|row| row.parks).sum::<u64>());
    let found = row.io * seconds;
    // The main thread waits for its line too.
    let most = (calls + parks + 4 * of.len() as u64) as f64;
    assert!(found > calls as f64 - 0.5 && found < most + 0.5, "{found} blocks of {calls} to {most}");
    let clock: f64 = of.iter().map(|seen| seen.cpu).sum();
    let cpu = row.cpu * seconds;
    assert!((cpu - clock).abs() < 0.1 * clock + 0.003, "{cpu} s of CPU, by the clock {clock}");
}

#[test]
fn each_process_has_a_row_of_its_own() {
    if !can_measure() {
        return;
    }
    let works = [
        &["pipe", "--n", "4000", "--us", "100"][..],
        &["socket-tcp", "--n", "1000", "--us", "100"],
        &["burn", "--ms", "300"],
    ];
    let (top, seen) = machine(&works, By::Process, |_| {});
    assert_eq!(top.quality.lost(), 0, "{:?}", top.quality);
    for one in &seen {
        let row = row_of(&top, one.pid);
        assert_eq!((row.pid(), row.members.len()), (Some(one.pid), 1));
        assert_eq!(row.members[0].name, "truth");
        has_its_blocks(&top, row, &[one]);
    }
    let rows: Vec<&TopRow> = seen.iter().map(|one| row_of(&top, one.pid)).collect();
    assert_eq!(rows[0].mostly, Some(BlockClass::Pipe));
    assert_eq!(rows[1].mostly, Some(BlockClass::Tcp));
    // What only computes pays nothing for IO, and what blocks four times as often pays more.
    let cost = |row: &TopRow| row.cost.value().copied().unwrap();
    assert!(cost(rows[0]) > cost(rows[1]) && cost(rows[1]) > 0.0 && cost(rows[2]).abs() < 0.001, "{rows:#?}");
    let place = |row: &TopRow| top.rows.iter().position(|other| other == row).unwrap();
    assert!(place(rows[0]) < place(rows[1]) && place(rows[1]) < place(rows[2]));
    assert!(rows.iter().all(|row| row.verdict.is_some()));
    assert!(top.rows.iter().all(|row| row.members.iter().all(|member| member.pid != std::process::id())));
    figures!("costs {:?} CPUs", rows.iter().map(|row| cost(row)).collect::<Vec<_>>());
    // All of them together had no more CPU than there is.
    assert!(top.cpu() <= f64::from(top.cpus) * 1.01, "{} of {}", top.cpu(), top.cpus);
}

#[test]
fn the_processes_of_a_group_are_one_row() {
    if !can_measure() {
        return;
    }
    let id = "7".repeat(12) + &"cd02".repeat(13);
    let Some(above) = Cgroup::new("sia-top") else { return };
    let container = above.called(&format!("docker-{id}.scope"));
    let works = [&["pipe", "--n", "500", "--us", "100"][..]; 3];
    let place = |pids: &[u32]| {
        container.take(pids[0]);
        container.take(pids[1]);
        above.take(pids[2]);
    };
    for by in [By::Container, By::Cgroup] {
        let (top, seen) = machine(&works, by, place);
        let row = row_of(&top, seen[0].pid);
        assert_eq!(row, row_of(&top, seen[1].pid));
        assert_eq!(row.members.len(), 2, "{row:#?}");
        assert_eq!(row.container.as_deref(), Some(&*format!("docker:{}", &id[..12])));
        assert!(row.cgroup.ends_with(&format!("/docker-{id}.scope")), "{}", row.cgroup);
        has_its_blocks(&top, row, &[&seen[0], &seen[1]]);
        let outside = row_of(&top, seen[2].pid);
        assert!(outside.members.iter().all(|member| member.pid != seen[0].pid));
        match by {
            By::Cgroup => has_its_blocks(&top, outside, &[&seen[2]]),
            _ => assert_eq!(outside.container, None),
        }
    }
}

#[test]
fn a_process_that_begins_meanwhile_has_a_row() {
    if !can_measure() {
        return;
    }
    // This process is no target, so what it starts is seen only by way of another.
    let mut shell = Command::new("sh");
    shell.args(["-c", "read line; sleep 0.3; exit 0"]).stdin(std::process::Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let request = request();
    let target = request.target.clone();
    let measuring = Measuring::start(request);
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), b"\n").unwrap();
    // While it sleeps its name can be read.
    std::thread::sleep(std::time::Duration::from_millis(150));
    let measured = measuring.stop();
    let top = Roster::new(&target).top(measured.window, &measured.inputs, By::Process);
    shell.wait().unwrap();
    let sleeps: Vec<&TopRow> = top.rows.iter().filter(|row| row.members[0].command == "sleep 0.3").collect();
    assert_eq!(sleeps.len(), 1, "{:#?}", top.rows);
    assert!(sleeps[0].threads == 1 && sleeps[0].cpu > 0.0, "{:?}", sleeps[0]);
}

/// Two that one has forked meanwhile, without exec, send each other bytes: their places are their
/// parent's, and their cost is their own.
#[test]
fn what_is_forked_without_exec_has_its_own_cost() {
    const FORKS: &str = "mkfifo a b; read line; \
        (exec <a 4>b; i=0; while [ $i -lt 3000 ]; do read x; echo y >&4; i=$((i+1)); done) & \
        exec 5>a 6<b; i=0; while [ $i -lt 3000 ]; do echo x >&5; read y <&6; i=$((i+1)); done; wait; read line";
    if !can_measure() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("should-i-async-top-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", FORKS]).current_dir(&folder).stdin(std::process::Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let made = || folder.join("b").exists();
    assert!(within(LIMIT, made));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let request = request();
    let target = request.target.clone();
    let measuring = Measuring::start(request);
    std::io::Write::write_all(&mut input, b"\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let measured = measuring.stop();
    let top = Roster::new(&target).top(measured.window, &measured.inputs, By::Process);
    drop(input);
    shell.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let seconds = top.window.measured.as_secs_f64();
    // The child has gone, and nobody read its name.
    let rows: Vec<&TopRow> = top.rows.iter().filter(|row| row.io * seconds > 1_000.0).collect();
    assert_eq!(rows.len(), 2, "{:#?}", top.rows);
    for row in rows {
        let (io, cost) = (row.io * seconds, row.cost.value().copied().unwrap() * seconds);
        // Where the answer is there already, a read does not block.
        assert!((1_000.0..=3_050.0).contains(&io), "{row:#?}");
        // Some microseconds for each block, less than all of its CPU.
        assert!(cost > 0.5e-6 * io && cost < row.cpu * seconds, "{cost} s for {io} blocks: {row:#?}");
        figures!("{cost} s for {io} blocks on {} s of CPU", row.cpu * seconds);
        assert_eq!(row.mostly, Some(BlockClass::Pipe));
    }
}

#[test]
fn the_list_as_json_holds_to_the_committed_schema() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--n", "2000", "--us", "200"]);
    let tool = Command::new(TOOL)
        .args(["top", "--once", "--json", "--exact", "-d", "1500ms"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(900));
    truth.go();
    let output = tool.wait_with_output().unwrap();
    let pid = truth.pid();
    let _ = truth.line();
    truth.end();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../docs/top.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&list).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let rows = list["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["processes"][0]["pid"] == pid).unwrap();
    assert!(row["io_blocks_per_second"]["value"].as_f64().unwrap() > 10.0, "{row:#}");
    assert_eq!((&row["name"], &row["mostly_on"]), (&Value::from("truth"), &Value::from("pipe")));
}
