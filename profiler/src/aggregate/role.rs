//! A thread's role in its program, and what it was told from.

use crate::{
    event::BlockClass,
    quantity::{Nanos, listed},
};

listed! {
    /// What a thread is in its program.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Role {
        /// It serves one connection at a time, and blocks on it.
        Connection,
        /// It reads or writes files, and blocks on them.
        Files,
        /// It waits for many descriptors at once.
        EventLoop,
        /// It waits for connections.
        Acceptor,
        /// It gets its work from other threads.
        PoolWorker,
        /// It gives work to other threads.
        Dispatcher,
        /// It fights over a lock.
        LockBound,
        /// It waits for the time.
        Timer,
        Computing,
        /// A thread of the kernel's that looks for what is submitted to a ring (`io_uring`).
        RingPoller,
        /// A thread of the kernel's that makes calls for a ring, those that may sleep.
        RingWorker,
        /// It hardly ran, and hardly ever woke.
        Idle,
        /// No sign covers it.
        Unknown,
    }
}

impl Role {
    /// Its name, the same in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Files => "files",
            Self::EventLoop => "event-loop",
            Self::Acceptor => "acceptor",
            Self::PoolWorker => "pool-worker",
            Self::Dispatcher => "dispatcher",
            Self::LockBound => "lock-bound",
            Self::Timer => "timer",
            Self::Computing => "computing",
            Self::RingPoller => "ring-poller",
            Self::RingWorker => "ring-worker",
            Self::Idle => "idle",
            Self::Unknown => "unknown",
        }
    }
}

/// What a role was told from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoleBasis {
    /// So many of its waits are of the kind that the role is named after.
    Waits {
        /// How many of its waits are of that kind.
        of: u64,
        /// How many waits it made in all.
        all: u64,
    },
    /// It waits for many descriptors at once.
    Events {
        /// Such waits, whether they slept or not.
        waits: u64,
        /// Of those that slept, the share that another descriptor ended than the one before; `None`
        /// where none did.
        turnover: Option<f64>,
    },
    /// Waits for locks, in the streamed part of the measurement.
    Wakes {
        /// Its waits that threads of the target ended.
        got: u64,
        /// Waits of others that it ended.
        given: u64,
    },
    /// It was born for a connection, made so many calls on descriptors, and ended with it.
    Brief(u64),
    /// Time on a CPU as a share of the time that it was there.
    Cpu(f64),
    /// The kernel made it for a ring.
    Ring,
    /// What it slept on when the measurement ended.
    Asleep(Option<BlockClass>),
    /// No sign covers the thread.
    None,
}

/// A thread's role and what told it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadRole {
    pub role: Role,
    /// What it was told from.
    pub basis: RoleBasis,
}

impl ThreadRole {
    /// That of a thread which no sign covers.
    pub(super) const UNKNOWN: Self = Self { role: Role::Unknown, basis: RoleBasis::None };
}

/// The threads of one role together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoleLine {
    pub role: Role,
    pub threads: u64,
    /// CPU of these threads, by the tracepoints.
    pub cpu: Nanos,
    /// That CPU as a share of the CPU of all threads; 0 where nobody ran.
    pub share: f64,
}

/// What a target's runtime makes of its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduling {
    /// They run as the kernel lets them.
    #[default]
    Free,
    /// They belong to a scheduler that parks tasks in user space, so that a thread which waits for
    /// another has nothing to run.
    ParksTasks,
    /// One lock lets one of them run at a time: they wait for it before almost any call returns.
    OneAtATime,
}
