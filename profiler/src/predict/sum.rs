//! The sum behind a scenario: its terms, how far they scatter, and its doubts.

use super::{
    batch::Direct,
    blocks::Blocks,
    crowd::MOST_COLD,
    doubt::{Assumption, Doubt},
    engine::{Counted, Engine},
    interval::Found,
    kind::Kind,
    prices::WaitingCalls,
    replay::{Arrivals, Assignment, Settings, Trace},
    scenario::{Scenario, Waits},
    term::{Term, TermBasis, TermKind},
};
use crate::{
    cost::{Births, HandOvers},
    machine::{At, Pool, Queue, SleptFor, Way},
    quantity::Estimate,
};

/// Events per wait at which the price of an event is looked up before a replay has counted them.
const FIRST_GUESS: f64 = 4.0;
/// An indirect cost that is not known is not zero: this share of the direct cost goes into the
/// interval.
const UNKNOWN_INDIRECT: f64 = 0.5;
/// This share of what a pool's hand-overs cost goes into the interval: some notice of finished work
/// remains, as an event.
pub(super) const UNSURE_HAND_OVER: f64 = 0.25;
/// User-mode code around a pool's hand-overs (the lock, the queue) is not measured. It costs at
/// most this many times what the hand-overs cost in the kernel.
pub(super) const UNTOLD_HAND_OVER: f64 = 1.0;
/// This share of what births and ends of threads cost goes into the interval. The kernel's part is
/// measured in place; a loop registers each connection instead, and what threads cost in user mode
/// is not measured.
const UNSURE_BIRTHS: f64 = 0.1;
/// This share of the CPU that was taken off for the hooks goes into the interval.
const UNSURE_HOOKS: f64 = 0.25;

/// CPUs in use below which a target on files waits for its device and not for a CPU.
const MOSTLY_FREE: f64 = 0.5;

impl Engine {
    /// What a way of waiting gives back on so many loops; `None` where this machine has no price
    /// for it.
    pub fn scenario(&self, way: Way, loops: u32, assignment: Assignment) -> Option<Scenario> {
        if matches!(way.pool(), Pool::FilesOnly | Pool::Removed) {
            return self.by_another_thread(way, loops, assignment);
        }
        let guess = self.tax(way, FIRST_GUESS)?;
        let mut settings = self.settings(way, loops, assignment, guess.value);
        let first = self.count(way, &settings)?;
        settings.tax = self.tax(way, self.per_wait(&first))?.value;
        let deeper = self.deeper(way);
        let count = |arrivals| Some(self.count(way, &Settings { arrivals, ..settings })?.deeper(deeper));
        let (taken, other) = self.arrivals(way);
        let (counted, other) = (count(taken)?, count(other)?);
        let tax = self.tax(way, self.per_wait(&counted))?;
        let sum = Sum::new(self, way, counted, tax);
        // Linux AIO waits for direct reads and writes alone: without their price it has no price.
        if way.queue() == Some(Queue::Aio) {
            sum.direct?;
        }
        let shift = sum.sleepers * (sum.stays - other.stays()) * sum.each_sleep();
        let otherwise = match taken {
            Arrivals::Closed => Assumption::ArrivalsDoNotFollow,
            Arrivals::Open => Assumption::ArrivalsFollow,
        };
        let share = |ns: f64| ns / self.cpu;
        let found = sum.found((otherwise, shift));
        let value: f64 = found.terms.iter().map(|t| t.ns).sum();
        let waits = Waits {
            blocks: sum.blocks.count,
            sleeps_per_block: sum.stays,
            events_per_wait: counted.events_per_wait,
            event_tax: self.tax(way, counted.events_per_wait).map(|tax| tax.value),
        };
        let open = share(if taken == Arrivals::Open { value } else { value + shift });
        let full = self.at_full_load(way, loops, &counted).unwrap_or(found.saving);
        settings.tax = tax.value;
        Some(Scenario {
            open,
            full,
            times: self.times(way, &Settings { arrivals: taken, ..settings }),
            ..Scenario::new((way, loops, assignment), found, &waits, (self.cpu, self.seconds))
        })
    }

