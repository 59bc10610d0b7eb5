//! process/error: why something cannot be measured, one variant and one clear message for each
//! reason.

use std::io;

/// A process as an error names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As the initial PID namespace numbers it.
    pub pid: u32,
    /// Command name, as `/proc/PID/comm` gives it.
    pub comm: String,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.pid, self.comm)
    }
}

/// Why the user's input gives nothing to measure. Every message says what happened and what to do
/// next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Neither a PID nor a TID nor a name.
    #[error(
        "no target: name a process with -p PID or --name REGEX, a thread with -t TID, a group of processes with \
         --container, --unit, --pod or --cgroup, or start a command with -- CMD"
    )]
    Empty,

    /// A name that is not written as such names are.
    #[error("bad {name}: {why}")]
    BadName {
        /// The flag and what was typed.
        name: String,
        /// What is wrong with it, and how it is given.
        why: String,
    },

    /// Nothing that runs has the name.
    #[error("nothing that runs is {name}: {hint}")]
    NothingNamed {
        /// The flag and what was typed.
        name: String,
        /// Where to look.
        hint: String,
    },

    /// Several programs have the name.
    #[error("{name} is {} processes: give one of them with -p{}{}", .candidates.len(), with_children(.root), lines(.candidates))]
    SeveralNamed {
        /// The flag and what was typed.
        name: String,
        /// By PID, with their command lines.
        candidates: Vec<Candidate>,
        /// The one that all others descend from.
        root: Option<u32>,
    },

    /// PID 0 was given, which is no process.
    #[error("PID 0 is the kernel's idle task and has no program to measure: give the PID of a process")]
    Zero,

    /// The number belongs to nothing, in this or in any other PID namespace that this user can see.
    #[error("there is no process {pid}: it may have exited; look for it with `pgrep -a NAME` or `ps -ef`")]
    NoSuchPid {
        /// The number that was given.
        pid: u32,
    },

    /// All of it had ended when it was to be measured.
    #[error(
        "the target ended before it could be measured, which takes a second or two to prepare: \
             measure a short program from its start, with `should-i-async check -- COMMAND`"
    )]
    EndedBefore,

    /// The thread does not exist, or not any more.
    #[error("there is no thread {tid}: it may have exited; list a process's threads with `ls /proc/PID/task`")]
    NoSuchTid {
        /// The number that was given.
        tid: u32,
    },

    /// /proc does not show the process (hidepid), but signals find it.
    #[error(
        "process {pid} exists, but /proc hides it from this user (mounted with hidepid): \
         run as root, or with cap_sys_ptrace"
    )]
    Hidden {
        /// The number that was given.
        pid: u32,
    },

    /// A kernel thread: `PF_KTHREAD` is set.
    #[error(
        "PID {pid} ({comm}) is a kernel thread: it runs no program to rewrite; give the PID of a process{}",
        also_inside(.pid, .inside)
    )]
    KernelThread {
        /// The number that was given.
        pid: u32,
        comm: String,
        /// Processes of containers that have this number inside: probably one of them was meant.
        inside: Vec<Candidate>,
    },

    /// Exited, waiting for its parent.
    #[error(
        "process {pid} ({comm}) is a zombie: it has exited and waits for its parent {parent} to reap it; \
         nothing of it runs any more"
    )]
    Zombie {
        /// The number that was given.
        pid: u32,
        comm: String,
        /// Who has not waited for it.
        parent: u32,
    },

    /// A thread's id where a process is asked for.
    #[error("{tid} is a thread of process {tgid} ({comm}): use -p {tgid} for all of it, or -p {tgid} -t {tid}")]
    IsThread {
        /// The number that was given.
        tid: u32,
        /// The process it belongs to.
        tgid: u32,
        /// Command name of the thread.
        comm: String,
    },

    /// The thread is of another process than those asked for.
    #[error("thread {tid} belongs to process {tgid}, which was not asked for: use -p {tgid} -t {tid}")]
    ThreadElsewhere {
        /// The number that was given.
        tid: u32,
        /// The process it belongs to.
        tgid: u32,
    },

    /// `PTRACE_MODE_READ` is refused: another user's process, or one that is not dumpable.
    #[error(
        "no rights to look into process {pid} ({comm}) of user {uid}: run as root or as that user, or give \
         should-i-async cap_sys_ptrace (`should-i-async doctor` prints the command)"
    )]
    NotPermitted {
        /// The number that was given.
        pid: u32,
        comm: String,
        /// The user that it runs as, its effective UID.
        uid: u32,
    },

    /// No process of the host has this number, but several inside containers do.
    #[error(
        "no process of the host is {pid}, but {} containers have a process {pid} inside: give one of their host \
         PIDs, {}", .candidates.len(), list(.candidates)
    )]
    AmbiguousPid {
        /// The number that was given.
        pid: u32,
        /// Sorted by host PID.
        candidates: Vec<Candidate>,
    },

    /// should-i-async's own PID or thread.
    #[error("{pid} is should-i-async itself, and measuring that measures the measuring: give another PID")]
    Itself {
        /// The number that was given.
        pid: u32,
    },

    /// should-i-async runs in a container with a PID namespace of its own: the kernel reports other
    /// numbers.
    #[error(
        "should-i-async runs inside a PID namespace ({namespace}), where PIDs differ from those that the kernel \
         reports: start its container with `docker run --pid=host --privileged`, or run it on the host"
    )]
    InsidePidNamespace {
        /// As /proc/self/ns/pid names it.
        namespace: String,
    },

    /// should-i-async runs in a user namespace: what it may do there does not count for the
    /// kernel's programs, root or not.
    #[error(
        "should-i-async runs inside a user namespace ({namespace}), whose rights do not count for kernel programs: run \
         it outside, on the host (`sudo should-i-async`); rootless containers cannot be given these rights"
    )]
    InsideUserNamespace {
        /// As /proc/self/ns/user names it.
        namespace: String,
    },

    /// Anything else that /proc answers.
    #[error("cannot read /proc/{pid}/{file}: {source}; check that /proc is mounted (`mount -t proc proc /proc`)")]
    Unreadable {
        /// Which process, or `self`.
        pid: String,
        /// Which file of it.
        file: &'static str,
        /// What the kernel said.
        source: io::Error,
    },

    /// pidfd_open or poll failed in a way that has no fallback.
    #[error("cannot watch the target for its exit: {source}; raise the limit of open files with `ulimit -n 4096`")]
    Watch {
        /// What the kernel said.
        source: io::Error,
    },
}

/// How to take processes that are one tree.
fn with_children(root: &Option<u32>) -> String {
    root.map_or_else(String::new, |root| format!(", or add --tree for {root} with all that it has started"))
}

/// Processes of one list at most.
const LISTED: usize = 20;

/// A line for each.
fn lines(candidates: &[Candidate]) -> String {
    let line = |candidate: &Candidate| {
        let command: String = candidate.comm.chars().take(100).collect();
        format!("\n  {:>7}  {command}", candidate.pid)
    };
    let more = candidates.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!("\n  … and {more} more") } else { String::new() };
    candidates.iter().take(LISTED).map(line).collect::<String>() + &rest
}

fn list(candidates: &[Candidate]) -> String {
    candidates.iter().map(Candidate::to_string).collect::<Vec<_>>().join(" or ")
}

fn also_inside(pid: &u32, inside: &[Candidate]) -> String {
    if inside.is_empty() {
        return String::new();
    }
    format!(" (inside a container, {pid} is host PID {})", list(inside))
}
