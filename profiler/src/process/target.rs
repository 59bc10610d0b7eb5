//! What is measured: what the user asked for, and the processes that it comes to.

use std::fmt;

use super::{
    named::{Group, Name},
    single::Process,
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
    /// Every process of the machine that can be measured. The other fields are empty then.
    pub everyone: bool,
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
