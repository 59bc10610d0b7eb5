//! The tool as a user starts it, while it runs, ends or refuses; targets that end with their test;
//! BPF programs by their ids.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    os::fd::{FromRawFd as _, OwnedFd},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions};
use serde_json::Value;

pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_should-i-async");
/// Far longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The kernel frees programs a moment after their last user (RCU).
pub(crate) const FREED: Duration = Duration::from_secs(3);
pub(crate) const NOBODY: u32 = 65534;

/// Whether tests of faults can run here: they need root, to become other users and to cover parts
/// of /sys.
pub(crate) fn can_fault() -> bool {
    if !super::can_measure() {
        return false;
    }
    if rustix::process::geteuid().is_root() {
        return true;
    }
    skip("needs root")
}

pub(crate) fn skip(why: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI must run this test");
    let _ = writeln!(std::io::stdout(), "SKIPPED ({why})");
    false
}

/// Polls until something holds; false if it takes too long.
pub(crate) fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
}

/// A process that is ended with the test.
pub(crate) struct Target(pub(crate) Child);

impl Target {
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        Self(Command::new(program).args(args).stdin(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn sleeper() -> Self {
        Self::start("sleep", &["60"])
    }

    pub(crate) fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tool as a process that runs.
pub(crate) struct Live {
    pub(crate) child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
    /// What it has said so far.
    said: Arc<Mutex<String>>,
    /// Whether it was asked to log: its log is no message.
    logs: bool,
    pub(crate) programs: Vec<u32>,
}

pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn reader(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

impl Drop for Live {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Live {
    pub(crate) fn spawn(command: &mut Command, out: Stdio) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().map(reader);
        let (said, mut stderr) = (Arc::default(), BufReader::new(child.stderr.take().unwrap()));
        let err = std::thread::spawn({
            let said: Arc<Mutex<String>> = Arc::clone(&said);
            move || {
                let mut line = String::new();
                while stderr.read_line(&mut line).unwrap() > 0 {
                    said.lock().unwrap().push_str(&std::mem::take(&mut line));
                }
                said.lock().unwrap().clone()
            }
        });
        Self { child, out, err: Some(err), said, logs: false, programs: Vec::new() }
    }

    /// Returns once events count, and it has said so: it talks (`-v`).
    pub(crate) fn measuring(args: &[&str]) -> Self {
        let mut live = Self::spawn(tool(args).arg("-v"), Stdio::piped());
        live.logs = true;
        assert!(within(LIMIT, || live.said().contains(" threads, ")), "{}", live.said());
        live
    }

    /// Returns once programs are attached. Events may not count yet: what the programs cost is
    /// measured first.
    pub(crate) fn attached(command: &mut Command, out: Stdio) -> Self {
        let mut live = Self::spawn(command, out);
        let pid = live.child.id();
        assert!(within(LIMIT, || live.child.try_wait().unwrap().is_some() || fd_values(pid, "link_id:").len() > 6));
        live.programs = fd_values(pid, "prog_id:");
        assert!(!live.programs.is_empty() && live.programs.iter().all(|&id| is_loaded(id)), "{command:?}");
        sleep(Duration::from_millis(200));
        live
    }

    /// What it has said so far.
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and until nothing of it is in the kernel any more.
    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        if !within(LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        }) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            panic!("it did not end");
        }
        let gone = within(FREED, || !self.programs.iter().any(|&id| is_loaded(id)));
        assert!(gone, "programs {:?} outlived it", self.programs);
        let out = self.out.take().map(|out| out.join().unwrap()).unwrap_or_default();
        let mut err = self.err.take().unwrap().join().unwrap();
        if self.logs {
            err = err.split_inclusive('\n').filter(|line| !line.starts_with('[')).collect();
        }
        assert!(!err.contains("panicked"), "{err}");
        assert!(!out.contains('\x1b') && !err.contains('\x1b'), "codes for a terminal that is none:\n{out}{err}");
        Ended { status: status.unwrap(), out, err }
    }
}

/// Numbers of a process's BPF descriptors: programs have `prog_id`, links have `link_id` and the
/// program's `prog_id`.
pub(crate) fn fd_values(pid: u32, key: &str) -> Vec<u32> {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Vec::new() };
    let texts = fds.filter_map(|fd| std::fs::read_to_string(fd.ok()?.path()).ok());
    let mut values: Vec<u32> =
        texts.filter_map(|text| text.lines().find_map(|l| l.strip_prefix(key))?.trim().parse().ok()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Whether the kernel still has a program of that number; numbers are not given again soon.
pub(crate) fn is_loaded(id: u32) -> bool {
    // BPF_PROG_GET_FD_BY_ID of include/uapi/linux/bpf.h; its attributes are the id and two words
    // that are zero.
    const GET_FD_BY_ID: libc::c_int = 13;
    let attributes = [id, 0, 0];
    // SAFETY: reads twelve bytes of attributes and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, GET_FD_BY_ID, attributes.as_ptr(), size_of_val(&attributes)) };
    if fd >= 0 {
        // SAFETY: new, and nobody else's.
        drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        return true;
    }
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOENT));
    false
}

pub(crate) fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(TOOL);
    command.args(args);
    command
}

pub(crate) fn run(command: &mut Command) -> Ended {
    Live::spawn(command, Stdio::piped()).end()
}

/// It reports: exit code 0, the report on stdout, nothing on stderr.
pub(crate) fn reports(command: &mut Command) -> String {
    run(command).report()
}

impl Ended {
    pub(crate) fn report(self) -> String {
        assert_eq!((self.status.code(), self.err.as_str()), (Some(0), ""), "{}", self.out);
        assert!(self.out.lines().count() > 10, "{}", self.out);
        self.out
    }

    /// One JSON object and nothing else.
    pub(crate) fn json(self) -> Value {
        let value: Value = serde_json::from_str(&self.report()).unwrap();
        assert_eq!(value["schema_version"], should_i_async::report::SCHEMA_VERSION);
        value
    }

    /// It refuses: the exit code, one message with these words, and nothing on stdout.
    pub(crate) fn refusal(self, code: i32, words: &[&str]) {
        assert_eq!((self.status.code(), self.out.as_str()), (Some(code), ""), "{}", self.err);
        assert!(self.err.starts_with("should-i-async: ") && self.err.trim_end().lines().count() == 1, "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no '{word}' in {}", self.err);
        }
    }
}

pub(crate) fn count(value: &Value) -> u64 {
    value["value"].as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

/// Blocks of a class over all threads.
pub(crate) fn blocks(report: &Value, class: &str) -> u64 {
    let classes = report["wall"]["blocked"].as_array().unwrap();
    classes.iter().find(|c| c["class"] == class).map_or(0, |c| count(&c["blocks_count"]))
}

/// Runs the tool where these folders are empty.
pub(crate) fn covered(folders: &str, args: &[&str]) -> Command {
    let script = "for f in $0; do [ ! -d $f ] || mount -t tmpfs none $f || exit 99; done; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, folders, TOOL]).args(args);
    command
}

/// Whether every child, and every orphan that came to this process, is gone and reaped.
pub(crate) fn without_orphans(test: impl FnOnce()) {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    test();
    let left = rustix::process::wait(WaitOptions::NOHANG);
    rustix::process::set_child_subreaper(None).unwrap();
    assert_eq!(left.err(), Some(rustix::io::Errno::CHILD), "a process was left behind");
}