    /// What a way gives back once its loops never sleep. Then a wait returns an event of each of a
    /// loop's connections; `counted` is what it returns today.
    fn at_full_load(&self, way: Way, loops: u32, counted: &Counted) -> Option<Estimate> {
        let connections = self.traces(way).iter().map(Trace::connections).max().unwrap_or(0) as f64;
        let events_per_wait = (connections / f64::from(loops.max(1))).max(counted.events_per_wait);
        let counted = Counted { sleeps_per_event: Estimate::exact(0.0), events_per_wait };
        let tax = self.tax(way, self.per_wait(&counted))?;
        let sum = Sum::new(self, way, counted, tax);
        Some(sum.found((Assumption::ArrivalsFollow, 0.0)).saving)
    }

    /// What an event costs in this way of waiting, ns, with the target's own work for one.
    fn tax(&self, way: Way, events: f64) -> Option<Estimate> {
        self.calibration.tax(way, self.at(events))
    }

    /// An event that is slept for in the target's runtime, and one that is not.
    pub(super) fn slept_for(&self, way: Way) -> Option<SleptFor> {
        self.calibration.slept_for(way, self.at(1.0))
    }

    /// The circumstances of the target's events, if a wait returns so many.
    fn at(&self, events: f64) -> At {
        let prices = &self.prices;
        let messages = (prices.net.count + prices.turns + self.births.count).max(1.0);
        let work = (self.cpu - prices.all().direct).max(0.0) / messages;
        // There are two such calls for a message where sends have a time-out too.
        let timed = prices.waiting_calls.count / messages;
        At { events, work, timed }
    }

    /// How arrivals are assumed to come, and the other way in which they may come. Where the CPU is
    /// mostly free, a device sets the pace: it ends several requests at once, whoever waits for
    /// them. Otherwise the next request follows the reply.
    fn arrivals(&self, way: Way) -> (Arrivals, Arrivals) {
        let busy = self.cpu / 1e9 / self.seconds.max(1e-9);
        if way.completes() && self.prices.mostly_files() && busy < MOSTLY_FREE {
            (Arrivals::Open, Arrivals::Closed)
        } else {
            (Arrivals::Closed, Arrivals::Open)
        }
    }

    /// How many times as many requests are in flight as today. A wait ends for that many at once.
    fn deeper(&self, way: Way) -> f64 {
        way.depth().map_or(1.0, |depth| (depth / self.prices.file_waits.max(1.0)).max(1.0))
    }

    pub(super) fn kind(&self, way: Way) -> Kind {
        match way.is_native() && self.calibration.runtime.is_none() {
            false => Kind::Runtime,
            true if !matches!(way.pool(), Pool::None | Pool::Files) => Kind::Pools,
            true if self.prices.mostly_files() => Kind::Files,
            true => Kind::Sockets,
        }
    }

    /// What comes back because a pool's hand-overs go. With readiness, calls on files stay with the
    /// pool; with Linux AIO those stay that go through the page cache.
    pub(super) fn handed_over(&self, way: Way) -> Option<Term> {
        let HandOvers { waits, cpu } = self.hand_overs;
        let files = self.prices.file_calls.max(1.0);
        let on_sockets = self.prices.net.count >= files;
        let part = match (way.pool(), way.queue()) {
            (Pool::Events | Pool::LeaderFollowers | Pool::FilesOnly, _) => 0.0,
            (Pool::Removed, _) | (Pool::None | Pool::Files, Some(Queue::Ring)) => 1.0,
            (Pool::None | Pool::Files, Some(Queue::Aio)) if !on_sockets => {
                (self.prices.direct_reads.count / files).min(1.0)
            }
            (Pool::None | Pool::Files, _) => f64::from(on_sockets),
        };
        let count = waits * part;
        (count >= 1.0).then(|| Term::gain(TermKind::HandOversGo, count, cpu / waits, TermBasis::InPlace))
    }

    /// The cost of handing work to a thread that waits for it, ns: a block between two threads of
    /// this target, and what a calibrated hand-over costs beyond a calibrated block.
    pub(super) fn hand_over(&self) -> Option<f64> {
        let prices = &self.prices;
        let plain = self.calibration.block(prices.main_class, None);
        match (self.calibration.hand_over(), plain) {
            (Some(whole), Some(plain)) => Some(whole.value + (prices.near - plain.cost.value).max(0.0)),
            (None, Some(plain)) => Some(prices.near + plain.wake.value),
            (_, None) => Some(prices.near + prices.wake.value()?),
        }
    }

