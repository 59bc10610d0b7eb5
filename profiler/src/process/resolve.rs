//! process/resolve: checks what the user named, and finds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::error::Candidate;
use super::proc::{self, Stat, Status};
use super::{
    error::TargetError,
    named::{self, Found, Group},
    single::Process,
    target::{Note, Target, TargetSpec},
    thread,
};
use crate::quantity::{Tgid, Tid};

/// `PROC_PID_INIT_INO` of include/linux/proc_ns.h.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// `PROC_USER_INIT_INO` of the same file.
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

/// Whether this process sees PIDs as the kernel reports them. `true` too where /proc does not say.
pub fn in_initial_pid_namespace() -> bool {
    own_namespace("pid").is_none_or(|namespace| namespace == INITIAL_PID_NAMESPACE)
}

/// A namespace of this process, as /proc names it.
fn own_namespace(kind: &str) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Finds what the user named.
///
/// # Errors
///
/// One [`TargetError`] for the first thing that cannot be measured. Descendants that `--tree` adds
/// never fail: they are left out with a [`Note`].
pub fn resolve(spec: &TargetSpec) -> Result<Target, TargetError> {
    if !in_initial_pid_namespace() {
        return Err(TargetError::InsidePidNamespace { namespace: own_namespace("pid").unwrap_or_default() });
    }
    if let Some(namespace) = own_namespace("user").filter(|namespace| namespace != INITIAL_USER_NAMESPACE) {
        return Err(TargetError::InsideUserNamespace { namespace });
    }
    if spec.everyone {
        return everyone();
    }
    if spec.pids.is_empty() && spec.tids.is_empty() && spec.names.is_empty() {
        return Err(TargetError::Empty);
    }
    let mut notes = Vec::new();
    let mut processes = BTreeMap::new();
    for &pid in &spec.pids {
        let process = find(pid, &mut notes)?;
        processes.insert(process.tgid, process);
    }
    let mut groups = Vec::new();
    for name in &spec.names {
        match named::find(name, spec.tree)? {
            Found::Process(pid) => {
                let process = find(pid, &mut notes)?;
                processes.insert(process.tgid, process);
            }
            Found::Group(group) => {
                let members = Group::members(std::slice::from_ref(&group));
                add_members(&members, &mut processes, &mut notes);
                if !members.iter().any(|&pid| processes.contains_key(&Tgid::from_raw(pid))) {
                    let hint = "none of its processes can be measured".to_owned();
                    return Err(TargetError::NothingNamed { name: name.to_string(), hint });
                }
                groups.push(group);
            }
        }
    }
    let adopt = spec.pids.is_empty() && spec.names.is_empty();
    let mut tids = BTreeSet::new();
    for &tid in &spec.tids {
        tids.insert(find_thread(tid, adopt, &mut processes, &mut notes)?);
    }
    if spec.tree {
        add_descendants(&mut processes, &mut notes)?;
    }
    dedup(&mut notes);
    Ok(Target {
        processes: processes.into_values().collect(),
        threads_only: (!tids.is_empty()).then(|| tids.into_iter().collect()),
        groups,
        notes,
    })
}

/// Every process but this one. Who cannot be measured is left out, with a note; kernel threads are
/// no processes.
fn everyone() -> Result<Target, TargetError> {
    let (mut processes, mut notes) = (BTreeMap::new(), Vec::new());
    let own = std::process::id();
    for pid in proc::all_pids().map_err(|source| unreadable_self("", source))? {
        if pid != own {
            add(pid, &mut processes, &mut notes);
        }
    }
    Ok(Target { processes: processes.into_values().collect(), threads_only: None, groups: Vec::new(), notes })
}

fn dedup(notes: &mut Vec<Note>) {
    let mut seen: Vec<Note> = Vec::new();
    notes.retain(|note| {
        let new = !seen.contains(note);
        if new {
            seen.push(note.clone());
        }
        new
    });
}

/// The process that the user means by a number: a host PID first, else the PID inside a namespace.
fn find(pid: u32, notes: &mut Vec<Note>) -> Result<Process, TargetError> {
    if pid == 0 {
        return Err(TargetError::Zero);
    }
    match Stat::read(pid) {
        Ok(stat) => check(pid, stat, notes),
        Err(error) if proc::is_gone(&error) => find_inside(pid, notes),
        Err(error) if proc::is_denied(&error) => Err(TargetError::Hidden { pid }),
        Err(source) => Err(unreadable(pid, "stat", source)),
    }
}

