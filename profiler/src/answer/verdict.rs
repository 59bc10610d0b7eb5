//! The verdict: the answer with its figures, what it rests on, and what is cheaper than a rewrite.

use super::{
    advice::Advice,
    ledger::{CpuLedger, WallLedger},
};
use crate::{
    aggregate::{Role, RoleLine, Roles},
    cost::Basis,
    event::Family,
    machine::{Runtime, Source, Way},
    predict::{Ground, Refusal, WhatIf},
    quantity::{Estimate, Nanos},
};

/// The kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Too little happened to say anything.
    NotEnoughData,
    /// No, it waits for events already.
    AlreadyAsync,
    /// No, it does no blocking IO.
    NoBlockingIo,
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
    /// It blocks on files: readiness (epoll) would not help there, completion (`io_uring`) might.
    Files,
    /// Yes, but only with completion (`io_uring`), batched.
    YesTuned,
    /// Yes, with readiness already.
    Yes,
    /// The middle says yes, and the interval holds no as well.
    Unsure,
    /// Blocking costs this much; what async would give back could not be told.
    Blocking,
}

/// The answer, with the figures that it is said with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Too little happened.
    TooLittle {
        /// Measured time, s.
        seconds: f64,
        /// CPU of the target.
        cpu: Nanos,
        /// Blocks of all classes.
        blocks: u64,
    },
    /// It never blocks on IO, and so many event waits are its way to sleep.
    OnlyEventWaits(u64),
    /// Event waits are by far the most of its blocks.
    MostlyEventWaits {
        /// Event waits.
        events: u64,
        /// Blocking-IO blocks.
        io: u64,
    },
    /// It does no blocking IO.
    NoBlockingIo,
    /// It waits on locks more often than on IO.
    Locks {
        /// Blocks on locks.
        locks: u64,
        /// Blocking-IO blocks.
        io: u64,
    },
    /// Its threads wait for each other about as often as they do IO, and block on it more rarely: a
    /// pool, or locks between threads that serve.
    HandOver {
        /// Which of the two.
        kind: HandOver,
        /// Blocks on locks.
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
        /// Blocking-IO blocks.
        io: u64,
        /// Why there is no prediction.
        why: Refusal,
    },
    /// Its blocks are on files; completion would give this back.
    FilesByCompletion(Estimate),
    /// Its blocks are on files and cost this share of its CPU.
    FilesCostLittle(f64),
    /// An event loop would give this back, and the interval includes zero.
    Unsure {
        /// Which.
        way: Way,
        /// Its saving.
        saving: Estimate,
        /// A way that would take so much more than threads do.
        worse: Option<(Way, f64)>,
    },
    /// An event loop would give this back.
    EventLoop {
        /// Which.
        way: Way,
        /// A way that would take so much more than threads do.
        worse: Option<(Way, f64)>,
        /// Its saving.
        saving: Estimate,
        /// That of `io_uring`, where it is clearly more.
        completion: Option<Estimate>,
    },
    /// Only batched completion would give something back.
    OnlyCompletion(Estimate),
    /// Another way of waiting would give nothing back.
    NoGain(NoGain),
}

/// Why threads that do IO wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// So many of them get their work from others.
    Pool(u64),
    /// So many of them serve a connection or files each, and share a lock.
    SharedLock(u64),
    /// The wake-ups that were seen do not tell.
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
    /// One thing at a time is ready.
    LowConcurrency {
        /// Direct cost as a share of its CPU.
        direct: f64,
        /// Sleeps of a loop per block of today.
        sleeps_per_block: f64,
    },
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
    pub const fn answer(&self) -> Answer {
        match self {
            Self::TooLittle { .. } | Self::NothingKnown { .. } => Answer::NotEnoughData,
            Self::OnlyEventWaits(_) | Self::MostlyEventWaits { .. } => Answer::AlreadyAsync,
            Self::NoBlockingIo => Answer::NoBlockingIo,
            Self::Locks { .. } => Answer::Locks,
            Self::HandOver { .. } => Answer::HandOver,
            Self::NoPrediction { .. } => Answer::Blocking,
            Self::FilesByCompletion(_) | Self::FilesCostLittle(_) => Answer::Files,
            Self::Unsure { .. } => Answer::Unsure,
            Self::EventLoop { .. } => Answer::Yes,
            Self::OnlyCompletion(_) => Answer::YesTuned,
            Self::NoGain(NoGain::CpuBound { .. }) => Answer::CpuBound,
            Self::NoGain(NoGain::CostsLittle(_) | NoGain::CostsAsMuch(_) | NoGain::CostsMore { .. }) => {
                Answer::CostsLittle
            }
            Self::NoGain(NoGain::LowConcurrency { .. }) => Answer::LowConcurrency,
        }
    }
}

