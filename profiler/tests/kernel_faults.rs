//! Faults with the real binary on the real kernel: missing rights, missing kernel parts, targets
//! that go away, signals, results that cannot be written. Needs root; runs with `--test-threads=1`.
//! `docs/faults.md` names each test.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

use common::{
    tool::{
        LIMIT, Live, NOBODY, TOOL, Target, blocks, can_fault, count, covered, fd_values, reports, run, skip, tool,
        within, without_orphans,
    },
    truth::Truth,
};

use std::{
    fs::File,
    io::{Write as _, pipe},
    os::{
        fd::AsFd as _,
        unix::{
            fs::PermissionsExt,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

#[test]
fn target_exits_in_the_middle() {
    if !can_fault() {
        return;
    }
    // The target exits by itself.
    let mut target = Target::start("sh", &["-c", "read line"]);
    let live = Live::measuring(&["check", "-p", &target.pid(), "-d", "20s"]);
    drop(target.0.stdin.take());
    assert!(live.end().report().contains("target exited"));
    // The target is killed.
    let mut target = Target::sleeper();
    let live = Live::measuring(&["check", "--json", "-p", &target.pid(), "-d", "20s"]);
    target.0.kill().unwrap();
    let report = live.end().json();
    assert_eq!(report["window"]["ended"], "target exited");
    assert!(count(&report["window"]["wall_ns"]) < 10_000_000_000);
}

#[test]
fn a_target_that_ends_before_it_is_measured() {
    if !can_fault() {
        return;
    }
    let mut target = Target::sleeper();
    let live = Live::attached(&mut tool(&["check", "-p", &target.pid(), "-d", "20s"]), Stdio::piped());
    target.0.kill().unwrap();
    let ended = live.end();
    // Or it was just in time: then there is a report.
    if ended.status.success() {
        assert!(ended.out.contains("target exited") && !ended.out.contains("no thread was measured"), "{}", ended.out);
    } else {
        ended.refusal(3, &["ended before", "check -- COMMAND"]);
    }
}

#[test]
fn no_btf() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let pid = target.pid();
    for json in [&[][..], &["--json"]] {
        let args = [&["check", "-p", &pid][..], json].concat();
        run(&mut covered("/sys/kernel/btf", &args)).refusal(5, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
    }
    let doctor = run(&mut covered("/sys/kernel/btf", &["doctor"]));
    assert_eq!((doctor.status.code(), doctor.err.as_str()), (Some(1), ""));
    assert!(doctor.out.contains("missing   btf") && doctor.out.contains("CONFIG_DEBUG_INFO_BTF"), "{}", doctor.out);
}

#[test]
fn a_failure_takes_the_waiting_command_with_it() {
    if !can_fault() {
        return;
    }
    without_orphans(|| {
        let trace = std::env::temp_dir().join(format!("should-i-async-started-{}", std::process::id()));
        let args = ["check", "--", "touch", trace.to_str().unwrap()];
        run(&mut covered("/sys/kernel/btf", &args)).refusal(5, &["CONFIG_DEBUG_INFO_BTF"]);
        assert!(!trace.exists());
    });
}

#[test]
fn tracefs_not_mounted() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let args = ["check", "-p", &target.pid(), "-d", "200ms"];
    reports(&mut covered("/sys/kernel/tracing /sys/kernel/debug", &args));
    let doctor = run(&mut covered("/sys/kernel/tracing /sys/kernel/debug", &["doctor"]));
    assert_eq!(doctor.status.code(), Some(0), "{}", doctor.out);
}

#[test]
fn memory_lock_limit() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let mut limited = Command::new("prlimit");
    reports(limited.args(["--memlock=0:0", TOOL, "check", "-p", &target.pid(), "-d", "200ms"]));
}

#[test]
fn too_large_maps() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let less = ["the kernel would not make the maps", "--max-threads or --max-sites"];
    // The kernel refuses: no address space for what the maps are read through.
    let mut limited = Command::new("prlimit");
    limited.args(["--as=134217728", TOOL, "check", "-p", &target.pid(), "--max-threads", "100000"]);
    run(&mut limited).refusal(5, &less);
    // A machine with 64 MiB to spare is not even asked.
    let place = Place::new();
    let meminfo = place.dir.join("meminfo");
    std::fs::write(&meminfo, "MemTotal: 131072 kB\nMemFree: 65536 kB\nMemAvailable: 65536 kB\n").unwrap();
    let script = "mount --bind \"$0\" /proc/meminfo || exit 99; exec \"$@\"";
    let mut small = Command::new("unshare");
    small.args(["--mount", "sh", "-c", script]).arg(&meminfo).args([TOOL, "check", "-p", &target.pid()]);
    small.args(["--max-threads", "4194304", "--max-sites", "1048576"]);
    run(&mut small).refusal(5, &["not enough memory", less[1], "64 MiB are available"]);
}

