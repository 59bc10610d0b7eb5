//! From ledgers, roles and the prediction to the answer.

use super::{
    advice::Advice,
    gain::{Blockers, Decision, Gain},
    inputs::{ChildrenFacts, Quota},
    ledger::{CpuLedger, WallLedger},
    load::Load,
    verdict::{Evidence, HandOver, NoGain, Reason, Verdict, Work},
};
use crate::{
    aggregate::{Role, RoleLine, Roles},
    cost::Births,
    event::{BlockClass, Family},
    machine::{Language, Runtime, Way},
    predict::{Given, Ground, Refusal, Scenario, WhatIf},
    quantity::Nanos,
};

/// Blocks below which nothing is said.
const MIN_BLOCKS: u64 = 30;
/// CPU below which nothing is said.
const MIN_CPU: Nanos = Nanos::from_millis(1);
/// On few blocks nothing is said of a target that uses less CPU than this per time measured.
const HARDLY_RUNS: f64 = 0.01;
/// Of a target that hardly runs nothing is said on fewer blocks than this: a prediction needs as
/// many (`predict::MIN_BLOCKS`).
const FEW_BLOCKS: u64 = 200;
/// A target that uses less CPU than this per time measured may leave the work to its children.
const LEAVES_WORK: f64 = 0.05;
/// Children whose CPU is this many times the target's do the work.
const DO_THE_WORK: f64 = 4.0;
/// Less than this share of the CPU is called little.
const LITTLE: f64 = 0.03;
/// A saving that is larger by this share of the CPU is worth naming beside another.
const CLEARLY_MORE: f64 = 0.02;
/// From this many sleeps per block on a loop is said to sleep as often as threads block.
const AS_OFTEN: f64 = 0.6;

/// Below this many calls on descriptors per wait for a lock, threads are said to fight for locks.
/// Threads that serve make at least one call per hand-over, or per few of them.
const SERVES: f64 = 0.1;
/// From this many calls on descriptors per wait for a lock on, such waits are called rare.
const RARELY: f64 = 10.0;

/// A figure is an answer only if roles cover at least this share of the CPU.
const COVERED: f64 = 0.5;

/// A role with less than this share of the CPU is not named in the evidence.
const NAMED: f64 = 0.01;

/// From this many blocks on IO per wait for work on, IO is what a pool is about.
const POOLED_IO: f64 = 0.2;

/// How often a target called.
pub(crate) struct Calls {
    /// Calls that moved bytes or waited for one descriptor, blocked or not.
    pub(crate) io: u64,
    /// Calls that wait for events, blocked or not.
    pub(crate) events: u64,
    /// Blocks of calls that only wait for one descriptor, as poll and epoll do.
    pub(crate) polled: u64,
    /// Those of them that are for a pipe.
    pub(crate) polled_pipes: u64,
}

/// What an answer is made from.
pub(crate) struct Answerable<'a> {
    pub(crate) calls: Calls,
    pub(crate) cpu: &'a CpuLedger,
    pub(crate) wall: &'a WallLedger,
    pub(crate) what_if: &'a WhatIf,
    pub(crate) roles: &'a Roles,
    /// Kernel CPU of its calls on locks as a share of its CPU.
    pub(crate) lock_cpu: f64,
    /// Threads that are born for a connection each.
    pub(crate) born: Born,
    /// What it runs in, where that is not machine code.
    pub(crate) runtime: Option<&'a Runtime>,
    /// Direct cost as a share of the CPU.
    pub(crate) direct: Option<f64>,
    pub(crate) seconds: f64,
    /// The processes below it; `None` where they are measured with it.
    pub(crate) children: Option<ChildrenFacts>,
    /// The load average that it makes.
    pub(crate) load: Option<Load>,
    /// The quotas of the cgroups that it is in.
    pub(crate) quotas: &'a [Quota],
    /// From what share of its CPU on a rewrite would be worth it.
    pub(crate) worth: f64,
}

