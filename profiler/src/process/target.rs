//! What is measured: what the user asked for, and the processes that it comes to.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::{
    container,
    named::{Group, Name},
    proc,
};
use crate::quantity::{Tgid, Tid};

/// What the user asked for, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSpec {
    /// Processes, by host PID or by the PID that they have inside their container.
    pub pids: Vec<u32>,
    /// Threads to restrict the measurement to; without `pids` they also choose the processes.
    pub tids: Vec<u32>,
    /// Processes by other names than their numbers.
    pub names: Vec<Name>,
    /// Descendants at the start too. Later ones are found by the kernel side, which sees each fork.
    pub tree: bool,
}

/// What will be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Sorted by PID, each once, at least one.
    pub processes: Vec<Process>,
    /// Only these threads, sorted; `None`: all of them.
    pub threads_only: Option<Vec<Tid>>,
    /// Whoever enters one of these is measured from then on.
    pub groups: Vec<Group>,
    /// What the user should know, each a line of its own.
    pub notes: Vec<Note>,
}

impl Target {
    /// The processes' ids, sorted.
    pub fn tgids(&self) -> impl Iterator<Item = Tgid> + '_ {
        self.processes.iter().map(|process| process.tgid)
    }
}

/// One process, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// As the initial PID namespace numbers it.
    pub tgid: Tgid,
    /// Every PID that it has, from the host's to the innermost namespace's (`NSpid` of
    /// /proc/PID/status).
    pub ns_pids: Vec<u32>,
    /// Command name, at most 15 bytes.
    pub comm: String,
    /// Arguments; empty for a process that has overwritten them, or where the rights are missing.
    pub cmdline: Vec<String>,
    /// Executable as its mount namespace names it; `None` where the rights are missing.
    pub exe: Option<PathBuf>,
    /// The user that it runs as, its effective UID.
    pub uid: u32,
    /// Start, in clock ticks since boot. Together with the PID it tells this process from a later
    /// one.
    pub started: u64,
    /// `runtime:id` from its cgroup, for example `docker:0123456789ab`.
    pub container: Option<String>,
    /// How many threads it had.
    pub threads: usize,
}

impl Process {
    /// Looks at a process of the initial PID namespace.
    ///
    /// # Errors
    ///
    /// What /proc answers: ENOENT or ESRCH where it has gone, EACCES or EPERM where it is hidden.
    pub fn read(tgid: Tgid) -> io::Result<Self> {
        let pid = tgid.as_raw();
        let stat = proc::Stat::read(pid)?;
        Self::with_stat(pid, stat)
    }

    pub(super) fn with_stat(pid: u32, stat: proc::Stat) -> io::Result<Self> {
        let status = proc::Status::read(pid)?;
        let dir = proc::shared_dir(pid);
        let cmdline = proc::read(&format!("{dir}/cmdline")).unwrap_or_default();
        let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(&cmdline);
        let cgroup = proc::read(&format!("{dir}/cgroup")).unwrap_or_default();
        Ok(Self {
            tgid: Tgid::from_raw(pid),
            ns_pids: status.ns_pids,
            comm: stat.comm,
            cmdline: match cmdline {
                [] => Vec::new(),
                all => all.split(|&b| b == 0).map(proc::printable).collect(),
            },
            exe: std::fs::read_link(format!("{dir}/exe")).ok(),
            uid: status.uid,
            started: stat.started,
            container: container::from_cgroup(&proc::printable_lines(&cgroup)),
            threads: stat.threads,
        })
    }

    /// The PID inside the innermost namespace, where that is not the host's.
    pub fn inner_pid(&self) -> Option<u32> {
        self.ns_pids.get(1..).and_then(|inner| inner.last().copied())
    }
}

/// `postgres (PID 4321; PID 7 in docker:0123456789ab)`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (PID {}", self.comm, self.tgid)?;
        match (self.inner_pid(), &self.container) {
            (Some(inner), Some(container)) => write!(f, "; PID {inner} in {container})"),
            (Some(inner), None) => write!(f, "; PID {inner} in its namespace)"),
            (None, Some(container)) => write!(f, "; in {container})"),
            (None, None) => f.write_str(")"),
        }
    }
}

/// Something about the target that the user should know and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The number is no host PID; one process has it inside a PID namespace, and that one was
    /// taken.
    NamespacePid {
        /// As the user gave it.
        given: u32,
        /// What it was understood as.
        host: Tgid,
        comm: String,
        /// Which container, where that is known.
        container: Option<String>,
    },
    /// State T or t: nothing is measured until it goes on.
    Stopped {
        tgid: Tgid,
        /// Whether a debugger holds it (state t).
        traced: bool,
    },
    /// The user may look at the process, but not into its descriptors: addresses and paths will be
    /// missing.
    DescriptorsHidden { tgid: Tgid },
    /// A descendant that cannot be measured was left out.
    LeftOut {
        tgid: Tgid,
        /// Why it cannot be measured.
        reason: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamespacePid { given, host, comm, container } => {
                write!(f, "{given} is the PID inside ")?;
                f.write_str(container.as_deref().unwrap_or("a PID namespace"))?;
                write!(f, ": measuring host PID {host} ({comm})")
            }
            Self::Stopped { tgid, traced: false } => {
                write!(f, "process {tgid} is stopped: it does nothing until `kill -CONT {tgid}`")
            }
            Self::Stopped { tgid, traced: true } => {
                write!(f, "process {tgid} is held by a debugger: it does nothing until that lets it go on")
            }
            Self::DescriptorsHidden { tgid } => write!(
                f,
                "no rights to see the descriptors of process {tgid}: paths and addresses will be missing \
                 (cap_dac_read_search and cap_sys_ptrace give them)"
            ),
            Self::LeftOut { tgid, reason } => write!(f, "process {tgid} of the tree is left out: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_prints_every_number_that_people_know_it_by() {
        let mut process = Process::read(Tgid::from_raw(std::process::id())).unwrap();
        process.comm = "postgres".into();
        process.tgid = Tgid::from_raw(4321);
        (process.ns_pids, process.container) = (vec![4321], None);
        assert_eq!(process.to_string(), "postgres (PID 4321)");
        process.ns_pids = vec![4321, 70, 7];
        assert_eq!(process.to_string(), "postgres (PID 4321; PID 7 in its namespace)");
        process.container = Some("docker:0123456789ab".into());
        assert_eq!(process.to_string(), "postgres (PID 4321; PID 7 in docker:0123456789ab)");
    }
}
