//! target/resolve: checks what the user named, and finds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::error::Candidate;
use super::proc::{self, Stat, Status};
use super::{Note, Process, Target, TargetError, TargetSpec, thread};
use crate::units::{Tgid, Tid};

/// `PROC_PID_INIT_INO` of include/linux/proc_ns.h.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Whether this process sees PIDs as the kernel reports them. `true` too where /proc does not say.
pub fn in_initial_pid_namespace() -> bool {
    own_namespace().is_none_or(|namespace| namespace == INITIAL_PID_NAMESPACE)
}

fn own_namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Finds what the user named.
///
/// # Errors
///
/// One [`TargetError`] for the first thing that cannot be measured. Descendants that `--tree` adds never fail: they are
/// left out with a [`Note`].
pub fn resolve(spec: &TargetSpec) -> Result<Target, TargetError> {
    if !in_initial_pid_namespace() {
        return Err(TargetError::InsidePidNamespace {
            namespace: own_namespace().unwrap_or_default(),
        });
    }
    if spec.pids.is_empty() && spec.tids.is_empty() {
        return Err(TargetError::Empty);
    }
    let mut notes = Vec::new();
    let mut processes = BTreeMap::new();
    for &pid in &spec.pids {
        let process = find(pid, &mut notes)?;
        processes.insert(process.tgid, process);
    }
    let mut tids = BTreeSet::new();
    for &tid in &spec.tids {
        tids.insert(find_thread(tid, spec.pids.is_empty(), &mut processes, &mut notes)?);
    }
    if spec.tree {
        add_descendants(&mut processes, &mut notes)?;
    }
    dedup(&mut notes);
    Ok(Target {
        processes: processes.into_values().collect(),
        threads_only: (!tids.is_empty()).then(|| tids.into_iter().collect()),
        notes,
    })
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
    // With hidepid=invisible /proc denies that the process exists; a signal of number zero does not.
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
        several => Err(TargetError::AmbiguousPid {
            pid,
            candidates: several.to_vec(),
        }),
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
            found.push(Candidate {
                pid: host,
                comm: stat.comm,
            });
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
        return Err(TargetError::KernelThread {
            pid,
            comm: stat.comm,
            inside: inside_namespaces(pid)?,
        });
    }
    if status.tgid != pid {
        return Err(TargetError::IsThread {
            tid: pid,
            tgid: status.tgid,
            comm: stat.comm,
        });
    }
    if stat.is_zombie() {
        return Err(TargetError::Zombie {
            pid,
            comm: stat.comm,
            parent: stat.ppid,
        });
    }
    // PTRACE_MODE_READ, as maps, exe and the descriptors' links ask for it.
    if std::fs::read_link(format!("/proc/{pid}/exe")).is_err_and(|error| proc::is_denied(&error)) {
        return Err(TargetError::NotPermitted {
            pid,
            comm: stat.comm,
            uid: status.uid,
        });
    }
    let tgid = Tgid::from_raw(pid);
    if matches!(stat.state, 'T' | 't') {
        notes.push(Note::Stopped {
            tgid,
            traced: stat.state == 't',
        });
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
            return thread_inside(tid, processes).ok_or(TargetError::NoSuchTid { tid });
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

fn add_descendants(processes: &mut BTreeMap<Tgid, Process>, notes: &mut Vec<Note>) -> Result<(), TargetError> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in proc::all_pids().map_err(|source| unreadable_self("", source))? {
        if let Ok(stat) = Stat::read(pid) {
            children.entry(stat.ppid).or_default().push(pid);
        }
    }
    let mut seen: BTreeSet<u32> = processes.keys().map(|tgid| tgid.as_raw()).collect();
    let mut queue: Vec<u32> = seen.iter().copied().collect();
    while let Some(parent) = queue.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            // should-i-async started from the very shell that it measures: neither it nor its children are meant.
            if child == std::process::id() || !seen.insert(child) {
                continue;
            }
            queue.push(child);
            let Ok(stat) = Stat::read(child) else { continue };
            if stat.is_zombie() || stat.is_kernel_thread() {
                continue;
            }
            let tgid = Tgid::from_raw(child);
            match check(child, stat, notes) {
                Ok(process) => _ = processes.insert(tgid, process),
                Err(TargetError::NoSuchPid { .. } | TargetError::Zombie { .. }) => {}
                Err(error) => notes.push(Note::LeftOut {
                    tgid,
                    reason: error.to_string(),
                }),
            }
        }
    }
    Ok(())
}

/// A process that was there a moment ago.
fn vanished(pid: u32, file: &'static str, source: io::Error) -> TargetError {
    if proc::is_gone(&source) {
        TargetError::NoSuchPid { pid }
    } else {
        unreadable(pid, file, source)
    }
}

