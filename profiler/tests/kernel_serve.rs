//! Figures over HTTP, on the real kernel: those of known workloads, fetched as strangers fetch
//! them, and by Prometheus itself. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![cfg(feature = "serve")]

#[path = "browser/chromium.rs"]
mod chromium;
mod common;

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use common::cgroup::Cgroup;
use common::measuring::request_for;
use common::tool::{LIMIT, Live, Target, fd_values, skip, tool, within};
use common::truth::{Row, Truth};
use common::{can_measure, figures};
use rustix::process::Signal;
use should_i_async::{
    answer::{By, Metrics},
    event::BlockClass,
    feed::Metered as _,
    pipeline::top::{Meter, Plan},
    process::{self, TargetSpec, Wanted},
    quantity::{Nanos, Tgid},
};

/// The server, and where it answers.
struct Server {
    live: Live,
    address: SocketAddr,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut command = tool(&["serve", "--listen", "127.0.0.1:0"]);
        if !args.contains(&"--max-overhead") {
            command.arg("--exact");
        }
        let live = Live::attached(command.args(args), Stdio::piped());
        let address = |said: &str| said.split("http://").nth(1)?.split('/').next()?.parse().ok();
        let mut found = None;
        assert!(within(LIMIT, || {
            found = address(&live.said());
            found.is_some()
        }));
        Self { live, address: found.unwrap() }
    }

    /// Sends a request as it is, and returns all of the answer.
    fn ask(&self, request: &str) -> String {
        String::from_utf8(self.ask_bytes(request)).unwrap()
    }

    fn ask_bytes(&self, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            // It does not read to the end what is far too long.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}"),
        }
        answer
    }

    /// Asks for a profile: the status, and what is in it.
    fn profile(&self, query: &str, token: &str) -> (u16, Vec<u8>) {
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", self.address);
        let answer = self.ask_bytes(&format!("GET /debug/pprof/{query} HTTP/1.1\r\n{head}\r\n"));
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = Vec::new();
        if status == 200 {
            flate2::read::GzDecoder::new(&answer[end..]).read_to_end(&mut body).unwrap();
        }
        (status, body)
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address))
    }

    /// The figures by name and labels.
    fn figures(&self) -> Figures {
        let answer = self.get("/metrics", "");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.starts_with("HTTP/1.1 503 ") {
            return Figures::default();
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        Figures(samples.filter_map(|line| line.rsplit_once(' ')).map(|(k, v)| (k.into(), v.parse().unwrap())).collect())
    }

    /// The first figures for which something holds.
    fn figures_where(&self, holds: impl Fn(&Figures) -> bool) -> Figures {
        let mut found = Figures::default();
        let in_time = within(LIMIT, || {
            sleep(Duration::from_millis(50));
            found = self.figures();
            holds(&found)
        });
        assert!(in_time, "{found:#?}");
        found
    }

    fn pid(&self) -> u32 {
        self.live.child.id()
    }

    fn end(self) -> String {
        self.live.signal(Signal::TERM);
        self.ended()
    }

    /// What it says at its end, which comes by itself.
    fn ended(self) -> String {
        let ended = self.live.end();
        assert!(ended.status.success(), "{}", ended.err);
        ended.err
    }
}

#[derive(Debug, Default)]
struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// The sum over all figures of that name that have these labels.
    fn of(&self, name: &str, labels: &[&str]) -> f64 {
        let is_one = |key: &str| {
            let (found, given) = key.split_once('{').unwrap_or((key, ""));
            found == format!("should_i_async_{name}") && labels.iter().all(|label| given.contains(label))
        };
        self.0.iter().filter(|(key, _)| is_one(key)).map(|(_, value)| value).sum()
    }
}

fn pid_label(pid: u32) -> String {
    format!("pid=\"{pid}\"")
}

