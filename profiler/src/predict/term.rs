//! A term: one line of the sum that makes a prediction.

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
    /// A term of `count` things that go, at `each` ns.
    pub(super) fn gain(kind: TermKind, count: f64, each: f64, basis: TermBasis) -> Self {
        Self { kind, count, each, ns: count * each, basis }
    }

    /// A term of `count` things that come or stay, at `each` ns.
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
    /// Blocks after which user and kernel code runs warm, as measured at the target's own sites.
    RunsWarm,
    /// Blocks after which code runs warm, as calibrated for so many threads.
    RunsWarmCalibrated,
    /// Preemptions of the target's threads by each other that go.
    PreemptionsGo,
    /// Threads that are born for a connection each and end with it. A loop keeps its own.
    BirthsGo,
    /// Waits for locks that such threads share.
    LocksGo,
    /// Sleeps of a loop that remain.
    SleepsRemain,
    /// Events for which the target's runtime sleeps: what they cost beyond those that are there.
    SleepsInRuntime,
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
    /// Answers of workers, each of which wakes the thread that waits for it.
    AnswersHandedBack,
    /// Requests to a device that is idle, because no other is made meanwhile.
    RequestsAlone,
    /// Reads and writes past the page cache: the rest of the call goes too, beside the block.
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
    /// Calls that blocked, compared with this base; `None`: without one.
    Against(Option<cost::Basis>),
    /// A price of the target's own, with its note.
    Priced(Note),
    /// A price of the target's own, with its note, of wake-ups of which some stay and find the
    /// peer's CPU idle.
    PricedBeside {
        /// What the price rests on.
        note: Note,
        /// Wake-ups that stay.
        stay: f64,
        /// What each wake-up costs that stays, ns.
        idle: f64,
    },
    /// The same sites and sizes, after a block compared with after none.
    SameSites {
        /// Whether the user-mode part was measured by hardware counters.
        counters: bool,
    },
    /// Calibrated for so many threads that take turns.
    Crowd(f64),
    /// A block between two threads.
    ThreadSwitch,
    /// Sleeps per block, and the note of a sleep's price; `None` where the price was measured.
    Sleeps(f64, Option<Note>),
    /// Calibrated for a wait of this way that returns so many events.
    Waits(f64, Way),
    /// An event that is slept for in the target's runtime, less one that is there, beyond the same
    /// in the blocking form.
    SleptFor,
    /// The price of an event of a connection.
    LikeEvents,
    /// The price of an event: a loop that takes turns finds such messages one by one.
    OneByOne,
    /// A block between two threads of the target, and what a calibrated hand-over costs beyond one.
    HandOver,
    /// The calibrated price of a read whose data is there.
    ReadyRead,
    /// Measured on the target itself.
    InPlace,
    /// Calibrated through this interface, where so many requests are in flight at once.
    InFlight(Queue, f64),
    /// Calibrated: a request alone against one of so many at once.
    OneAgainst(f64),
    /// Calibrated: the cost beyond a `pread` of the same bytes.
    BeyondPread,
    /// No price: even at so many ns each, all together would be less than 1 % of the CPU.
    NotEvenAt(f64),
}
