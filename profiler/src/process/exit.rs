//! process/exit: whether the target still lives, and waiting for its end.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::proc::{self, Stat};
use super::{error::TargetError, single::Process};
use crate::quantity::Tgid;

/// How often a process without a pidfd is looked at.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Whether the process still runs: the same PID with the same start time (a PID is given again),
/// and not a zombie. Where /proc cannot be read (no descriptor is left) nothing says that it has
/// gone.
pub fn is_alive(process: &Process) -> bool {
    match Stat::read(process.tgid.as_raw()) {
        Ok(stat) => stat.started == process.started && !stat.is_zombie(),
        Err(error) => !proc::is_gone(&error),
    }
}

/// When a process began, in clock ticks since boot; `None` where it has gone.
pub fn started(tgid: Tgid) -> Option<u64> {
    Some(Stat::read(tgid.as_raw()).ok()?.started)
}

/// Waits for the end of a set of processes. A pidfd each; where the kernel or a sandbox refuses
/// pidfd_open, /proc is looked at every 20 ms instead.
#[derive(Debug)]
pub struct ExitWatch {
    running: Vec<Watched>,
    exited: Vec<Tgid>,
    /// An epoll of all pidfds: one call asks about thousands of processes. `None` where there is
    /// none to be had.
    all: Option<OwnedFd>,
}

#[derive(Debug)]
struct Watched {
    process: Process,
    pidfd: Option<OwnedFd>,
}

impl ExitWatch {
    /// Starts watching. Processes that have gone already count as exited.
    ///
    /// # Errors
    ///
    /// [`TargetError::Watch`] where no descriptor is left for a pidfd (EMFILE, ENFILE) or memory is
    /// short.
    pub fn new(processes: &[Process]) -> Result<Self, TargetError> {
        let mut watch = Self { running: Vec::new(), exited: Vec::new(), all: None };
        for process in processes {
            let pidfd = open(process.tgid).map_err(|source| TargetError::Watch { source })?;
            // After the pidfd is open its number cannot be given again, so this answer is final.
            if is_alive(process) {
                watch.running.push(Watched { process: process.clone(), pidfd });
            } else {
                watch.exited.push(process.tgid);
            }
        }
        watch.all = watch.in_one().ok();
        Ok(watch)
    }

    fn in_one(&self) -> io::Result<OwnedFd> {
        let all = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for pidfd in self.pidfds() {
            epoll::add(&all, pidfd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(all)
    }

    /// Waits until every process has exited, at most for `timeout`; zero does not wait. `true`
    /// where none runs any more.
    ///
    /// # Errors
    ///
    /// [`TargetError::Watch`] where poll(2) fails, for want of memory.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, TargetError> {
        // A timeout that no clock can hold is no timeout.
        let end = Instant::now().checked_add(timeout);
        loop {
            self.sort_out();
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if self.running.is_empty() || left == Some(Duration::ZERO) {
                return Ok(self.running.is_empty());
            }
            self.sleep(left).map_err(|source| TargetError::Watch { source })?;
        }
    }

    /// Those that have exited so far, in the order seen by [`ExitWatch::wait`].
    pub fn exited(&self) -> &[Tgid] {
        &self.exited
    }

    /// The pidfds of those that run, for an event loop: readable once the process has exited.
    /// Processes without one are only seen by [`ExitWatch::wait`].
    pub fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running.iter().filter_map(|watched| Some(watched.pidfd.as_ref()?.as_fd()))
    }

    /// Whether any of them may have exited since the last look. A pidfd that is closed leaves the
    /// epoll by itself.
    fn any_news(&self) -> bool {
        let Some(all) = self.all.as_ref().filter(|_| self.all_have_pidfds()) else { return true };
        poll(&mut [PollFd::new(all, PollFlags::IN)], Some(&Timespec::default())) != Ok(0)
    }

    fn all_have_pidfds(&self) -> bool {
        self.running.iter().all(|watched| watched.pidfd.is_some())
    }

    fn sort_out(&mut self) {
        if !self.any_news() {
            return;
        }
        let gone = self.running.extract_if(.., |watched| match &watched.pidfd {
            Some(pidfd) => poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&Timespec::default())) == Ok(1),
            None => !is_alive(&watched.process),
        });
        self.exited.extend(gone.map(|watched| watched.process.tgid));
    }

    fn sleep(&self, left: Option<Duration>) -> io::Result<()> {
        let in_poll = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds: Vec<PollFd<'_>> = match &self.all {
            Some(all) => vec![in_poll(all.as_fd())],
            None => self.pidfds().map(in_poll).collect(),
        };
        let limit = if self.all_have_pidfds() { None } else { Some(POLL_EVERY) };
        let pause = left.into_iter().chain(limit).min();
        let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
        match poll(&mut fds, pause.as_ref()) {
            // A signal is the caller's business, and may have set the flag that ends the
            // measurement: look again.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `None` where there is no pidfd to be had: an old kernel, a sandbox, or a process that has gone.
fn open(tgid: Tgid) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(tgid.as_raw()).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Process;
    use super::*;
    use std::process::{Child, Command};

    fn sleeper() -> (Child, Process) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::read(Tgid::from_raw(child.id())).unwrap();
        (child, process)
    }

    #[test]
    fn an_exit_ends_the_wait_before_the_timeout() {
        let ((mut one, first), (mut two, second)) = (sleeper(), sleeper());
        let mut watch = ExitWatch::new(&[first.clone(), second.clone()]).unwrap();
        assert_eq!(watch.pidfds().count(), 2);
        assert!(!watch.wait(Duration::from_millis(5)).unwrap());
        one.kill().unwrap();
        assert!(!watch.wait(Duration::from_millis(50)).unwrap());
        assert_eq!(watch.exited(), [first.tgid]);
        two.kill().unwrap();
        let start = Instant::now();
        assert!(watch.wait(Duration::MAX).unwrap());
        assert!(start.elapsed() < Duration::from_secs(20));
        // Both are zombies now: not reaped, and dead all the same.
        assert!(!is_alive(&first) && !is_alive(&second));
        one.wait().unwrap();
        two.wait().unwrap();
    }

    #[test]
    fn without_an_epoll_the_end_is_seen_too() {
        let ((mut one, first), (mut two, second)) = (sleeper(), sleeper());
        let mut watch = ExitWatch { all: None, ..ExitWatch::new(&[first.clone(), second]).unwrap() };
        one.kill().unwrap();
        assert!(!watch.wait(Duration::from_millis(50)).unwrap());
        assert_eq!(watch.exited(), [first.tgid]);
        two.kill().unwrap();
        assert!(watch.wait(Duration::from_secs(20)).unwrap());
        one.wait().unwrap();
        two.wait().unwrap();
    }

    #[test]
    fn without_a_pidfd_the_end_is_seen_too() {
        let (mut child, process) = sleeper();
        let mut watch = ExitWatch { running: vec![Watched { process, pidfd: None }], exited: Vec::new(), all: None };
        assert!(!watch.wait(Duration::from_millis(5)).unwrap());
        child.kill().unwrap();
        assert!(watch.wait(Duration::from_secs(20)).unwrap());
        child.wait().unwrap();
    }

    #[test]
    fn a_pid_given_again_is_another_process() {
        let mut process = Process::read(Tgid::from_raw(std::process::id())).unwrap();
        assert!(is_alive(&process));
        process.started += 1;
        assert!(!is_alive(&process));
        assert!(ExitWatch::new(&[process]).unwrap().wait(Duration::ZERO).unwrap());
    }
}
