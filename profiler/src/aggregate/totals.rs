//! A thread's totals: its record with the last interval closed, so that its wall time has no gap.

use super::silent::{Doing, Silent};
use crate::{
    event::{BlockClass, Call, Phase, Sums, ThreadRecord},
    quantity::{Nanos, Tgid, Tid},
};

/// How the last interval of a thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum OpenEnd {
    /// It ended with the thread.
    Closed,
    /// It was on a CPU when the window ended.
    Running,
    /// It was waiting for a CPU.
    Runnable,
    /// It was blocked on this.
    Blocked(BlockClass),
}

/// What was measured of one thread, with its last interval closed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ThreadTotals {
    pub tid: Tid,
    /// Process of the thread: its group leader, in the initial PID namespace.
    pub tgid: Tgid,
    /// Time from the first to the last moment it is measured.
    pub wall: Nanos,
    /// Its sums, open intervals included.
    pub sums: Sums,
    /// CPU whose mode is not known (a thread that ran without any event).
    pub cpu_unknown: Nanos,
    /// Wall time that nothing accounts for.
    pub unknown: Nanos,
    /// Wall time accounted beyond the wall: an error of ours, shown like the former.
    pub excess: Nanos,
    /// How its last interval ended.
    pub open_end: OpenEnd,
    /// Whether it was asleep when the window began.
    pub asleep_at_start: bool,
    /// Whether it was born inside.
    pub born_inside: bool,
    /// Whether it is gone.
    pub dead: bool,
    /// Whether it had no event at all.
    pub silent: bool,
    /// Whether it is a thread of the kernel's that works for a ring (`io_uring`): it runs no code
    /// of the program's.
    #[serde(default)]
    pub ring: bool,
    /// Number of its address space; threads with equal numbers share their call places.
    #[serde(default)]
    pub space: u32,
}

impl ThreadTotals {
    /// For tests: a thread that was there before the window, did this, and ran when it ended.
    #[cfg(test)]
    pub(crate) fn running(tid: u32, tgid: u32, wall: Nanos, sums: Sums) -> Self {
        Self {
            tid: Tid::from_raw(tid),
            tgid: Tgid::from_raw(tgid),
            wall,
            sums,
            cpu_unknown: Nanos::ZERO,
            unknown: Nanos::ZERO,
            excess: Nanos::ZERO,
            open_end: OpenEnd::Running,
            asleep_at_start: false,
            born_inside: false,
            dead: false,
            silent: false,
            ring: false,
            space: tgid << 1,
        }
    }

    /// Closes a record at `end`. `None` for a thread that was gone before the measurement began.
    pub(super) fn close(record: &ThreadRecord, measured: Nanos, end: Nanos, known: Option<Silent>) -> Option<Self> {
        let mut totals = Self {
            tid: record.tid,
            tgid: record.tgid,
            wall: end.saturating_sub(record.first),
            sums: record.sums,
            cpu_unknown: Nanos::ZERO,
            unknown: Nanos::ZERO,
            excess: Nanos::ZERO,
            open_end: OpenEnd::Closed,
            asleep_at_start: record.asleep_at_start,
            born_inside: record.born_inside,
            dead: matches!(record.phase, Phase::Dead { .. }),
            silent: record.phase == Phase::Unseen,
            ring: record.ring,
            space: record.space,
        };
        totals.open_end =
            if totals.silent { totals.close_silent(measured, known?) } else { totals.close_interval(record, end) };
        let accounted = Nanos::from_nanos(accounted(&totals.sums)) + totals.cpu_unknown;
        totals.unknown = totals.wall.saturating_sub(accounted);
        totals.excess = accounted.saturating_sub(totals.wall);
        Some(totals)
    }

