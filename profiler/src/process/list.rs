//! process/list: every process of the machine, for a user to choose from.

use super::{
    proc::{self, Stat, Status},
    thread,
};
use crate::quantity::{Nanos, Tgid};

/// Threads up to which each one's counters are read.
const MOST_THREADS: usize = 64;

/// A process as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// PID, as this process sees it.
    pub pid: u32,
    /// When it was started, clock ticks since boot: a PID may be another process's later.
    pub started: u64,
    /// The user that it runs as, its effective UID.
    pub uid: u32,
    /// How many threads it has.
    pub threads: u32,
    /// CPU that it has used.
    pub cpu: Nanos,
    /// Voluntary switches of all its threads; `None` where there are too many to ask each.
    pub voluntary: Option<u64>,
    /// Its command line, or its name where that is hidden.
    pub command: String,
}

/// Every process that can be measured: no kernel threads, no zombies, not this one.
pub fn list() -> Vec<Listed> {
    let own = std::process::id();
    let pids = proc::all_pids().unwrap_or_default();
    pids.into_iter().filter(|&pid| pid != own).filter_map(one).collect()
}

fn one(pid: u32) -> Option<Listed> {
    let stat = Stat::read(pid).ok().filter(|s| !s.is_kernel_thread() && !s.is_zombie())?;
    let tgid = Tgid::from_raw(pid);
    let line = proc::read(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> = line.split(|&b| b == 0).filter(|w| !w.is_empty()).map(proc::printable).collect();
    let voluntary = (stat.threads <= MOST_THREADS).then(|| {
        let counters = thread::threads(tgid).into_iter().filter_map(|tid| thread::counters(tgid, tid));
        counters.map(|c| c.voluntary).sum()
    });
    Some(Listed {
        pid,
        started: stat.started,
        uid: Status::read(pid).ok()?.uid,
        threads: stat.threads as u32,
        cpu: thread::cpu_time(tgid)?,
        voluntary,
        command: if words.is_empty() { format!("[{}]", stat.comm) } else { words.join(" ") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_listed_and_this_process_is_not() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        // Within exec it has no command line for a moment.
        let look = || list().into_iter().find(|p| p.pid == child.id() && p.command.ends_with("30"));
        let found = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            look()
        });
        let listed = list();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.is_some_and(|p| p.threads == 1), "{listed:?}");
        assert!(listed.iter().all(|p| p.pid != std::process::id()));
    }
}
