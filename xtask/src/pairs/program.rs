//! A public program as the harness runs it: one process or a tree of them, on one CPU, and a load
//! that counts for it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    harness::row::{Active, Count, Ended, Program, Start},
    host::{
        child::{Running, wait_until},
        clocks,
    },
};

/// The target has a CPU to itself; its load has the other one.
pub(super) const TARGET_CPU: &str = "0";
/// Until a server answers: a JVM and its classes take a while.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Who counts the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is a server: its load does.
    Load,
    /// The device under the file that it reads or writes: requests that were done.
    Device,
    /// Nobody: it computes, and a µs of CPU stands for an operation.
    Clock,
}

/// One form of a public program.
pub(super) struct Public {
    pub(super) name: &'static str,
    /// Its words as in the table of rows, for readers.
    pub(super) shown: String,
    /// Its words with `{port}` to be filled in.
    pub(super) words: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) counted: Counted,
    /// What is read or written.
    pub(super) file: PathBuf,
}

impl Program for Public {
    fn name(&self) -> &str {
        self.name
    }

    fn line(&self) -> String {
        self.shown.clone()
    }

    fn start(&self, start: &Start) -> Result<Box<dyn Active>> {
        let port = free_port()?;
        let words = self.words.iter().map(|word| word.replace("{port}", &port.to_string()));
        let mut command = Command::new("taskset");
        command.args(["-c", TARGET_CPU]).args(words).current_dir(&self.folder);
        let counter = match self.counted {
            Counted::Load => Counter::Load,
            Counted::Device => Counter::Device(device_of(&self.file)?),
            Counted::Clock => Counter::Clock,
        };
        // From here on whatever happens ends all of its processes.
        let mut served = Served::new(Running::start(&mut command)?, port, counter)?;
        if self.counted == Counted::Load {
            wait_until("the server does not listen", start.deadline.at_most(READY_WITHIN)?, || {
                served.check_alive()?;
                Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
            })?;
        }
        served.look();
        Ok(Box::new(served))
    }
}

/// A port that nobody listens on.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

enum Counter {
    Load,
    /// The device's `stat` in sysfs.
    Device(PathBuf),
    Clock,
}

/// The counters of the device that a file is on.
fn device_of(file: &Path) -> Result<PathBuf> {
    let number = fs::metadata(file).with_context(|| format!("{}", file.display()))?.dev();
    let (major, minor) = (libc::major(number), libc::minor(number));
    let path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
    anyhow::ensure!(path.exists(), "the file system of {} is on no block device of its own", file.display());
    Ok(path)
}

/// Requests that a device has done, merged ones too: Documentation/block/stat.rst.
fn requests(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat.split_whitespace().map_while(|field| field.parse().ok()).collect();
    [0, 1, 4, 5].iter().map(|&field| fields.get(field).copied()).sum()
}

/// A process and its descendants.
#[derive(Debug)]
struct Tree(Vec<Member>);

/// A process, told from a later one with its number by the time of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    started: u64,
}

impl Tree {
    fn of(pid: u32) -> Self {
        let mut members: Vec<Member> = Member::of(pid).into_iter().collect();
        let mut next = 0;
        while let Some(member) = members.get(next) {
            members.extend(children(member.pid));
            next += 1;
        }
        Self(members)
    }

    /// CPU of those that live.
    fn cpu(&self) -> Duration {
        self.0.iter().filter_map(|member| clocks::process_cpu(member.pid).ok()).sum()
    }

    fn signal(&self, signal: Signal) {
        // The first one first: it must not start again what goes.
        for member in self.0.iter().filter(|member| Member::of(member.pid).as_ref() == Some(member)) {
            if let Some(pid) = Pid::from_raw(member.pid.cast_signed()) {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Member {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which may hold anything: proc(5), field 22.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let lives = fields.next()? != "Z";
        let started = fields.nth(18)?.parse().ok()?;
        lives.then_some(Self { pid, started })
    }
}

fn children(pid: u32) -> Vec<Member> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| Member::of(pid.parse().ok()?)).collect::<Vec<_>>())
        .collect()
}

/// A public program that runs.
struct Served {
    running: Running,
    port: u16,
    /// The first process: its number may be another's once it has ended.
    root: Member,
    tree: Tree,
    counter: Counter,
}

impl Served {
    fn new(running: Running, port: u16, counter: Counter) -> Result<Self> {
        let root = Member::of(running.pid()).context("it ended at once")?;
        Ok(Self { running, port, root, tree: Tree(vec![root]), counter })
    }

    /// The processes that live now; those that were known, where the first one has ended.
    fn members(&self) -> Vec<Member> {
        let mut members = self.tree.0.clone();
        if Member::of(self.root.pid) == Some(self.root) {
            members.extend(Tree::of(self.root.pid).0);
        }
        members.retain(|member| Member::of(member.pid).as_ref() == Some(member));
        members.sort_by_key(|member| (*member != self.root, member.pid));
        members.dedup();
        members
    }
}

impl Active for Served {
    fn pid(&self) -> u32 {
        self.running.pid()
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn target(&self) -> Vec<String> {
        let mut target = vec!["-p".to_owned(), self.pid().to_string()];
        if self.members().len() > 1 {
            target.push("--tree".to_owned());
        }
        target
    }

    fn check_alive(&mut self) -> Result<()> {
        self.running.check_alive()
    }

    fn cpu(&self) -> Result<Duration> {
        Ok(self.tree.cpu())
    }

    fn count(&mut self, _within: Duration) -> Result<Option<Count>> {
        let operations = match &self.counter {
            Counter::Load => return Ok(None),
            Counter::Device(stat) => {
                let text = fs::read_to_string(stat).with_context(|| format!("reading {}", stat.display()))?;
                requests(&text).with_context(|| format!("{}: {text:?} are no counters", stat.display()))? as f64
            }
            Counter::Clock => self.tree.cpu().as_secs_f64() * 1e6,
        };
        Ok(Some(Count { operations, at_ns: clocks::monotonic() as f64 }))
    }

    fn rest(&mut self, _within: Duration) -> Result<()> {
        self.tree.signal(Signal::STOP);
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        self.tree.signal(Signal::CONT);
        Ok(())
    }

    fn look(&mut self) {
        // A server may have started its workers after it listened.
        self.tree = Tree(self.members());
    }

    fn end(mut self: Box<Self>) -> Result<Ended> {
        if let Err(error) = self.running.check_alive() {
            bail!("{error:#}");
        }
        Ok(Ended::default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The first one alone would leave the others behind.
        self.look();
        self.tree.signal(Signal::CONT);
        self.tree.signal(Signal::TERM);
        let gone = || self.tree.0.iter().all(|member| Member::of(member.pid).as_ref() != Some(member));
        let _ = wait_until("ended", Duration::from_secs(2), || Ok(self.running.poll()? && gone()));
        self.tree.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_writes_and_merged_ones_are_requests() {
        assert_eq!(requests(" 10 1 99 7 200 20 99 7 0 0 0"), Some(231));
        assert_eq!(requests("10 1 99"), None);
    }

    #[test]
    fn a_tree_has_its_children_and_ends_with_them() {
        let running = Running::start(Command::new("sh").args(["-c", "sleep 60 & sleep 60 & wait"])).unwrap();
        let pid = running.pid();
        let mut members = Vec::new();
        wait_until("three", Duration::from_secs(5), || {
            members = Tree::of(pid).0;
            Ok(members.len() == 3)
        })
        .unwrap();
        drop(Served::new(running, 0, Counter::Clock).unwrap());
        assert!(members.iter().all(|member| Member::of(member.pid).as_ref() != Some(member)));
    }
}