/// A line of what the answer rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// How often it blocked on IO.
    Blocks {
        /// Blocking-IO blocks.
        io: u64,
        /// Measured time, s.
        seconds: f64,
        /// CPU of the target.
        cpu: Nanos,
    },
    /// What a block costs.
    BlockCost {
        /// One, ns of CPU.
        each: f64,
        /// What most of them were held against.
        basis: Option<Basis>,
        /// All of them as a share of the target's CPU.
        share: f64,
    },
    /// What loops in its place would do.
    Loops {
        /// Loops.
        loops: u32,
        /// Sleeps per block of today.
        sleeps_per_block: f64,
        /// Events that a wait returns.
        events_per_wait: f64,
        /// What that was counted on.
        ground: Ground,
    },
    /// Calibrated cost of waiting for an event.
    EventTaxes {
        /// By way, ns.
        taxes: Vec<(Way, f64)>,
        /// The runtime that they are of, and where they come from; `None`: this machine's own.
        runtime: Option<(Runtime, Source)>,
    },
    /// What it runs in, where that offers no ways of its own.
    RunsIn(Runtime),
    /// So many blocks are not on IO.
    OtherWaits(u64),
    /// What its threads are, those with the most CPU first; the others took the rest.
    Roles(Vec<RoleLine>),
}

/// The answer and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The kind.
    pub answer: Answer,
    /// The answer with its figures.
    pub reason: Reason,
    /// What it rests on: six lines at most.
    pub evidence: Vec<Evidence>,
    /// What is cheaper than a rewrite.
    pub advice: Vec<Advice>,
}

/// Blocks below which nothing is said.
const MIN_BLOCKS: u64 = 30;
/// CPU below which nothing is said.
const MIN_CPU: Nanos = Nanos::from_millis(1);
/// CPU per time measured below which nothing is said on few blocks.
const HARDLY_RUNS: f64 = 0.01;
/// A share of the CPU below which it is called little.
const LITTLE: f64 = 0.03;
/// A saving that is larger by this share of the CPU is worth naming beside another.
const CLEARLY_MORE: f64 = 0.02;
/// Sleeps per block from which a loop is said to sleep as often as threads block.
const AS_OFTEN: f64 = 0.6;

/// Calls on descriptors per wait for a lock below which threads are said to fight for locks: what
/// serves makes at least one call per hand-over, or per few of them.
const SERVES: f64 = 0.1;
/// Calls on descriptors per wait for a lock from which such waits are said to be rare.
const RARELY: f64 = 10.0;

/// Share of the CPU below which a role is not named in the evidence.
const NAMED: f64 = 0.01;

/// Blocks on IO per wait for work from which a pool's IO is what it is about.
const POOLED_IO: f64 = 0.2;

/// What an answer is made from.
pub(crate) struct Answerable<'a> {
    /// Calls that moved bytes or waited for one descriptor, blocked or not.
    pub(crate) io_calls: u64,
    /// Calls that wait for events, blocked or not.
    pub(crate) event_calls: u64,
    pub(crate) cpu: &'a CpuLedger,
    pub(crate) wall: &'a WallLedger,
    pub(crate) what_if: &'a WhatIf,
    pub(crate) roles: &'a Roles,
    /// Kernel CPU of its calls on locks as a share of its CPU.
    pub(crate) lock_cpu: f64,
    /// What it runs in, where that is not machine code.
    pub(crate) runtime: Option<&'a Runtime>,
    /// Direct cost as a share of the CPU.
    pub(crate) direct: Option<f64>,
    pub(crate) seconds: f64,
}

impl Verdict {
    pub(crate) fn new(seen: &Answerable<'_>, advice: Vec<Advice>) -> Self {
        let reason = seen.reason();
        Self { answer: reason.answer(), reason, evidence: seen.evidence(), advice }
    }
}

