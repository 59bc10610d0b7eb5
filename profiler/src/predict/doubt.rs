//! Doubts: assumptions of a prediction that may be wrong, each with the change that it would make.

/// A way in which the async version may differ from what the prediction assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assumption {
    /// Messages that a thread reads in one go today may come as one event each.
    MessagesComeOneByOne,
    /// Messages that take turns today may come in one go, like those that a thread reads.
    MessagesComeTogether,
    /// Arrivals may not follow replies: clients send whether or not they have a reply.
    ArrivalsDoNotFollow,
    /// Arrivals may follow replies: clients send when they have one.
    ArrivalsFollow,
    /// A runtime may hand every call on a file to its thread pool.
    RuntimeHandsFilesOver,
    /// Peers may sleep deeper, and cost more to wake.
    PeersSleepDeeper,
    /// Peers may be awake more often.
    PeersStayAwake,
    /// Code after blocks may run colder today than could be measured.
    CodeRunsCold,
    /// A pool's lock and queue may cost as much again in user mode as in the kernel.
    QueuesCostMore,
    /// Births and ends of threads may cost as much again in a runtime's own code as in the kernel.
    BirthsCostMore,
    /// A pool may cost nothing in user mode, beyond what it costs in the kernel.
    PoolIsLean,
    /// Starting a task for each connection may cost as much as waiting for the connection.
    TasksCost,
    /// Where threads share a loop, the one that waits may wake the next one before it serves.
    WorkersSleep,
    /// A pool's workers may find work whenever they are done, and never sleep.
    WorkersStayBusy,
    /// A program whose files are read by workers may ask for data before it needs them.
    CallsOverlap,
    /// Calls through the page cache may share requests to the device, or wait for those of others.
    RequestsAreShared,
    /// The target's own runtime may take all that machine code would give back.
    RuntimeTakesIt,
    /// Virtual threads may block where they keep their carrier thread. Then their blocks stay.
    CarriersPinned,
    /// Replies may leave together, and wake peers less often.
    RepliesLeaveTogether,
}

impl Assumption {
    /// Whether it is true or false as a whole, with nothing in between: it depends on how the async
    /// version is written.
    pub(super) const fn is_a_choice(self) -> bool {
        matches!(self, Self::RuntimeTakesIt | Self::CarriersPinned)
    }
}

/// An assumption, and the change of the saving if it is true. The change is in ns while a sum is
/// made, and a share of the target's CPU in a scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    pub assumption: Assumption,
    /// Below zero less CPU would come back.
    pub change: f64,
}
