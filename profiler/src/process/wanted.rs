//! What was named, so that it can be found again later: a PID that a stranger has got since is none
//! of it, and what comes under a name is.

use super::{
    error::TargetError,
    exit::is_alive,
    resolve::resolve,
    single::Process,
    target::{Target, TargetSpec},
    thread::threads,
};
use crate::quantity::Tid;

/// Targets as they were named.
#[derive(Clone, Debug)]
pub struct Wanted {
    spec: TargetSpec,
    /// Those that were named by PID.
    processes: Vec<Process>,
    /// Those that were named by TID, and whose they are.
    threads: Vec<(Tid, Process)>,
}

impl Wanted {
    /// Every process of the machine.
    pub fn everyone() -> Self {
        let spec = TargetSpec { everyone: true, ..TargetSpec::default() };
        Self { spec, processes: Vec::new(), threads: Vec::new() }
    }

    /// Looks now who the numbers are.
    ///
    /// # Errors
    /// One of them is nobody's: see [`TargetError`].
    pub fn new(spec: &TargetSpec) -> Result<Self, TargetError> {
        let of = |spec: TargetSpec| Ok(resolve(&spec)?.processes.into_iter());
        let (mut processes, mut found) = (Vec::new(), Vec::new());
        for &pid in &spec.pids {
            processes.extend(of(TargetSpec { pids: vec![pid], ..TargetSpec::default() })?);
        }
        for &tid in &spec.tids {
            let owner = of(TargetSpec { tids: vec![tid], ..TargetSpec::default() })?.next();
            found.extend(owner.map(|owner| (Tid::from_raw(tid), owner)));
        }
        Ok(Self { spec: spec.clone(), processes, threads: found })
    }

    /// Whether others may come under the same name.
    pub fn may_come(&self) -> bool {
        self.spec.everyone || !self.spec.names.is_empty() && self.spec.tids.is_empty()
    }

    /// Whether nobody in particular is wanted.
    pub fn is_everyone(&self) -> bool {
        self.spec.everyone
    }

    /// Who of them is there now; `None` where nobody is. Those of `measured` that live are kept
    /// where they may have been started by somebody who was named, and in the place of a name that
    /// is nobody's, or more than one process's.
    pub fn now(&self, measured: &[Process]) -> Option<Target> {
        let alone = |pid: u32| TargetSpec { pids: vec![pid], ..TargetSpec::default() };
        // One that is going while it is looked at is no reason to lose the others.
        let pid = |process: &Process| {
            let pid = process.tgid.as_raw();
            (is_alive(process) && resolve(&alone(pid)).is_ok()).then_some(pid)
        };
        let mut spec = TargetSpec { everyone: self.spec.everyone, tree: self.spec.tree, ..TargetSpec::default() };
        spec.pids = self.processes.iter().filter_map(pid).collect();
        let lives = |(tid, owner): &&(Tid, Process)| is_alive(owner) && threads(owner.tgid).contains(tid);
        spec.tids = self.threads.iter().filter(lives).map(|(tid, _)| tid.as_raw()).collect();
        if spec.tids.is_empty() && !self.spec.tids.is_empty() {
            return None;
        }
        let mut keeps = self.spec.tree && !self.spec.everyone;
        for name in &self.spec.names {
            let named = TargetSpec { names: vec![name.clone()], tree: self.spec.tree, ..TargetSpec::default() };
            match resolve(&named) {
                Ok(_) => spec.names.push(name.clone()),
                Err(_) => keeps = true,
            }
        }
        if keeps {
            spec.pids.extend(measured.iter().filter_map(pid));
        }
        resolve(&spec).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Name;

    fn spec(pids: &[u32], names: &[&str]) -> TargetSpec {
        let names = names.iter().map(|name| Name::Program((*name).to_owned())).collect();
        TargetSpec { pids: pids.to_vec(), names, ..TargetSpec::default() }
    }

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep").arg("60").spawn().unwrap()
    }

    /// Of two, one ends: the other is still wanted. A stranger with the number of one is not.
    #[test]
    fn who_is_left_is_wanted_and_a_stranger_is_not() {
        let mut children = [sleeper(), sleeper()];
        let pids = children.each_ref().map(std::process::Child::id);
        let wanted = Wanted::new(&spec(&pids, &[])).unwrap();
        let there = |wanted: &Wanted| {
            let target = wanted.now(&[]);
            target.map(|target| target.tgids().map(|tgid| tgid.as_raw()).collect::<Vec<u32>>())
        };
        let mut both = pids.to_vec();
        both.sort_unstable();
        assert_eq!(there(&wanted), Some(both));
        children[0].kill().unwrap();
        children[0].wait().unwrap();
        assert_eq!(there(&wanted), Some(vec![pids[1]]));
        let mut other = wanted.clone();
        other.processes[1].started += 1;
        assert_eq!(there(&other), None);
        children[1].kill().unwrap();
        children[1].wait().unwrap();
        assert_eq!(there(&wanted), None);
        assert!(!wanted.may_come());
    }

    /// Who was named with all that it has started ends, and what it has started lives.
    #[test]
    fn children_are_wanted_when_their_parent_has_gone() {
        let mut children = [sleeper(), sleeper()];
        let pids = children.each_ref().map(std::process::Child::id);
        let wanted = Wanted::new(&TargetSpec { tree: true, ..spec(&pids[..1], &[]) }).unwrap();
        let measured = resolve(&spec(&pids, &[])).unwrap().processes;
        children[0].kill().unwrap();
        children[0].wait().unwrap();
        let left = wanted.now(&measured).map(|target| target.tgids().map(|tgid| tgid.as_raw()).collect::<Vec<u32>>());
        assert_eq!(left, Some(vec![pids[1]]));
        children[1].kill().unwrap();
        children[1].wait().unwrap();
        assert!(wanted.now(&measured).is_none());
    }

    /// A name that nobody has leaves those who were there and live.
    #[test]
    fn a_name_that_fails_leaves_who_lives() {
        let mut child = sleeper();
        let before = resolve(&spec(&[child.id()], &[])).unwrap().processes;
        let wanted = Wanted::new(&spec(&[], &["^no-such-program-at-all$"])).unwrap();
        assert!(wanted.may_come());
        assert_eq!(wanted.now(&before).map(|target| target.processes.len()), Some(1));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(wanted.now(&before).is_none());
    }
}
