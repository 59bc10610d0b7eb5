//! What measuring costs a target: by its own clock, by the toll of a hook, and with the rights that
//! the README names. Timings are not asserted: what has a figure, where it comes from, and that the
//! budget is held at all.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::tool::{TOOL, Target, can_fault, count, run, tool};
use serde_json::Value;

/// The demo's server under its load: 100,000 switches a second and more. Both end by themselves.
fn loaded_server() -> [Target; 2] {
    let mut server = Command::new(TOOL)
        .args(["demo-server", "--cpu", "0", "--seconds", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let load = ["demo-client", "--port", port.trim(), "--cpu", "1", "--connections", "8", "--seconds", "60"];
    let client = Command::new(TOOL).args(load).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    [Target(server), Target(client)]
}

fn figure<'a>(report: &'a Value, name: &str) -> (f64, &'a str) {
    let figure = &report["self_cost"][name];
    (figure["value"].as_f64().unwrap_or(f64::NAN), figure["provenance"].as_str().unwrap())
}

#[test]
fn what_the_target_pays_is_told_by_its_own_clock() {
    if !can_fault() {
        return;
    }
    let [server, _client] = loaded_server();
    for (flags, sampled) in
        [(&["--max-overhead", "1%"][..], true), (&["--exact"], false), (&["--raw-tracepoints"], true)]
    {
        let pid = server.pid();
        let args = [&["check", "--json", "-p", &pid, "-d", "3s"], flags].concat();
        let report = run(&mut tool(&args)).json();
        let windows = count(&report["window"]["windows_count"]);
        assert_eq!(report["window"]["sampled"], sampled, "{flags:?}: {windows} windows");
        let [overall, low, high, watched] =
            ["paid_ratio", "paid_low_ratio", "paid_high_ratio", "paid_while_watched_ratio"].map(|name| {
                let (value, provenance) = figure(&report, name);
                assert_eq!(provenance, "measured", "{name}: {}", report["self_cost"]);
                value
            });
        common::figures!("{flags:?}: {overall} ({low} to {high}), {watched} while watched, {windows} windows");
        assert!(low <= overall && overall <= high, "{flags:?}: {}", report["self_cost"]);
        // Over all the time it is a part of what it is while watched, whatever its sign.
        assert!(overall.abs() <= watched.abs() && (sampled || overall == watched), "{flags:?}: {overall} of {watched}");
        // A program that runs half a million times a second costs something.
        let (hooks, provenance) = figure(&report, "target_cpu_ratio");
        assert!(hooks > 0.01 && provenance == "modelled", "{flags:?}: {}", report["self_cost"]);
        let (sampler, _) = figure(&report, "sampler_cpu_ratio");
        assert!(sampler > 0.0 && sampler < hooks, "{flags:?}: {}", report["self_cost"]);
    }
}

/// Tracepoints are everybody's: a stranger that makes a million calls a second pays for the
/// measurement of a target that sleeps, and the budget is for both.
#[test]
fn what_others_pay_is_counted_and_bounded() {
    if !can_fault() {
        return;
    }
    let target = Target(Command::new("sleep").arg("60").spawn().unwrap());
    let pid = target.pid();
    let measured = |flags: &[&str]| {
        let report = run(&mut tool(&[&["check", "--json", "-p", &pid, "-d", "3s"], flags].concat())).json();
        let names = ["others_machine_ratio", "others_cpu_ns", "others_calls_count", "others_switches_count"];
        let [share, cpu, calls, switches] = names.map(|name| {
            let (value, provenance) = figure(&report, name);
            assert_eq!(provenance, "modelled", "{name}: {}", report["self_cost"]);
            value
        });
        common::figures!("{flags:?}: {share} of the machine, {cpu} ns, {calls} calls, {switches} switches");
        let seconds = count(&report["window"]["measured_ns"]) as f64 * 1e-9;
        (report["window"]["sampled"] == true, share, cpu, calls / seconds)
    };
    // Two calls for each byte; it reads none itself until it is killed.
    let args = ["if=/dev/zero", "of=/dev/null", "bs=1", "count=400000000"];
    let stranger = Target(Command::new("dd").args(args).stderr(Stdio::null()).spawn().unwrap());
    let calls_of = |target: &Target| -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", target.pid())).unwrap();
        let calls = io.lines().filter_map(|l| l.strip_prefix("syscr: ").or(l.strip_prefix("syscw: ")));
        calls.map(|n| n.parse::<u64>().unwrap()).sum()
    };
    let ((sampled, share, cpu, calls), truth) = std::thread::scope(|scope| {
        let measuring = scope.spawn(|| measured(&["--exact"]));
        // From the middle of the measurement: it makes the stranger slower.
        std::thread::sleep(Duration::from_millis(1_700));
        let (before, begun) = (calls_of(&stranger), Instant::now());
        std::thread::sleep(Duration::from_secs(1));
        let truth = (calls_of(&stranger) - before) as f64 / begun.elapsed().as_secs_f64();
        (measuring.join().unwrap(), truth)
    });
    common::figures!("the stranger itself says {truth} calls a second");
    assert!(!sampled && share > 0.0 && cpu > 0.0);
    // The rest of the machine makes some, too, and the kernel counts for a part of the time.
    assert!(calls > 0.5 * truth && calls < 2.0 * truth, "{calls} of {truth}");
    let (sampled, within, cpu, _) = measured(&["--max-overhead", "0.5%"]);
    assert!(sampled && within < share && cpu > 0.0, "{within} of {share}");
    drop(stranger);
}

#[test]
fn a_command_that_is_followed_is_not_compared_with_itself() {
    if !can_fault() {
        return;
    }
    let report =
        run(&mut tool(&["check", "--json", "--", "sh", "-c", "for i in 1 2 3 4 5; do sleep 0.05; done"])).json();
    let paid = &report["self_cost"]["paid_ratio"];
    assert!(paid["value"].is_null() && paid["provenance"] == "unavailable", "{paid}");
}
