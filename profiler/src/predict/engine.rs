//! The engine behind the scenarios: sleeps are counted by replay, and priced. It stays with the answer, so that it can be asked
//! again with other loops.

mod together;

use together::Direct;

use super::{
    prices::{Blocks, Prices},
    replay::{Arrivals, Outcome, Queues, Settings, Trace},
    whatif::{Given, Ground, Saving, Scenario, Term},
};
use crate::{
    aggregate::Window,
    event::{BlockClass, Family, Sums},
    machine::{Calibration, Cost, Way},
    quantity::{Figure, Interval, bootstrap},
};

/// Events replayed at most, per scenario.
const MOST_EVENTS: usize = 100_000;
/// Waits whose events are counted when the first price of an event is looked up.
const FIRST_GUESS: f64 = 4.0;

/// Of what cannot be told, the share that is taken into the interval: an indirect cost against the direct one; how much deeper or less
/// deep peers sleep, against as deep as can be and not at all.
const UNTOLD: f64 = 0.5;
/// Of what the target runs outside of its blocks, what coldness can be at most.
const MOST_COLD: f64 = 0.5;

/// Everything that a scenario needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    prices: Prices,
    calibration: Calibration,
    /// Replayed for readiness: sockets, pipes and their like.
    net: Vec<Trace>,
    /// Replayed for completion: files too.
    all: Vec<Trace>,
    /// CPU of the target without the hooks, ns.
    cpu: f64,
    /// What the hooks put into each burst, ns.
    hooks_per_block: f64,
    /// Kernel CPU of a call before it blocks, ns.
    before_block: f64,
    /// Relative spread of the direct cost over time: half its 90 % interval.
    spread: f64,
    /// Indirect cost of blocking-IO blocks and half its 90 % interval, ns; nothing where it is not told from nothing.
    indirect: (f64, f64),
    /// How it was told.
    indirect_how: &'static str,
    /// From a wake-up to the first instruction, where the CPU was idle, ns.
    wake_up: f64,
    /// Kernel mode's share of the CPU that would stay if no call blocked.
    in_kernel: f64,
    /// Half the 90 % interval of the target's own CPU per switch, as a share.
    unsteady: f64,
    /// The hooks filled CPUs that the target leaves free without them.
    filled: bool,
    concurrency: Vec<f64>,
    seconds: f64,
}

/// A ratio of sums over spans, with its interval.
#[derive(Clone, Copy)]
struct Counted {
    sleeps_per_event: f64,
    half: f64,
    events_per_wait: f64,
}

impl Engine {
    pub(crate) fn new(
        window: &Window,
        sums: &Sums,
        given: &Given<'_>,
        prices: Prices,
        calibration: Calibration,
    ) -> Self {
        let io = |c: BlockClass| c.family() == Family::BlockingIo;
        let traces = |counts: &dyn Fn(BlockClass) -> bool| -> Vec<Trace> {
            let mut events = 0;
            window
                .spans
                .iter()
                .map(|span| Trace::of(span, counts))
                .filter(|t| t.connections() > 0)
                .take_while(|t| {
                    events += t.events();
                    events <= MOST_EVENTS
                })
                .collect()
        };
        let blocks = prices.all();
        let spread = match given.direct_interval {
            Some(interval) if blocks.direct > 0.0 => interval.half() * (given.cpu + given.hooks) / blocks.direct,
            _ => 0.0,
        };
        Self {
            net: traces(&|c| io(c) && !c.is_file()),
            all: traces(&io),
            cpu: given.cpu,
            hooks_per_block: given.hooks / blocks.count.max(1.0),
            before_block: before_block(window),
            spread: spread.min(1.0),
            indirect: given
                .indirect
                .filter(|e| e.interval.low > 0.0)
                .map_or((0.0, 0.0), |e| (e.total, e.interval.half())),
            indirect_how: given.indirect_how,
            unsteady: given.unsteady,
            filled: given.filled,
            wake_up: Trace::wake_up(&window.spans).unwrap_or(0.0),
            in_kernel: 1.0 - (sums.user as f64 / (given.cpu - blocks.direct).max(1.0)).min(1.0),
            concurrency: sums.concurrency.iter().map(|&n| f64::from(n)).collect(),
            seconds: given.seconds,
            prices,
            calibration,
        }
    }