    /// The most CPU that any way of waiting can give back, ns: all but the target's own code. Of
    /// that at most [`MOST_COLD`] can go, as the cost of cold caches.
    pub(super) fn most(&self) -> f64 {
        let user = (1.0 - self.in_kernel) * (self.cpu - self.prices.all().direct).max(0.0);
        self.cpu - (1.0 - MOST_COLD) * user
    }
}

/// What the terms of one scenario are made of.
struct Sum<'a> {
    engine: &'a Engine,
    way: Way,
    counted: Counted,
    /// The cost of waiting for an event in this way, ns.
    tax: Estimate,
    /// Blocks that this way makes unnecessary.
    blocks: Blocks,
    /// The share of all blocks that goes. The same share goes of whatever is counted over all
    /// blocks: indirect costs, wake-ups among its own threads, preemptions.
    part: f64,
    /// Sleeps that remain, per block.
    stays: f64,
    /// The cost of a loop's sleep, ns.
    sleep: f64,
    /// What that costs in the target's runtime.
    slept_for: Option<SleptFor>,
    direct: Option<Direct>,
    /// Blocks in whose place a loop may sleep.
    sleepers: f64,
    /// Blocks on cached files.
    plain_files: f64,
    crowd: Option<(f64, Estimate)>,
    gathered: Option<Term>,
    handed_over: Option<Term>,
}

impl<'a> Sum<'a> {
    fn new(engine: &'a Engine, way: Way, counted: Counted, tax: Estimate) -> Self {
        let blocks = engine.blocks(way);
        let file = engine.prices.file_by(way);
        let direct = engine.direct_reads(way, &counted);
        // The price of a direct read includes its sleeps.
        let past_cache = direct.map_or(0.0, |d| d.reads.count);
        Self {
            engine,
            way,
            counted,
            tax,
            blocks,
            part: (blocks.count + engine.births.count) / (engine.prices.all().count + engine.births.count).max(1.0),
            stays: counted.stays(),
            sleep: engine.prices.sleep.value().copied().unwrap_or(0.0),
            slept_for: engine.slept_for(way),
            direct,
            sleepers: blocks.count - past_cache,
            plain_files: file.count - past_cache,
            crowd: engine.crowd(way).filter(|_| engine.indirect.is_none()),
            gathered: engine.gathered(way, &counted),
            handed_over: engine.handed_over(way),
        }
    }

    /// What it comes to, with the doubt about `arrivals`.
    fn found(&self, arrivals: (Assumption, f64)) -> Found {
        let (engine, terms) = (self.engine, self.terms());
        let value: f64 = terms.iter().map(|t| t.ns).sum();
        let doubts = self.doubts(value, arrivals);
        let (half, most) = (self.half() / engine.cpu, engine.most() / engine.cpu);
        Found::new(engine.kind(self.way), engine.cpu, terms, half, doubts, most)
    }

    /// The terms of what this way makes unnecessary.
    fn gone(&self) -> impl Iterator<Item = Term> {
        [
            Some(self.blocks_go()),
            self.waiting_calls(),
            self.handed_over,
            self.own_wakeups(),
            self.gathered.filter(|_| !self.engine.filled),
            self.runs_warm(),
            self.runs_warm_calibrated(),
            self.preemptions(),
            self.births(),
            self.born_locks(),
        ]
        .into_iter()
        .flatten()
    }

    /// A sleep with what the runtime adds, ns.
    fn each_sleep(&self) -> f64 {
        self.sleep + self.slept_for.map_or(0.0, |event| event.adds())
    }

    /// What all that goes gives back, ns.
    fn gains(&self) -> f64 {
        self.gone().map(|term| term.ns).sum()
    }

    /// Whether a virtual thread in the place of today's threads may keep its carrier while it
    /// blocks.
    fn may_pin(&self) -> bool {
        let runtime = self.engine.calibration.runtime.as_ref();
        self.way == Way::Virtual && runtime.is_some_and(|prices| prices.runtime.pins_carriers())
    }