/// The figures of a workload are what its own account has.
fn has_its_figures(figures: &Figures, pid: u32, rows: &[Row], class: &str) {
    let clock = process::cpu_time(Tgid::from_raw(pid)).unwrap().as_secs_f64();
    let (pid, class) = (pid_label(pid), format!("class=\"{class}\""));
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>() as f64;
    let (blocks, parks) = (sum(|row| row.blocks), sum(|row| row.parks));
    let found = figures.of("blocks_total", &[&pid, &class]);
    // The main thread waits for its line too.
    assert!(found >= blocks && found <= blocks + parks + 4.0, "{found} of {blocks}");
    let blocked = figures.of("blocked_seconds_total", &[&pid, &class]);
    assert!(blocked >= sum(|row| row.blocked_min) / 1e9, "{blocked} s");
    let cpu = figures.of("cpu_seconds_total", &[&pid]);
    // Before it was measured it only got ready. The clock and the tracepoints part at switches.
    assert!(cpu >= clock * 0.9 - 0.01 && cpu <= clock * 1.1 + 0.003, "{cpu} s, by the clock {clock} s");
    assert_eq!(figures.of("lost_total", &[]), 0.0);
    figures!("{found} blocks of {blocks}, {blocked} s blocked, CPU {cpu} s of {clock} s");
}

#[test]
fn the_figures_are_those_of_the_workload() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--n", "3000", "--us", "100", "--threads", "3"]);
    let pid = truth.pid();
    let server = Server::start(&["-p", &pid.to_string()]);
    server.figures_where(|figures| figures.of("threads", &[&pid_label(pid)]) == 4.0);
    truth.go();
    let line = truth.line();
    let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
    let enough = |figures: &Figures| figures.of("blocks_total", &[&pid_label(pid), "class=\"pipe\""]) >= blocks as f64;
    let figures = server.figures_where(enough);
    has_its_figures(&figures, pid, &line.rows, "pipe");
    assert_eq!(figures.of("targets", &[]), 1.0);
    // What all have is what the one has.
    let all = |name: &str| figures.of(&format!("all_{name}"), &[]) - figures.of(name, &[]);
    assert!(all("blocks_total").abs() < 0.5 && all("cpu_seconds_total").abs() < 1e-6);
    // Counters only grow, and stand still with what they count.
    sleep(Duration::from_secs(6));
    let later = server.figures();
    let growing = figures.0.iter().filter(|(key, _)| key.split('{').next().unwrap().ends_with("_total"));
    for (key, value) in growing {
        assert!(later.0[key] >= *value, "{key}: {value}, then {}", later.0[key]);
    }
    let count = |of: &Figures| of.of("blocks_total", &["class=\"pipe\""]);
    assert_eq!(count(&later), count(&figures));
    // What is no counter is of 15 s at least.
    server.figures_where(|figures| figures.of("blocking_cost_cpus", &[&pid_label(pid)]) > 0.0);
    // It ends with its target, and says so.
    truth.end();
    let said = server.ended();
    assert!(said.contains("the targets have ended"), "{said}");
}

#[test]
fn the_whole_machine_is_told_by_process() {
    if !can_measure() {
        return;
    }
    let mut truths = [["pipe", "--n", "2000"], ["eventfd", "--n", "2000"]].map(|work| Truth::start(&work));
    let server = Server::start(&["--top", "40"]);
    server.figures_where(|figures| figures.of("targets", &[]) >= 3.0);
    truths.iter_mut().for_each(Truth::go);
    let lines = truths.each_mut().map(Truth::line);
    for ((truth, line), class) in truths.iter().zip(&lines).zip(["pipe", "eventfd"]) {
        let (pid, class_label) = (pid_label(truth.pid()), format!("class=\"{class}\""));
        let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
        let figures =
            server.figures_where(|figures| figures.of("blocks_total", &[&pid, &class_label]) >= blocks as f64);
        has_its_figures(&figures, truth.pid(), &line.rows, class);
        let listed = figures.0.keys().filter(|key| key.starts_with("should_i_async_threads{")).count();
        assert!(listed <= 40);
        assert_eq!(figures.of("targets_unlisted", &[]), figures.of("targets", &[]) - listed as f64);
    }
    truths.into_iter().for_each(Truth::end);
    assert!(!server.end().contains("the targets have ended"));
}

