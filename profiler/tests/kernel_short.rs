//! What the tool does where something is short, with the real binary on the real kernel:
//! descriptors, the memory of its cgroup, room on a disk. Needs root; runs with
//! `--test-threads=1`. `docs/faults.md` names each test.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

use std::{
    fs,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use common::tool::{Ended, TOOL, Target, can_fault, count, run, skip};
use rustix::process::{Pid, Signal};
use should_i_async::report::{TextOptions, stacks};
use should_i_async::{answer::Profile, pipeline::recording::report_of, record::Recording};

/// A shell with so many children, in a process group that ends with the test.
struct Family(Child);

impl Family {
    fn of(children: usize) -> Self {
        let script = "i=0; while [ $i -lt $0 ]; do sleep 300 & i=$((i+1)); done; echo ready; wait";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, &children.to_string()]).process_group(0).stdout(Stdio::piped());
        let mut family = Self(shell.spawn().unwrap());
        let mut ready = [0; 6];
        family.0.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        family
    }

    /// Measures all of it with these soft and hard limits of open files.
    fn measured_with(&self, limit: &str) -> Ended {
        let pid = self.0.id().to_string();
        run(limited(limit).args(["check", "--json", "-p", &pid, "--tree", "-d", "300ms"]))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The tool with these soft and hard limits of open files.
fn limited(limit: &str) -> Command {
    let mut command = Command::new("prlimit");
    command.args([&format!("--nofile={limit}"), TOOL]);
    command
}

#[test]
fn more_processes_than_the_soft_limit_of_descriptors() {
    if !can_fault() {
        return;
    }
    let family = Family::of(1_200);
    for limit in ["1024:20000", "64:20000", "1400:1400"] {
        let report = family.measured_with(limit).json();
        assert_eq!(count(&report["window"]["threads_count"]), 1_201, "{limit}");
        assert_eq!(report["target"]["processes"].as_array().map(Vec::len), Some(1_201), "{limit}");
        assert_eq!(report["window"]["ended"], "duration over", "{limit}");
    }
    for limit in ["1024:1024", "1024:1250"] {
        let hard = limit.split_once(':').unwrap().1;
        let said = format!("the hard limit of open files is {hard}");
        family.measured_with(limit).refusal(5, &["1201 processes", &said, "ulimit -Hn", "LimitNOFILE="]);
    }
}

#[test]
fn fewer_descriptors_than_any_measurement_takes() {
    if !can_fault() {
        return;
    }
    let target = Target::sleeper();
    for limit in ["12:12", "24:24", "24:90"] {
        run(limited(limit).args(["check", "-p", &target.pid()])).refusal(5, &["descriptors", "hard limit"]);
    }
}

/// A command that is measured has the limits that its user gave it: programs with `select` must
/// not be given descriptors above 1,024.
#[test]
fn a_commands_own_limits_stay() {
    if !can_fault() {
        return;
    }
    for soft in ["64", "300", "1024"] {
        let ended = run(limited(&format!("{soft}:20000")).args(["check", "--", "sh", "-c", "ulimit -Sn"]));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        assert_eq!(ended.err.trim(), soft);
    }
}

/// A memory cgroup of the test's own, below the one it runs in.
struct Group(PathBuf);

impl Group {
    /// `None` where none can be made.
    fn new() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = |controller: &str| {
            own.lines().find_map(|line| Some(line.split_once(&format!(":{controller}:"))?.1.to_owned()))
        };
        let name = format!("should-i-async-{}", std::process::id());
        let under = |mount: &str, path: String| PathBuf::from(format!("{mount}{path}")).join(&name);
        let v1 = path("memory").map(|path| under("/sys/fs/cgroup/memory", path));
        let v2 = path("").map(|path| under("/sys/fs/cgroup", path));
        v1.into_iter().chain(v2).find_map(|folder| {
            fs::create_dir(&folder).ok()?;
            let group = Self(folder);
            group.limit_file().is_some().then_some(group)
        })
    }

    fn limit_file(&self) -> Option<PathBuf> {
        let files = ["memory.limit_in_bytes", "memory.max"].map(|file| self.0.join(file));
        files.into_iter().find(|file| file.exists())
    }

    /// The tool in this group.
    fn tool(&self, mib: u64, args: &[&str]) -> Command {
        fs::write(self.limit_file().unwrap(), (mib << 20).to_string()).unwrap();
        let script = "echo $$ > \"$0\" && exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(self.0.join("cgroup.procs")).arg(TOOL).args(args);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Pages of those who ended may be charged for a moment.
        common::tool::within(common::tool::FREED, || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_memory_cgroup_that_is_too_small() {
    if !can_fault() {
        return;
    }
    let Some(group) = Group::new() else {
        skip("needs a memory cgroup");
        return;
    };
    let target = Target::sleeper();
    let pid = target.pid();
    for mib in [16, 24, 32, 48] {
        let said = format!("of the {mib} MiB of this memory cgroup");
        for command in ["check", "record"] {
            run(&mut group.tool(mib, &[command, "-p", &pid])).refusal(5, &["not enough memory", "takes", &said]);
        }
    }
    let larger = run(&mut group.tool(256, &["check", "-p", &pid, "-d", "200ms"]));
    assert_eq!(larger.status.code(), Some(0), "{}", larger.err);
}

/// A recording does without stacks before it does without anything else.
#[test]
fn a_memory_cgroup_with_no_room_for_stacks() {
    if !can_fault() {
        return;
    }
    let Some(group) = Group::new() else {
        skip("needs a memory cgroup");
        return;
    };
    let place = Place::new();
    let target = Target::start("sh", &["-c", "while :; do sleep 0.01; done"]);
    for (mib, taken) in [(66, false), (72, false), (256, true)] {
        let file = place.0.join(format!("{mib}.sia"));
        let ended =
            run(&mut group.tool(mib, &["record", "-p", &target.pid(), "-d", "1s", "-o", file.to_str().unwrap()]));
        assert_eq!(ended.status.code(), Some(0), "{mib} MiB: {}", ended.err);
        let recording = Recording::read(&file).unwrap();
        assert_eq!(recording.sampled.unavailable.is_none(), taken, "{mib} MiB: {:?}", recording.sampled.unavailable);
        assert!(recording.window.sums().voluntary > 0);
        let report = report_of(&recording);
        let shown = stacks(&Profile::new(&report, &recording.window, &recording.sampled), &TextOptions::default());
        assert_eq!(shown.contains("not for stacks"), !taken, "{mib} MiB: {shown}");
    }
}

/// A folder of the test's own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("should-i-async-short-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Records to this file where the disk of its folder is full, with temporary files elsewhere.
fn recorded_on_a_full_disk(full: &Path, file: &Path, temporary: &Path, pid: &str) -> Ended {
    let script = "mount -t tmpfs -o size=4k none \"$0\" || exit 99; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(full);
    command.args([TOOL, "record", "-p", pid, "-d", "300ms", "-o"]).arg(file);
    run(command.env("TMPDIR", temporary))
}

#[test]
fn a_disk_that_is_full_when_a_recording_is_written() {
    if !can_fault() {
        return;
    }
    let place = Place::new();
    let (full, other) = (place.0.join("full"), place.0.join("other"));
    fs::create_dir_all(&full).unwrap();
    fs::create_dir_all(&other).unwrap();
    let target = Target::start("sh", &["-c", "while :; do sleep 0.001; done"]);
    let pid = target.pid();
    let full_disk = "No space left on device (os error 28). Free space there, or choose a path on another disk";
    for (name, folder) in [("a.sia", &full), ("full", &PathBuf::from("/dev"))] {
        let file = folder.join(name);
        let ended = recorded_on_a_full_disk(&full, &file, &other, &pid);
        assert_eq!((ended.status.code(), ended.out.as_str()), (Some(6), ""), "{}", ended.err);
        assert!(ended.err.contains(&format!("cannot write {}: {full_disk}", file.display())), "{}", ended.err);
        assert!(!ended.err.contains("invalid value"), "{}", ended.err);
        // What was measured is kept elsewhere, whole.
        let kept = fs::read_dir(&other).unwrap().next().unwrap().unwrap().path();
        assert!(ended.err.contains(kept.to_str().unwrap()), "{}", ended.err);
        assert!(Recording::read(&kept).unwrap().window.sums().voluntary > 0);
        fs::remove_file(kept).unwrap();
    }
    // Nothing can be written anywhere: the report at least.
    let ended = recorded_on_a_full_disk(&full, &full.join("a.sia"), &full, &pid);
    assert_eq!(ended.status.code(), Some(6), "{}", ended.err);
    assert!(ended.err.contains(full_disk), "{}", ended.err);
    assert!(ended.out.contains("blocking-IO overhead"), "{}", ended.out);
}
