//! The verdict: the answer with its figures, what it rests on, and what is cheaper than a rewrite.

use super::{
    advice::Advice,
    gain::{Decision, Gain},
    inputs::{ChildrenFacts, Quota},
    load::Load,
};
use crate::{
    aggregate::RoleLine,
    cost::Basis,
    machine::{Language, Runtime, Source, Way},
    predict::{Ground, Refusal},
    quantity::Nanos,
};

/// The kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Too little happened to say anything.
    NotEnoughData,
    /// It did next to nothing itself: other processes that it started did the work.
    ChildrenWork,
    /// No, it waits for events already.
    AlreadyAsync,
    /// No, it does no blocking IO.
    NoBlockingIo,
    /// No, it hardly blocks on IO: its runtime parks its tasks in user space, and what these wait
    /// for cannot be seen.
    ParkedTasks,
    /// No, its CPU goes into its own work.
    CpuBound,
    /// No, blocking costs it next to nothing.
    CostsLittle,
    /// No, too little is in flight: a loop would sleep as often.
    LowConcurrency,
    /// It waits on locks more than on IO.
    Locks,
    /// Its threads hand work to each other more often than they block on IO.
    HandOver,
    /// No: it blocks on files, where readiness (epoll) gains nothing and completion (`io_uring`)
    /// too little.
    Files,
    /// Yes, but only with completion (`io_uring`), batched.
    YesTuned,
    /// Yes, with readiness already.
    Yes,
    /// The interval holds yes and no.
    Unsure,
    /// No sign tells what most of its CPU goes into.
    UnknownProgram,
    /// Blocking costs this much; what async would give back could not be told.
    Blocking,
}

/// The answer, with the figures that it is said with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Too little happened for an answer.
    TooLittle {
        /// How long was measured, in seconds.
        seconds: f64,
        /// CPU of the target.
        cpu: Nanos,
        /// Blocks of all classes.
        blocks: u64,
    },
    /// It did next to nothing itself, its children did.
    ChildrenWork {
        /// How long was measured, in seconds.
        seconds: f64,
        /// CPU of the target.
        cpu: Nanos,
        children: ChildrenFacts,
    },
    /// It never blocks on IO: it sleeps in this many event waits.
    OnlyEventWaits(u64),
    /// Event waits are by far the most of its blocks.
    MostlyEventWaits {
        events: u64,
        /// Blocks on IO, of all classes.
        io: u64,
    },
    /// It does no blocking IO; what most of its CPU is instead.
    NoBlockingIo(Work),
    /// Its threads wait for each other where its language's scheduler has nothing to run.
    ParkedTasks {
        /// The language of the target.
        language: Language,
        /// How often its threads waited for each other.
        waits: u64,
        /// Blocks on IO, of all classes.
        io: u64,
    },
    /// It waits on locks more often than on IO.
    Locks {
        locks: u64,
        /// Blocks on IO, of all classes.
        io: u64,
    },
    /// Its threads wait for each other about as often as they do IO, and block on it more rarely: a
    /// pool, or locks between threads that serve.
    HandOver {
        /// Which of the two.
        kind: HandOver,
        waits: u64,
        /// Calls on descriptors, blocked or not.
        calls: u64,
        /// Kernel CPU of its calls on locks, those that wake included, as a share of its CPU.
        cost: f64,
    },
    /// Blocking costs this share of its CPU, and there is no prediction.
    NoPrediction {
        /// Direct cost as a share of its CPU.
        direct: f64,
        /// Why there is no prediction.
        why: Refusal,
    },
    /// Neither the cost of blocking nor what async would give back is known.
    NothingKnown {
        /// Blocks on IO, of all classes.
        io: u64,
        /// Why there is no prediction.
        why: Refusal,
    },
    /// The roles of its threads are known for this share of its CPU only, which is too little for
    /// an answer.
    UnknownProgram {
        /// The share that roles cover.
        covered: f64,
        /// What would come back, by what is known.
        gain: Gain,
    },
    /// What would come back decides for it, or decides nothing.
    Gain(Gain),
    /// Another way of waiting would give too little back.
    NoGain {
        /// How much, where there is a price for any.
        gain: Option<Gain>,
        /// The causes that async would not remove.
        why: NoGain,
    },
}

/// What the CPU of a target is that does no blocking IO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// The program's own.
    Own,
    /// Most of it may be that of calls which never began: a seccomp filter answered them.
    Refused {
        /// How many calls.
        calls: u64,
        /// The share of its CPU that they and the code before them take.
        most: f64,
    },
    /// Most of it is that of the kernel's threads for its rings.
    Rings {
        /// CPUs that threads which poll for a ring take.
        polling: f64,
        /// CPUs that the workers of rings take.
        working: f64,
    },
}

/// Why threads that do IO wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// So many of them get their work from others.
    Pool(u64),
    /// This many threads each serve a connection or files, and share a lock.
    SharedLock(u64),
    /// The wake-ups that were seen do not show which.
    Unknown,
}

/// Why another way of waiting would give nothing back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoGain {
    /// Its CPU goes into its own code.
    CpuBound {
        /// Its own code as a share of its CPU.
        own: f64,
        /// Direct cost as a share of its CPU.
        direct: f64,
    },
    /// Blocking costs this share of its CPU: next to nothing.
    CostsLittle(f64),
    /// A loop waits for its IO. Its pool's waits for work, and the wake-ups that end them, take
    /// this share of its CPU in the kernel.
    HandsOver(f64),
    /// One thing at a time is ready.
    LowConcurrency {
        /// Direct cost as a share of its CPU.
        direct: f64,
        /// Sleeps of a loop per block of today.
        sleeps_per_block: f64,
    },
    /// It is less than this share of its CPU, which would be worth it.
    BelowWorth(f64),
    /// Its blocks are on files and cost this share of its CPU.
    Files(f64),
    /// Blocking costs this share of its CPU, and waiting in another way would cost as much.
    CostsAsMuch(f64),
    /// The ways that its language has cost more than its threads do.
    CostsMore {
        /// The first of them.
        way: Way,
        /// What it would take more, as a share of its CPU.
        more: f64,
        /// Direct cost as a share of its CPU.
        direct: f64,
    },
}