/// What ends is counted to its end, and what comes in its place is measured.
#[test]
fn others_of_the_same_name_are_measured_too() {
    if !can_measure() {
        return;
    }
    let Some(group) = Cgroup::new("serve") else { return };
    let mut first = Truth::start(&["pipe", "--n", "500"]);
    group.take(first.pid());
    let server = Server::start(&["--by", "cgroup", "--cgroup", group.folder().to_str().unwrap()]);
    let threads = |figures: &Figures| figures.of("threads", &["cgroup=\"/"]);
    server.figures_where(|figures| threads(figures) == 2.0);
    first.go();
    let line = first.line();
    first.end();
    let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
    let figures = server.figures_where(|figures| figures.of("targets", &[]) == 0.0);
    let found = figures.of("all_blocks_total", &["class=\"pipe\""]);
    assert!(found >= blocks as f64, "{found} of {blocks}");
    let second = Target::sleeper();
    group.take(second.0.id());
    server.figures_where(|figures| threads(figures) == 1.0);
    server.end();
}

/// What a loop's own clock says of its stalls is what is told, and a healthy loop has none.
#[test]
fn stalls_of_event_loops_are_counted() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["loop-burns", "--n", "200"]);
    let pid = truth.pid();
    let server = Server::start(&["-p", &pid.to_string(), "--stalls", "10ms"]);
    server.figures_where(|figures| figures.of("threads", &[&pid_label(pid)]) > 0.0);
    truth.go();
    let line = truth.line();
    let own: Vec<u64> = line.rows.iter().flat_map(|row| &row.stalls).map(|&(_, ns)| ns).collect();
    // Two that the machine made longer than they were to be may be on either side.
    let long = |bound: u64| own.iter().filter(|&&ns| ns >= bound).count() as f64;
    let (least, most) = (long(11_000_000), long(9_000_000));
    assert!(least >= 2.0, "{own:?}");
    let figures = server.figures_where(|figures| figures.of("loop_stalls_total", &[]) >= least);
    let (stalls, stood) = (figures.of("loop_stalls_total", &[]), figures.of("loop_stalled_seconds_total", &[]));
    let clock: f64 = own.iter().filter(|&&ns| ns >= 10_000_000).map(|&ns| ns as f64 / 1e9).sum();
    // At its end the loop waits at its gate, which is a turn that goes on.
    assert!(stalls >= least && stalls <= most + 1.0, "{stalls} of {least} to {most}");
    assert!(stood >= clock - 0.001 * (most + 1.0), "{stood} s, by its own clock {clock} s");
    let turns = figures.of("loop_turn_seconds_count", &[]);
    assert_eq!(turns, figures.of("loop_turn_seconds_bucket", &["le=\"+Inf\""]));
    assert!(turns >= stalls - 1.0 && figures.of("loop_watched_seconds_total", &[]) >= stood);
    // A prediction is made all the same.
    server.figures_where(|figures| figures.0.keys().any(|key| key.starts_with("should_i_async_answer")));
    figures!("{stalls} stalls of {least} to {most}, {stood} s of {clock} s, {turns} turns");
    truth.end();
    server.ended();
}