    /// Adds the last interval, from the last event to `end`.
    fn close_interval(&mut self, record: &ThreadRecord, end: Nanos) -> OpenEnd {
        let left = |from: Nanos| end.saturating_sub(from).as_nanos();
        let sums = &mut self.sums;
        match record.phase {
            Phase::Unseen => OpenEnd::Closed,
            Phase::Dead { at } => {
                self.wall = at.saturating_sub(record.first);
                OpenEnd::Closed
            }
            Phase::OnCpu { since } => {
                match record.call {
                    Call::None => sums.user += left(since),
                    _ => sums.kernel += left(since),
                }
                OpenEnd::Running
            }
            Phase::Blocked { class, off } => {
                sums.classes[class as usize].blocked += left(off);
                sums.count_load(record.loads, left(off));
                OpenEnd::Blocked(class)
            }
            Phase::Woken { class, off, wake } => {
                let blocked = wake.saturating_sub(off).as_nanos();
                sums.count_load(record.loads, blocked);
                let sum = &mut sums.classes[class as usize];
                sum.blocked += blocked;
                sum.run_delay += left(wake);
                OpenEnd::Runnable
            }
            Phase::Preempted { off } => {
                sums.preempted += left(off);
                OpenEnd::Runnable
            }
            Phase::Born { at } => {
                sums.born_delay += left(at);
                OpenEnd::Runnable
            }
        }
    }

    /// A thread without an event did one thing all the time.
    fn close_silent(&mut self, measured: Nanos, known: Silent) -> OpenEnd {
        // A thread that was filed in mid-window is measured since then.
        self.wall = self.wall.min(measured);
        self.ring |= known.ring;
        match known.doing {
            Doing::Asleep { on, loads } => {
                self.sums.classes[on as usize].blocked += self.wall.as_nanos();
                self.sums.count_load(loads, self.wall.as_nanos());
                self.asleep_at_start = true;
                OpenEnd::Blocked(on)
            }
            Doing::Queued => {
                self.sums.preempted += self.wall.as_nanos();
                OpenEnd::Runnable
            }
            Doing::Running => {
                self.cpu_unknown = self.wall;
                OpenEnd::Running
            }
        }
    }

    /// Adds a later window of the same thread.
    pub(super) fn absorb(&mut self, later: &Self) {
        self.add(later);
        self.open_end = later.open_end;
        self.dead = later.dead;
    }

    /// Adds an earlier window of the same thread.
    pub(super) fn follow(&mut self, earlier: &Self) {
        self.add(earlier);
        self.asleep_at_start = earlier.asleep_at_start;
        self.born_inside = earlier.born_inside;
    }

    /// Adds what does not depend on which window came first.
    fn add(&mut self, other: &Self) {
        self.wall += other.wall;
        self.sums.merge(&other.sums);
        self.cpu_unknown += other.cpu_unknown;
        self.unknown += other.unknown;
        self.excess += other.excess;
        self.silent &= other.silent;
        self.space = other.space;
        self.ring |= other.ring;
    }

    /// CPU as the tracepoints saw it.
    pub fn cpu(&self) -> Nanos {
        Nanos::from_nanos(self.sums.user + self.sums.kernel) + self.cpu_unknown
    }

    /// Run-queue delay of all kinds.
    pub fn run_delay(&self) -> Nanos {
        Nanos::from_nanos(run_delay(&self.sums))
    }

    /// Blocked time of all classes.
    pub fn blocked(&self) -> Nanos {
        Nanos::from_nanos(self.sums.classes.iter().map(|c| c.blocked).sum())
    }
}

fn run_delay(sums: &Sums) -> u64 {
    sums.preempted + sums.born_delay + sums.classes.iter().map(|c| c.run_delay).sum::<u64>()
}