    fn traces(&self, way: Way) -> &[Trace] {
        if way == Way::Tuned { &self.all } else { &self.net }
    }

    fn blocks(&self, way: Way) -> Blocks {
        if way == Way::Tuned { self.prices.all() } else { self.prices.net }
    }

    pub(crate) fn ground(&self) -> Ground {
        let events = self.all.iter().map(Trace::events).sum();
        if events == 0 { Ground::Histogram } else { Ground::Replay { events, spans: self.all.len() } }
    }

    /// How often loops would sleep.
    fn count(&self, way: Way, settings: &Settings) -> Option<Counted> {
        let outcomes: Vec<Outcome> = self.traces(way).iter().map(|t| t.replay(settings)).collect();
        let mut sum = Outcome::default();
        outcomes.iter().for_each(|&o| sum += o);
        let Some(sleeps_per_event) = sum.sleeps_per_event() else { return self.coarse(settings.loops) };
        let windows: Vec<_> = outcomes.iter().map(|o| (o.sleeps as f64, o.served as f64)).collect();
        let half = bootstrap::ratio(&windows).map_or(0.0, Interval::half);
        Some(Counted { sleeps_per_event, half, events_per_wait: sum.events_per_wait().unwrap_or(1.0) })
    }

    /// Without a stream: a wake-up that found fewer threads than there are loops would have found a loop asleep.
    fn coarse(&self, loops: u32) -> Option<Counted> {
        let all: f64 = self.concurrency.iter().sum();
        let alone: f64 = self.concurrency.iter().take(loops as usize).sum();
        (all > 0.0).then(|| {
            let share = alone / all;
            Counted { sleeps_per_event: share, half: 0.25 * share.max(0.1), events_per_wait: 1.0 / share.max(0.05) }
        })
    }

    fn settings(&self, way: Way, loops: u32, queues: Queues, tax: f64) -> Settings {
        let blocks = self.prices.all();
        let less = (blocks.direct / blocks.count.max(1.0)).max(0.0) + self.hooks_per_block;
        Settings {
            loops,
            queues,
            arrivals: Arrivals::Closed,
            less,
            // The hooks at the return from the call that sends, at the next call and at the switch are half of those of a message.
            trailing: (self.before_block + self.hooks_per_block / 2.0).min(less),
            tax,
            entered: (way == Way::Tuned).then_some(self.in_kernel),
            wake_up: self.wake_up,
        }
    }

    /// What a way of waiting gives back on so many loops; `None` where this machine has no price for it.
    pub fn scenario(&self, way: Way, loops: u32, queues: Queues) -> Option<Scenario> {
        let guess = self.calibration.tax(way, FIRST_GUESS)?;
        let mut settings = self.settings(way, loops, queues, guess.median);
        let first = self.count(way, &settings)?;
        settings.tax = self.calibration.tax(way, self.per_wait(&first))?.median;
        let closed = self.count(way, &settings)?;
        let open = self.count(way, &Settings { arrivals: Arrivals::Open, ..settings })?;
        let tax = self.calibration.tax(way, self.per_wait(&closed))?;
        Some(self.price(way, loops, queues, closed, open, tax))
    }

    /// Events that a wait returns: with those that the replay does not have, because a thread finds them without a block. They are there
    /// when it comes back from one.
    fn per_wait(&self, counted: &Counted) -> f64 {
        let prices = &self.prices;
        counted.events_per_wait * (1.0 + prices.turns / prices.net.count.max(1.0))
    }

