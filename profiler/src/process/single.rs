//! One process: what is known of it by a look.

use std::{fmt, io, path::PathBuf};

use super::{container, proc};
use crate::quantity::Tgid;

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
    /// The control group that it is in: of the hierarchy in which it is deepest, of equals the
    /// unified one.
    pub cgroup: String,
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
        let cgroup = proc::printable_lines(&proc::read(&format!("{dir}/cgroup")).unwrap_or_default());
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
            container: container::from_cgroup(&cgroup),
            cgroup: container::deepest(&cgroup).to_owned(),
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
