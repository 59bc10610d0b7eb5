//! What may turn out otherwise than a prediction takes it: assumptions, each with what it would
//! change.

/// Something that a prediction takes one way, and that may be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assumption {
    /// What a thread reads in one go may come as events of their own.
    MessagesComeOneByOne,
    /// What takes turns today may come in one go, as what a thread reads.
    MessagesComeTogether,
    /// Arrivals may not follow replies.
    ArrivalsDoNotFollow,
    /// Arrivals may follow replies.
    ArrivalsFollow,
    /// A runtime's thread pool takes every call on a file.
    RuntimeHandsFilesOver,
    /// Peers may sleep deeper, and cost more to wake.
    PeersSleepDeeper,
    /// Peers may be awake more often.
    PeersStayAwake,
    /// Code after blocks may run colder than could be told.
    CodeRunsCold,
    /// A pool's lock and queue may cost as much again in user mode.
    QueuesCostMore,
    /// A pool may be written so that it costs no more than is seen of it in the kernel.
    PoolIsLean,
    /// What an async version starts for each connection may cost as much as waiting for it.
    TasksCost,
    /// Who waits in a loop that threads share may wake the next one before it serves.
    WorkersSleep,
    /// A pool's workers may find work whenever they are done, and never sleep.
    WorkersStayBusy,
    /// Who has its files read by workers may ask for the next before it needs it.
    CallsOverlap,
    /// Calls through the page cache may share requests to the device, or wait for those of others.
    RequestsAreShared,
    /// What it runs in may take for itself what machine code would give back.
    RuntimeTakesIt,
    /// Virtual threads may block where they keep their carrier: what is to go stays.
    CarriersPinned,
    /// Replies may leave together.
    RepliesLeaveTogether,
}

impl Assumption {
    /// Whether it is a matter of how the async version is written: then it is one or the other, and
    /// nothing in between.
    pub(super) const fn is_a_choice(self) -> bool {
        matches!(self, Self::RuntimeTakesIt | Self::CarriersPinned)
    }
}

/// An assumption with what it would change, in the unit of what it belongs to: ns in a sum, a share
/// of the target's CPU in a scenario. Below zero less would come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// What may be otherwise.
    pub assumption: Assumption,
    /// What that would change.
    pub change: f64,
}
