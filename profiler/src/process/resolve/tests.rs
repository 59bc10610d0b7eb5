//! target/resolve's tests: on children of this very process.

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
    TargetSpec { pids: vec![pid], ..TargetSpec::default() }
}

#[test]
fn a_child_is_found_with_what_proc_knows() {
    let child = Killed::start("exec sleep 60");
    let id = child.0.id();
    let process = loop {
        let target = resolve(&pid(id)).unwrap();
        assert_eq!((target.processes.len(), &target.threads_only, &target.notes), (1, &None, &Vec::new()));
        // A program has its name a moment before its arguments are in place.
        if target.processes[0].comm == "sleep" && !target.processes[0].cmdline.is_empty() {
            break target.processes[0].clone();
        }
    };
    assert_eq!((process.tgid.as_raw(), process.ns_pids.as_slice(), process.threads), (id, [id].as_slice(), 1));
    assert_eq!(process.cmdline, ["sleep", "60"]);
    assert_eq!(process.uid, rustix::process::geteuid().as_raw());
    assert!(process.exe.is_some());
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_own_error() {
    let error = |spec: &TargetSpec| resolve(spec).unwrap_err();
    assert!(matches!(error(&TargetSpec::default()), TargetError::Empty));
    assert!(matches!(error(&pid(0)), TargetError::Zero));
    assert!(matches!(error(&pid(u32::MAX)), TargetError::NoSuchPid { pid: u32::MAX }));
    assert!(matches!(error(&pid(std::process::id())), TargetError::Itself { .. }));
    let spec = TargetSpec { tids: vec![4_194_305], ..TargetSpec::default() };
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
    assert!(matches!(found, TargetError::Zombie { parent, .. } if parent == me), "{found}");
    child.wait().unwrap();
    assert!(matches!(resolve(&pid(child.id())), Err(TargetError::NoSuchPid { .. })));
}

#[test]
fn who_was_forked_since_is_found_and_a_stranger_has_no_children_of_ours() {
    let child = Killed::start("sleep 60 & sleep 60 & wait");
    let mut target = resolve(&pid(child.0.id())).unwrap();
    let found = loop {
        let found = descendants(&target).unwrap();
        if found.iter().filter(|process| process.comm == "sleep").count() == 2 {
            break found;
        }
    };
    assert!(found.iter().all(|process| process.tgid.as_raw() != child.0.id()), "{found:?}");
    // One that is filed already is not found again.
    target.processes.push(found[0].clone());
    target.processes.sort_by_key(|process| process.tgid);
    assert_eq!(descendants(&target).unwrap(), found[1..]);
    // Another process that has the number of one which has ended.
    target.processes.iter_mut().for_each(|process| process.started += 1);
    assert_eq!(descendants(&target).unwrap(), []);
}

#[test]
fn a_tree_holds_each_descendant_once_and_never_this_process() {
    let child = Killed::start("sleep 60 & sh -c 'sleep 60 & wait' & wait");
    let spec = TargetSpec { tree: true, ..pid(child.0.id()) };
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
    let spec = TargetSpec { tids: vec![one.0.id()], ..TargetSpec::default() };
    let target = resolve(&spec).unwrap();
    assert_eq!(target.processes[0].tgid.as_raw(), one.0.id());
    assert_eq!(target.threads_only, Some(vec![Tid::from_raw(one.0.id())]));
    let spec = TargetSpec { tids: vec![one.0.id()], ..pid(two.0.id()) };
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
    assert_eq!(target.notes[0], Note::Stopped { tgid: target.processes[0].tgid, traced: false });
}

/// Starts two processes that have the same number inside a PID namespace each, one that the host
/// does not use.
#[test]
fn a_number_of_a_namespace_is_understood_where_it_is_unambiguous() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: PID namespaces need root");
        return;
    }
    // Far from where the host hands out numbers just now.
    let far = (std::process::id() + 15_000) % 30_000 + 1_000;
    let inner = (far..).find(|&number| !exists(number)).unwrap();
    let set = format!("echo {} > /proc/sys/kernel/ns_last_pid", inner - 1);
    let start = || {
        Killed::start(&format!("exec unshare --pid --fork --mount-proc --kill-child sh -c '{set}; sleep 60 & wait'"))
    };
    let first = start();
    let find = |done: &dyn Fn(&Result<Target, TargetError>) -> bool| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let found = resolve(&pid(inner));
            if done(&found) {
                return found;
            }
            assert!(std::time::Instant::now() < end, "{found:?}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let target = find(&|found| found.is_ok()).unwrap();
    let process = &target.processes[0];
    assert_eq!(process.inner_pid(), Some(inner));
    assert!(
        matches!(target.notes[0], Note::NamespacePid { given, host, .. } if given == inner && host == process.tgid)
    );
    let second = start();
    let error = find(&|found| found.is_err()).unwrap_err();
    assert!(matches!(&error, TargetError::AmbiguousPid { candidates, .. } if candidates.len() == 2), "{error}");
    drop((first, second));
}