/// Threads that are born for a connection each.
pub(crate) struct Born {
    count: f64,
    /// What their births and ends cost as a share of the CPU.
    births: f64,
    /// The share of the CPU that they take in all.
    cpu: f64,
}

impl Born {
    pub(crate) fn new(roles: &Roles, given: &Given<'_>) -> Self {
        let Births { count, cpu, .. } = given.births;
        Self { count, births: cpu / given.cpu.max(1.0), cpu: roles.brief.cpu }
    }
}

/// Whether one kind of wait is more frequent than another, beyond what chance makes of so few: two
/// standard deviations of the difference of two counts.
fn is_majority(of: u64, other: u64) -> bool {
    of > other && (of - other) as f64 >= 2.0 * ((of + other) as f64).sqrt()
}

impl Answerable<'_> {
    /// The answer, with what is cheaper.
    pub(crate) fn verdict(&self, advice: Vec<Advice>) -> Verdict {
        let reason = self.reason();
        Verdict { answer: reason.answer(), reason, evidence: self.evidence(), advice }
    }

    fn reason(&self) -> Reason {
        let wall = self.wall;
        let io = wall.blocks_in(Family::BlockingIo);
        let events = wall.blocks_in(Family::EventWait);
        let locks = wall.blocks_in(Family::Lock);
        let all: u64 = wall.classes.iter().map(|l| l.blocks).sum();
        if let Some(children) = self.children.filter(|children| self.leaves_work_to(children)) {
            return Reason::ChildrenWork { seconds: self.seconds, cpu: self.cpu.total, children };
        }
        if let Some(language) = self.runtime.map(|runtime| runtime.language).filter(|l| l.parks_its_tasks()) {
            let known = all - locks - wall.blocks_in(Family::Timer);
            if let Some(reason) = self.on_parked(language, known) {
                return reason;
            }
        }
        let files: u64 = wall.classes.iter().filter(|l| l.class.is_file()).map(|l| l.blocks).sum();
        let hardly_ran = self.uses_less_than(HARDLY_RUNS);
        if all < MIN_BLOCKS && self.cpu.total < MIN_CPU || all < FEW_BLOCKS && hardly_ran {
            return Reason::TooLittle { seconds: self.seconds, cpu: self.cpu.total, blocks: all };
        }
        if self.is_fed() {
            return self.by_saving(false);
        }
        // Births of threads cost the same however rarely these block.
        let born = self.born.births >= NAMED && self.born.cpu >= self.roles.share(&[Role::EventLoop]);
        if born && !self.computes() && !self.what_if.scenarios.is_empty() {
            return self.by_saving(files * 2 > io);
        }
        if io == 0 && events > 0 && self.is_about_events(events, all) {
            return Reason::OnlyEventWaits(events);
        }
        if io == 0 && locks == 0 {
            // Busy all the time, it never had to sleep.
            let serves = self.calls.events >= MIN_BLOCKS && self.calls.io >= MIN_BLOCKS;
            return if serves { Reason::OnlyEventWaits(self.calls.events) } else { self.no_blocking_io() };
        }
        if events > 10 * io.max(1) && self.is_about_events(events, all) {
            return Reason::MostlyEventWaits { events, io };
        }
        if io == 0 && self.computes() {
            return self.no_blocking_io();
        }
        if is_majority(locks, io)
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
        self.by_saving(files * 2 > io)
    }

    /// That it does no blocking IO, with what its CPU is instead.
    fn no_blocking_io(&self) -> Reason {
        let cpus = |role| {
            let lines = self.roles.lines.iter().filter(|line| line.role == role);
            lines.map(|line| line.cpu).sum::<Nanos>().as_secs_f64() / self.seconds.max(1e-9)
        };
        let of_rings = self.roles.share(&[Role::RingPoller, Role::RingWorker]);
        Reason::NoBlockingIo(if of_rings > 0.5 {
            Work::Rings { polling: cpus(Role::RingPoller), working: cpus(Role::RingWorker) }
        } else if self.cpu.refused_share() > 0.5 {
            Work::Refused { calls: self.cpu.refused, most: self.cpu.refused_share() }
        } else {
            Work::Own
        })
    }

    /// Whether it uses less CPU than this share of the time measured.
    fn uses_less_than(&self, share: f64) -> bool {
        (self.cpu.total.as_nanos() as f64) < share * self.seconds * 1e9
    }

    /// Whether it hardly runs, and the processes below it do: a master with its workers, a shell.
    fn leaves_work_to(&self, children: &ChildrenFacts) -> bool {
        let own = self.cpu.total.as_nanos() as f64;
        let theirs = children.cpu.as_nanos() as f64;
        self.uses_less_than(LEAVES_WORK) && theirs >= DO_THE_WORK * own.max(MIN_CPU.as_nanos() as f64)
    }

    /// Whether waits for events are what it does, whoever waits for locks beside its loops: most
    /// of the blocks are such waits, or most of the CPU is the loops'.
    fn is_about_events(&self, events: u64, all: u64) -> bool {
        let leads = self.roles.share(&[Role::EventLoop]) > 0.5 && !self.roles.is_fed() && events >= MIN_BLOCKS;
        self.loops_lead() && (events * 2 >= all || leads)
    }

    /// The answer for a runtime that parks its tasks in user space; `None` if it blocks on IO,
    /// hardly parks, or computes. `known`: how many waits of its threads are not its scheduler's.
    fn on_parked(&self, language: Language, known: u64) -> Option<Reason> {
        // Its poller watches descriptors for its tasks; a pipe alone is the poller's own waker.
        let io = self.wall.blocks_in(Family::BlockingIo).saturating_sub(self.calls.polled);
        let events =
            (self.wall.blocks_in(Family::EventWait) + self.calls.polled).saturating_sub(self.calls.polled_pipes);
        let waits = self.wall.blocks_in(Family::Lock);
        if waits < MIN_BLOCKS || io >= MIN_BLOCKS || self.computes() {
            return None;
        }
        let serves = self.calls.io >= MIN_BLOCKS && events.max(self.calls.events) >= MIN_BLOCKS;
        if serves && events > 10 * io && (2 * events >= known || io == 0) && self.loops_lead() {
            let events = events.max(self.calls.events);
            return Some(if io == 0 {
                Reason::OnlyEventWaits(events)
            } else {
                Reason::MostlyEventWaits { events, io }
            });
        }
        Some(Reason::ParkedTasks { language, waits, io })
    }

    /// The answer for a target that waits for locks more often than for IO; `None` where such waits
    /// are too rare to be the answer.
    fn on_locks(&self, locks: u64, io: u64) -> Option<Reason> {
        let calls_per_wait = self.calls.io as f64 / locks as f64;
        if locks >= MIN_BLOCKS && io < MIN_BLOCKS && self.roles.is_fed() {
            // A loop waits for all of the IO, and hands what is ready to a pool.
            if !self.what_if.scenarios.is_empty() {
                return None;
            }
            let kind = HandOver::Pool(self.roles.threads(Role::PoolWorker));
            return Some(Reason::HandOver { kind, waits: locks, calls: self.calls.io, cost: self.lock_cpu });
        }
        if calls_per_wait > RARELY {
            let events = self.calls.events;
            let many = events > 10 * io && events >= locks.max(MIN_BLOCKS) && self.loops_lead();
            return many.then_some(Reason::MostlyEventWaits { events, io });
        }
        if locks < MIN_BLOCKS {
            return None;
        }
        if calls_per_wait < SERVES && self.roles.blocking() < 0.5 {
            if io == 0 && self.hands_work_over() {
                return Some(self.no_blocking_io());
            }
            return Some(Reason::Locks { locks, io });
        }
        let kind = self.hand_over();
        // A pool whose IO blocks is predicted like others that block, the hand-over with it.
        let predicted = matches!(kind, HandOver::Pool(_)) && !self.what_if.scenarios.is_empty();
        if predicted && io as f64 >= POOLED_IO * locks as f64 {
            return None;
        }
        Some(Reason::HandOver { kind, waits: locks, calls: self.calls.io, cost: self.lock_cpu })
    }

    /// Whether its own loop waits for the IO of a pool.
    fn is_fed(&self) -> bool {
        self.what_if.ground == Ground::OwnLoop
    }

    /// Whether threads that compute take most of the CPU. Then waits are not the point, however
    /// often other threads wait for locks or for the ends of threads.
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
        } else if self.roles.serving_alone() >= 0.5 {
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

    /// The answer by what would come back. Readiness gains nothing where most blocks are on files.
    /// A deeper queue is named and decides nothing, because it is not known whether requests depend
    /// on each other.
    fn by_saving(&self, files: bool) -> Reason {
        // A kernel without io_uring may have Linux AIO.
        let tuned = [Way::Tuned, Way::Aio].into_iter().find_map(|way| self.what_if.scenario(way));
        let led = self.what_if.leading().filter(|_| !files);
        let candidates = || [led, tuned].into_iter().flatten();
        let direct = self.direct.unwrap_or(0.0);
        if files && tuned.is_none() && direct >= self.worth {
            return Reason::NoPrediction { direct, why: Refusal::NoWayForFiles };
        }
        let decides = |wanted| candidates().find(move |s| Decision::from_saving(s.saving, self.worth) == wanted);
        let chosen = decides(Decision::Yes).or_else(|| decides(Decision::Perhaps));
        let covered = 1.0 - self.roles.share(&[Role::Unknown]);
        match (chosen.or_else(|| candidates().next()), chosen) {
            (Some(scenario), _) if covered < COVERED => Reason::UnknownProgram { covered, gain: self.gain(scenario) },
            (_, Some(chosen)) => Reason::Gain(self.gain(chosen)),
            (scenario, None) => {
                Reason::NoGain { gain: scenario.map(|s| self.gain(s)), why: self.no_gain(files, scenario) }
            }
        }
    }

    fn gain(&self, scenario: &Scenario) -> Gain {
        let other = [Way::Tuned, Way::Deep, Way::Aio].into_iter().filter_map(|way| self.what_if.scenario(way));
        let more = other.map(|s| (s.way, s.saving));
        let more = more.filter(|(_, s)| s.value > 0.0 && s.value > scenario.saving.value + CLEARLY_MORE);
        Gain {
            blockers: self.blockers(),
            worse: self.worse(scenario.way),
            completion: more.max_by(|a, b| a.1.value.total_cmp(&b.1.value)),
            ..Gain::new(scenario, self.worth, self.what_if.cpu / 1e9 / self.seconds.max(1e-9))
        }
    }

    /// The threads that block with the most CPU.
    fn blockers(&self) -> Option<Blockers> {
        let blocks = |line: &&RoleLine| matches!(line.role, Role::Connection | Role::Files | Role::PoolWorker);
        let line = self.roles.lines.iter().find(blocks)?;
        let io = self.wall.classes.iter().filter(|l| l.class.family() == Family::BlockingIo && l.blocks > 0);
        let class = io.max_by_key(|l| l.blocks).map(|l| l.class).filter(|_| !self.is_fed());
        Some(Blockers { role: line.role, threads: line.threads, class })
    }

    /// The first other way of its language that would take clearly more than threads do, and how
    /// much.
    fn worse(&self, than: Way) -> Option<(Way, f64)> {
        let others = self.what_if.scenarios.iter().filter(|s| s.way != than && !s.way.is_native());
        others.filter(|s| s.saving.value <= -LITTLE).map(|s| (s.way, -s.saving.value)).next()
    }

    /// Why another way of waiting would give too little back.
    fn no_gain(&self, files: bool, scenario: Option<&Scenario>) -> NoGain {
        let direct = self.direct.unwrap_or(0.0).max(0.0);
        let worse = scenario.and_then(|s| self.worse(s.way));
        if self.is_fed() {
            return NoGain::HandsOver(self.lock_cpu);
        }
        if scenario.is_some_and(|s| s.saving.value >= LITTLE) {
            return NoGain::BelowWorth(self.worth);
        }
        let user = self.cpu.user.value().map_or(0.0, |user| user.ratio_to(self.cpu.total));
        let own = user - self.cpu.refused_share();
        if direct < LITTLE && own > 0.5 {
            return NoGain::CpuBound { own, direct };
        }
        // A few blocks on files, as of a program that starts, are not where its time goes.
        if files && (direct >= LITTLE || self.wall.blocks_in(Family::BlockingIo) >= MIN_BLOCKS) {
            return NoGain::Files(direct);
        }
        if direct < LITTLE {
            return NoGain::CostsLittle(direct);
        }
        let sleeps_per_block = scenario.map_or(1.0, |s| s.sleeps_per_block);
        // What a runtime's sleeps cost is in its scenarios.
        if sleeps_per_block >= AS_OFTEN && worse.is_none() {
            return NoGain::LowConcurrency { direct, sleeps_per_block };
        }
        match worse {
            Some((way, more)) => NoGain::CostsMore { way, more, direct },
            None => NoGain::CostsAsMuch(direct),
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let io = self.wall.blocks_in(Family::BlockingIo);
        let what_if = self.what_if;
        let mut lines = vec![Evidence::Blocks { io, seconds: self.seconds, cpu: self.cpu.total }];
        lines.extend(self.quotas.iter().filter(|quota| quota.held_back()).cloned().map(Evidence::HeldBack));
        if let Some(priced) = &what_if.priced {
            let all = priced.prices.all();
            let share = all.direct / what_if.cpu.max(1.0);
            // A pool's own loop waits for its IO: none blocks, and no other loop was replayed.
            if !self.is_fed() {
                let each = all.direct / all.count.max(1.0);
                if all.count > 0.0 {
                    lines.push(Evidence::BlockCost { each, basis: priced.prices.basis, share });
                }
                lines.extend(what_if.leading().or(what_if.scenarios.first()).map(|scenario| Evidence::Loops {
                    loops: scenario.loops,
                    sleeps_per_block: scenario.sleeps_per_block,
                    events_per_wait: scenario.events_per_wait,
                    ground: what_if.ground,
                }));
            }
            let plain = what_if.scenarios.iter().filter(|s| s.way.suits_all());
            let taxes: Vec<(Way, f64)> = plain.filter_map(|s| Some((s.way, s.event_tax?))).collect();
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
        let blocks = |is_such: fn(BlockClass) -> bool| -> u64 {
            self.wall.classes.iter().filter(|l| is_such(l.class)).map(|l| l.blocks).sum()
        };
        let (journal, files) = (blocks(|class| class == BlockClass::Journal), blocks(BlockClass::is_file));
        if self.born.births >= NAMED {
            lines.push(Evidence::Births { count: self.born.count, share: self.born.births });
        }
        if journal >= MIN_BLOCKS {
            lines.push(Evidence::Journal { blocks: journal, files });
        }
        if self.cpu.refused_share() >= NAMED {
            lines.push(Evidence::Refused { calls: self.cpu.refused, most: self.cpu.refused_share() });
        }
        if let Some(children) = self.children.filter(|children| children.cpu > self.cpu.total) {
            lines.push(Evidence::Children(children));
        }
        lines.extend(self.load.filter(Load::is_mostly_asleep).map(Evidence::Load));
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