fn find_inside(pid: u32, notes: &mut Vec<Note>) -> Result<Process, TargetError> {
    // With hidepid=invisible /proc denies that the process exists; a signal of number zero does
    // not.
    if exists(pid) {
        return Err(TargetError::Hidden { pid });
    }
    match inside_namespaces(pid)?.as_slice() {
        [] => Err(TargetError::NoSuchPid { pid }),
        [one] => {
            let host = one.pid;
            let stat = Stat::read(host).map_err(|source| vanished(host, "stat", source))?;
            let process = check(host, stat, notes)?;
            notes.push(Note::NamespacePid {
                given: pid,
                host: process.tgid,
                comm: process.comm.clone(),
                container: process.container.clone(),
            });
            Ok(process)
        }
        several => Err(TargetError::AmbiguousPid { pid, candidates: several.to_vec() }),
    }
}

/// Whether a signal would reach the number, allowed or not.
fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Processes that have this number in a PID namespace below the host's, sorted by host PID.
fn inside_namespaces(pid: u32) -> Result<Vec<Candidate>, TargetError> {
    let mut found = Vec::new();
    for host in proc::all_pids().map_err(|source| unreadable_self("", source))? {
        let Ok(status) = Status::read(host) else { continue };
        if !status.ns_pids.get(1..).is_some_and(|inner| inner.contains(&pid)) {
            continue;
        }
        if let Ok(stat) = Stat::read(host) {
            found.push(Candidate { pid: host, comm: stat.comm });
        }
    }
    found.sort_by_key(|candidate| candidate.pid);
    Ok(found)
}

/// Whether a process that exists can be measured.
fn check(pid: u32, stat: Stat, notes: &mut Vec<Note>) -> Result<Process, TargetError> {
    let status = Status::read(pid).map_err(|source| vanished(pid, "status", source))?;
    if status.tgid == std::process::id() {
        return Err(TargetError::Itself { pid });
    }
    if stat.is_kernel_thread() {
        return Err(TargetError::KernelThread { pid, comm: stat.comm, inside: inside_namespaces(pid)? });
    }
    if status.tgid != pid {
        return Err(TargetError::IsThread { tid: pid, tgid: status.tgid, comm: stat.comm });
    }
    if stat.is_zombie() {
        return Err(TargetError::Zombie { pid, comm: stat.comm, parent: stat.ppid });
    }
    // PTRACE_MODE_READ, as maps, exe and the descriptors' links ask for it.
    if std::fs::read_link(format!("/proc/{pid}/exe")).is_err_and(|error| proc::is_denied(&error)) {
        return Err(TargetError::NotPermitted { pid, comm: stat.comm, uid: status.uid });
    }
    let tgid = Tgid::from_raw(pid);
    if matches!(stat.state, 'T' | 't') {
        notes.push(Note::Stopped { tgid, traced: stat.state == 't' });
    }
    if std::fs::read_dir(format!("/proc/{pid}/fd")).is_err_and(|error| proc::is_denied(&error)) {
        notes.push(Note::DescriptorsHidden { tgid });
    }
    Process::with_stat(pid, stat).map_err(|source| vanished(pid, "status", source))
}

/// A thread by its host id, or by the id it has inside the namespace of one of the processes.
fn find_thread(
    tid: u32,
    adopt: bool,
    processes: &mut BTreeMap<Tgid, Process>,
    notes: &mut Vec<Note>,
) -> Result<Tid, TargetError> {
    if tid == 0 {
        return Err(TargetError::Zero);
    }
    // /proc/TID answers for every thread, though readdir shows leaders only.
    let status = match Status::read(tid) {
        Ok(status) => status,
        Err(error) if proc::is_gone(&error) => {
            let hidden = exists(tid);
            let missing = if hidden { TargetError::Hidden { pid: tid } } else { TargetError::NoSuchTid { tid } };
            return thread_inside(tid, processes).ok_or(missing);
        }
        Err(error) if proc::is_denied(&error) => return Err(TargetError::Hidden { pid: tid }),
        Err(source) => return Err(unreadable(tid, "status", source)),
    };
    let tgid = Tgid::from_raw(status.tgid);
    if !processes.contains_key(&tgid) {
        if !adopt {
            let inside = thread_inside(tid, processes);
            return inside.ok_or(TargetError::ThreadElsewhere { tid, tgid: status.tgid });
        }
        processes.insert(tgid, find(status.tgid, notes)?);
    }
    Ok(Tid::from_raw(tid))
}

