//! The command line without the kernel side: help, flags that make no sense, targets that cannot be
//! measured, commands that cannot be run. No test here needs rights. `docs/faults.md` names each.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    fs::File,
    io::{Read as _, Write as _, pipe},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_should-i-async"));
    command.args(args);
    command
}

fn reader(mut from: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// Runs it to its end; one that takes too long is ended, and fails the test.
fn run(command: &mut Command) -> Ended {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
    let code = wait(&mut child);
    let ended = Ended { code, out: out.join().unwrap(), err: err.join().unwrap() };
    assert!(!ended.err.contains("panicked"), "{command:?}: {}", ended.err);
    ended
}

fn wait(child: &mut Child) -> Option<i32> {
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("it did not end");
}

/// Refuses: that exit code, a message with these words, and nothing on stdout.
fn refuses(args: &[&str], code: i32, words: &[&str]) -> String {
    let ended = run(&mut tool(args));
    assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.err);
    assert_eq!(ended.out, "", "{args:?}");
    for word in words {
        assert!(ended.err.contains(word), "{args:?}: no '{word}' in {}", ended.err);
    }
    ended.err
}

/// As [`refuses`], and the message is a single line of our own.
fn says(args: &[&str], code: i32, words: &[&str]) {
    let text = refuses(args, code, words);
    assert!(text.starts_with("should-i-async: ") && text.trim_end().lines().count() == 1, "{args:?}: {text}");
}

struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Larger than any PID that a kernel gives (`PID_MAX_LIMIT`).
const NOBODYS_PID: &str = "4194305";

#[test]
fn help_and_version_go_to_stdout() {
    for args in [&["--help"][..], &["-h"], &["help", "check"], &["check", "--help"], &["doctor", "--help"]] {
        let ended = run(&mut tool(args));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.out.contains("Usage:"), "{args:?}: {}", ended.out);
        assert!(!ended.out.contains('\x1b') && ended.out.lines().all(|l| l.chars().count() <= 100), "{}", ended.out);
    }
    let help = run(&mut tool(&["--help"])).out;
    for command in ["check", "doctor", "demo"] {
        assert!(help.contains(command), "{help}");
    }
    for hidden in ["launch", "demo-server", "empty-hooks"] {
        assert!(!help.contains(hidden), "{help}");
    }
    for args in [&["--version"][..], &["-V"], &["check", "--version"]] {
        let ended = run(&mut tool(args));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.out.contains(env!("CARGO_PKG_VERSION")), "{}", ended.out);
    }
}

#[test]
fn help_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
    for args in [&["--help"][..], &["--version"], &["doctor"], &["schema"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = tool(args).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(6), "{args:?} into a full device");
        let (read, write) = pipe().unwrap();
        drop(read);
        let status = tool(args).stdout(write).stderr(Stdio::null()).status().unwrap();
        // doctor may find something missing.
        assert!(matches!(status.code(), Some(0 | 1)), "{args:?} into a closed pipe: {status}");
    }
}

#[test]
fn no_command_and_unknown_ones_show_the_usage() {
    refuses(&[], 2, &["Usage:", "check"]);
    refuses(&["chekc"], 2, &["chekc", "check"]);
    refuses(&["check", "--duratoin", "1s"], 2, &["--duratoin", "--duration"]);
}

#[test]
fn no_target() {
    says(&["check"], 2, &["-p PID", "-- CMD"]);
    says(&["check", "--json"], 2, &["-p PID"]);
    says(&["check", "--"], 2, &["-p PID"]);
}

#[test]
fn bad_durations() {
    for duration in ["0", "0s", "0ms", "1us", "-1s", "-5", "abc", "5parsecs", "1e99s", "NaN", "inf", "", "25h"] {
        for json in [&[][..], &["--json"]] {
            let args = [&["check", "-p", "1", "-d", duration][..], json].concat();
            says(&args, 2, &["bad duration", "give it like 500ms, 10s, 2m or 1h30m"]);
        }
    }
    says(&["demo", "-d", "0"], 2, &["bad duration"]);
    says(&["demo", "-d", "2h"], 2, &["an hour at most"]);
    says(&["demo", "--connections", "0"], 2, &["1 to 4096"]);
}

