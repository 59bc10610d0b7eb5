//! The live screen in a real terminal: keys sent by tmux, the screen as tmux shows it, a real
//! process behind it. Skipped, loudly, where there is no tmux; in CI that is a failure.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "common/mod.rs"]
mod common;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{
    can_measure, figures,
    tool::{LIMIT, TOOL, Target, skip, within},
    truth::Truth,
};
use rustix::process::{Pid, Signal, kill_process};
use should_i_async::{
    answer,
    calibrate::{self, Calibration, cache},
    demo,
    feed::{self, Feed, Update},
    pipeline::{Request, live},
    process::{self, TargetSpec, resolve},
    quantity::{Tgid, Tid},
    tui::{self, Title},
};

fn has_tmux() -> bool {
    let found = Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success()) || skip("needs tmux")
}

/// A terminal with a shell in it, on a server of its own that ends with the test.
struct Terminal {
    name: String,
    dir: PathBuf,
}

impl Terminal {
    fn open(name: &str, width: u16, height: u16) -> Self {
        let name = format!("sia-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&dir).unwrap();
        let terminal = Self { name, dir };
        let (width, height) = (width.to_string(), height.to_string());
        let dir = terminal.dir.to_str().unwrap();
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, "-c", dir, "sh"]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.name]).args(args);
        command.env("PS1", "$ ").env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        command.env("XDG_CACHE_HOME", calibrated());
        // tmux leaves its socket behind: it goes with the folder.
        command.env("TMUX_TMPDIR", &self.dir);
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line into the shell.
    fn line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Keys by tmux's names.
    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows all of this.
    fn shows(&self, parts: &[&str]) -> String {
        let mut screen = String::new();
        let shown = within(LIMIT, || {
            screen = self.screen();
            parts.iter().all(|part| screen.contains(part))
        });
        assert!(shown, "no {parts:?} in\n{screen}");
        screen
    }

    fn fact(&self, format: &str) -> String {
        self.tmux(&["display-message", "-p", format]).trim().to_owned()
    }

    fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Runs a command as the shell's child, the terminal's settings noted before and after.
    fn start(&self, command: &str) {
        let script = format!(
            "stty -g > before; sh -c 'echo $$ > pid; exec {command}'; echo code=$? > code; stty -g > after; echo back"
        );
        std::fs::write(self.dir.join("run"), script).unwrap();
        self.line(". ./run");
    }

    fn pid(&self) -> Pid {
        let mut pid = None;
        assert!(within(LIMIT, || {
            pid = self.file("pid").trim().parse().ok().and_then(Pid::from_raw);
            pid.is_some()
        }));
        pid.unwrap()
    }

    /// Waits for its end: the terminal has to be as it was.
    fn restored(&self) -> String {
        assert!(within(LIMIT, || self.file("after").ends_with('\n')), "it did not end:\n{}", self.screen());
        assert_eq!(self.file("after"), self.file("before"), "the terminal's settings");
        let screen = self.shows(&["back"]);
        assert_eq!(self.fact("#{alternate_on}"), "0", "still on the alternate screen");
        assert_eq!(self.fact("#{cursor_flag}"), "1", "no cursor");
        assert!(screen.contains("./run"), "what was on the screen before is gone:\n{screen}");
        self.file("code").trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The demo's server under load. Both end with the test, or by themselves after a minute.
struct Busy(demo::Children);

impl Busy {
    fn pid(&self) -> String {
        self.0.server_pid().to_string()
    }
}

/// A cache with this machine's prices. Measuring them here would take a CPU from the target for
/// seconds; other tests do that.
fn calibrated() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("calibrated");
        let measured = Calibration::new(calibrate::measure(Duration::MAX).unwrap(), None);
        cache::store_in(&home.join("should-i-async"), &measured).unwrap();
        home
    })
}

fn busy() -> Busy {
    Busy(demo::Children::start_with(Path::new(TOOL), 8, 60).unwrap())
}