impl Reason {
    /// The kind of answer that it is.
    pub fn answer(&self) -> Answer {
        match self {
            Self::TooLittle { .. } | Self::NothingKnown { .. } => Answer::NotEnoughData,
            Self::ChildrenWork { .. } => Answer::ChildrenWork,
            Self::OnlyEventWaits(_) | Self::MostlyEventWaits { .. } => Answer::AlreadyAsync,
            Self::NoBlockingIo(_) => Answer::NoBlockingIo,
            Self::ParkedTasks { .. } => Answer::ParkedTasks,
            Self::Locks { .. } => Answer::Locks,
            Self::HandOver { .. } => Answer::HandOver,
            Self::NoPrediction { .. } => Answer::Blocking,
            Self::UnknownProgram { .. } => Answer::UnknownProgram,
            Self::Gain(gain) => match (gain.decision(), gain.way) {
                (Decision::Yes, way) if way.is_ring() => Answer::YesTuned,
                (Decision::Yes, _) => Answer::Yes,
                _ => Answer::Unsure,
            },
            Self::NoGain { why, .. } => why.answer(),
        }
    }
}

impl NoGain {
    const fn answer(&self) -> Answer {
        match self {
            Self::CpuBound { .. } => Answer::CpuBound,
            Self::CostsLittle(_)
            | Self::HandsOver(_)
            | Self::CostsAsMuch(_)
            | Self::CostsMore { .. }
            | Self::BelowWorth(_) => Answer::CostsLittle,
            Self::LowConcurrency { .. } => Answer::LowConcurrency,
            Self::Files(_) => Answer::Files,
        }
    }
}

impl Answer {
    /// What the answer comes down to.
    pub const fn decision(self) -> Decision {
        match self {
            Self::Yes | Self::YesTuned => Decision::Yes,
            Self::Unsure => Decision::Perhaps,
            Self::NotEnoughData | Self::ChildrenWork | Self::HandOver | Self::Blocking | Self::UnknownProgram => {
                Decision::Abstains
            }
            Self::AlreadyAsync
            | Self::NoBlockingIo
            | Self::ParkedTasks
            | Self::CpuBound
            | Self::CostsLittle
            | Self::LowConcurrency
            | Self::Locks
            | Self::Files => Decision::No,
        }
    }
}

/// A line of what the answer rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// How often it blocked on IO.
    Blocks {
        /// Blocks on IO, of all classes.
        io: u64,
        /// How long was measured, in seconds.
        seconds: f64,
        /// CPU of the target.
        cpu: Nanos,
    },
    /// What a block costs.
    BlockCost {
        /// CPU of one block, ns.
        each: f64,
        /// What most blocks were compared with.
        basis: Option<Basis>,
        /// The cost of all blocks as a share of the target's CPU.
        share: f64,
    },
    /// What event loops would do in the target's place.
    Loops {
        /// How many event loops there are.
        loops: u32,
        /// Sleeps per block of today.
        sleeps_per_block: f64,
        /// Events that a wait returns.
        events_per_wait: f64,
        /// How the sleeps were counted.
        ground: Ground,
    },
    /// Calibrated cost of waiting for an event.
    EventTaxes {
        /// Cost of waiting for one event, ns, by way of waiting.
        taxes: Vec<(Way, f64)>,
        /// The runtime that the costs are of, and where they come from; `None`: this machine's own.
        runtime: Option<(Runtime, Source)>,
    },
    /// What it runs in, where that offers no ways of its own.
    RunsIn(Runtime),
    /// Of the blocks on files, those for the journal of a file system.
    Journal {
        /// Blocks for the file system's journal.
        blocks: u64,
        /// All blocks on files, these included.
        files: u64,
    },
    /// Threads that are born for a connection each.
    Births {
        /// How many were born and ended.
        count: f64,
        /// Kernel CPU of that as a share of the target's CPU.
        share: f64,
    },
    /// A quota of CPU that kept it from running.
    HeldBack(Quota),
    /// Calls that a seccomp filter answered.
    Refused {
        /// How many calls.
        calls: u64,
        /// The share of its CPU that they and the code before them take.
        most: f64,
    },
    /// Processes below the target, which were not measured.
    Children(ChildrenFacts),
    /// The load average that it makes, where most of that is asleep.
    Load(Load),
    /// So many blocks are not on IO.
    OtherWaits(u64),
    /// What its threads are, those with the most CPU first; the others took the rest.
    Roles(Vec<RoleLine>),
}

/// The answer and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The kind of answer.
    pub answer: Answer,
    /// The answer with its figures.
    pub reason: Reason,
    /// What it rests on: six lines at most.
    pub evidence: Vec<Evidence>,
    /// What is cheaper than a rewrite.
    pub advice: Vec<Advice>,
}

impl Verdict {
    /// What would come back in the way that it names, where it names one.
    pub fn gain(&self) -> Option<&Gain> {
        match &self.reason {
            Reason::Gain(gain) | Reason::UnknownProgram { gain, .. } | Reason::NoGain { gain: Some(gain), .. } => {
                Some(gain)
            }
            _ => None,
        }
    }
}
