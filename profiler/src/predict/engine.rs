//! The engine behind the scenarios: it holds what the target paid and the traces to replay, and
//! counts how often event loops would sleep in the target's place. It needs no window, so that it
//! can price scenarios on other numbers of loops later.

use super::{
    blocks::Blocks,
    given::Given,
    prices::Prices,
    replay::{Arrivals, Assignment, Outcome, Settings, Times, Trace},
    scenario::Ground,
};
use crate::{
    aggregate::{Window, runs_of},
    cost::{Births, HandOvers},
    event::{BlockClass, Family, Span, Sums},
    machine::{Pool, PriceList, Queue, Way},
    quantity::{Estimate, Quantiles, bootstrap},
};

/// Events replayed at most, per scenario.
const MOST_EVENTS: usize = 100_000;

/// Everything that a scenario needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    pub(super) prices: Prices,
    pub(super) calibration: PriceList,
    /// What its pools pay to hand work over.
    pub(super) hand_overs: HandOvers,
    /// Threads that are born for a connection each.
    pub(super) births: Births,
    /// Traces for readiness: blocks on sockets, pipes and whatever else epoll can wait for.
    pub(super) net: Vec<Trace>,
    /// Traces for completion: blocks on files too.
    pub(super) all: Vec<Trace>,
    /// The same of spans that follow each other at once as one, for how long requests take: none
    /// where no client is known.
    pub(super) net_joined: Vec<Trace>,
    pub(super) all_joined: Vec<Trace>,
    /// CPU of the target without the hooks, ns.
    pub(super) cpu: f64,
    /// What the hooks put into each burst, ns.
    pub(super) hooks_per_block: f64,
    /// Kernel CPU of a call before it blocks, ns.
    pub(super) before_block: f64,
    /// Relative spread of the direct cost over time: half its 90 % interval.
    pub(super) spread: f64,
    /// Indirect cost of blocking-IO blocks, ns; `None` where the interval includes zero.
    pub(super) indirect: Option<Estimate>,
    /// Whether the user-mode part of `indirect` was measured by hardware counters.
    pub(super) by_counters: bool,
    /// From a wake-up to the first instruction, where the CPU was idle, ns.
    pub(super) wake_up: f64,
    /// Kernel mode's share of the CPU that the target would use if no call blocked.
    pub(super) in_kernel: f64,
    /// Half the 90 % interval of the target's own CPU per switch, as a share.
    pub(super) unsteady: f64,
    /// Whether the hooks filled CPUs that the target leaves free without them.
    pub(super) filled: bool,
    /// Whether the target runs in a runtime whose prices are not known. Then the prices of machine
    /// code are an upper bound.
    pub(super) bound: bool,
    /// How often a wake-up found 0, 1, 2, … other threads that could run.
    pub(super) concurrency: Vec<f64>,
    pub(super) seconds: f64,
}

/// What a replay counted: ratios of sums over spans.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) sleeps_per_event: Estimate,
    pub(super) events_per_wait: f64,
}

impl Counted {
    /// The counts with `by` times as many requests in flight: then a sleep ends for `by` times as
    /// many events at once.
    pub(super) fn deeper(self, by: f64) -> Self {
        Self { sleeps_per_event: self.sleeps_per_event.scaled(1.0 / by), events_per_wait: self.events_per_wait * by }
    }

    /// Share of the events that a loop still sleeps for.
    pub(super) fn stays(&self) -> f64 {
        self.sleeps_per_event.value.min(1.0)
    }
}

impl Engine {
    pub(crate) fn new(window: &Window, sums: &Sums, given: &Given<'_>, prices: Prices, calibration: PriceList) -> Self {
        let io = |c: BlockClass| c.family() == Family::BlockingIo;
        let traces = |runs: &[&[Span]], counts: &dyn Fn(BlockClass) -> bool| -> Vec<Trace> {
            let mut events = 0;
            runs.iter()
                .map(|run| Trace::from_spans(run, counts, given.clients))
                .filter(|t| t.connections() > 0)
                .take_while(|t| {
                    let is_first = events == 0;
                    events += t.events();
                    is_first || events <= MOST_EVENTS
                })
                .collect()
        };
        // Where no client is known there is nothing to time.
        let joined: Vec<&[Span]> = if given.clients.is_empty() { Vec::new() } else { runs_of(&window.spans).collect() };
        let single: Vec<&[Span]> = window.spans.chunks(1).collect();
        let blocks = prices.all();
        let spread = match given.direct_interval {
            Some(interval) if blocks.direct > 0.0 => interval.half_width() * (given.cpu + given.hooks) / blocks.direct,
            _ => 0.0,
        };
        Self {
            net: traces(&single, &|c| io(c) && !c.is_file()),
            all: traces(&single, &io),
            net_joined: traces(&joined, &|c| io(c) && !c.is_file()),
            all_joined: traces(&joined, &io),
            hand_overs: given.hand_overs,
            births: given.births,
            cpu: given.cpu,
            hooks_per_block: given.hooks / blocks.count.max(1.0),
            before_block: before_block(window),
            spread: spread.min(1.0),
            indirect: given.indirect.map(|e| e.total).filter(|total| total.is_above_zero()),
            by_counters: given.by_counters,
            unsteady: given.unsteady,
            filled: given.filled,
            bound: given.bound,
            wake_up: Trace::wake_up(&window.spans).unwrap_or(0.0),
            in_kernel: 1.0 - (sums.user as f64 / (given.cpu - blocks.direct).max(1.0)).min(1.0),
            concurrency: sums.concurrency.iter().map(|&n| f64::from(n)).collect(),
            seconds: given.seconds,
            prices,
            calibration,
        }
    }