fn unreadable(pid: u32, file: &'static str, source: io::Error) -> TargetError {
    TargetError::Unreadable {
        pid: pid.to_string(),
        file,
        source,
    }
}

fn unreadable_self(file: &'static str, source: io::Error) -> TargetError {
    TargetError::Unreadable {
        pid: "self".into(),
        file,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Killed(Child);

    impl Killed {
        fn start(script: &str) -> Self {
            Self(Command::new("sh").args(["-c", script]).spawn().unwrap())
        }
    }

    impl Drop for Killed {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    fn pid(pid: u32) -> TargetSpec {
        TargetSpec {
            pids: vec![pid],
            ..TargetSpec::default()
        }
    }

    #[test]
    fn a_child_is_found_with_what_proc_knows() {
        let child = Killed::start("exec sleep 60");
        let id = child.0.id();
        let process = loop {
            let target = resolve(&pid(id)).unwrap();
            assert_eq!(
                (target.processes.len(), &target.threads_only, &target.notes),
                (1, &None, &Vec::new())
            );
            if target.processes[0].comm == "sleep" {
                break target.processes[0].clone();
            }
        };
        assert_eq!(
            (process.tgid.as_raw(), process.ns_pids.as_slice(), process.threads),
            (id, [id].as_slice(), 1)
        );
        assert_eq!(process.cmdline, ["sleep", "60"]);
        assert_eq!(process.uid, rustix::process::geteuid().as_raw());
        assert!(process.exe.is_some());
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_own_error() {
        let error = |spec: &TargetSpec| resolve(spec).unwrap_err();
        assert!(matches!(error(&TargetSpec::default()), TargetError::Empty));
        assert!(matches!(error(&pid(0)), TargetError::Zero));
        assert!(matches!(
            error(&pid(u32::MAX)),
            TargetError::NoSuchPid { pid: u32::MAX }
        ));
        assert!(matches!(error(&pid(std::process::id())), TargetError::Itself { .. }));
        let spec = TargetSpec {
            tids: vec![4_194_305],
            ..TargetSpec::default()
        };
        assert!(matches!(error(&spec), TargetError::NoSuchTid { tid: 4_194_305 }));
        if Stat::read(2).is_ok_and(|stat| stat.is_kernel_thread()) {
            assert!(matches!(error(&pid(2)), TargetError::KernelThread { .. }));
        }
    }

    #[test]
    fn a_zombie_is_named_with_its_parent() {
        let mut child = Command::new("true").spawn().unwrap();
        let found = loop {
            match resolve(&pid(child.id())) {
                Ok(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
                Err(error) => break error,
            }
        };
        let me = std::process::id();
        assert!(
            matches!(found, TargetError::Zombie { parent, .. } if parent == me),
            "{found}"
        );
        child.wait().unwrap();
        assert!(matches!(resolve(&pid(child.id())), Err(TargetError::NoSuchPid { .. })));
    }

    #[test]
    fn a_tree_holds_each_descendant_once_and_never_this_process() {
        let child = Killed::start("sleep 60 & sh -c 'sleep 60 & wait' & wait");
        let spec = TargetSpec {
            tree: true,
            ..pid(child.0.id())
        };
        let target = loop {
            let target = resolve(&spec).unwrap();
            if target.processes.len() == 4 {
                break target;
            }
        };
        assert!(target.tgids().is_sorted());
        let mut doubled = spec;
        doubled.pids.extend(target.tgids().map(Tgid::as_raw));
        assert_eq!(resolve(&doubled).unwrap().processes.len(), 4);
        for tgid in target.tgids().filter(|tgid| tgid.as_raw() != child.0.id()) {
            let pid = rustix::process::Pid::from_raw(tgid.as_raw().cast_signed()).unwrap();
            _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    #[test]
    fn threads_choose_their_process_or_must_belong_to_it() {
        let (one, two) = (Killed::start("exec sleep 60"), Killed::start("exec sleep 60"));
        let spec = TargetSpec {
            tids: vec![one.0.id()],
            ..TargetSpec::default()
        };
        let target = resolve(&spec).unwrap();
        assert_eq!(target.processes[0].tgid.as_raw(), one.0.id());
        assert_eq!(target.threads_only, Some(vec![Tid::from_raw(one.0.id())]));
        let spec = TargetSpec {
            tids: vec![one.0.id()],
            ..pid(two.0.id())
        };
        assert!(matches!(resolve(&spec), Err(TargetError::ThreadElsewhere { .. })));
    }

    #[test]
    fn a_stopped_process_is_noted() {
        let child = Killed::start("kill -STOP $$");
        let target = loop {
            let target = resolve(&pid(child.0.id())).unwrap();
            if !target.notes.is_empty() {
                break target;
            }
        };
        assert_eq!(
            target.notes[0],
            Note::Stopped {
                tgid: target.processes[0].tgid,
                traced: false
            }
        );
    }
}