#[test]
fn a_process_is_looked_at_from_every_side_and_the_terminal_is_left_as_it_was() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    let terminal = Terminal::open("views", 120, 40);
    terminal.start(&format!("{TOOL} live --tree -p {}", target.pid()));
    terminal.shows(&["1 overview", "8 log", "overhead", "WALL", "every 1.00 s"]);
    for (key, words) in [
        ("2", "mostly on"),
        ("3", "call, class"),
        ("4", "event loop"),
        ("5", "device"),
        ("6", "IPC over the instructions since a return"),
        ("7", "Blocking cost (CPU)"),
        ("8", "Against the kernel's own counters"),
        ("?", "this help"),
    ] {
        terminal.keys(&[key]);
        terminal.shows(&[words]);
    }
    terminal.keys(&["Escape"]);
    for (width, height) in [(40, 10), (300, 100), (80, 24)] {
        terminal.resize(width, height);
        for key in ["1", "2", "3", "4", "5", "6", "7", "8"] {
            terminal.keys(&[key]);
            terminal.shows(&["q quit"]);
        }
    }
    terminal.resize(39, 12);
    terminal.shows(&["terminal too small (39x12)"]);
    terminal.resize(100, 30);
    terminal.keys(&["1", "Space"]);
    terminal.shows(&["FROZEN"]);
    terminal.keys(&["Space", "-"]);
    terminal.shows(&["every 500 ms"]);
    terminal.keys(&["e", "C-u"]);
    terminal.tmux(&["send-keys", "-l", "seen.json"]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["wrote"]);
    let seen: serde_json::Value = serde_json::from_str(&terminal.file("seen.json")).unwrap();
    assert!(seen["verdict"].is_object(), "{seen}");
    terminal.keys(&["1"]);
    let pid = terminal.pid();
    let before = cpu_ticks(pid);
    std::thread::sleep(Duration::from_secs(4));
    figures!("the screen and its measurement: {} ticks of CPU in 4 s", cpu_ticks(pid) - before);
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
}

/// Each key comes together with the signal that says the terminal has another size.
#[test]
fn no_key_is_lost_when_the_terminal_changes_its_size_meanwhile() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    let terminal = Terminal::open("resized", 100, 30);
    terminal.start(&format!("{TOOL} live -p {}", target.pid()));
    terminal.shows(&["every 1.00 s", "WALL"]);
    for turn in 0..24_u16 {
        let (key, words) = [("8", "Against the kernel's own counters"), ("1", "WALL")][usize::from(turn % 2)];
        let width = (90 + turn).to_string();
        terminal.tmux(&["resize-window", "-x", &width, "-y", "30", ";", "send-keys", key]);
        terminal.shows(&[words]);
    }
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
}

/// User and system time of a process, clock ticks.
fn cpu_ticks(pid: Pid) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_target_that_exits_is_told_of_and_stays_on_the_screen() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    let terminal = Terminal::open("exit", 100, 30);
    terminal.start(&format!("{TOOL} live -p {}", target.pid()));
    terminal.shows(&["every 1.00 s", "WALL"]);
    kill_process(Pid::from_raw(target.0.server_pid() as i32).unwrap(), Signal::KILL).unwrap();
    terminal.shows(&["exited: everything stays"]);
    terminal.keys(&["2"]);
    terminal.shows(&["mostly on"]);
    terminal.keys(&["e", "C-u"]);
    terminal.tmux(&["send-keys", "-l", "seen.txt"]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["wrote"]);
    assert!(!terminal.file("seen.txt").is_empty());
    terminal.keys(&["C-c"]);
    assert_eq!(terminal.restored(), "code=0");
}

