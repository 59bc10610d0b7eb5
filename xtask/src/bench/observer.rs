//! What watches the server: nothing, the floor, the product, its peers. How each is started, and
//! how we know from outside that it watches.

use std::{collections::BTreeSet, ffi::OsStr, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::kernel;
use crate::host::{
    child::{self, Running, Said},
    clocks,
};

/// Limit for an observer to begin to watch.
const ATTACHED_WITHIN: Duration = Duration::from_secs(15);
/// Events that count for this long are the target's.
const OWN_EVENTS: Duration = Duration::from_millis(100);
/// A peer has attached when no new link has appeared for this long.
const SETTLED: Duration = Duration::from_millis(300);

/// A configuration of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(super) enum Observer {
    /// No profiler.
    None,
    /// Empty programs on the hooks of `check`: the floor.
    Empty,
    /// `check --exact`: every event.
    Check,
    /// `check` with its default budget.
    CheckBudget,
    /// Off-CPU time by stack, libbpf-tools.
    Offcputime,
    /// Syscall counts, libbpf-tools.
    Syscount,
    /// Run-queue delay, libbpf-tools.
    Runqlat,
    /// The three before, at once.
    Peers,
    /// `perf trace -s`.
    PerfTrace,
    /// `strace -c -w -f`.
    Strace,
}

/// How one knows that an observer watches.
#[derive(Clone, Copy)]
enum Evidence {
    /// Events count, says the control page.
    Counting,
    /// It holds links or perf events, and no new ones for a while.
    Links,
    /// It traces every thread.
    Traced,
}

impl Observer {
    /// Its name in tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::None => "no profiler",
            Self::Empty => "empty programs on the same hooks",
            Self::Check => "`check --exact`",
            Self::CheckBudget => "`check` (default budget)",
            Self::Offcputime => "`offcputime -p`",
            Self::Syscount => "`syscount -p`",
            Self::Runqlat => "`runqlat -p`",
            Self::Peers => "the three peers together",
            Self::PerfTrace => "`perf trace -s -p`",
            Self::Strace => "`strace -c -w -f -p`",
        }
    }

    /// Whether it is ours: then the benchmark fails with it.
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::None | Self::Empty | Self::Check | Self::CheckBudget)
    }

    /// Its commands. Those that take a limit get `seconds`, so that they end even if we are killed.
    fn commands(self, own: &Path, target: u32, seconds: u64) -> Vec<(Command, Evidence)> {
        let (target, seconds) = (target.to_string(), seconds.to_string());
        let ours = |args: &[&str]| command(own, args);
        let links = |command| vec![(command, Evidence::Links)];
        match self {
            Self::None => Vec::new(),
            // It is this program, run again.
            Self::Empty => links(command("/proc/self/exe", &["bench", "empty-hooks", "--seconds", &seconds])),
            Self::Check => {
                vec![(ours(&["check", "-p", &target, "-d", &seconds, "--exact", "--json"]), Evidence::Counting)]
            }
            Self::CheckBudget => {
                vec![(ours(&["check", "-p", &target, "-d", &seconds, "--json"]), Evidence::Counting)]
            }
            Self::Offcputime => links(command("offcputime", &["-p", &target, &seconds])),
            Self::Syscount => links(command("syscount", &["-p", &target, "-d", &seconds])),
            Self::Runqlat => links(command("runqlat", &["-p", &target, &seconds, "1"])),
            Self::Peers => [Self::Offcputime, Self::Syscount, Self::Runqlat]
                .into_iter()
                .flat_map(|peer| peer.commands(own, target.parse().unwrap_or(0), seconds.parse().unwrap_or(0)))
                .collect(),
            Self::PerfTrace => links(command("perf", &["trace", "-s", "-p", &target])),
            Self::Strace => vec![(command("strace", &["-c", "-w", "-f", "-p", &target]), Evidence::Traced)],
        }
    }

    /// Starts it on `target` and waits until it watches.
    pub(super) fn start(self, own: &Path, target: u32, seconds: u64) -> Result<Watching> {
        let mut watching = Watching { running: Vec::new(), programs: BTreeSet::new() };
        for (mut command, evidence) in self.commands(own, target, seconds) {
            watching.running.push(Running::start(&mut command)?);
            let running = watching.running.last_mut().context("just started")?;
            await_evidence(running, evidence, target)?;
            watching.programs.extend(kernel::programs(running.pid()));
        }
        Ok(watching)
    }
}

fn await_evidence(running: &mut Running, evidence: Evidence, target: u32) -> Result<()> {
    let pid = running.pid();
    let mut page = None;
    let mut seen = (0, std::time::Instant::now());
    let mut since = (None, std::time::Instant::now());
    child::wait_until("it did not attach", ATTACHED_WITHIN, || {
        running.check_alive()?;
        match evidence {
            Evidence::Counting => {
                if page.is_none() {
                    page = kernel::Page::find(pid)?;
                }
                let now = page.as_ref().and_then(|page| page.counting_since().ok().flatten());
                if now != since.0 {
                    since = (now, std::time::Instant::now());
                }
                // It first counts events of its own threads, for some 20 ms.
                Ok(now.is_some() && since.1.elapsed() > OWN_EVENTS)
            }
            Evidence::Links => {
                let now = kernel::attachments(pid);
                if now != seen.0 {
                    seen = (now, std::time::Instant::now());
                }
                Ok(now > 0 && seen.1.elapsed() > SETTLED)
            }
            Evidence::Traced => Ok(clocks::traced_by(target, pid)),
        }
    })
}

fn command(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// An observer that watches. Ended when dropped.
pub(super) struct Watching {
    running: Vec<Running>,
    programs: BTreeSet<u32>,
}

impl Watching {
    /// The first process of it.
    pub(super) fn pid(&self) -> Option<u32> {
        self.running.first().map(Running::pid)
    }

    /// CPU of its processes so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.running.iter().map(|running| clocks::process_cpu(running.pid())).sum()
    }

    /// Waits until it ends by itself. Returns the stdout of its first process.
    pub(super) fn wait(mut self, within: Duration) -> Result<Option<String>> {
        let mut first = None;
        for running in self.running.drain(..) {
            let said = running.wait(within)?;
            first.get_or_insert(said.stdout);
        }
        kernel::await_freed(&self.programs)?;
        Ok(first)
    }

    /// An error if one of it runs no more.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        self.running.iter_mut().try_for_each(Running::check_alive)
    }

    /// Ends it, and waits until the kernel has freed its programs. Returns what its first process
    /// said.
    pub(super) fn end(mut self, mut meanwhile: impl FnMut()) -> Result<Option<Said>> {
        let mut first = None;
        for running in self.running.drain(..) {
            let said = running.end(&mut meanwhile);
            first.get_or_insert(said);
        }
        kernel::await_freed(&self.programs)?;
        Ok(first)
    }
}