pub(super) fn accounted(sums: &Sums) -> u64 {
    sums.user + sums.kernel + run_delay(sums) + sums.classes.iter().map(|c| c.blocked).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Loads;

    fn record(phase: Phase) -> ThreadRecord {
        ThreadRecord {
            tid: Tid::from_raw(1),
            tgid: Tgid::from_raw(1),
            phase,
            loads: Loads::No,
            call: Call::None,
            open_blocks: 0,
            open_cpu: Nanos::ZERO,
            asleep_at_start: false,
            born_inside: false,
            ring: false,
            space: 2,
            first: Nanos::from_nanos(100),
            sums: Sums::ZERO,
        }
    }

    fn close_one(record: &ThreadRecord, known: Option<Silent>) -> Option<ThreadTotals> {
        let at = Nanos::from_nanos;
        ThreadTotals::close(record, at(1000), at(1100), known)
    }

    #[test]
    fn every_phase_is_closed_without_a_gap() {
        let at = Nanos::from_nanos;
        for phase in [
            Phase::OnCpu { since: at(100) },
            Phase::Blocked { class: BlockClass::Pipe, off: at(100) },
            Phase::Woken { class: BlockClass::Tcp, off: at(100), wake: at(400) },
            Phase::Preempted { off: at(100) },
            Phase::Born { at: at(100) },
        ] {
            let closed = close_one(&record(phase), None).unwrap();
            assert_eq!((closed.unknown, closed.excess), (Nanos::ZERO, Nanos::ZERO), "{phase:?}");
            assert_eq!(closed.wall, at(1000), "{phase:?}");
        }
    }

    #[test]
    fn a_gap_is_shown_as_unknown_and_never_swallowed() {
        let closed = close_one(&record(Phase::OnCpu { since: Nanos::from_nanos(300) }), None).unwrap();
        assert_eq!(closed.unknown, Nanos::from_nanos(200));
    }

    #[test]
    fn a_silent_thread_is_what_proc_says_and_a_vanished_one_is_not_ours() {
        let close = |doing| {
            let silent = Silent { tid: Tid::from_raw(1), doing, ring: false };
            close_one(&record(Phase::Unseen), Some(silent)).unwrap()
        };
        let all = Nanos::from_nanos(1000);
        let closed = close(Doing::Asleep { on: BlockClass::Futex, loads: Loads::No });
        assert_eq!((closed.blocked(), closed.asleep_at_start, closed.silent), (all, true, true));
        let closed = close(Doing::Queued);
        assert_eq!((closed.run_delay(), closed.cpu(), closed.open_end), (all, Nanos::ZERO, OpenEnd::Runnable));
        let closed = close(Doing::Running);
        assert_eq!((closed.cpu(), closed.unknown, closed.asleep_at_start), (all, Nanos::ZERO, false));
        assert_eq!(close_one(&record(Phase::Unseen), None), None);
    }

    #[test]
    fn a_sleep_that_is_open_counts_in_the_load_as_the_kernel_says() {
        let at = Nanos::from_nanos;
        let load = |phase, loads| {
            let closed = close_one(&ThreadRecord { loads, ..record(phase) }, None).unwrap();
            (closed.sums.loading, closed.sums.loading_disk)
        };
        let blocked = Phase::Blocked { class: BlockClass::File, off: at(100) };
        let woken = Phase::Woken { class: BlockClass::File, off: at(100), wake: at(400) };
        assert_eq!(load(blocked, Loads::OnDisk), (1000, 1000));
        assert_eq!(load(blocked, Loads::Yes), (1000, 0));
        assert_eq!(load(blocked, Loads::No), (0, 0));
        assert_eq!(load(woken, Loads::OnDisk), (300, 300), "who is woken waits for a CPU");
        let doing = Doing::Asleep { on: BlockClass::ChildWait, loads: Loads::Yes };
        let silent = Silent { tid: Tid::from_raw(1), doing, ring: false };
        assert_eq!(close_one(&record(Phase::Unseen), Some(silent)).unwrap().sums.loading, 1000);
    }

    #[test]
    fn a_dead_thread_ends_at_its_death() {
        let mut dead = record(Phase::Dead { at: Nanos::from_nanos(600) });
        dead.sums.user = 500;
        let closed = close_one(&dead, None).unwrap();
        assert_eq!((closed.wall, closed.unknown), (Nanos::from_nanos(500), Nanos::ZERO));
    }
}