fn thread_inside(tid: u32, processes: &BTreeMap<Tgid, Process>) -> Option<Tid> {
    let inner = processes.values().filter(|process| process.inner_pid().is_some());
    inner.flat_map(|process| thread::threads(process.tgid)).find(|host| {
        let status = Status::read(host.as_raw());
        status.is_ok_and(|status| status.ns_pids.get(1..).is_some_and(|inner| inner.contains(&tid)))
    })
}

/// Those of a group's processes that do not belong to it yet. Who cannot be measured is left out.
fn add_members(members: &[u32], processes: &mut BTreeMap<Tgid, Process>, notes: &mut Vec<Note>) {
    for &pid in members {
        if !processes.contains_key(&Tgid::from_raw(pid)) {
            add(pid, processes, notes);
        }
    }
}

/// The processes that are in a target's groups now and do not belong to it yet, without those that
/// are `known` from before.
pub fn newcomers(target: &Target, known: impl Fn(Tgid) -> bool) -> Vec<Process> {
    let mut members = Group::members(&target.groups);
    let named: BTreeSet<Tgid> = target.tgids().collect();
    members.retain(|&pid| !named.contains(&Tgid::from_raw(pid)) && !known(Tgid::from_raw(pid)));
    let mut found = BTreeMap::new();
    add_members(&members, &mut found, &mut Vec::new());
    found.into_values().collect()
}

/// The processes below a target that do not belong to it yet. Who has the number of one of its
/// processes that has ended is no parent of any.
///
/// # Errors
/// /proc cannot be read.
pub fn descendants(target: &Target) -> Result<Vec<Process>, TargetError> {
    let mut processes = target.processes.iter().map(|process| (process.tgid, process.clone())).collect();
    add_descendants(&mut processes, &mut Vec::new())?;
    target.tgids().for_each(|tgid| _ = processes.remove(&tgid));
    Ok(processes.into_values().collect())
}

fn add_descendants(processes: &mut BTreeMap<Tgid, Process>, notes: &mut Vec<Note>) -> Result<(), TargetError> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut strangers = BTreeSet::new();
    for pid in proc::all_pids().map_err(|source| unreadable_self("", source))? {
        if let Ok(stat) = Stat::read(pid) {
            children.entry(stat.ppid).or_default().push(pid);
            if processes.get(&Tgid::from_raw(pid)).is_some_and(|known| known.started != stat.started) {
                strangers.insert(pid);
            }
        }
    }
    let mut seen: BTreeSet<u32> = processes.keys().map(|tgid| tgid.as_raw()).collect();
    let mut queue: Vec<u32> = seen.difference(&strangers).copied().collect();
    while let Some(parent) = queue.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            // should-i-async may be started from the shell that it measures: leave out itself and
            // its children.
            if child == std::process::id() || !seen.insert(child) {
                continue;
            }
            queue.push(child);
            add(child, processes, notes);
        }
    }
    Ok(())
}

/// Adds a process that was not named itself, or a note why it is left out.
fn add(pid: u32, processes: &mut BTreeMap<Tgid, Process>, notes: &mut Vec<Note>) {
    let Ok(stat) = Stat::read(pid) else { return };
    if stat.is_zombie() || stat.is_kernel_thread() {
        return;
    }
    let tgid = Tgid::from_raw(pid);
    match check(pid, stat, notes) {
        Ok(process) => _ = processes.insert(tgid, process),
        Err(TargetError::NoSuchPid { .. } | TargetError::Zombie { .. }) => {}
        Err(error) => notes.push(Note::LeftOut { tgid, reason: error.to_string() }),
    }
}

/// A process that was there a moment ago.
fn vanished(pid: u32, file: &'static str, source: io::Error) -> TargetError {
    if proc::is_gone(&source) { TargetError::NoSuchPid { pid } } else { unreadable(pid, file, source) }
}

fn unreadable(pid: u32, file: &'static str, source: io::Error) -> TargetError {
    TargetError::Unreadable { pid: pid.to_string(), file, source }
}

fn unreadable_self(file: &'static str, source: io::Error) -> TargetError {
    TargetError::Unreadable { pid: "self".into(), file, source }
}

#[cfg(test)]
mod tests;
