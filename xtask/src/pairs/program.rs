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
    exec,
    harness::{
        row::{Active, Count, Ended, Program, Start},
        workload,
    },
    host::{
        child::{Running, pause, wait_until},
        clocks,
        memory::Memory,
    },
};

/// The target has a CPU to itself; its load has the other one.
const TARGET_CPU: &str = "0";
pub(super) const LOAD_CPU: &str = "1";
/// Limit for a server to answer: a JVM takes a while to load its classes.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The cgroup of programs whose memory is limited. All forms of a pair share it, so that each finds
/// as much of its files in memory as the others do.
const MEMORY: &str = "should-i-async-pairs";

/// Who counts the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is a server: its load does.
    Load,
    /// The device under the folder of the pairs: blocks of 4 KiB that it read or wrote.
    Device,
    /// Its memory cgroup: pages that came in, where nothing else counts what misses the cache.
    Pages,
    /// It counts itself, and says so when it is asked (`count`, as the lab's programs).
    Itself,
    /// It counts itself, and these words ask it: they print the number.
    Asked(&'static str),
    /// Nobody: it computes, and a µs of CPU stands for an operation.
    Clock,
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is measured, and listens.
    Server,
    /// It is measured, and loads itself.
    Alone,
    /// It loads a server, and does so for some time before it counts.
    Client { warm_up: Duration },
}

/// One form of a public program.
pub(super) struct Public {
    pub(super) name: &'static str,
    /// Its words as in the table of rows, for readers.
    pub(super) shown: String,
    /// Its words with `{port}` to be filled in.
    pub(super) words: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) role: Role,
    pub(super) counted: Counted,
    /// Limit of its memory and of the page cache of its files.
    pub(super) memory_mib: Option<u64>,
}

impl Program for Public {
    fn name(&self) -> &str {
        self.name
    }

    fn line(&self) -> String {
        self.shown.clone()
    }

    fn warm_up(&self) -> Duration {
        match self.role {
            Role::Client { warm_up } => warm_up,
            Role::Server | Role::Alone => Duration::ZERO,
        }
    }

    fn start(&self, start: &Start) -> Result<Box<dyn Active>> {
        let (cpu, port) = match self.role {
            Role::Client { .. } => (LOAD_CPU, start.peer.context("the server of a load has no port")?),
            Role::Server | Role::Alone => (TARGET_CPU, free_port()?),
        };
        let memory = self.memory_mib.map(|mib| Memory::limit(MEMORY, mib << 20)).transpose()?;
        let mut command = Command::new("taskset");
        command.args(["-c", cpu]).args(memory.iter().flat_map(Memory::words)).current_dir(&self.folder);
        command.args(self.words.iter().map(|word| word.replace("{port}", &port.to_string())));
        let counter = match self.counted {
            Counted::Load => Counter::Load,
            Counted::Device => Counter::Device(device_of(&self.folder)?),
            Counted::Pages => Counter::Pages,
            Counted::Itself => Counter::Itself,
            Counted::Asked(line) => Counter::Asked(words(&line.replace("{port}", &port.to_string()))),
            Counted::Clock => Counter::Clock,
        };
        // From here on, dropping the value ends all of its processes, whatever happens.
        let mut served = Served::new(Running::start(&mut command)?, port, counter, memory)?;
        let within = start.deadline.at_most(READY_WITHIN)?;
        match self.role {
            Role::Server => wait_until("the server does not listen", within, || {
                served.check_alive()?;
                Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
            })?,
            Role::Client { warm_up } => pause(start.deadline.at_most(warm_up)?)?,
            Role::Alone => {}
        }
        served.refresh();
        Ok(Box::new(served))
    }
}

/// Words as a shell would have them: parts in double quotes stay together.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
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
    Pages,
    Itself,
    Asked(Vec<String>),
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