/// Prometheus, its checks, and the reference parser of OpenMetrics read all of it.
#[test]
fn prometheus_reads_it() {
    if !can_measure() {
        return;
    }
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !["promtool", "prometheus"].into_iter().all(is_there) {
        skip("needs Prometheus: apt-get install prometheus python3-prometheus-client");
        return;
    }
    let mut truth = Truth::start(&["pipe", "--n", "2000"]);
    let pid = truth.pid();
    let server = Server::start(&["-p", &pid.to_string()]);
    server.figures_where(|figures| figures.of("targets", &[]) == 1.0);
    truth.go();
    let line = truth.line();
    let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
    let (label, class) = (pid_label(pid), "class=\"pipe\"");
    let figures = server.figures_where(|figures| figures.of("blocks_total", &[&label, class]) >= blocks as f64);
    let body = |headers: &str| server.get("/metrics", headers).split_once("\r\n\r\n").unwrap().1.to_owned();
    let checked = fed(Command::new("promtool").args(["check", "metrics"]), &body(""));
    assert_eq!(checked, (true, String::new()), "promtool");
    let parser = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
                  print(sum(len(family.samples) for family in parse(sys.stdin.read())))";
    let open = body("Accept: application/openmetrics-text; version=1.0.0\r\n");
    let (parsed, said) = fed(Command::new("/usr/bin/python3").args(["-c", parser]), &open);
    let samples = open.lines().filter(|line| !line.starts_with('#')).count();
    assert!(parsed && said.trim() == samples.to_string(), "{said}, of {samples}");
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/packaging/prometheus-rules.yml");
    let (good, said) = fed(Command::new("promtool").args(["check", "rules", rules]), "");
    assert!(good && said.contains("9 rules found"), "{said}");
    let folder = std::env::temp_dir().join(format!("sia-prometheus-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let found = scraped(&folder, server.address, &format!("should_i_async_blocks_total{{{label},{class}}}"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, figures.of("blocks_total", &[&label, class]));
    truth.end();
    server.ended();
}

/// Whether the program succeeds on that input, and what it prints.
fn fed(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    (ended.status.success(), String::from_utf8(ended.stdout).unwrap() + &String::from_utf8_lossy(&ended.stderr))
}

/// The answer to a query to a Prometheus that fetches from there.
fn scraped(folder: &std::path::Path, from: SocketAddr, query: &str) -> f64 {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = folder.join("prometheus.yml");
    let jobs = format!("- job_name: sia\n  static_configs: [{{targets: ['{from}']}}]\n");
    std::fs::write(&config, format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}")).unwrap();
    let store = folder.join("store");
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", store.display()))
        .arg(format!("--web.listen-address={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _prometheus = Target(command.spawn().unwrap());
    let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut found = None;
    let answered = within(LIMIT, || {
        sleep(Duration::from_millis(200));
        let Ok(mut stream) = TcpStream::connect(port) else { return false };
        let request = format!("GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        if stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer)).is_err() {
            return false;
        }
        let value: Option<serde_json::Value> =
            answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        found = value.and_then(|value| value["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok());
        found.is_some()
    });
    assert!(answered, "Prometheus knows nothing of it");
    found.unwrap()
}

#[test]
fn whoever_asks_wrongly_gets_nothing() {
    if !can_measure() {
        return;
    }
    let target = Target::sleeper();
    let server = Server::start(&["-p", &target.pid()]);
    server.figures_where(|figures| figures.of("targets", &[]) == 1.0);
    let status = |answer: &str| answer.split(' ').nth(1).map(str::to_owned).unwrap_or_default();
    let asked = |head: &str| status(&server.ask(head));
    let host = server.address;
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\nHost: stranger.example\r\n\r\n".to_owned(), "403"),
        (format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), "403"),
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), "403"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "200"),
        (format!("POST /metrics HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"), "405"),
        (format!("GET /../../etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n"), "404"),
        (format!("HEAD /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"), "200"),
        ("what is this\r\n\r\n".to_owned(), "400"),
    ] {
        assert_eq!(asked(&request), expected, "{request:?}");
    }
    // It stops to read long before the end of it.
    let long = format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    // What it had not read resets the connection, and may take the answer along.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    // Clients that say nothing, or take nothing, cost little and keep nobody out for long.
    let before = resident(server.pid());
    let idle: Vec<TcpStream> = (0..600).filter_map(|_| TcpStream::connect(server.address).ok()).collect();
    assert_eq!(idle.len(), 600);
    for mut stream in &idle[..300] {
        let _ = write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\n");
    }
    let begun = Instant::now();
    assert!(within(LIMIT, || {
        let answer = TcpStream::connect(server.address).and_then(|mut stream| {
            write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
    }));
    let (waited, grown) = (begun.elapsed(), resident(server.pid()).saturating_sub(before));
    figures!("answered after {waited:?}, {} KiB more", grown >> 10);
    assert!(grown < 32 << 20, "{grown} bytes more");
    drop(idle);
    assert!(within(LIMIT, || server.get("/metrics", "").starts_with("HTTP/1.1 200 ")));
    assert!(!fd_values(server.pid(), "prog_id:").is_empty());
    assert_eq!(server.figures().of("lost_total", &[]), 0.0);
    server.end();
}

/// The page in a real browser, which says the token as a password: it comes again by itself, with
/// newer figures.
#[test]
fn the_live_page_comes_again_in_a_browser() {
    if !can_measure() {
        return;
    }
    let Some(browser) = chromium::Browser::start() else { return };
    let token = "a-token-of-this-test-alone";
    let file = token_file(token);
    let mut truth = Truth::start(&["pipe", "--n", "100000", "--us", "100", "--threads", "2"]);
    let server = Server::start(&["-p", &truth.pid().to_string(), "--token-file", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    truth.go();
    let at = server.address;
    browser.open(&format!("http://{at}/"), 1_280, false);
    assert!(!browser.eval("document.body.textContent").as_str().unwrap().contains("truth"), "without a token");
    browser.forget_complaints();
    browser.open(&format!("http://any:{token}@{at}/?seconds=1"), 1_280, false);
    assert!(browser.eval("document.title").as_str().unwrap().contains("truth"));
    let frames = browser.eval("document.querySelectorAll('#flame-graph > div').length");
    assert!(frames.as_u64().unwrap() > 3, "{frames}");
    let text = || browser.eval("document.body.textContent");
    let (first, seen) = (text(), browser.loaded());
    browser.await_load(seen);
    let second = text();
    assert!(second != first && second.as_str().unwrap().contains("truth"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    server.end();
}

/// Resident memory of a process, bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A file that holds a token, for its owner alone.
fn token_file(token: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = std::env::temp_dir().join(format!("sia-token-{}", std::process::id()));
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// Stacks of the workload, for those who know the token, one profile at a time.
#[test]
fn profiles_are_taken_for_those_who_know_the_token() {
    if !can_measure() {
        return;
    }
    let token = "a-token-of-this-test-alone";
    let file = token_file(token);
    let mut truth = Truth::start(&["pipe", "--n", "100000", "--us", "100", "--threads", "2"]);
    let pid = truth.pid();
    let server = Server::start(&["-p", &pid.to_string(), "--token-file", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    truth.go();
    assert_eq!(server.profile("blocking", "another-token-altogether").0, 401);
    assert_eq!(server.profile(&format!("blocking?pid={}", std::process::id()), token).0, 404);
    assert_eq!(server.profile("blocking?seconds=61", token).0, 400);
    let has = |profile: &[u8], text: &str| profile.windows(text.len()).any(|part| part == text.as_bytes());
    let begun = Instant::now();
    let (status, profile) = server.profile(&format!("blocking?seconds=1&pid={pid}"), token);
    figures!("a profile of 1 s after {:?}, {} bytes", begun.elapsed(), profile.len());
    assert_eq!(status, 200);
    for text in ["blocking_cost", "blocked_time", "nanoseconds", "pipe", "syscall", "truth::"] {
        assert!(has(&profile, text), "no {text}");
    }
    // A second one has to wait for the first; and nobody has to wait for one that is not wanted.
    let mut first = TcpStream::connect(server.address).unwrap();
    let head = format!("Host: {}\r\nAuthorization: Bearer {token}", server.address);
    write!(first, "GET /debug/pprof/offcpu?seconds=60 HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    assert!(within(LIMIT, || server.profile("offcpu?seconds=1", token).0 == 429));
    // Figures are told meanwhile.
    server.figures_where(|figures| figures.of("targets", &[]) == 1.0);
    drop(first);
    assert!(within(LIMIT, || {
        sleep(Duration::from_millis(200));
        server.profile("offcpu?seconds=1", token).0 == 200
    }));
    // It ends in the middle of one.
    let mut last = TcpStream::connect(server.address).unwrap();
    write!(last, "GET /debug/pprof/offcpu?seconds=60 HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    assert!(within(LIMIT, || server.profile("offcpu?seconds=1", token).0 == 429));
    server.end();
}

/// A measurement that begins anew goes on where the one before it was, without those who have
/// ended.
#[test]
fn counters_go_on_over_a_renewal() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--n", "14000", "--us", "1000"]);
    let other = Target::sleeper();
    let spec = TargetSpec { pids: vec![truth.pid(), other.0.id()], ..TargetSpec::default() };
    let wanted = Wanted::new(&spec).unwrap();
    let plan = Plan { wanted, by: By::Process, most: 50, renew: Nanos::from_millis(4_000) };
    let meter = Meter::begin(request_for(&spec), plan).unwrap();
    assert!(within(LIMIT, || meter.latest().is_some()));
    truth.go();
    drop(other);
    let mut seen = vec![0.0];
    let pid = truth.pid();
    let look = std::thread::spawn(move || {
        let blocks = |metrics: &Metrics| {
            let row = metrics.top.rows.iter().position(|row| row.pid() == Some(pid));
            row.map_or(0.0, |row| metrics.tallies[row].blocks[BlockClass::Pipe as usize])
        };
        // The first look, two of the first measurement, and two of a later one.
        let _ = within(Duration::from_secs(24), || {
            sleep(Duration::from_millis(50));
            let metrics = meter.latest().unwrap();
            seen.push(blocks(&metrics));
            assert!(!meter.is_over());
            metrics.wall > Nanos::from_millis(18_000)
        });
        meter.end().unwrap();
        seen
    });
    let line = truth.line();
    let seen = look.join().unwrap();
    truth.end();
    let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
    let last = seen[seen.len() - 1];
    assert!(seen.windows(2).all(|two| two[0] <= two[1]), "{seen:?}");
    // What came while nothing was attached is missing.
    assert!(last > 0.5 * blocks as f64 && last <= blocks as f64 + 4.0, "{last} of {blocks}");
    figures!("{last} of {blocks} blocks over renewals");
}

/// What was seen of a part of the time stands for all of it.
#[test]
fn sampled_counters_stand_for_all_of_the_time() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--n", "60000", "--us", "200"]);
    let label = pid_label(truth.pid());
    let server = Server::start(&["-p", &truth.pid().to_string(), "--max-overhead", "0.2%"]);
    server.figures_where(|figures| figures.of("targets", &[]) == 1.0);
    truth.go();
    let line = truth.line();
    sleep(Duration::from_secs(7));
    let figures = server.figures();
    let (measured, observed) = (figures.of("measured_seconds_total", &[]), figures.of("observed_seconds_total", &[]));
    let blocks: u64 = line.rows.iter().map(|row| row.blocks).sum();
    let found = figures.of("blocks_total", &[&label, "class=\"pipe\""]);
    figures!("{found} of {blocks} blocks, measured {measured} s of {observed} s");
    assert!(measured < 0.9 * observed, "{measured} s of {observed} s");
    assert!(found > 0.5 * blocks as f64 && found < 2.0 * blocks as f64, "{found} of {blocks}");
    truth.end();
    server.ended();
}

#[test]
fn a_socket_is_its_owners_alone() {
    if !can_measure() {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let target = Target::sleeper();
    let path = std::env::temp_dir().join(format!("sia-serve-{}.socket", std::process::id()));
    // One that nobody listens on any more is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listen = format!("unix:{}", path.display());
    let args = ["serve", "--listen", &listen, "-p", &target.pid()];
    let live = Live::attached(&mut tool(&args), Stdio::piped());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let asked = || {
        let mut stream = UnixStream::connect(&path).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: any\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    assert!(within(LIMIT, || asked().is_some_and(|answer| answer.contains("should_i_async_targets 1"))));
    // Another one does not take it away.
    common::tool::run(&mut tool(&args)).refusal(6, &["cannot listen on unix:", "--listen"]);
    live.signal(Signal::INT);
    assert!(live.end().status.success());
    assert!(!path.exists(), "{} is left", path.display());
}
