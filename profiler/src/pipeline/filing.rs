//! Filing: telling the kernel side which threads are the target's.

use crate::{
    kernel::{LoadError, Session},
    process::{self, Process, Target},
    quantity::{Nanos, Tgid},
};

/// Files every thread that lives now. Births are followed by the kernel side from the attachment
/// on; a thread born by one that was not filed yet is found by looking again. Who has the number of
/// a process that has ended is left alone.
pub(super) fn file_threads(session: &mut Session, target: &Target) -> Result<(), LoadError> {
    if let Some(only) = &target.threads_only {
        session.ignore_births();
        for process in target.processes.iter().filter(|process| process::is_alive(process)) {
            for tid in process::threads(process.tgid) {
                if only.contains(&tid) {
                    session.add_thread(process.tgid, tid);
                }
            }
        }
        return Ok(());
    }
    file_processes(session, &target.processes)
}

/// The same for these processes.
pub(super) fn file_processes(session: &mut Session, processes: &[Process]) -> Result<(), LoadError> {
    let mut living: Vec<Tgid> = Vec::new();
    for process in processes.iter().filter(|process| process::is_alive(process)) {
        session.add_process(process.tgid)?;
        living.push(process.tgid);
    }
    for _ in 0..8 {
        let mut new = 0;
        for &tgid in &living {
            for tid in process::threads(tgid) {
                new += usize::from(session.add_thread(tgid, tid));
            }
        }
        if new == 0 {
            break;
        }
    }
    Ok(())
}

/// A target that is a group has ended when nobody has been in it for this long.
const EMPTY: Nanos = Nanos::from_millis(2_000);
/// How often somebody is looked for meanwhile.
const LOOK: Nanos = Nanos::from_millis(100);
/// So many of those that have entered a group are named in a report.
const MOST_ENTERED: usize = 1_000;

/// Who comes to the target without a fork that the programs see.
#[derive(Default)]
pub(super) struct Arrivals {
    threads: LateThreads,
    /// Processes that have entered one of the target's groups.
    entered: Vec<Process>,
    /// Since when nobody is in these groups, and when that was looked at last.
    empty: Option<(Nanos, Nanos)>,
}

impl Arrivals {
    /// Files threads that have come.
    pub(super) fn file_threads(&mut self, session: &mut Session, target: &Target) {
        self.threads.file(session, target);
    }

    /// Files processes that have come. What they did before they entered a group, or before this
    /// look, is not counted.
    pub(super) fn file_processes(&mut self, session: &mut Session, target: &Target) -> Result<(), LoadError> {
        if target.groups.is_empty() || target.threads_only.is_some() {
            return Ok(());
        }
        let known = session.threads_by_process();
        let mut newer = process::newcomers(target, |tgid| known.contains_key(&tgid));
        file_processes(session, &newer)?;
        newer.retain(|new| !self.entered.iter().any(|old| (old.tgid, old.started) == (new.tgid, new.started)));
        newer.truncate(MOST_ENTERED.saturating_sub(self.entered.len()));
        self.entered.append(&mut newer);
        if session.live_threads() > 0 {
            self.empty = None;
        }
        Ok(())
    }

    /// Files all of them again, for a new window.
    pub(super) fn file_again(&mut self, session: &mut Session, target: &Target) -> Result<(), LoadError> {
        file_processes(session, &self.entered)?;
        self.file_processes(session, target)
    }

    /// Nobody of the target lives: whether somebody may still enter one of its groups. A service
    /// that is started anew is empty for a moment.
    pub(super) fn may_come(&mut self, session: &mut Session, target: &Target, now: Nanos) -> Result<bool, LoadError> {
        if target.groups.is_empty() {
            return Ok(false);
        }
        let (since, looked) = *self.empty.get_or_insert((now, Nanos::ZERO));
        if now.saturating_sub(looked) >= LOOK {
            self.empty = Some((since, now));
            self.file_processes(session, target)?;
        }
        Ok(self.empty.is_none() || now.saturating_sub(since) < EMPTY)
    }

    /// Processes that have entered one of the target's groups.
    pub(super) fn entered(&self) -> &[Process] {
        &self.entered
    }
}

/// So many processes are asked in a look. A target of thousands is gone through by turns.
const ASKED: usize = 256;

/// Looks for threads that came without the fork tracepoint: the kernel's own workers for io_uring
/// (`create_io_thread`).
#[derive(Default)]
struct LateThreads {
    /// The process that the next look begins with.
    next: usize,
}

impl LateThreads {
    /// Files those of the processes whose turn it is.
    fn file(&mut self, session: &mut Session, target: &Target) {
        if target.threads_only.is_some() {
            return;
        }
        let known = session.threads_by_process();
        for process in self.turn(&target.processes) {
            let tgid = process.tgid;
            // One small call tells whether the list is worth reading.
            let filed = known.get(&tgid).copied().unwrap_or(0);
            let has_more = process::thread_count(tgid).is_some_and(|threads| threads > filed);
            if !has_more || !process::is_alive(process) {
                continue;
            }
            for tid in process::threads(tgid) {
                session.add_thread(tgid, tid);
            }
        }
    }

    /// The next [`ASKED`] of them, each once; after the last comes the first.
    fn turn<'t, T>(&mut self, all: &'t [T]) -> impl Iterator<Item = &'t T> + use<'t, T> {
        let (begin, count) = (self.next.min(all.len()), all.len().min(ASKED));
        self.next = (begin + count) % all.len().max(1);
        all.iter().cycle().skip(begin).take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_its_turn_and_few_are_asked_every_time() {
        let all: Vec<usize> = (0..2 * ASKED + 5).collect();
        let mut late = LateThreads::default();
        let mut seen: Vec<usize> = (0..3).flat_map(|_| late.turn(&all).copied().collect::<Vec<_>>()).collect();
        assert_eq!(seen.len(), 3 * ASKED);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, all);
        let few = [1, 2, 3];
        let mut late = LateThreads::default();
        assert_eq!([late.turn(&few).count(), late.turn(&few).count()], [3, 3]);
        assert_eq!(late.turn(&[] as &[u8]).count(), 0);
    }
}