/// Blocks of 4 KiB that a device has read and written, in sectors of 512 bytes:
/// Documentation/block/stat.rst. Not requests: how many blocks one has may differ between forms.
fn blocks(stat: &str) -> Option<f64> {
    let fields: Vec<u64> = stat.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some((fields.get(2)? + fields.get(6)?) as f64 / 8.0)
}

/// A process and its descendants.
#[derive(Debug)]
struct Tree(Vec<Member>);

/// A process, with the time of its start: a later one may have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    started: u64,
}

impl Tree {
    fn read(pid: u32) -> Self {
        let mut members: Vec<Member> = Member::read(pid).into_iter().collect();
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
        // The first process ends first, so that it does not start the others again.
        for member in self.0.iter().filter(|member| Member::read(member.pid).as_ref() == Some(member)) {
            if let Some(pid) = Pid::from_raw(member.pid.cast_signed()) {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Member {
    fn read(pid: u32) -> Option<Self> {
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
        .flat_map(|list| list.split_whitespace().filter_map(|pid| Member::read(pid.parse().ok()?)).collect::<Vec<_>>())
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
    /// Dropped after the processes, because a cgroup can only be removed when it is empty.
    memory: Option<Memory>,
}

impl Served {
    fn new(running: Running, port: u16, counter: Counter, memory: Option<Memory>) -> Result<Self> {
        let root = Member::read(running.pid()).context("it ended at once")?;
        Ok(Self { running, port, root, tree: Tree(vec![root]), counter, memory })
    }

    /// The processes that live now; those that were known, where the first one has ended.
    fn members(&self) -> Vec<Member> {
        let mut members = self.tree.0.clone();
        if Member::read(self.root.pid) == Some(self.root) {
            members.extend(Tree::read(self.root.pid).0);
        }
        members.retain(|member| Member::read(member.pid).as_ref() == Some(member));
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

    fn count(&mut self, within: Duration) -> Result<Option<Count>> {
        let operations = match &self.counter {
            Counter::Load => return Ok(None),
            Counter::Device(stat) => {
                let text = fs::read_to_string(stat).with_context(|| format!("reading {}", stat.display()))?;
                blocks(&text).with_context(|| format!("{}: {text:?} are no counters", stat.display()))?
            }
            Counter::Pages => self.memory.as_ref().context("its memory has no limit")?.pages()? as f64,
            Counter::Itself => return workload::counted(&mut self.running, within).map(Some),
            Counter::Asked(words) => {
                let said = exec::output(Command::new("taskset").args(["-c", LOAD_CPU]).args(words))?;
                said.trim().parse().with_context(|| format!("{said:?} is no number"))?
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

    fn refresh(&mut self) {
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
        // Ending the first process alone would leave the others running.
        self.refresh();
        self.tree.signal(Signal::CONT);
        self.tree.signal(Signal::TERM);
        let gone = || self.tree.0.iter().all(|member| Member::read(member.pid).as_ref() != Some(member));
        let _ = wait_until("ended", Duration::from_secs(2), || Ok(self.running.poll()? && gone()));
        self.tree.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_parts_are_one_word() {
        assert_eq!(words("sh -c \"a b; c\" d \"\""), ["sh", "-c", "a b; c", "d", ""]);
    }

    #[test]
    fn sectors_read_and_written_are_blocks() {
        assert_eq!(blocks(" 10 1 80 7 200 20 24 7 0 0 0"), Some(13.0));
        assert_eq!(blocks("10 1 99"), None);
    }

    #[test]
    fn a_tree_has_its_children_and_ends_with_them() {
        let running = Running::start(Command::new("sh").args(["-c", "sleep 60 & sleep 60 & wait"])).unwrap();
        let pid = running.pid();
        let mut members = Vec::new();
        wait_until("three", Duration::from_secs(5), || {
            members = Tree::read(pid).0;
            Ok(members.len() == 3)
        })
        .unwrap();
        drop(Served::new(running, 0, Counter::Clock, None).unwrap());
        assert!(members.iter().all(|member| Member::read(member.pid).as_ref() != Some(member)));
    }
}