#[test]
fn costs_that_cannot_be_measured_here() {
    if !can_fault() {
        return;
    }
    let mut target = Truth::start(&["pipe", "--n", "2000"]);
    // No calibration is kept, and where there is no loopback none can be made.
    let mut alone = Command::new("unshare");
    alone.args(["--net", TOOL, "check", "--json", "-p", &target.pid().to_string(), "-d", "60s"]);
    let live = Live::attached(alone.env("XDG_CACHE_HOME", "/nonexistent"), Stdio::piped());
    target.go();
    target.line();
    target.end();
    let report = live.end().json();
    assert!(blocks(&report, "pipe") >= 2000, "{}", report["wall"]);
    let why = report["what_if"]["refused"].as_str().unwrap_or_default();
    assert!(why.contains("could not be measured beside the target ("), "{}", report["what_if"]);
    assert!(why.contains("`should-i-async calibrate"), "{why}");
    assert_eq!(report["what_if"]["scenarios"].as_array().map(Vec::len), Some(0), "{}", report["what_if"]);
}

#[test]
fn two_instances_at_once() {
    if !can_fault() {
        return;
    }
    let target = Target::start("sh", &["-c", "while :; do sleep 0.01; done"]);
    let mut command = tool(&["check", "--json", "-p", &target.pid(), "-d", "1s"]);
    let first = Live::attached(&mut command, Stdio::piped());
    let second = Live::attached(&mut command, Stdio::piped());
    assert!(first.programs.iter().all(|id| !second.programs.contains(id)));
    for live in [first, second] {
        let report = live.end().json();
        assert!(blocks(&report, "child") > 5, "{report}");
        assert_eq!(report["check"]["counts_agree"], true, "{}", report["check"]);
        assert_eq!(count(&report["quality"]["lost_count"]), 0);
    }
}

#[test]
fn ctrl_c_and_sigterm_print_the_report() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    for signal in [Signal::INT, Signal::TERM] {
        let live = Live::attached(&mut tool(&["check", "-p", &target.pid(), "-d", "60s"]), Stdio::piped());
        live.signal(signal);
        assert!(live.end().report().contains("interrupted"));
    }
    drop(target);
    // The command of `-- CMD` is ended with it.
    without_orphans(|| {
        let live = Live::attached(&mut tool(&["check", "--json", "--", "sleep", "60"]), Stdio::piped());
        live.signal(Signal::INT);
        assert_eq!(live.end().json()["window"]["ended"], "interrupted");
    });
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    // A full pipe that nobody reads holds it up after the first one.
    let (read, mut write) = pipe().unwrap();
    let size = rustix::pipe::fcntl_setpipe_size(write.as_fd(), 4096).unwrap();
    write.write_all(&vec![b'.'; size]).unwrap();
    let live = Live::attached(&mut tool(&["check", "-p", &target.pid(), "-d", "60s"]), write.into());
    live.signal(Signal::INT);
    let in_write = format!("{} 0x1 ", libc::SYS_write);
    let call = format!("/proc/{}/syscall", live.child.id());
    assert!(within(LIMIT, || std::fs::read_to_string(&call).is_ok_and(|call| call.starts_with(&in_write))));
    live.signal(Signal::INT);
    assert_eq!(live.end().status.signal(), Some(libc::SIGINT));
    drop(read);
}

#[test]
fn sigkill_leaves_nothing_attached() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let live = Live::attached(&mut tool(&["check", "-p", &target.pid(), "-d", "60s"]), Stdio::piped());
    live.signal(Signal::KILL);
    let ended = live.end();
    assert_eq!((ended.status.signal(), ended.out.as_str()), (Some(libc::SIGKILL), ""));
}

/// The verifier refuses a program after a million instructions, later kernels take longer for each,
/// and a program that it refuses is loaded in the slower form without a word on the first page.
#[test]
fn no_program_is_near_the_verifiers_limit() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let live = Live::attached(&mut tool(&["check", "-p", &target.pid(), "-d", "60s"]), Stdio::piped());
    let followed = fd_values(live.child.id(), "verified_insns:");
    live.signal(Signal::KILL);
    live.end();
    // 69,000 for sys_exit on 6.18.
    let most = followed.last().copied();
    assert!(most.is_some_and(|most| most > 10_000 && most < 200_000), "{followed:?}");
}