impl Answerable<'_> {
    fn reason(&self) -> Reason {
        let wall = self.wall;
        let io = wall.blocks_in(Family::BlockingIo);
        let events = wall.blocks_in(Family::EventWait);
        let locks = wall.blocks_in(Family::Lock);
        let all: u64 = wall.classes.iter().map(|l| l.blocks).sum();
        let files: u64 = wall.classes.iter().filter(|l| l.class.is_file()).map(|l| l.blocks).sum();
        let hardly_ran = (self.cpu.total.as_nanos() as f64) < HARDLY_RUNS * self.seconds * 1e9;
        if all < MIN_BLOCKS && (self.cpu.total < MIN_CPU || hardly_ran) {
            return Reason::TooLittle { seconds: self.seconds, cpu: self.cpu.total, blocks: all };
        }
        if io == 0 && events > 0 && events * 2 >= all && self.loops_lead() {
            return Reason::OnlyEventWaits(events);
        }
        if io == 0 && locks == 0 {
            // Busy all the time, it never had to sleep.
            let serves = self.event_calls >= MIN_BLOCKS && self.io_calls >= MIN_BLOCKS;
            return if serves { Reason::OnlyEventWaits(self.event_calls) } else { Reason::NoBlockingIo };
        }
        if events > 10 * io.max(1) && events * 2 >= all && self.loops_lead() {
            return Reason::MostlyEventWaits { events, io };
        }
        if io == 0 && self.computes() {
            return Reason::NoBlockingIo;
        }
        if locks > io
            && !self.computes()
            && let Some(reason) = self.on_locks(locks, io)
        {
            return reason;
        }
        if let Some(why) = self.what_if.refused.clone() {
            return match self.direct {
                Some(direct) => Reason::NoPrediction { direct, why },
                None => Reason::NothingKnown { io, why },
            };
        }
        if files * 2 > io { self.on_files() } else { self.by_saving() }
    }

    /// It waits for locks more often than for IO; `None` where such waits are too rare to be the
    /// answer.
    fn on_locks(&self, locks: u64, io: u64) -> Option<Reason> {
        let calls_per_wait = self.io_calls as f64 / locks as f64;
        if calls_per_wait > RARELY {
            let events = self.event_calls;
            let many = events > 10 * io && events >= locks.max(MIN_BLOCKS) && self.loops_lead();
            return many.then_some(Reason::MostlyEventWaits { events, io });
        }
        if locks < MIN_BLOCKS {
            return None;
        }
        if calls_per_wait < SERVES && self.roles.blocking() < 0.5 {
            if io == 0 && self.hands_work_over() {
                return Some(Reason::NoBlockingIo);
            }
            return Some(Reason::Locks { locks, io });
        }
        let kind = self.hand_over();
        // A pool whose IO blocks is predicted like others that block, the hand-over with it.
        let predicted = matches!(kind, HandOver::Pool(_)) && !self.what_if.scenarios.is_empty();
        if predicted && io as f64 >= POOLED_IO * locks as f64 {
            return None;
        }
        Some(Reason::HandOver { kind, waits: locks, calls: self.io_calls, cost: self.lock_cpu })
    }

    /// Whether threads that compute take most of the CPU: however often others wait for locks, or
    /// for their ends, that is not what it is about.
    fn computes(&self) -> bool {
        self.roles.share(&[Role::Computing]) > 0.5
    }

    /// Whether its threads wait for work, not for a lock.
    fn hands_work_over(&self) -> bool {
        self.roles.share(&[Role::PoolWorker, Role::Dispatcher])
            > self.roles.share(&[Role::LockBound]) + self.roles.share(&[Role::Unknown])
    }

    fn hand_over(&self) -> HandOver {
        let threads = |role| self.roles.threads(role);
        if self.roles.is_pool() {
            HandOver::Pool(threads(Role::PoolWorker))
        } else if self.roles.own() >= 0.5 {
            HandOver::SharedLock(threads(Role::Connection) + threads(Role::Files))
        } else {
            HandOver::Unknown
        }
    }

    /// Whether event loops take more of the CPU than threads that block: many waits of a loop that
    /// has little to do are not the answer for a pool beside it.
    fn loops_lead(&self) -> bool {
        let loops = self.roles.share(&[Role::EventLoop]);
        loops >= self.roles.blocking() && loops >= self.roles.share(&[Role::Unknown])
    }

    fn on_files(&self) -> Reason {
        match self.what_if.scenario(Way::Tuned) {
            Some(tuned) if tuned.saving.value >= LITTLE => Reason::FilesByCompletion(tuned.saving),
            _ => Reason::FilesCostLittle(self.direct.unwrap_or(0.0).max(0.0)),
        }
    }

    fn by_saving(&self) -> Reason {
        let tuned = self.what_if.scenario(Way::Tuned).map(|s| s.saving);
        if let Some(led) = self.what_if.leading().filter(|s| s.saving.value >= LITTLE) {
            let (way, saving, worse) = (led.way, led.saving, self.worse());
            let completion = tuned.filter(|t| t.value > saving.value + CLEARLY_MORE);
            return if saving.low <= 0.0 {
                Reason::Unsure { way, saving, worse }
            } else {
                Reason::EventLoop { way, saving, completion, worse }
            };
        }
        if let Some(tuned) = tuned.filter(|s| s.value >= LITTLE) {
            return Reason::OnlyCompletion(tuned);
        }
        Reason::NoGain(self.no_gain())
    }

    /// The first way of its language that would take clearly more than threads do, and how much.
    fn worse(&self) -> Option<(Way, f64)> {
        let mut own = self.what_if.scenarios.iter().filter(|s| !Way::NATIVE.contains(&s.way));
        own.find(|s| s.saving.value <= -LITTLE).map(|s| (s.way, -s.saving.value))
    }

    /// Why another way of waiting would give nothing back.
    fn no_gain(&self) -> NoGain {
        let direct = self.direct.unwrap_or(0.0);
        if direct < LITTLE {
            let user = self.cpu.user.value().map_or(0.0, |&u| u.as_nanos() as f64);
            let own = user / self.cpu.total.as_nanos().max(1) as f64;
            let direct = direct.max(0.0);
            return if own > 0.5 { NoGain::CpuBound { own, direct } } else { NoGain::CostsLittle(direct) };
        }
        let scenario = self.what_if.leading().or(self.what_if.scenario(Way::Tuned));
        let sleeps_per_block = scenario.map_or(1.0, |s| s.sleeps_per_block);
        if sleeps_per_block >= AS_OFTEN {
            return NoGain::LowConcurrency { direct, sleeps_per_block };
        }
        match self.worse() {
            Some((way, more)) => NoGain::CostsMore { way, more, direct },
            None => NoGain::CostsAsMuch(direct),
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let io = self.wall.blocks_in(Family::BlockingIo);
        let what_if = self.what_if;
        let mut lines = vec![Evidence::Blocks { io, seconds: self.seconds, cpu: self.cpu.total }];
        if let Some(priced) = &what_if.priced {
            let all = priced.prices.all();
            let share = all.direct / what_if.cpu.max(1.0);
            lines.push(Evidence::BlockCost {
                each: all.direct / all.count.max(1.0),
                basis: priced.prices.basis,
                share,
            });
            if let Some(scenario) = what_if.leading().or(what_if.scenarios.first()) {
                lines.push(Evidence::Loops {
                    loops: scenario.loops,
                    sleeps_per_block: scenario.sleeps_per_block,
                    events_per_wait: scenario.events_per_wait,
                    ground: what_if.ground,
                });
            }
            let taxes: Vec<(Way, f64)> = what_if.scenarios.iter().filter_map(|s| Some((s.way, s.event_tax?))).collect();
            if !taxes.is_empty() {
                let runtime = priced.runtime.as_ref().map(|r| (r.runtime.clone(), r.source.clone()));
                lines.push(Evidence::EventTaxes { taxes, runtime });
            }
        }
        if let Some(runtime) = self.runtime.filter(|_| !self.is_priced_in_its_runtime()) {
            lines.push(Evidence::RunsIn(runtime.clone()));
        }
        let roles: Vec<RoleLine> = self.roles.lines.iter().copied().filter(|line| line.share >= NAMED).collect();
        if !roles.is_empty() {
            lines.push(Evidence::Roles(roles));
        }
        if self.other_waits() > io {
            lines.push(Evidence::OtherWaits(self.other_waits()));
        }
        lines
    }

    fn is_priced_in_its_runtime(&self) -> bool {
        self.what_if.priced.as_ref().is_none_or(|priced| priced.runtime.is_some())
    }

    fn other_waits(&self) -> u64 {
        [Family::Lock, Family::Timer, Family::EventWait].into_iter().map(|f| self.wall.blocks_in(f)).sum()
    }
}
