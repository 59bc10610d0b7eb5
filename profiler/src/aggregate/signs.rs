//! What tells a thread's role: what it waits for, who wakes whom, and the CPU that it takes.

use super::{
    bonds::{Bond, Tie},
    role::{Role, RoleBasis, Scheduling, ThreadRole},
    totals::{OpenEnd, ThreadTotals},
};
use crate::{
    event::{BlockClass, Family, Sums},
    quantity::Nanos,
};

/// From this much CPU per wait on a thread computes, whatever it waits for in between.
const LONG_BURST: Nanos = Nanos::from_millis(10);
/// A thread that hardly waits was idle if it ran for less than this share of the time.
const HARDLY_RUNS: f64 = 0.001;
/// Waits below which it hardly waited.
const HARDLY_WAITS: u64 = 10;
/// From this many calls on descriptors per wait for a lock on, a worker does IO.
const DOES_IO: f64 = 0.1;
/// A thread gives work if it ended at least this many waits of others.
const MIN_GIVEN: u64 = 30;
/// Threads that do IO and fight over a lock are the workers of event loops if loops end at least
/// this share of their waits for locks.
const FED: f64 = 0.02;
/// Loops wait for what other threads read if they return to their waits at least this often per
/// call on a descriptor: a wait finds several ready, and each of these may be read and written in a
/// few calls.
const WAITS_PER_CALL: f64 = 0.05;

/// Whether event loops have work for other threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fed {
    /// They end the waits of others for locks.
    woken: bool,
    /// They wait for descriptors often enough for all calls on descriptors to find data.
    ready: bool,
}

impl Fed {
    /// What these threads' signs say. `ended`: waits of others for locks that event loops ended.
    pub(super) fn new(signs: &[Signs], ended: u64) -> Self {
        let sum = |of: fn(&Signs) -> u64| signs.iter().map(of).sum::<u64>();
        let by_loops: u64 = signs.iter().filter(|s| s.is_loop()).map(|s| s.events).sum();
        Self {
            woken: ended as f64 / sum(|s| s.bond.got).max(1) as f64 >= FED,
            ready: by_loops as f64 >= WAITS_PER_CALL * sum(|s| s.io_calls).max(HARDLY_WAITS) as f64,
        }
    }
}

/// What a thread waited for, and what else tells its role.
pub(super) struct Signs {
    sockets: u64,
    files: u64,
    accepts: u64,
    events: u64,
    pub(super) locks: u64,
    timers: u64,
    all: u64,
    io_calls: u64,
    turnover: Option<f64>,
    /// Time on a CPU as a share of the time that it was there.
    cpu_share: f64,
    cpu: Nanos,
    silent: bool,
    asleep_on: Option<BlockClass>,
    pub(super) bond: Bond,
    /// Its waits for locks that event loops ended.
    pub(super) from_loops: u64,
    /// It was born for one connection and ended with it.
    pub(super) is_brief: bool,
    blocked: Nanos,
    pub(super) scheduling: Scheduling,
    /// Its role, where it is a thread of the kernel's that works for a ring.
    pub(super) for_ring: Option<Role>,
}

impl Signs {
    pub(super) fn new(thread: &ThreadTotals, bond: Bond) -> Self {
        let sums: &Sums = &thread.sums;
        let cpu = thread.cpu();
        let (mut sockets, mut files, mut all, mut slept) = (0, 0, 0, 0);
        let (mut accepts, mut events, mut locks, mut timers) = (0, 0, 0, 0);
        for (class, sum) in BlockClass::ALL.into_iter().zip(&sums.classes) {
            if sum.blocks == 0 && sum.blocked == 0 {
                continue;
            }
            all += sum.blocks;
            match class.family() {
                _ if class.is_file() => files += sum.blocks,
                Family::BlockingIo => sockets += sum.blocks,
                Family::Accept => accepts += sum.blocks,
                Family::EventWait => events += sum.blocks,
                Family::Lock => locks += sum.blocks,
                Family::Timer => (timers, slept) = (timers + sum.blocks, slept + sum.blocked),
                Family::Other => {}
            }
        }
        // A thread that computes for longer than it sleeps only pauses, as one that spins for a
        // lock does.
        let waits_for_the_time = slept >= cpu.as_nanos();
        Self {
            sockets,
            files,
            accepts,
            events: events.max(sums.event_calls),
            locks,
            timers: if waits_for_the_time { timers } else { 0 },
            all,
            io_calls: sums.io_calls,
            turnover: (sums.event_ends > 0).then(|| sums.event_turns as f64 / sums.event_ends as f64),
            cpu_share: cpu.ratio_to(thread.wall),
            cpu,
            silent: thread.silent,
            asleep_on: match thread.open_end {
                OpenEnd::Blocked(class) => Some(class),
                _ => None,
            },
            bond,
            from_loops: 0,
            is_brief: false,
            blocked: thread.blocked(),
            scheduling: Scheduling::Free,
            for_ring: None,
        }
    }