    fn terms(&self) -> Vec<Term> {
        let come = [
            Some(self.sleeps()),
            self.sleeps_in_runtime(),
            self.events(),
            self.turns(),
            self.accepts(),
            self.handed_on(),
            self.made_by_workers(),
            self.direct_reads_go(),
            self.direct_reads_come(),
            self.file_reads(),
        ];
        self.gone().chain(come.into_iter().flatten()).collect()
    }

    fn blocks_go(&self) -> Term {
        let Blocks { count, direct } = self.blocks;
        let basis = TermBasis::Against(self.engine.prices.basis);
        Term { kind: TermKind::BlocksGo, count, each: direct / count.max(1.0), ns: direct, basis }
    }

    fn waiting_calls(&self) -> Option<Term> {
        let WaitingCalls { count, cost } = self.engine.prices.waiting_calls;
        (count > 0.0).then(|| Term::gain(TermKind::WaitingCallsGo, count, cost.value / count, TermBasis::ReadyRead))
    }

    fn own_wakeups(&self) -> Option<Term> {
        let prices = &self.engine.prices;
        let count = prices.own_wakes * self.part * (1.0 - self.stays);
        let &each = prices.wake.value().filter(|_| count >= 1.0)?;
        Some(Term::gain(TermKind::OwnWakeupsGo, count, each, TermBasis::Priced(*prices.wake.note()?)))
    }

    fn runs_warm(&self) -> Option<Term> {
        let all = self.engine.indirect.filter(|_| self.part > 0.0)?.value;
        Some(Term {
            kind: TermKind::RunsWarm,
            count: self.blocks.count * (1.0 - self.stays),
            each: all / self.engine.prices.all().count.max(1.0),
            ns: all * (1.0 - self.stays) * self.part,
            basis: TermBasis::SameSites { counters: self.engine.by_counters },
        })
    }

    fn runs_warm_calibrated(&self) -> Option<Term> {
        let (threads, cost) = self.crowd?;
        let count = self.engine.prices.net.count * (1.0 - self.stays);
        Some(Term::gain(TermKind::RunsWarmCalibrated, count, cost.value, TermBasis::Crowd(threads)))
    }

    fn preemptions(&self) -> Option<Term> {
        let (count, each) = (self.engine.prices.preemptions * self.part, self.engine.prices.switch);
        (count > 0.0).then(|| Term::gain(TermKind::PreemptionsGo, count, each, TermBasis::ThreadSwitch))
    }

    fn births(&self) -> Option<Term> {
        let Births { count, cpu, .. } = self.engine.births;
        let goes = count >= 1.0 && self.way.pool() != Pool::FilesOnly;
        goes.then(|| Term::gain(TermKind::BirthsGo, count, cpu / count, TermBasis::InPlace))
    }

    /// The waits for locks go with the threads, but not where a pool of workers stays.
    fn born_locks(&self) -> Option<Term> {
        let HandOvers { waits, cpu } = self.engine.births.locks;
        let goes = waits >= 1.0 && matches!(self.way.pool(), Pool::None | Pool::Files);
        goes.then(|| Term::gain(TermKind::LocksGo, waits, cpu / waits, TermBasis::InPlace))
    }

    fn sleeps(&self) -> Term {
        let basis = TermBasis::Sleeps(self.stays, self.engine.prices.sleep.note().copied());
        Term::loss(TermKind::SleepsRemain, self.sleepers * self.stays, self.sleep, basis)
    }

    fn sleeps_in_runtime(&self) -> Option<Term> {
        let (count, each) = (self.sleepers * self.stays, self.slept_for?.adds());
        (count >= 1.0).then(|| Term::loss(TermKind::SleepsInRuntime, count, each, TermBasis::SleptFor))
    }

    fn events(&self) -> Option<Term> {
        let count = self.engine.prices.net.count;
        let basis = TermBasis::Waits(self.engine.per_wait(&self.counted), self.way);
        (count > 0.0).then(|| Term::loss(TermKind::EventsWaited, count, self.tax.value, basis))
    }

