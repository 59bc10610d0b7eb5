//! The lab's programs, every one in every way. They do the operations they are asked for, lose and
//! garble nothing, and end when they should; twins do the same. Nothing here tests how fast they
//! are.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const SECONDS: &str = "90";
const LAB: &str = env!("CARGO_BIN_EXE_lab");

const ECHOES: [&[&str]; 5] = [
    &["--mode", "threads"],
    &["--mode", "pool", "--pool", "8"],
    &["--mode", "epoll"],
    &["--mode", "tokio"],
    &["--mode", "uring"],
];

/// A program of the lab that is ready. Killed when dropped.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    ready: Value,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(LAB);
        command.args(args).args(["--seconds", SECONDS]);
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, input, output, ready: Value::Null };
        program.ready = program.line();
        assert!(program.ready["pid"].is_u64(), "{}", program.ready);
        program
    }

    fn port(&self) -> String {
        self.ready["port"].as_u64().unwrap().to_string()
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn tell(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn count(&mut self) -> Value {
        self.tell("count");
        self.line()
    }

    /// Asks until so many operations are done.
    fn await_operations(&mut self, least: u64) {
        let begun = Instant::now();
        while number(&self.count(), "operations") < least {
            assert!(begun.elapsed() < PATIENCE, "never did {least} operations");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its last line, once it has ended by itself.
    fn last(mut self) -> Value {
        let last = self.line();
        assert!(self.child.wait().unwrap().success(), "{last}");
        last
    }

    /// Ends it by the end of its stdin.
    fn end(mut self) -> Value {
        self.input = None;
        let last = self.last();
        assert_eq!(number(&last, "errors"), 0, "{last}");
        last
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_else(|| panic!("no {key} in {line}"))
}

/// Loads a server, and returns the load's last line.
fn load(port: &str, args: &[&str]) -> Value {
    let mut load = Program::start(&[&["load", "--port", port], args].concat());
    assert_eq!(load.line()["warm"], true);
    let last = load.last();
    assert_eq!(number(&last, "errors"), 0, "{last}");
    last
}

#[test]
fn windows_do_the_work_that_was_asked_for_however_many_calls_block() {
    let digest = |set: &str, one_blocks_in: &str| {
        let line =
            ["window", "--working-set", set, "--touches", "50", "--limit", "1000", "--one-blocks-in", one_blocks_in];
        let program = Program::start(&line);
        assert!(program.ready["tid"].as_u64().is_some_and(|tid| tid > 0), "{}", program.ready);
        let last = program.last();
        assert_eq!((number(&last, "operations"), number(&last, "errors")), (1_000, 0), "{last}");
        last["digest"].as_str().unwrap().to_owned()
    };
    // The same places in the same order, whether every read blocks or one of many.
    let small = digest("16384", "1");
    assert_eq!(small, digest("16384", "7"));
    assert_eq!(small, digest("16384", "4096"));
    assert_ne!(small, digest("1000000", "7"));
}

#[test]
fn every_echo_serves_every_request_once() {
    for mode in ECHOES {
        for bytes in ["8", "64", "5000"] {
            let mut server = Program::start(&[&["echo", "--work", "100", "--bytes", bytes], mode].concat());
            let asked = ["--connections", "8", "--requests", "1500", "--bytes", bytes];
            let done = load(&server.port(), &asked);
            assert_eq!(number(&done, "requests"), 1500, "{mode:?}");
            assert!(number(&done, "p50_ns") <= number(&done, "p99_ns"));
            let counted = server.count();
            assert_eq!(number(&counted, "operations"), 1500, "{mode:?}");
            assert!(number(&counted, "now_ns") > 0);
            // Another load on the same server: connections end and begin.
            load(&server.port(), &asked);
            assert_eq!(number(&server.end(), "operations"), 3000, "{mode:?}");
        }
    }
}

#[test]
fn an_open_loop_sends_every_arrival() {
    for mode in ECHOES {
        let server = Program::start(&[&["echo"], mode].concat());
        let asked = ["--connections", "4", "--rate", "5000", "--requests", "800", "--seed", "7"];
        let done = load(&server.port(), &asked);
        assert_eq!((number(&done, "requests"), number(&done, "unsent")), (800, 0), "{mode:?}");
        assert_eq!(number(&server.end(), "operations"), 800, "{mode:?}");
    }
}

#[test]
fn a_load_warms_up_thinks_and_ends_after_its_duration() {
    let mut server = Program::start(&["echo", "--mode", "epoll"]);
    let asked = ["--connections", "16", "--think-us", "200", "--warmup", "0.1", "--duration", "0.2"];
    let done = load(&server.port(), &asked);
    let served = number(&server.count(), "operations");
    let requests = number(&done, "requests");
    assert!(0 < requests && requests < served, "{requests} of {served} count, the warm-up's do not");
    assert_eq!(number(&done, "operations"), served);
    assert!(number(&done, "elapsed_ns") >= 190_000_000, "{done}");
    server.end();
}

#[test]
fn many_connections_at_once() {
    for mode in ECHOES.iter().filter(|mode| mode[1] != "pool") {
        let server = Program::start(&[&["echo"], *mode].concat());
        let done = load(&server.port(), &["--connections", "300", "--requests", "3000"]);
        assert_eq!(number(&done, "requests"), 3000, "{mode:?}");
        assert_eq!(number(&server.end(), "operations"), 3000, "{mode:?}");
    }
}

#[test]
fn a_load_that_rests_sends_nothing_and_then_goes_on_where_it_was() {
    const REST: Duration = Duration::from_millis(200);
    const RESTS: u32 = 3;
    const RATE: f64 = 20_000.0;
    for pace in [["--think-us", "50"], ["--rate", "20000"]] {
        let mut server = Program::start(&["echo", "--mode", "epoll"]);
        let port = server.port();
        let begun = Instant::now();
        let asked = ["load", "--port", &port, "--connections", "8", "--duration", "60"];
        let mut load = Program::start(&[&asked[..], &pace].concat());
        assert_eq!(load.line()["warm"], true);
        for _ in 0..RESTS {
            let before = number(&load.count(), "operations");
            load.await_operations(before + 100);
            load.tell("rest");
            assert_eq!(load.line()["resting"], true);
            let operations = number(&load.count(), "operations");
            std::thread::sleep(REST);
            let now = [&mut load, &mut server].map(|program| number(&program.count(), "operations"));
            assert_eq!(now, [operations; 2]);
            load.tell("go");
        }
        load.tell("rest");
        assert_eq!(load.line()["resting"], true);
        let last = load.end();
        let requests = number(&last, "requests") as f64;
        assert!(requests >= f64::from(RESTS) * 100.0, "{last}");
        // What would have arrived in a rest does not come after it: Poisson, with ten standard
        // deviations.
        let arrivals = (begun.elapsed() - RESTS * REST).as_secs_f64() * RATE;
        assert!(pace[0] != "--rate" || requests <= arrivals + 10.0 * arrivals.sqrt(), "{last}: {arrivals}");
    }
}

#[test]
fn a_load_tells_of_a_server_that_goes_away() {
    let server = Program::start(&["echo", "--mode", "threads"]);
    let asked = ["load", "--port", &server.port(), "--connections", "2", "--duration", "60"];
    let mut load = Program::start(&asked);
    load.line();
    load.await_operations(10);
    server.end();
    assert!(number(&load.last(), "errors") >= 2);
}

#[test]
fn fanout_twins_do_the_same() {
    for latency in ["0", "300"] {
        let mut digests = Vec::new();
        for mode in ["threads", "tokio", "epoll"] {
            let mut backend = Program::start(&["backend", "--latency-us", latency]);
            let asked = ["fanout", "--mode", mode, "--backend", &backend.port(), "--workers", "4", "--fan", "3"];
            let bounds = ["--per-worker", "100", "--work", "50"];
            let last = Program::start(&[&asked[..], &bounds].concat()).last();
            assert_eq!((number(&last, "operations"), number(&last, "errors")), (400, 0), "{mode}");
            assert_eq!(number(&backend.count(), "operations"), 1200, "{mode}");
            backend.end();
            digests.push(last["digest"].clone());
        }
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
    }
}

#[test]
fn file_twins_read_the_same() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{}.dat", std::process::id()));
    let name = file.to_str().unwrap();
    // The first run makes the file.
    let mut digests = Vec::new();
    for cached in [true, false] {
        for mode in ["pread", "posix", "linux", "uring"] {
            let mut args = vec!["files", "--mode", mode, "--file", name, "--create", "8", "--depth", "4"];
            args.extend(["--per-slot", "200", "--work", "50"]);
            if !cached {
                if !allows_direct(&file) {
                    continue;
                }
                args.push("--direct");
            }
            let last = Program::start(&args).last();
            assert_eq!((number(&last, "operations"), number(&last, "errors")), (800, 0), "{mode}");
            digests.push(last["digest"].clone());
        }
    }
    std::fs::remove_file(&file).unwrap();
    assert!(digests.len() >= 4 && digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

fn allows_direct(file: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(file).is_ok()
}

#[test]
fn every_brigade_passes_its_messages_on() {
    for mode in ["threads", "pinned", "tokio"] {
        for in_flight in ["1", "64"] {
            let asked = ["brigade", "--mode", mode, "--stages", "130", "--messages-in-flight", in_flight];
            let mut brigade = Program::start(&[&asked[..], &["--work", "20"]].concat());
            // Every stage checks that each message is at the hop it should be.
            brigade.await_operations(4000);
            brigade.end();
        }
    }
}

#[test]
fn controls_do_what_they_say() {
    for mode in ["lock", "timer", "cpu"] {
        let mut control = Program::start(&["control", "--mode", mode]);
        control.await_operations(20);
        control.end();
    }
    let idle = Program::start(&["control", "--mode", "idle"]);
    assert_eq!(number(&idle.end(), "operations"), 0);
    let server = Program::start(&["control", "--mode", "async"]);
    load(&server.port(), &["--connections", "4", "--requests", "200"]);
    assert_eq!(number(&server.end(), "operations"), 200);
}

#[test]
fn affinity_is_that_of_all_threads() {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap().to_string();
    for mode in ["lock", "idle"] {
        let control = Program::start(&["control", "--mode", mode, "--cpu", &cpu]);
        let tasks = std::fs::read_dir(format!("/proc/{}/task", control.child.id())).unwrap();
        let lists: Vec<String> = tasks
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap())
            .map(|status| {
                status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
            })
            .collect();
        assert!(lists.len() > 4 && lists.iter().all(|list| *list == cpu), "{lists:?}");
        control.end();
    }
}

#[test]
fn it_ends_when_its_time_is_over_or_by_sigterm() {
    let mut timed = Command::new(LAB);
    timed.args(["echo", "--mode", "epoll", "--seconds", "0.05"]);
    assert_eq!(number(&Program::spawn(&mut timed).last(), "operations"), 0);

    let terminated = Program::start(&["echo", "--mode", "tokio"]);
    let pid = rustix::process::Pid::from_child(&terminated.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(number(&terminated.last(), "operations"), 0);
}

/// A shell in between is killed. Its child still has an open stdin and ends all the same.
#[test]
fn it_dies_with_its_parent() {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec 3<&0; "$0" control --mode idle <&3 & wait"#]).arg(LAB);
    let program = Program::spawn(&mut shell);
    let pid = number(&program.ready, "pid");
    assert_ne!(pid, u64::from(program.child.id()));
    let input = {
        let mut program = program;
        let input = program.input.take();
        drop(program);
        input
    };
    let begun = Instant::now();
    while is_running(pid) {
        assert!(begun.elapsed() < PATIENCE, "{pid} outlives its parent");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(input);
}

/// Whether a process is there and not merely waiting to be reaped.
fn is_running(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']))
}