#[test]
fn every_signal_gives_the_terminal_back() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let terminal = Terminal::open(&format!("signal{}", signal.as_raw()), 80, 24);
        terminal.start(&format!("{TOOL} live -p {}", target.pid()));
        terminal.shows(&["WALL"]);
        kill_process(terminal.pid(), signal).unwrap();
        terminal.restored();
    }
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    let terminal = Terminal::open("gone", 80, 24);
    terminal.start(&format!("{TOOL} live -p {}", target.pid()));
    terminal.shows(&["WALL"]);
    let pid = terminal.pid();
    terminal.tmux(&["kill-server"]);
    // The process that inherits it may take a while to reap it.
    let (tgid, leader) = (Tgid::from_raw(pid.as_raw_pid() as u32), Tid::from_raw(pid.as_raw_pid() as u32));
    let zombie = || process::snapshot_state(tgid, leader).is_none_or(|s| s.state == 'Z');
    let gone = || zombie() && process::threads(tgid).len() <= 1;
    assert!(within(LIMIT, gone), "it outlived its terminal");
}

#[test]
fn no_color_is_kept_to() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = busy();
    let coloured = |terminal: &Terminal| {
        let screen = terminal.tmux(&["capture-pane", "-p", "-e"]);
        screen.split("\x1b[").skip(1).any(|code| {
            let codes = code.split('m').next().unwrap_or("");
            codes.split(';').any(|n| matches!(n.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
        })
    };
    let terminal = Terminal::open("plain", 100, 30);
    terminal.start(&format!("env NO_COLOR=1 {TOOL} live -p {}", target.pid()));
    terminal.shows(&["WALL"]);
    assert!(!coloured(&terminal), "{}", terminal.tmux(&["capture-pane", "-p", "-e"]));
    terminal.keys(&["q"]);
    terminal.restored();
    let terminal = Terminal::open("colour", 100, 30);
    terminal.start(&format!("env TERM=xterm-256color {TOOL} live -p {}", target.pid()));
    terminal.shows(&["WALL"]);
    assert!(coloured(&terminal));
}

#[test]
fn a_process_is_chosen_from_the_list() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = Target::start("sleep", &["98765"]);
    let terminal = Terminal::open("choose", 100, 30);
    terminal.start(&format!("{TOOL} live"));
    terminal.shows(&["which process?", "switches", "Enter look at it"]);
    terminal.keys(&["/"]);
    terminal.tmux(&["send-keys", "-l", "sleep 98765"]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["1 of 1", &target.pid()]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["1 overview", &format!("({})", target.pid())]);
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
    let terminal = Terminal::open("leave", 100, 30);
    terminal.start(&format!("{TOOL} live"));
    terminal.shows(&["which process?"]);
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
}

#[test]
fn the_machine_is_looked_at_and_one_row_of_it_more_closely() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let target = Target::start("bash", &["-c", "while read -t 0.02 line || :; do :; done"]);
    let terminal = Terminal::open("machine", 120, 30);
    terminal.start(&format!("{TOOL} top"));
    terminal.shows(&["by process:", "mostly on", "async?", &target.pid()]);
    terminal.keys(&["b"]);
    terminal.shows(&["by container:", "outside"]);
    terminal.keys(&["b"]);
    terminal.shows(&["by cgroup:"]);
    terminal.keys(&["b"]);
    terminal.shows(&["by process:", &target.pid()]);
    terminal.keys(&["/"]);
    terminal.tmux(&["send-keys", "-l", &target.pid()]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["1 of 1"]);
    terminal.keys(&["Enter"]);
    terminal.shows(&["1 overview", &format!("({})", target.pid())]);
    terminal.keys(&["q"]);
    // Back on the list.
    terminal.shows(&["by process:", "async?"]);
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
}