    fn turns(&self) -> Option<Term> {
        let (count, net) = (self.engine.prices.turns, self.engine.prices.net.count);
        let term = || Term::loss(TermKind::TurnsWaited, count, self.tax.value, TermBasis::OneByOne);
        (count >= 1.0 && net > 0.0).then(term)
    }

    /// A thread reads from a connection right after it has accepted it. A loop waits for that
    /// connection first, as an event of its own.
    fn accepts(&self) -> Option<Term> {
        let (count, served) = (self.engine.prices.accepted, self.engine.prices.net.count + self.engine.births.count);
        let term = || Term::loss(TermKind::AcceptsWaited, count, self.tax.value, TermBasis::LikeEvents);
        (count >= 1.0 && served > 0.0).then(term)
    }

    /// What a loop's pool of workers costs: each event wakes a worker.
    fn handed_on(&self) -> Option<Term> {
        // A runtime's price for its pool includes it.
        let own = self.engine.calibration.runtime.is_some();
        self.each_event_handed_on().filter(|_| self.way.pool() == Pool::Events && !own)
    }

    fn each_event_handed_on(&self) -> Option<Term> {
        let prices = &self.engine.prices;
        let messages = prices.net.count + prices.turns + self.engine.births.count;
        let (count, each) = (messages, self.engine.hand_over()?);
        (count >= 1.0).then(|| Term::loss(TermKind::HandOversCome, count, each, TermBasis::HandOver))
    }

    /// Calls that `io_uring` hands to workers of the kernel.
    fn made_by_workers(&self) -> Option<Term> {
        let calls = self.engine.prices.by_workers.calls;
        let each = self.engine.hand_over()?;
        let term = || Term::loss(TermKind::MadeByWorkers, calls, each, TermBasis::HandOver);
        (self.way.queue() == Some(Queue::Ring) && calls >= 1.0).then(term)
    }

    fn direct_reads_go(&self) -> Option<Term> {
        let Direct { reads, .. } = self.direct?;
        let rest = reads.whole - reads.blocks;
        let (count, each) = (reads.count, rest / reads.count);
        Some(Term { kind: TermKind::DirectReadsGo, count, each, ns: rest, basis: TermBasis::InPlace })
    }

    fn direct_reads_come(&self) -> Option<Term> {
        let Direct { queue, reads, cost, in_flight } = self.direct?;
        let basis = TermBasis::InFlight(queue, in_flight);
        Some(Term::loss(TermKind::DirectReadsCome, reads.count, cost.value, basis))
    }

    fn file_reads(&self) -> Option<Term> {
        let tax = self.engine.calibration.file_tax(self.counted.events_per_wait)?;
        let term = || Term::loss(TermKind::FileReadsCome, self.plain_files, tax.value, TermBasis::BeyondPread);
        (self.plain_files >= 1.0).then(term)
    }

    /// Half the 90 % interval, ns, of what scatters to both sides.
    fn half(&self) -> f64 {
        let (engine, stays) = (self.engine, self.stays);
        let net = engine.prices.net.count;
        let slept = |price: fn(&SleptFor) -> Estimate| {
            self.slept_for.as_ref().map_or(0.0, |event| self.sleepers * stays * price(event).half_width())
        };
        let parts = [
            self.blocks.direct * engine.spread,
            // An event that is slept for has a price of its own, in the place of the tax.
            (net * self.tax.half_width() - slept(|event| event.awake)).abs(),
            slept(|event| event.slept),
            engine.indirect.map_or(0.0, |all| all.half_width() * (1.0 - stays) * self.part),
            self.sleepers * self.counted.sleeps_per_event.half_width() * self.each_sleep(),
            self.blocks.count * engine.hooks_per_block * UNSURE_HOOKS,
            self.unsteady(),
            self.crowd.map_or(0.0, |(_, cost)| net * (1.0 - stays) * cost.half_width()),
            self.direct.map_or(0.0, |d| d.reads.count * d.cost.half_width()),
            engine.prices.waiting_calls.cost.half_width(),
            self.handed_over.map_or(0.0, |term| term.ns * UNSURE_HAND_OVER),
            self.made_by_workers().map_or(0.0, |term| term.ns * UNSURE_HAND_OVER),
            self.births().map_or(0.0, |term| term.ns * UNSURE_BIRTHS),
            self.born_locks().map_or(0.0, |term| term.ns * UNSURE_HAND_OVER),
        ];
        parts.iter().map(|h| h * h).sum::<f64>().sqrt()
    }

