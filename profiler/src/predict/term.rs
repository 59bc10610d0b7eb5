//! A line of the sum that a prediction is.

use super::note::Note;
use crate::{
    cost,
    machine::{Queue, Way},
};

/// A line of the sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// What goes, comes or stays.
    pub kind: TermKind,
    /// How often it happens.
    pub count: f64,
    /// What each costs, ns.
    pub each: f64,
    /// CPU over the measurement, ns: given back, or taken where negative.
    pub ns: f64,
    /// What `each` rests on.
    pub basis: TermBasis,
}

impl Term {
    /// So many that go, at so many ns each.
    pub(super) fn gain(kind: TermKind, count: f64, each: f64, basis: TermBasis) -> Self {
        Self { kind, count, each, ns: count * each, basis }
    }

    /// So many that come or stay, at so many ns each.
    pub(super) fn loss(kind: TermKind, count: f64, each: f64, basis: TermBasis) -> Self {
        Self { ns: -count * each, ..Self::gain(kind, count, each, basis) }
    }
}

/// What a term counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// Blocks of today that go.
    BlocksGo,
    /// Calls that only wait for one descriptor that go.
    WaitingCallsGo,
    /// Waits of a pool for work. A loop that waits for all of the IO hands no work over.
    HandOversGo,
    /// Messages that a loop hands to a pool of its runtime, with all that this costs.
    PoolGoes,
    /// Wake-ups among the target's own threads that go.
    OwnWakeupsGo,
    /// Wake-ups of other processes that go, because several replies leave at once.
    OtherWakeupsGo,
    /// Blocks after which user and kernel code runs warm, as the target's own sites tell.
    RunsWarm,
    /// Blocks after which code runs warm, as calibrated for so many threads.
    RunsWarmCalibrated,
    /// Preemptions of the target's threads by each other that go.
    PreemptionsGo,
    /// Sleeps of a loop that remain.
    SleepsRemain,
    /// Events that are waited for in another way.
    EventsWaited,
    /// Messages that were read without a block and are waited for too.
    TurnsWaited,
    /// Connections that are accepted, each an event of its own.
    AcceptsWaited,
    /// Events, each handed to a worker that sleeps.
    HandOversCome,
    /// Calls on files that `io_uring` hands to workers of the kernel.
    MadeByWorkers,
    /// Calls on files, each handed to a worker that sleeps until then.
    CallsHandedOver,
    /// Their answers, each of which wakes who waits for it.
    AnswersHandedBack,
    /// Requests to a device that is idle, because no other is made meanwhile.
    RequestsAlone,
    /// Reads and writes past the page cache: what goes of their calls beside the block.
    DirectReadsGo,
    /// Reads and writes past the page cache that become requests.
    DirectReadsCome,
    /// Reads of cached files through `io_uring`.
    FileReadsCome,
    /// Blocks that are too few to matter.
    FewBlocks,
}

/// What a term's price rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TermBasis {
    /// The base that most of the direct cost was held against; `None`: without one.
    Against(Option<cost::Basis>),
    /// A price of the target's own, with its note.
    Priced(Note),
    /// A price with its note, where some stay and find the peer's CPU idle.
    PricedBeside {
        /// What the price rests on.
        note: Note,
        /// How many of them stay.
        stay: f64,
        /// What each of those costs, ns.
        idle: f64,
    },
    /// Same sites and sizes, after a block against after none.
    SameSites {
        /// Whether hardware counters told the user-mode part.
        counters: bool,
    },
    /// Calibrated for so many threads that take turns.
    Crowd(f64),
    /// A block between two threads.
    ThreadSwitch,
    /// So many sleeps per block; the note of the price of one, `None` where it was measured.
    Sleeps(f64, Option<Note>),
    /// Calibrated for a wait of this way that returns so many events.
    Waits(f64, Way),
    /// As an event of a connection.
    LikeEvents,
    /// A loop that takes turns finds them one by one.
    OneByOne,
    /// A block between two threads as here, and the rest of a calibrated hand-over.
    HandOver,
    /// As a calibrated read whose data is there.
    ReadyRead,
    /// Measured on the target itself.
    InPlace,
    /// Calibrated through this interface, where so many requests are in flight at once.
    InFlight(Queue, f64),
    /// Calibrated: a request alone against one of so many at once.
    OneAgainst(f64),
    /// Calibrated beyond a `pread` of the same.
    BeyondPread,
    /// Not even at so many ns each would they be 1 % of its CPU.
    NotEvenAt(f64),
}