#[test]
fn output_that_cannot_be_written() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let pid = target.pid();
    for json in [&[][..], &["--json"]] {
        let args = [&["check", "-p", &pid, "-d", "100ms"][..], json].concat();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Live::spawn(&mut tool(&args), full.into()).end();
        ended.refusal(6, &["cannot write the result", "No space left", "Run again"]);
        // As with `| head`, once it has seen enough.
        let (read, write) = pipe().unwrap();
        drop(read);
        let ended = Live::spawn(&mut tool(&args), write.into()).end();
        assert_eq!((ended.status.code(), ended.err.as_str()), (Some(0), ""));
    }
}

#[test]
fn target_in_another_pid_namespace() {
    if !can_fault() {
        return;
    }
    // A number that no process or thread of the host has.
    let free = (300..3_000).find(|n| !Path::new(&format!("/proc/{n}")).exists()).unwrap();
    let script = format!("while :; do :& p=$!; wait; [ $p -lt {} ] || break; done; sleep 60 & wait", free - 1);
    let outer = Target::start("unshare", &["--pid", "--fork", "--kill-child", "sh", "-c", &script]);
    let child_of = |pid: &str| {
        let mut child = String::new();
        let list = format!("/proc/{pid}/task/{pid}/children");
        within(LIMIT, || {
            let text = std::fs::read_to_string(&list).unwrap_or_default();
            child = text.split_whitespace().next().unwrap_or_default().to_owned();
            !child.is_empty()
        });
        child
    };
    let init = child_of(&outer.pid());
    // By its host PID: both are shown.
    let text = reports(&mut tool(&["check", "-p", &init, "-d", "200ms"]));
    assert!(text.contains(&format!("PID {init} (in its own PID namespace: 1)")), "{text}");
    // By the PID inside, where only one process has it.
    let given = free.to_string();
    let asleep = within(LIMIT, || {
        let child = child_of(&init);
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        status.starts_with("Name:\tsleep") && status.lines().any(|l| l.starts_with("NSpid:") && l.ends_with(&given))
    });
    assert!(asleep, "no process became {given} inside");
    let host = child_of(&init);
    let report = run(&mut tool(&["check", "--json", "-p", &given, "-d", "200ms"])).json();
    let process = &report["target"]["processes"][0];
    assert_eq!((process["pid"].to_string(), process["name"].as_str()), (host.clone(), Some("sleep")), "{process}");
    let note = report["target"]["notes"][0].as_str().unwrap();
    assert!(note.contains(&given) && note.contains(&format!("host PID {host}")), "{note}");
    // The PID is given again in a second namespace: which one is meant?
    let twin = Target::start("unshare", &["--pid", "--fork", "--kill-child", "sh", "-c", &script]);
    let inner = child_of(&twin.pid());
    let named = within(LIMIT, || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child_of(&inner))).unwrap_or_default();
        status.starts_with("Name:\tsleep")
    });
    assert!(named);
    let both = [host.as_str(), &child_of(&inner)];
    run(&mut tool(&["check", "-p", &given])).refusal(3, &[&["2 containers have a process"][..], &both].concat());
}

/// The tool in a user namespace: root there is nobody for the kernel's programs.
#[test]
fn the_tool_in_a_user_namespace() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    let pid = target.pid();
    for flags in [&["--map-root-user"][..], &["--map-current-user"], &[]] {
        for args in [&["check", "-p", &pid, "-d", "200ms"][..], &["check", "-d", "200ms", "--", "sleep", "60"]] {
            let mut command = Command::new("unshare");
            command.arg("--user").args(flags).arg(TOOL).args(args);
            run(&mut command).refusal(4, &["inside a user namespace", "on the host"]);
        }
    }
}

/// The tool where its clocks are not the kernel's: in a time namespace, whatever it adds.
#[test]
fn the_tool_in_a_time_namespace() {
    if !can_fault() {
        return;
    }
    if !Path::new("/proc/self/ns/time").exists() {
        skip("the kernel has no time namespaces");
        return;
    }
    let target = Target::start("sh", &["-c", "while :; do :; done"]);
    for offset in ["200000", "-3", "86400000"] {
        let mut command = Command::new("unshare");
        command.args(["--time", "--fork", "--monotonic", offset, TOOL]);
        command.args(["check", "-p", &target.pid(), "-d", "600ms", "--json"]);
        let report = run(&mut command).json();
        let cpu = report["cpu"]["total_ns"]["value"].as_u64().unwrap_or_else(|| panic!("{}", report["cpu"]));
        assert!((10_000_000..900_000_000).contains(&cpu), "{cpu} ns of CPU in 600 ms, {offset} s off");
    }
}