    pub(super) fn is_loop(&self) -> bool {
        // One that hands work out also waits for locks; one that serves by itself also blocks.
        let locks_per_wait = if self.scheduling == Scheduling::OneAtATime { 10 } else { 2 };
        self.events >= HARDLY_WAITS
            && self.events >= self.sockets + self.accepts + self.files
            && locks_per_wait * self.events >= self.locks
    }

    /// Whether it waited for locks more often than a time limit ended such a wait. A thread that
    /// fights with a limit, as CPython's do, tries again and again.
    fn fights_for_locks(&self) -> bool {
        self.locks >= self.timers || self.bond.tie == Tie::Lock && 10 * self.locks >= self.timers
    }

    /// Whether it calls on descriptors about as often as it waits for locks.
    pub(super) fn does_io(&self) -> bool {
        self.calls() as f64 >= DOES_IO * self.locks as f64
    }

    fn calls(&self) -> u64 {
        self.io_calls.max(self.sockets + self.files)
    }

    pub(super) fn role(&self, fed: Fed) -> ThreadRole {
        let waits = |role, of| ThreadRole { role, basis: RoleBasis::Waits { of, all: self.all } };
        let by_cpu = |role| ThreadRole { role, basis: RoleBasis::Cpu(self.cpu_share) };
        if let Some(role) = self.for_ring {
            return ThreadRole { role, basis: RoleBasis::Ring };
        }
        let hardly_runs = self.cpu_share < HARDLY_RUNS;
        if hardly_runs && (self.silent || self.all + self.events < HARDLY_WAITS) {
            return ThreadRole { role: Role::Idle, basis: RoleBasis::Asleep(self.asleep_on) };
        }
        if self.is_loop() {
            let basis = RoleBasis::Events { waits: self.events, turnover: self.turnover };
            return ThreadRole { role: Role::EventLoop, basis };
        }
        // A thread that hands out work and never waits looks as if it computed. Its wake-ups tell.
        let Bond { tie, got, given, .. } = self.bond;
        let submits =
            tie == Tie::HandOver && given >= MIN_GIVEN && given > 2 * got && self.scheduling != Scheduling::ParksTasks;
        let each = self.cpu.as_nanos() / self.all.max(self.events).max(1);
        if each >= LONG_BURST.as_nanos() && !submits {
            return by_cpu(Role::Computing);
        }
        let io = self.sockets + self.files + self.accepts;
        // Most brief threads find their request there and never block on IO; some wait for locks.
        if self.is_brief && self.sockets >= self.files {
            return ThreadRole { role: Role::Connection, basis: RoleBasis::Brief(self.io_calls) };
        }
        // It runs what the scheduler hands it: tasks that are ready.
        if self.scheduling == Scheduling::ParksTasks && self.locks > io && self.fights_for_locks() {
            return waits(Role::PoolWorker, self.locks);
        }
        // One that hardly ever waits may well call on something as often as that.
        if submits && 10 * self.calls().max(io) <= given {
            return ThreadRole { role: Role::Dispatcher, basis: RoleBasis::Wakes { got, given } };
        }
        // A worker waits once for its job and once for what the job is.
        let waits_for_work = tie == Tie::HandOver && 2 * self.locks > io;
        if (self.locks > io || waits_for_work)
            && self.fights_for_locks()
            && let Some(role) = self.among_locks(fed)
        {
            return role;
        }
        if submits && 10 * io <= given {
            return ThreadRole { role: Role::Dispatcher, basis: RoleBasis::Wakes { got, given } };
        }
        // What it waits for most; of a tie, the first.
        let kinds = [
            (self.sockets, Role::Connection),
            (self.files, Role::Files),
            (self.accepts, Role::Acceptor),
            (self.timers, Role::Timer),
        ];
        let most = kinds.into_iter().rev().max_by_key(|(n, _)| *n);
        match most {
            Some((n, role)) if n > 0 && 2 * n >= self.all.saturating_sub(self.locks) => waits(role, n),
            _ if io == 0 && self.mostly_computes() => by_cpu(Role::Computing),
            _ => ThreadRole::UNKNOWN,
        }
    }