    pub(super) fn traces(&self, way: Way) -> &[Trace] {
        if way.completes() { &self.all } else { &self.net }
    }

    pub(super) fn blocks(&self, way: Way) -> Blocks {
        self.prices.net.plus(self.prices.file_by(way))
    }

    pub(crate) fn ground(&self) -> Ground {
        let events = self.all.iter().map(Trace::events).sum();
        if events == 0 { Ground::Histogram } else { Ground::Replay { events, spans: self.all.len() } }
    }

    /// How often loops would sleep.
    pub(super) fn count(&self, way: Way, settings: &Settings) -> Option<Counted> {
        let outcomes: Vec<Outcome> = self.traces(way).iter().map(|t| t.replay(settings)).collect();
        let mut sum = Outcome::default();
        outcomes.iter().for_each(|&o| sum += o);
        let Some(mean) = sum.sleeps_per_event() else { return self.coarse(settings.loops) };
        let windows: Vec<_> = outcomes.iter().map(|o| (o.sleeps as f64, o.served as f64)).collect();
        let sleeps_per_event = bootstrap::ratio(&windows).unwrap_or(Estimate::exact(mean));
        Some(Counted { sleeps_per_event, events_per_wait: sum.events_per_wait().unwrap_or(1.0) })
    }

    /// How long clients' requests would take.
    pub(super) fn times(&self, way: Way, settings: &Settings) -> Quantiles {
        let mut times = Times::default();
        for trace in if way.completes() { &self.all_joined } else { &self.net_joined } {
            trace.replay_timed(settings, &mut times);
        }
        times.quantiles()
    }

    /// The count without a stream to replay: if fewer threads could run than there are loops, a
    /// loop would have been asleep.
    fn coarse(&self, loops: u32) -> Option<Counted> {
        let all: f64 = self.concurrency.iter().sum();
        let alone: f64 = self.concurrency.iter().take(loops as usize).sum();
        (all > 0.0).then(|| {
            let share = alone / all;
            let sleeps_per_event = Estimate::with_half_width(share, 0.25 * share.max(0.1));
            Counted { sleeps_per_event, events_per_wait: 1.0 / share.max(0.05) }
        })
    }

    pub(super) fn settings(&self, way: Way, loops: u32, assignment: Assignment, tax: f64) -> Settings {
        let blocks = self.prices.all();
        let less = (blocks.direct / blocks.count.max(1.0)).max(0.0) + self.hooks_per_block;
        Settings {
            loops,
            assignment,
            arrivals: Arrivals::Closed,
            less,
            // The hooks at the return from the call that sends, at the next call and at the switch
            // are half of those of a message.
            trailing: (self.before_block + self.hooks_per_block / 2.0).min(less),
            tax,
            entered: way.completes().then_some(self.in_kernel),
            wake_up: self.wake_up + self.slept_for(way).map_or(0.0, |event| event.adds().max(0.0)),
        }
    }

    /// Events that a wait returns. The replay counts only events that ended a block; those that a
    /// thread finds without one are added here, since they are there when it wakes.
    pub(super) fn per_wait(&self, counted: &Counted) -> f64 {
        let prices = &self.prices;
        counted.events_per_wait * (1.0 + prices.turns / (prices.net.count + self.births.count).max(1.0))
    }

    /// The ways that the target could move to: a deeper queue is for files, a pool of workers for
    /// sockets. Workers for files are no change where a pool makes the calls today, and Linux AIO
    /// waits for nothing that goes through the page cache.
    pub fn offered(&self) -> Vec<Way> {
        let files = self.prices.mostly_files();
        let is_pool = self.hand_overs.waits >= 1.0;
        let fits = |way: &Way| match (way.queue(), way.pool()) {
            (Some(Queue::Aio), _) => self.prices.direct_reads.count >= 1.0,
            (_, Pool::FilesOnly) => !is_pool,
            (_, Pool::Removed) => is_pool,
            _ => true,
        };
        self.calibration.offered().into_iter().filter(|way| way.suits(files) && fits(way)).collect()
    }

    /// The prices that its sums are made of.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }
}

/// Kernel CPU of a call that blocked on IO until it blocked, ns: the mean.
fn before_block(window: &Window) -> f64 {
    let io = window.sites.iter().filter(|s| s.place.class.family() == Family::BlockingIo);
    let (before, calls) = io.fold((0u64, 0u64), |(b, c), s| (b + s.site.cpu_before, c + s.site.blocked_calls));
    before as f64 / calls.max(1) as f64
}