#[test]
fn commands_that_cannot_be_run() {
    if !can_fault() {
        return;
    }
    without_orphans(|| {
        run(&mut tool(&["check", "--", "no-such-command"])).refusal(127, &["cannot run no-such-command"]);
        run(&mut tool(&["check", "--json", "--", "/etc/passwd"])).refusal(126, &["cannot run /etc/passwd"]);
        run(&mut tool(&["check", "--", "/"])).refusal(126, &["cannot run /"]);
    });
}

#[test]
fn commands_that_fail_are_measured() {
    if !can_fault() {
        return;
    }
    without_orphans(|| {
        assert!(reports(&mut tool(&["check", "--", "false"])).contains("target exited"));
        reports(&mut tool(&["check", "--", "sh", "-c", "kill -9 $$"]));
        // What it writes is no part of the report.
        let ended = run(&mut tool(&["check", "--json", "--", "sh", "-c", "echo loud; exit 3"]));
        assert_eq!((ended.status.code(), ended.err.as_str()), (Some(0), "loud\n"));
        serde_json::from_str::<Value>(&ended.out).unwrap();
    });
}

#[test]
fn a_command_that_outlives_the_duration_is_ended() {
    if !can_fault() {
        return;
    }
    without_orphans(|| {
        let report = run(&mut tool(&["check", "--json", "-d", "300ms", "--", "sleep", "60"])).json();
        assert_eq!(report["window"]["ended"], "duration over");
        assert_eq!(report["target"]["processes"][0]["name"], "sleep");
    });
}

#[test]
fn a_commands_children_are_followed() {
    if !can_fault() {
        return;
    }
    let report =
        run(&mut tool(&["check", "--exact", "--json", "--", "sh", "-c", "sleep 0.2; cat /dev/null; true"])).json();
    let quality = &report["quality"];
    // The shell becomes three programs: itself, sleep and cat.
    assert_eq!((count(&quality["forks_count"]), count(&quality["execs_count"])), (2, 3), "{quality}");
    assert_eq!(blocks(&report, "sleep"), 1, "{}", report["wall"]);
    assert!(count(&report["window"]["wall_ns"]) >= 200_000_000);
    assert_eq!(report["check"]["counts_agree"], true, "{}", report["check"]);
}

#[test]
fn doctor_finds_that_root_can_measure() {
    if !can_fault() {
        return;
    }
    let doctor = run(&mut tool(&["doctor"]));
    assert_eq!((doctor.status.code(), doctor.err.as_str()), (Some(0), ""), "{}", doctor.out);
    assert!(doctor.out.lines().all(|line| !line.starts_with("missing") && line.chars().count() <= 100));
}

/// A copy of the tool where everybody may execute it.
struct Place {
    dir: PathBuf,
    tool: PathBuf,
}