    /// The error of the saving, ns, that comes from the target's unsteady CPU. The saving is a
    /// share of that CPU, and the CPU decides what was taken off two prices for the hooks
    /// ([`Prices::less_excess`]).
    ///
    /// [`Prices::less_excess`]: super::prices::Prices::less_excess
    fn unsteady(&self) -> f64 {
        let engine = self.engine;
        let value: f64 = self.terms().iter().map(|term| term.ns).sum();
        let moved = [self.gathered, self.direct_reads_go()].into_iter().flatten().map(|term| term.ns.abs());
        engine.unsteady * value.abs() + moved.sum::<f64>().min(engine.unsteady * engine.cpu)
    }

    /// The doubts, in ns. `arrivals` is the one about arrivals: what would come back in addition if
    /// requests arrived in the other way.
    fn doubts(&self, value: f64, arrivals: (Assumption, f64)) -> Vec<Doubt> {
        use Assumption::{
            BirthsCostMore, CarriersPinned, CodeRunsCold, MessagesComeOneByOne, MessagesComeTogether, PeersSleepDeeper,
            PeersStayAwake, QueuesCostMore, RepliesLeaveTogether, RuntimeHandsFilesOver, RuntimeTakesIt, TasksCost,
            WorkersSleep, WorkersStayBusy,
        };
        let engine = self.engine;
        let (turns, ready) = (engine.prices.turns, engine.prices.ready_reads);
        let pool = match self.way.pool() {
            Pool::Files => engine.calibration.pool_tax().map_or(0.0, |t| -t.value * engine.prices.file_calls),
            Pool::None | Pool::Events | Pool::LeaderFollowers | Pool::FilesOnly | Pool::Removed => 0.0,
        };
        let event = self.tax.value.max(0.0);
        let (dearer, cheaper) = engine.peers(self.way, &self.counted);
        let unknown = (self.blocks.direct * (1.0 - self.stays)).max(0.0);
        // The threads of a calibrated crowd have small working sets: the target's may lose more.
        let untold = match (engine.indirect, self.runs_warm_calibrated()) {
            (None, Some(term)) => term.ns.max(0.0),
            (None, None) => UNKNOWN_INDIRECT * unknown,
            (Some(_), _) => 0.0,
        };
        let together = self.gathered.filter(|_| engine.filled).map_or(0.0, |term| term.ns);
        let handed_on = self.handed_on().map_or(0.0, |term| term.ns);
        let by_turns = match self.way.pool() {
            Pool::LeaderFollowers => self.each_event_handed_on().map_or(0.0, |term| term.ns),
            _ => 0.0,
        };
        let pinned = if self.may_pin() { self.gains() } else { 0.0 };
        let queues = (self.handed_over.map_or(0.0, |term| term.ns) + handed_on) * UNTOLD_HAND_OVER;
        let in_runtime = engine.bound || engine.calibration.runtime.is_some();
        let born = [self.births(), self.born_locks()].into_iter().flatten().map(|term| term.ns);
        let births = if in_runtime { born.sum::<f64>() * UNTOLD_HAND_OVER } else { 0.0 };
        let all = [
            // Messages that a thread reads in one go today may reach a loop as single events, or in
            // one go too.
            (MessagesComeOneByOne, -(ready - turns) * event),
            (MessagesComeTogether, turns * event),
            arrivals,
            (RuntimeHandsFilesOver, pool),
            (PeersSleepDeeper, -dearer),
            (PeersStayAwake, cheaper),
            (CodeRunsCold, untold),
            (QueuesCostMore, queues),
            (BirthsCostMore, births),
            (RepliesLeaveTogether, together),
            (RuntimeTakesIt, if engine.bound { -value.max(0.0) } else { 0.0 }),
            (TasksCost, -engine.prices.accepted * event),
            (CarriersPinned, -pinned),
            (WorkersSleep, by_turns),
            (WorkersStayBusy, -handed_on),
        ];
        all.map(|(assumption, change)| Doubt { assumption, change }).into()
    }
}