/// Long ones are taken: only the process is missing.
#[test]
fn long_durations_are_taken() {
    for duration in ["10h", "1h30m", "90m", "1d", "1m 30s", "86400"] {
        says(&["check", "-p", "4194305", "-d", duration], 3, &["no process"]);
    }
    for duration in ["2d", "24h1s", "1d1h"] {
        says(&["check", "-p", "1", "-d", duration], 2, &["longer than a day"]);
    }
}

/// No tip is a command that would do something else: `-- -1` would run `-1`.
#[test]
fn no_tip_would_run_a_command() {
    let wrong = [&["-p", "-1"][..], &["-t", "-5"], &["--max-threads", "-1"], &["--bogus"], &["-p", "1", "-7"]];
    for (command, args) in ["check", "record", "live"].into_iter().flat_map(|c| wrong.map(|args| (c, args))) {
        let all = [&[command][..], args].concat();
        let err = refuses(&all, 2, &["error: ", "--help"]);
        assert!(!err.contains("-- -"), "{all:?}: {err}");
    }
}

#[test]
fn a_list_of_the_machine_that_is_no_screen() {
    for flags in [&["--json"][..], &["-d", "2s"], &["-n", "5"]] {
        says(&[&["top"][..], flags].concat(), 2, &["goes with --once"]);
    }
    says(&["top"], 2, &["`top` needs a terminal", "top --once"]);
    says(&["top", "--once", "-d", "0"], 2, &["bad duration"]);
    refuses(&["top", "--once", "--by", "colour"], 2, &["process", "container", "cgroup"]);
}

#[test]
fn stalls_that_cannot_be_written_or_have_no_length() {
    says(&["stalls", "-p", "1", "-o", "a.html"], 2, &["a.html", "stalls are written as", ".folded"]);
    says(&["stalls", "-p", "1", "-o", "/nowhere/a.svg"], 6, &["/nowhere/a.svg"]);
    says(&["stalls", "-p", "1", "--over", "0"], 2, &["bad duration"]);
    says(&["stalls", "--over", "1ms"], 2, &["-p"]);
    says(&["stalls", "--live", "-p", "1"], 2, &["needs a terminal", "use `stalls` without it"]);
    refuses(&["stalls", "--live", "--json", "-p", "1"], 2, &["cannot be used with"]);
}