#[test]
fn the_stalls_of_a_loop_are_watched() {
    if !has_tmux() || !can_measure() {
        return;
    }
    let mut target = Truth::start(&["loop-burns", "--n", "2500"]);
    let terminal = Terminal::open("stalls", 120, 40);
    terminal.start(&format!("{TOOL} stalls --live --exact -p {}", target.pid()));
    terminal.shows(&["10.0 ms or longer", "COST"]);
    target.go();
    terminal.shows(&["LOOPS", "stood still", "INSTEAD", "spin", "WORST"]);
    terminal.keys(&["Space"]);
    terminal.shows(&["frozen"]);
    terminal.keys(&["Space", "?"]);
    terminal.shows(&["this help", "freeze the screen"]);
    terminal.keys(&["q"]);
    terminal.shows(&["LOOPS"]);
    terminal.keys(&["q"]);
    assert_eq!(terminal.restored(), "code=0");
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let output = Command::new(TOOL).args(["live", "-p", "1"]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("terminal") && error.contains("check"), "{error}");
    assert!(output.stdout.is_empty());
    let output = Command::new(TOOL).args(["stalls", "--live", "-p", "1"]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains("`stalls --live` needs a terminal"), "{error}");
}

/// A feed that panics at its second update, on the screen's own thread or on another.
struct Panics {
    elsewhere: bool,
    asked: u32,
}

impl Feed for Panics {
    fn next(&mut self, _: Duration) -> Option<Update> {
        self.asked += 1;
        if self.asked == 10 {
            if self.elsewhere {
                let _ = std::thread::spawn(|| panic!("on purpose, elsewhere")).join();
            } else {
                panic!("on purpose, here");
            }
        }
        None
    }

    fn send(&mut self, _: feed::Command) {}
}

/// Not a test: what `a_panic_gives_the_terminal_back` runs in its terminal.
#[test]
fn panicking_screen() {
    let Ok(place) = std::env::var("SIA_TEST_PANIC") else { return };
    let mut feed = Panics { elsewhere: place == "elsewhere", asked: 0 };
    let stop = AtomicBool::new(false);
    let shown = tui::run(&mut feed, &Title::default(), &stop);
    assert!(shown.is_err() && !stop.load(Ordering::Relaxed));
}

#[test]
fn a_panic_gives_the_terminal_back_and_its_message_is_seen() {
    if !has_tmux() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    for place in ["here", "elsewhere"] {
        let terminal = Terminal::open(&format!("panic-{place}"), 100, 30);
        let run = "--exact panicking_screen --nocapture --test-threads 1";
        terminal.start(&format!("env RUST_BACKTRACE=0 SIA_TEST_PANIC={place} {} {run}", this.display()));
        terminal.shows(&[&format!("on purpose, {place}")]);
        terminal.restored();
    }
}

/// Snapshots in mid-measurement see the target alone. The profiler's own threads make far more
/// calls, of other kinds, and none of these is seen.
#[test]
fn looks_are_of_the_target_alone() {
    if !can_measure() {
        return;
    }
    let target = busy();
    let spec = TargetSpec { pids: vec![target.0.server_pid()], ..TargetSpec::default() };
    let request = Request { price: true, ..Request::exact(resolve(&spec).unwrap()) };
    let mut feed = live::Live::begin(request, Arc::new(AtomicBool::new(false)));
    let mut looks = Vec::new();
    within(LIMIT, || {
        if let Some(Update::Snapshot(look)) = feed.next(Duration::from_millis(200)) {
            looks.push(look);
        }
        looks.len() >= 3
    });
    feed.end().unwrap();
    for look in &looks {
        assert!(
            look.whole.threads.iter().all(|t| t.tgid.as_raw() == target.0.server_pid()),
            "{:?}",
            look.whole.threads
        );
        assert!(look.last.sites.iter().any(|s| s.syscall == "recvfrom" && s.calls > 100), "{:?}", look.last.sites);
        assert!(look.last.sites.iter().all(|s| s.syscall != "bpf"), "{:?}", look.last.sites);
    }
    // Every look has all that the one before had, and the interval is the difference.
    let calls = |report: &answer::Report| report.sites.iter().map(|s| s.calls).sum::<u64>();
    for pair in looks.windows(2) {
        assert_eq!(calls(&pair[1].whole) - calls(&pair[0].whole), calls(&pair[1].last));
    }
    assert!(looks.len() >= 3, "{} looks", looks.len());
}