    fn price(&self, way: Way, loops: u32, queues: Queues, closed: Counted, open: Counted, tax: Cost) -> Scenario {
        let blocks = self.blocks(way);
        let sleep = self.prices.sleep.value().copied().unwrap_or(0.0);
        let stays = closed.sleeps_per_event.min(1.0);
        let file = if way == Way::Tuned { self.prices.file } else { Blocks::default() };
        let net = self.prices.net;
        // Of the blocks that indirect costs are counted over.
        let part = blocks.count / self.prices.all().count.max(1.0);
        let direct = self.direct_reads(way, &closed);
        // A direct read's price has its sleeps in it.
        let past_cache = direct.map_or(0.0, |d| d.reads.count);
        let (sleepers, plain_files) = (blocks.count - past_cache, file.count - past_cache);
        let crowd = self.crowd(way).filter(|_| self.indirect.0 == 0.0);
        let turns = self.prices.turns;
        let gathered = self.gathered(way, &closed);
        let terms = [
            Some(Term {
                what: format!("{:.0} blocks go", blocks.count),
                ns: blocks.direct,
                how: format!("{:.0} ns each, {}", blocks.direct / blocks.count.max(1.0), self.basis()),
            }),
            wakes_term("wake-ups among its own threads go", self.prices.own_wakes * (1.0 - stays), &self.prices.wake),
            gathered.clone().filter(|_| !self.filled),
            (self.indirect.0 * part != 0.0).then(|| Term {
                what: "user and kernel code after blocks runs warm".to_owned(),
                ns: self.indirect.0 * (1.0 - stays) * part,
                how: self.indirect_how.to_owned(),
            }),
            crowd.map(|(threads, cost)| Term {
                what: "code after blocks runs warm".to_owned(),
                ns: net.count * (1.0 - stays) * cost.median,
                how: format!("{:.0} ns each where {threads:.0} threads take turns, calibrated", cost.median),
            }),
            (self.prices.preemptions > 0.0).then(|| Term {
                what: format!("{:.0} preemptions of its threads by each other go", self.prices.preemptions),
                ns: self.prices.preemptions * self.prices.switch,
                how: format!("{:.0} ns each, as a block between threads", self.prices.switch),
            }),
            Some(Term {
                what: format!("{:.0} sleeps remain", sleepers * stays),
                ns: -sleepers * stays * sleep,
                how: format!("{:.2} per block, {sleep:.0} ns each, {}", stays, self.sleep_how()),
            }),
            (net.count > 0.0).then(|| Term {
                what: format!("{:.0} events are waited for in another way", net.count),
                ns: -net.count * tax.median,
                how: format!(
                    "{:.0} ns each where a wait returns {:.1}, calibrated: {}",
                    tax.median,
                    self.per_wait(&closed),
                    way.words()
                ),
            }),
            (turns >= 1.0 && net.count > 0.0).then(|| Term {
                what: format!("{turns:.0} messages that were read without a block are waited for too"),
                ns: -turns * tax.median,
                how: format!("{:.0} ns each: a loop that takes turns finds them one by one", tax.median),
            }),
            direct.map(|Direct { reads, .. }| Term {
                what: format!("{:.0} reads past the page cache: the rest of their calls goes", reads.count),
                ns: reads.whole - reads.blocks,
                how: format!("{:.0} ns each, in place", (reads.whole - reads.blocks) / reads.count),
            }),
            direct.map(|Direct { reads, cost }| Term {
                what: format!("{:.0} reads past the page cache through io_uring", reads.count),
                ns: -reads.count * cost.median,
                how: format!(
                    "{:.0} ns each where an enter submits {:.1}, calibrated",
                    cost.median, closed.events_per_wait
                ),
            }),
            self.calibration.file_tax(closed.events_per_wait).filter(|_| plain_files >= 1.0).map(|tax| Term {
                what: format!("{plain_files:.0} file reads through io_uring"),
                ns: -plain_files * tax.median,
                how: format!("{:.0} ns each beyond pread, calibrated", tax.median),
            }),
        ];
        let terms: Vec<Term> = terms.into_iter().flatten().collect();
        let value: f64 = terms.iter().map(|t| t.ns).sum();
        let open_shift = sleepers * (stays - open.sleeps_per_event.min(1.0)) * sleep;
        // A quarter of what was taken off for the hooks: what they do to a target is known no better.
        let hooks = blocks.count * self.hooks_per_block / 4.0;
        let half = [
            blocks.direct * self.spread,
            net.count * (tax.high - tax.low) / 2.0,
            self.indirect.1 * (1.0 - stays) * part,
            sleepers * closed.half * sleep,
            hooks,
            self.cpu * self.unsteady,
            crowd.map_or(0.0, |(_, cost)| net.count * (1.0 - stays) * (cost.high - cost.low) / 2.0),
            direct.map_or(0.0, |d| d.reads.count * (d.cost.high - d.cost.low) / 2.0),
        ];
        let half = half.iter().map(|h| h * h).sum::<f64>().sqrt();
        let pool = match way {
            // A runtime hands every call on a file to its pool, whether it would block or not.
            Way::Runtime => self.calibration.pool_tax().map_or(0.0, |t| -t.median * self.prices.file_calls),
            _ => 0.0,
        };
        // In a loop that takes turns, what a thread read in one go may come as events of their own, or in one go as today.
        let one_by_one = -(self.prices.ready_reads - turns) * tax.median.max(0.0);
        let in_one_go = turns * tax.median.max(0.0);
        let (dearer, cheaper) = self.peers(way, &closed);
        let low = value + one_by_one + [0.0, open_shift].into_iter().fold(0.0, f64::min) + pool - dearer - half;
        // An indirect cost that cannot be told is not none.
        let untold = if self.indirect.0 == 0.0 { UNTOLD * (blocks.direct * (1.0 - stays)).max(0.0) } else { 0.0 };
        let together = gathered.filter(|_| self.filled).map_or(0.0, |term| term.ns);
        let high =
            value + untold + in_one_go + together + cheaper + [0.0, open_shift].into_iter().fold(0.0, f64::max) + half;
        let saving = Saving { low, value, high: high.min(self.most().max(value)) }.scaled(1.0 / self.cpu);
        Scenario {
            way,
            loops,
            queues,
            saving,
            cpu_per_second: saving.scaled(self.cpu / 1e9 / self.seconds.max(1e-9)),
            open: (value + open_shift) / self.cpu,
            sleeps_per_block: stays,
            sleeps_per_second: blocks.count * stays / self.seconds.max(1e-9),
            events_per_wait: closed.events_per_wait,
            terms,
        }
    }