#[test]
fn addresses_that_cannot_be_listened_on() {
    for address in ["x", "9470", "127.0.0.1", "unix:", "example.org:80", "127.0.0.1:99999"] {
        says(&["serve", "--listen", address], 2, &["bad --listen", address, "127.0.0.1:9470"]);
    }
    for address in ["0.0.0.0:9470", "[::]:9470", "192.0.2.1:80"] {
        says(&["serve", "--listen", address], 2, &[address, "from other machines", "unix:PATH"]);
    }
    says(&["serve", "--token-file", "/nowhere/token"], 2, &["cannot read /nowhere/token", "chmod 600"]);
    let file = std::env::temp_dir().join(format!("should-i-async-token-{}", std::process::id()));
    std::fs::write(&file, "0123456789abcdef").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    says(&["serve", "--token-file", file.to_str().unwrap()], 2, &["can be read by other users", "chmod 600"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, "short").unwrap();
    says(&["serve", "--token-file", file.to_str().unwrap()], 2, &["holds no token", "16 characters"]);
    std::fs::remove_file(&file).unwrap();
    says(&["serve", "--top", "0"], 2, &["bad --top '0'"]);
    says(&["serve", "-p", "4194305"], 3, &["there is no process 4194305"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let target = std::process::id().to_string();
    says(&["serve", "-p", &target, "--listen", &address], 6, &["cannot listen on", &address, "--listen"]);
    says(&["serve", "-p", &target, "--listen", "unix:/nowhere/socket"], 6, &["cannot listen on unix:/nowhere/socket"]);
}

/// Six MB that unpack to 4.2 GiB take neither the memory nor the time that this would.
#[test]
fn recordings_that_unpack_to_more_than_any_does() {
    let file = std::env::temp_dir().join(format!("should-i-async-bomb-{}.sia", std::process::id()));
    let mut packed = flate2::write::GzEncoder::new(b"sia-rec\n\x02\0\0\0".to_vec(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..=1024 {
        packed.write_all(&zeros).unwrap();
    }
    std::fs::write(&file, packed.finish().unwrap()).unwrap();
    let path = file.to_str().unwrap();
    let said = ["unpacks to more than", "--any-size", path];
    for args in [&["report", path][..], &["diff", path, path], &["predict-check", path, path]] {
        says(args, 2, &said);
    }
    // With the flag it is read, and found to be no recording.
    says(&["report", path, "--any-size"], 2, &["is damaged"]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn bad_budgets_and_rooms() {
    for budget in ["0", "0%", "101%", "-3%", "x", "", "NaN", "3%%"] {
        says(&["check", "-p", "1", "--max-overhead", budget], 2, &["--max-overhead", "like 3%"]);
    }
    refuses(&["check", "-p", "1", "--exact", "--max-overhead", "3%"], 2, &["--exact", "--max-overhead"]);
    for (flag, n) in [("--max-threads", "0"), ("--max-threads", "4194305"), ("--max-sites", "15")] {
        says(&["check", "-p", "1", flag, n], 2, &[flag, "give a number between 16 and"]);
    }
    refuses(&["check", "-p", "1", "--max-threads", "-1"], 2, &["'-1'"]);
    refuses(&["check", "-p", "1", "--max-sites", "many"], 2, &["--max-sites"]);
}

#[test]
fn bad_pids() {
    for pid in ["abc", "-1", "", "1,", "99999999999", "1.5"] {
        let shown = format!("'{}'", pid.trim_start_matches("1,"));
        refuses(&["check", "-p", pid], 2, &[&shown]);
    }
    refuses(&["check", "-t", "abc"], 2, &["--tid"]);
}

#[test]
fn a_pid_and_a_command() {
    says(&["check", "-p", "1", "--", "true"], 2, &["not both"]);
    says(&["check", "-t", "1", "--", "true"], 2, &["not both"]);
}

#[test]
fn names_that_nothing_has_or_that_make_no_sense() {
    for (flag, name, hint) in [
        ("--name", "^no such program$", "ps -ef"),
        ("--unit", "no-such-unit", "systemctl"),
        ("--cgroup", "/no/such/group", "systemd-cgls"),
        ("--container", "no-such-container", "containers that run here"),
        ("--pod", "nowhere/none", "/var/log/pods"),
    ] {
        says(&["check", flag, name], 3, &["nothing that runs is", flag, name, hint]);
    }
    for (flag, name, hint) in [
        ("--name", "(", "open group"),
        ("--unit", "a/b", "--cgroup"),
        ("--cgroup", "/", "every process"),
        ("--cgroup", "/sys/fs/cgroup", "every process"),
        ("--container", "a b", "letters"),
        ("--pod", "web", "NAMESPACE/NAME"),
    ] {
        says(&["check", flag, name], 2, &["bad", flag, hint]);
    }
    says(&["check", "--unit", "a", "--", "true"], 2, &["not both"]);
}

#[test]
fn a_name_that_several_have() {
    // Two that are one tree: the outer one has started the inner one.
    let name = format!("sia-several-{}", std::process::id());
    let script = scratch(&name, b"#!/bin/sh\n[ -n \"$1\" ] || sh \"$0\" inner & sleep 60\n");
    let mut outer = Command::new("sh").arg(&script).spawn().unwrap();
    let ask = || run(&mut tool(&["check", "--name", &format!("^sia-cli-.*{name}$")]));
    let mut listed = ask();
    for _ in 0..100 {
        if listed.err.contains("2 processes") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        listed = ask();
    }
    assert_eq!((listed.code, listed.out.as_str()), (Some(3), ""), "{}", listed.err);
    let pid = outer.id();
    assert!(listed.err.contains(&format!("--tree for {pid}")) && listed.err.contains(&script), "{}", listed.err);
    for child in std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap().split_whitespace() {
        let all = std::fs::read_to_string(format!("/proc/{child}/task/{child}/children")).unwrap();
        for pid in all.split_whitespace().chain([child]) {
            let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    outer.kill().unwrap();
    outer.wait().unwrap();
    std::fs::remove_file(script).unwrap();
}

#[test]
fn bad_flags_never_start_the_command() {
    let trace = std::env::temp_dir().join(format!("should-i-async-cli-{}", std::process::id()));
    let command = ["--", "touch", trace.to_str().unwrap()];
    for flags in [["-d", "0"], ["--max-overhead", "0%"], ["--max-threads", "1"], ["-p", "1"]] {
        says(&[&["check"][..], &flags, &command].concat(), 2, &[]);
        assert!(!trace.exists(), "{flags:?} started the command");
    }
}

#[test]
fn no_such_pid() {
    says(&["check", "-p", NOBODYS_PID], 3, &["there is no process 4194305", "pgrep"]);
    says(&["check", "--json", "-p", NOBODYS_PID], 3, &["there is no process 4194305"]);
    says(&["check", "-p", "4294967295"], 3, &["there is no process"]);
    says(&["check", "-t", NOBODYS_PID], 3, &["there is no thread 4194305", "/task"]);
    says(&["check", "-p", "0"], 3, &["idle task"]);
    let sleeper = Sleeper::start();
    says(&["check", "-p", &format!("{},{NOBODYS_PID}", sleeper.pid())], 3, &["there is no process 4194305"]);
}

#[test]
fn a_process_that_has_just_ended_and_was_reaped() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    says(&["check", "-p", &child.id().to_string()], 3, &["there is no process"]);
}

#[test]
fn a_kernel_thread() {
    // PF_KTHREAD of include/linux/sched.h, in the flags of stat: the seventh field after the name.
    let is_kernel_thread = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let flags = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(6)?.parse::<u64>().ok());
        flags.is_some_and(|flags| flags & 0x0020_0000 != 0)
    };
    // A container with a PID namespace of its own shows none.
    if let Some(pid) = (2..200).find(|&pid| is_kernel_thread(pid)) {
        says(&["check", "-p", &pid.to_string()], 3, &["is a kernel thread", "give the PID of a process"]);
    }
}

#[test]
fn a_zombie() {
    let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    // End of file: it has exited, or is about to.
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let until = Instant::now() + LIMIT;
    while !stat().contains(") Z ") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    let parent = format!("its parent {}", std::process::id());
    says(&["check", "-p", &child.id().to_string()], 3, &["is a zombie", &parent]);
    child.wait().unwrap();
}

#[test]
fn a_threads_id_where_a_process_is_asked_for() {
    let (ready, id) = channel();
    let (end, wait) = channel::<()>();
    let thread = std::thread::spawn(move || {
        ready.send(rustix::thread::gettid().as_raw_nonzero().to_string()).unwrap();
        let _ = wait.recv();
    });
    let (tid, own) = (id.recv().unwrap(), std::process::id());
    says(&["check", "-p", &tid], 3, &[&format!("thread of process {own}"), &format!("-p {own} -t {tid}")]);
    let sleeper = Sleeper::start();
    says(&["check", "-p", &sleeper.pid(), "-t", &tid], 3, &[&format!("use -p {own} -t {tid}")]);
    drop(end);
    thread.join().unwrap();
}

#[test]
fn should_i_async_itself() {
    // exec keeps the PID.
    let program = env!("CARGO_BIN_EXE_should-i-async");
    let ended = run(Command::new("sh").args(["-c", "exec \"$0\" check -p $$", program]));
    assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{}", ended.err);
    assert!(ended.err.contains("is should-i-async itself"), "{}", ended.err);
}

#[test]
fn another_users_process_without_rights() {
    // For root, `kernel_faults` does it as another user.
    if rustix::process::geteuid().is_root() {
        return;
    }
    says(&["check", "-p", "1"], 4, &["process 1", "cap_sys_ptrace"]);
}

#[test]
fn the_schema_is_json() {
    let ended = run(&mut tool(&["schema"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert!(schema["properties"]["schema_version"].is_object(), "{schema}");
    let kept: serde_json::Value = serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap();
    assert!(schema == kept, "docs/report.schema.json is of another version: run `cargo xtask schema`");
    let of_top: serde_json::Value = serde_json::from_str(&run(&mut tool(&["schema", "--top"])).out).unwrap();
    let kept: serde_json::Value = serde_json::from_str(include_str!("../../docs/top.schema.json")).unwrap();
    assert!(of_top == kept, "docs/top.schema.json is of another version: run `cargo xtask schema`");
}

#[test]
fn the_table_of_faults_names_every_test() {
    let table = include_str!("../../docs/faults.md");
    for (file, source) in [("cli", include_str!("cli.rs")), ("kernel_faults", include_str!("kernel_faults.rs"))] {
        let tests = source.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        for test in tests.filter(|test| !test.starts_with("the_table")) {
            assert!(table.contains(&format!("`{file}::{test}`")), "docs/faults.md lacks {file}::{test}");
        }
        for named in table.split(&format!("`{file}::")).skip(1).filter_map(|rest| rest.split('`').next()) {
            assert!(source.contains(&format!("fn {named}()")), "there is no test {file}::{named}");
        }
    }
}

/// A scratch file of this test.
fn scratch(name: &str, content: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("sia-cli-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_that_are_no_recordings() {
    let foreign = scratch("foreign", b"hello");
    let cut = scratch("cut", b"sia-rec\n\x01\0\0\0\x1f\x8b");
    let newer = scratch("newer", b"sia-rec\n\x63\0\0\0");
    for (file, words) in [
        ("no/such/file", "cannot read no/such/file"),
        (&foreign, "is no recording of should-i-async: make one with"),
        (&cut, "is cut off"),
        (&newer, "has format 99, this build reads 1"),
    ] {
        says(&["report", file], 2, &[words]);
        says(&["diff", file, file], 2, &[words]);
        says(&["predict-check", file, file], 2, &[words]);
    }
    [foreign, cut, newer].iter().for_each(|file| std::fs::remove_file(file).unwrap());
}

#[test]
fn a_recording_that_cannot_be_written_is_told_before_it_is_made() {
    let sleeper = Sleeper::start();
    let begun = Instant::now();
    for keep in [["record", "-o"], ["check", "--record"]] {
        let [command, flag] = keep;
        let flags = [command, "-p", &sleeper.pid(), "-d", "25s", flag, "no/such/folder/a.sia"];
        says(&flags, 6, &["cannot write", "no/such/folder/a.sia"]);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "it measured first");
}

#[test]
fn a_worth_that_makes_no_sense() {
    says(&["check", "-p", "1", "--worth", "much"], 2, &["bad --worth", "5%"]);
    says(&["report", "a.sia", "--worth", "-3%"], 2, &["bad --worth", "5%"]);
    says(&["report", "a.sia", "--worth", "101%"], 2, &["--worth", "100%"]);
}

#[test]
fn comparisons_that_make_no_sense() {
    says(&["diff", "a", "b", "--per", "a b"], 2, &["bad --per", "recvfrom"]);
    says(&["diff", "a", "b", "--fail-above", "much"], 2, &["bad --fail-above", "5%"]);
    says(&["diff", "a", "b", "-o", "picture.png"], 2, &[".svg"]);
    says(&["predict-check", "a", "b", "--per", "cpu-second"], 2, &["is always 1"]);
    says(&["predict-check", "a", "b", "--per", "second,recvfrom"], 2, &["cannot be compared"]);
    for name in ["", "-a", "my server", "a/b"] {
        says(&["predict-check", "a", "b", &format!("--row={name}")], 2, &["bad --row", "myserver-c64-epoll"]);
    }
    refuses(&["diff", "a"], 2, &["AFTER"]);
}