impl Place {
    fn new() -> Self {
        let parents = [std::env::temp_dir(), PathBuf::from(env!("CARGO_TARGET_TMPDIR")), "/var/tmp".into()];
        let flags = rustix::fs::StatVfsMountFlags::NOSUID | rustix::fs::StatVfsMountFlags::NOEXEC;
        let serves = |dir: &PathBuf| rustix::fs::statvfs(dir).is_ok_and(|fs| !fs.f_flag.intersects(flags));
        let parent = parents.into_iter().find(serves).expect("every place for a copy is mounted nosuid or noexec");
        let dir = parent.join(format!("should-i-async-faults-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        Self { tool: dir.join("should-i-async"), dir }
    }

    fn with_tool() -> Self {
        let place = Self::new();
        std::fs::copy(TOOL, &place.tool).unwrap();
        std::fs::set_permissions(&place.tool, PermissionsExt::from_mode(0o755)).unwrap();
        place
    }

    /// The copy, as user nobody.
    fn tool(&self, args: &[&str]) -> Command {
        let mut command = nobody(self.tool.to_str().unwrap(), args);
        command.env("HOME", "/");
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn nobody(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).uid(NOBODY).gid(NOBODY).current_dir("/");
    command
}

#[test]
fn an_unprivileged_user_is_told_what_to_do() {
    if !can_fault() {
        return;
    }
    let place = Place::with_tool();
    let own = Target(nobody("sleep", &["60"]).spawn().unwrap());
    let denied = ["not permitted to load kernel programs", "CAP_BPF and CAP_PERFMON", "should-i-async doctor"];
    run(&mut place.tool(&["check", "-p", &own.pid(), "-d", "100ms"])).refusal(4, &denied);
    run(&mut place.tool(&["check", "--json", "-p", &own.pid(), "-d", "100ms"])).refusal(4, &denied);
    without_orphans_but(&own, || run(&mut place.tool(&["check", "--", "true"])).refusal(4, &denied));
    // A process of another user.
    let other = Target::sleeper();
    let words = ["no rights to look into process", "of user 0", "cap_sys_ptrace"];
    run(&mut place.tool(&["check", "-p", &other.pid()])).refusal(4, &words);

    let doctor = run(&mut place.tool(&["doctor"]));
    assert_eq!((doctor.status.code(), doctor.err.as_str()), (Some(1), ""));
    for words in ["missing   capabilities", "→ run it with sudo, or once: `sudo setcap"] {
        assert!(doctor.out.contains(words), "{}", doctor.out);
    }
    assert!(doctor.out.lines().all(|line| line.chars().count() <= 100), "{}", doctor.out);
}

/// Runs a test; afterwards `child` must be the only child of this process, orphans included.
fn without_orphans_but(child: &Target, test: impl FnOnce()) {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    test();
    rustix::process::set_child_subreaper(None).unwrap();
    let own = std::process::id();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    let children = lists.collect::<Vec<_>>().join(" ");
    let left: Vec<_> = children.split_whitespace().filter(|pid| **pid != child.pid()).collect();
    assert!(left.is_empty(), "processes {left:?} were left to {own}");
}

#[test]
fn the_capabilities_that_doctor_names_suffice() {
    if !can_fault() {
        return;
    }
    if Command::new("setcap").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        skip("needs setcap, of libcap2-bin");
        return;
    }
    let place = Place::with_tool();
    // The command that doctor prints, as it stands there.
    let doctor = run(&mut place.tool(&["doctor"])).out;
    let mend = doctor.split("`sudo ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    assert!(mend.starts_with("setcap"), "{mend}");
    assert!(Command::new("sh").args(["-c", mend]).status().unwrap().success(), "{mend}");
    let doctor = run(&mut place.tool(&["doctor"]));
    assert_eq!(doctor.status.code(), Some(0), "{}", doctor.out);

    // A process of one's own, of another user, and a command; each with exact counts.
    let script = "while :; do sleep 0.01; done";
    let own = Target(nobody("sh", &["-c", script]).spawn().unwrap());
    let other = Target::start("sh", &["-c", script]);
    for target in [&own, &other] {
        let report = run(&mut place.tool(&["check", "--json", "-p", &target.pid(), "-d", "400ms"])).json();
        assert!(blocks(&report, "child") > 3, "{report}");
        assert_eq!(report["check"]["counts_agree"], true, "{}", report["check"]);
        // The kernel keeps statistics for CAP_SYS_ADMIN alone.
        let cost = &report["self_cost"]["per_event_ns"];
        assert!(cost["value"].is_null() && cost["provenance"] == "unavailable", "{cost}");
    }
    // The budget is held without the statistics: by the toll of a hook.
    let busy = Target::start("dd", &["if=/dev/zero", "of=/dev/null", "bs=1", "count=100000000"]);
    let flags = ["check", "--json", "--max-overhead", "0.1%", "-d", "2s", "-p", &busy.pid()];
    let report = run(&mut place.tool(&flags)).json();
    assert_eq!(report["window"]["sampled"], true, "{}", report["window"]);
    let share = &report["self_cost"]["target_cpu_ratio"];
    assert!(share["value"].as_f64() > Some(0.001) && share["provenance"] == "modelled", "{share}");
    let twenty = "i=0; while [ $i -lt 20 ]; do sleep 0.005; i=$((i+1)); done";
    let report = run(&mut place.tool(&["check", "--json", "--", "sh", "-c", twenty])).json();
    assert_eq!((blocks(&report, "sleep"), count(&report["quality"]["forks_count"])), (20, 20), "{report}");
    assert_eq!(report["check"]["counts_agree"], true, "{}", report["check"]);

    // This user cannot raise the memory lock limit.
    let tool = place.tool.to_str().unwrap();
    reports(&mut nobody("prlimit", &["--memlock=0:0", tool, "check", "-p", &own.pid(), "-d", "200ms"]));
}