    /// CPU that no way of waiting can give back more than, ns: the target's own code stays, however cold it was.
    fn most(&self) -> f64 {
        let user = (1.0 - self.in_kernel) * (self.cpu - self.prices.all().direct).max(0.0);
        self.cpu - (1.0 - MOST_COLD) * user
    }

    fn sleep_how(&self) -> &str {
        match self.prices.sleep.note() {
            "" => self.prices.sleep.provenance().name(),
            note => note,
        }
    }

    fn basis(&self) -> String {
        match self.prices.basis {
            Some(basis) => format!("against: {}", basis.name()),
            None => "without a base".to_owned(),
        }
    }

    /// The prices.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Where the calibrated costs come from.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

/// Over the calls that blocked on IO.
fn before_block(window: &Window) -> f64 {
    let io = window.sites.iter().filter(|s| s.place.class.family() == Family::BlockingIo);
    let (before, calls) = io.fold((0u64, 0u64), |(b, c), s| (b + s.site.cpu_before, c + s.site.blocked_calls));
    before as f64 / calls.max(1) as f64
}

fn wakes_term(what: &str, wakes: f64, price: &Figure<f64>) -> Option<Term> {
    let &each = price.value().filter(|_| wakes >= 1.0)?;
    Some(Term {
        what: format!("{wakes:.0} {what}"),
        ns: wakes * each,
        how: format!("{each:.0} ns each, {}", price.note()),
    })
}