    /// Whether it waits rarely, or not for locks, and for less time than it computes.
    fn mostly_computes(&self) -> bool {
        (self.all < HARDLY_WAITS || 2 * self.locks <= self.all) && self.cpu >= self.blocked
    }

    /// Whether another thread has found ready what it reads and writes: it never waits for a
    /// descriptor, while event loops do, and does IO more often than it waits, if it need not wait
    /// for an interpreter. Workers of a queue may mostly wake each other, as those of a JVM's
    /// executor do.
    fn finds_it_ready(&self, fed: Fed) -> bool {
        let often = self.io_calls > self.locks || self.scheduling == Scheduling::OneAtATime;
        fed.ready && often && self.sockets + self.files + self.accepts + self.events == 0
    }

    /// The role of a thread that waits for locks more than for IO; `None` where the wake-ups do not
    /// tell.
    fn among_locks(&self, fed: Fed) -> Option<ThreadRole> {
        let Bond { tie, got, given, smaller } = self.bond;
        let found = |role| Some(ThreadRole { role, basis: RoleBasis::Wakes { got, given } });
        let does_io = self.does_io();
        let serves = self.sockets > 0 && self.sockets as f64 >= DOES_IO * self.locks as f64;
        match tie {
            Tie::Lock if serves => None,
            Tie::Lock if does_io && (fed.woken || self.finds_it_ready(fed)) => found(Role::PoolWorker),
            Tie::Lock if does_io => None,
            // Loops wake it, and it wakes few.
            Tie::Lock if 2 * self.from_loops > got && got > 2 * given => found(Role::PoolWorker),
            Tie::Lock => found(Role::LockBound),
            // It serves whole connections, and gets them from somebody.
            Tie::HandOver if 2 * self.sockets >= self.locks => None,
            Tie::HandOver if does_io || got > 2 * given => found(Role::PoolWorker),
            Tie::HandOver if given > 2 * got || smaller => found(Role::Dispatcher),
            Tie::HandOver => found(Role::PoolWorker),
            Tie::Pair if serves => None,
            Tie::Pair if does_io => found(Role::PoolWorker),
            Tie::Pair => found(Role::LockBound),
            Tie::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(waits: &[(BlockClass, u64)], change: impl FnOnce(&mut ThreadTotals)) -> ThreadTotals {
        let mut sums = Sums { user: 20_000_000, ..Sums::ZERO };
        let all: u64 = waits.iter().map(|(_, blocks)| blocks).sum();
        for &(class, blocks) in waits {
            sums.classes[class as usize].blocks = blocks;
            sums.classes[class as usize].blocked = 980_000_000 * blocks / all;
        }
        let mut thread = ThreadTotals::running(1, 1, Nanos::from_millis(1_000), sums);
        change(&mut thread);
        thread
    }

    fn role(thread: &ThreadTotals, bond: Bond) -> Role {
        Signs::new(thread, bond).role(Fed::default()).role
    }

    fn plain(waits: &[(BlockClass, u64)]) -> Role {
        role(&thread(waits, |_| ()), Bond::default())
    }

    #[test]
    fn a_role_is_what_a_thread_waits_for_most() {
        assert_eq!(plain(&[(BlockClass::Tcp, 500), (BlockClass::Sleep, 3)]), Role::Connection);
        assert_eq!(plain(&[(BlockClass::File, 500)]), Role::Files);
        assert_eq!(plain(&[(BlockClass::Accept, 500), (BlockClass::Futex, 20)]), Role::Acceptor);
        assert_eq!(plain(&[(BlockClass::EventWait, 500), (BlockClass::Tcp, 20)]), Role::EventLoop);
        assert_eq!(plain(&[(BlockClass::Sleep, 500)]), Role::Timer);
        assert_eq!(plain(&[(BlockClass::Timeout, 500), (BlockClass::Futex, 5)]), Role::Timer);
        assert_eq!(plain(&[(BlockClass::Futex, 500)]), Role::Unknown, "nobody was seen to wake it");
        assert_eq!(plain(&[(BlockClass::ChildWait, 500)]), Role::Unknown);
    }

    #[test]
    fn one_that_hardly_waits_computes_or_is_idle() {
        let burner = thread(&[(BlockClass::Futex, 2)], |t| t.sums.user = 900_000_000);
        assert_eq!(role(&burner, Bond::default()), Role::Computing);
        let sleeper = thread(&[(BlockClass::Futex, 2)], |t| t.sums.user = 1_000);
        assert_eq!(role(&sleeper, Bond::default()), Role::Idle);
    }

    #[test]
    fn one_that_lives_for_one_computation_computes() {
        let short = |blocked: u64, waits: &[(BlockClass, u64)]| {
            let change = |t: &mut ThreadTotals| t.sums.classes[BlockClass::Futex as usize].blocked = blocked;
            role(&thread(waits, change), Bond::default())
        };
        let rare = [(BlockClass::Futex, 3)];
        assert_eq!(short(1_000_000, &rare), Role::Computing);
        assert_eq!(short(900_000_000, &rare), Role::Unknown, "it waits for the ends of others");
        assert_eq!(short(1_000_000, &[(BlockClass::Futex, 3), (BlockClass::Tcp, 3)]), Role::Connection);
    }

    #[test]
    fn pauses_that_are_shorter_than_what_is_computed_are_no_timers() {
        let waits = [(BlockClass::Futex, 500), (BlockClass::Sleep, 2_000)];
        let bond = Bond { tie: Tie::Pair, got: 200, given: 200, smaller: false };
        let paused = |slept: u64| {
            let change = |t: &mut ThreadTotals| t.sums.classes[BlockClass::Sleep as usize].blocked = slept;
            role(&thread(&waits, change), bond)
        };
        assert_eq!(paused(10_000_000), Role::LockBound, "it spins and pauses");
        assert_eq!(paused(500_000_000), Role::Timer);
    }

    #[test]
    fn who_is_woken_by_loops_and_wakes_few_works_for_them() {
        let bond = Bond { tie: Tie::Lock, got: 300, given: 50, smaller: false };
        let totals = thread(&[(BlockClass::Futex, 500)], |_| ());
        let from = |from_loops| Signs { from_loops, ..Signs::new(&totals, bond) }.role(Fed::default()).role;
        assert_eq!((from(250), from(50)), (Role::PoolWorker, Role::LockBound));
    }

    #[test]
    fn a_loop_that_never_sleeps_is_one_by_its_calls() {
        let busy = thread(&[], |t| t.sums.event_calls = 5_000);
        assert_eq!(role(&busy, Bond::default()), Role::EventLoop);
    }

    #[test]
    fn who_wakes_whom_tells_a_lock_from_a_pool() {
        let waits = [(BlockClass::Futex, 500)];
        let bond = |tie, got, given| Bond { tie, got, given, smaller: false };
        let computes = thread(&waits, |_| ());
        let limited = thread(&[(BlockClass::Futex, 400), (BlockClass::Timeout, 600)], |_| ());
        assert_eq!(role(&limited, bond(Tie::Lock, 200, 200)), Role::LockBound);
        let reads = thread(&waits, |t| t.sums.io_calls = 500);
        assert_eq!(role(&computes, bond(Tie::Lock, 200, 200)), Role::LockBound);
        assert_eq!(role(&computes, bond(Tie::HandOver, 10, 300)), Role::Dispatcher);
        assert_eq!(role(&computes, bond(Tie::HandOver, 300, 10)), Role::PoolWorker);
        assert_eq!(role(&reads, bond(Tie::HandOver, 200, 200)), Role::PoolWorker);
        let hardly_waits = thread(&[(BlockClass::Futex, 60)], |t| t.sums.io_calls = 70);
        assert_eq!(role(&hardly_waits, bond(Tie::HandOver, 4, 21_617)), Role::Dispatcher);
        let fed = |waits: &ThreadTotals, woken, ready| {
            Signs::new(waits, bond(Tie::Lock, 200, 200)).role(Fed { woken, ready }).role
        };
        assert_eq!(fed(&reads, true, false), Role::PoolWorker, "its pool's lock is fought over");
        // Workers that wake each other: somebody else waits for what they read.
        let found_ready = thread(&waits, |t| t.sums.io_calls = 9_000);
        assert_eq!(fed(&found_ready, false, true), Role::PoolWorker);
        assert_eq!(fed(&found_ready, false, false), Role::Unknown, "and nobody waits for it");
        assert_eq!(fed(&computes, false, true), Role::LockBound, "it reads nothing");
        // CPython's workers wait for its lock more often than they call, and its loop does, too.
        let contended = [(BlockClass::Futex, 8_700)];
        let worker = thread(&contended, |t| t.sums.io_calls = 3_000);
        let selects = thread(&contended, |t| (t.sums.io_calls, t.sums.event_calls) = (9_900, 4_300));
        let role = |totals: &ThreadTotals, scheduling, ready| {
            let signs = Signs { scheduling, ..Signs::new(totals, bond(Tie::Lock, 200, 200)) };
            signs.role(Fed { woken: false, ready }).role
        };
        assert_eq!(role(&worker, Scheduling::OneAtATime, true), Role::PoolWorker);
        assert_eq!(role(&selects, Scheduling::OneAtATime, false), Role::EventLoop);
        assert_eq!(role(&worker, Scheduling::Free, true), Role::Unknown, "it may log under a mutex");
        assert_ne!(role(&selects, Scheduling::Free, false), Role::EventLoop);
        let polls = thread(&waits, |t| (t.sums.io_calls, t.sums.event_calls) = (9_000, 20));
        assert_eq!(fed(&polls, false, true), Role::Unknown, "as a thread of Go's does");
    }

    #[test]
    fn threads_of_a_scheduler_fight_for_no_lock_that_can_be_seen() {
        let bond = |tie, got, given| Bond { tie, got, given, smaller: false };
        let role = |waits: &[(BlockClass, u64)], bond| {
            Signs { scheduling: Scheduling::ParksTasks, ..Signs::new(&thread(waits, |_| ()), bond) }
                .role(Fed::default())
                .role
        };
        let parks = [(BlockClass::Futex, 500)];
        for bond in [bond(Tie::Lock, 200, 200), bond(Tie::HandOver, 10, 300), bond(Tie::Pair, 9, 9), Bond::default()] {
            assert_eq!(role(&parks, bond), Role::PoolWorker, "{bond:?}");
        }
        assert_eq!(role(&[(BlockClass::EventWait, 500), (BlockClass::Futex, 400)], Bond::default()), Role::EventLoop);
        assert_eq!(role(&[(BlockClass::File, 500), (BlockClass::Futex, 400)], Bond::default()), Role::Files);
    }

    #[test]
    fn threads_that_serve_and_share_a_lock_are_connections_own() {
        let waits = [(BlockClass::Futex, 700), (BlockClass::Tcp, 1_000)];
        let bond = Bond { tie: Tie::Lock, got: 300, given: 300, smaller: false };
        assert_eq!(role(&thread(&waits, |_| ()), bond), Role::Connection);
        let contended = [(BlockClass::Futex, 3_000), (BlockClass::Tcp, 1_000)];
        assert_eq!(role(&thread(&contended, |_| ()), bond), Role::Connection);
    }
}
