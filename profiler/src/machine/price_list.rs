//! The price list of a machine, and how to look up in it.

use super::{
    language::Language,
    medium::Medium,
    origin::Source,
    pace::slower,
    queue::Queue,
    row::{BlockCost, Crowd, DirectRead, FileCost, HandOverCost, ReadCost, Step},
    runtime::{RuntimePrices, SleptFor},
    way::Way,
};
use crate::{event::BlockClass, quantity::Estimate};

/// What this machine charges for waiting in other ways.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PriceList {
    /// Server steps, by ready descriptors, ascending.
    pub steps: Vec<Step>,
    /// Reads whose data is there.
    pub reads: Vec<ReadCost>,
    /// Blocks, by class and idle time.
    pub blocks: Vec<BlockCost>,
    /// Reads of cached files, by depth, ascending.
    pub files: Vec<FileCost>,
    /// Reads past the page cache. Empty if only the essentials were calibrated.
    #[serde(default)]
    pub direct: Vec<DirectRead>,
    /// What code after a block costs more among many threads, by threads, ascending.
    #[serde(default)]
    pub crowd: Vec<Crowd>,
    /// What a message costs more that threads hand on to each other than one that a loop hands on,
    /// by threads, ascending. It includes the block, the wake-up and cold caches.
    #[serde(default)]
    pub relay: Vec<Crowd>,
    /// Jobs that one thread gives to another, with the answers.
    #[serde(default)]
    pub hand_overs: Vec<HandOverCost>,
    /// The pace at which the prices hold: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
    /// Where the prices come from.
    pub source: Source,
    /// What the target's own runtime charges, where it has one: then the machine's own ways are not
    /// offered.
    #[serde(default)]
    pub runtime: Option<RuntimePrices>,
}

/// The circumstances of an event, which its price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Events that a wait returns.
    pub events: f64,
    /// The program's own work for one, ns.
    pub work: f64,
    /// Share of the reads that have a time-out.
    pub timed: f64,
}

impl At {
    /// A wait that returns this many events, with no work and no time-outs.
    pub const fn events(events: f64) -> Self {
        Self { events, work: 0.0, timed: 0.0 }
    }
}

impl PriceList {
    /// The ways that have a price for the target's language.
    pub fn offered(&self) -> Vec<Way> {
        let Some(runtime) = &self.runtime else { return Way::in_language(Language::Native).collect() };
        let mut ways: Vec<Way> = runtime.costs.iter().map(|c| c.way).collect();
        ways.sort_unstable();
        ways.dedup();
        ways
    }

    /// The prices at another pace. Blocks through idle keep their price: waking a CPU is not work
    /// that gets slower with the pace.
    pub fn at_pace(&self, pace: Option<f64>) -> Self {
        let by = slower(self.pace, pace);
        let to = |cost: Estimate| cost.scaled(by);
        let step = |s: &Step| Step {
            events: s.events,
            ready: to(s.ready),
            level: to(s.level),
            again: to(s.again),
            runtime: s.runtime.map(to),
            uring: s.uring.map(to),
        };
        let block = |b: &BlockCost| match b.idle {
            Some(_) => *b,
            None => BlockCost { cost: to(b.cost), wake: to(b.wake), ..*b },
        };
        let handed = |h: &HandOverCost| if h.via_idle { *h } else { HandOverCost { cost: to(h.cost), ..*h } };
        let file = |f: &FileCost| FileCost {
            depth: f.depth,
            pread: to(f.pread),
            pool: f.pool.map(to),
            uring: f.uring.map(to),
        };
        Self {
            steps: self.steps.iter().map(step).collect(),
            reads: self.reads.iter().map(|r| ReadCost { cost: to(r.cost), ..*r }).collect(),
            blocks: self.blocks.iter().map(block).collect(),
            files: self.files.iter().map(file).collect(),
            direct: self.direct.iter().map(|d| DirectRead { cost: to(d.cost), ..*d }).collect(),
            crowd: self.crowd.iter().map(|c| Crowd { cost: to(c.cost), ..*c }).collect(),
            relay: self.relay.iter().map(|c| Crowd { cost: to(c.cost), ..*c }).collect(),
            hand_overs: self.hand_overs.iter().map(handed).collect(),
            pace: self.pace.map(|own| own * by),
            source: self.source.slower(by),
            runtime: self.runtime.as_ref().map(|r| r.scaled(by)),
        }
    }

    /// What an event costs beyond a read and a write that find their data. With readiness the price
    /// is not below zero: the program makes the same read and write, and asks besides, so that a
    /// negative price is noise. A ring makes fewer calls and may cost less. A way of a runtime may
    /// cost less too, if it does in machine code what the blocking form interprets.
    pub fn tax(&self, way: Way, at: At) -> Option<Estimate> {
        if let Some(runtime) = &self.runtime {
            return at_number(runtime.at_work(way, at.work, at.timed), at.events);
        }
        let steps = self.steps.iter().filter_map(|step| Some((step.events, way.cost_of(step)?.beyond(step.ready))));
        let tax = at_number(steps, at.events)?;
        Some(if way.is_ring() { tax } else { tax.at_least_zero() })
    }

    /// An event that is slept for and one that is not, where the target has a runtime of its own:
    /// machine code pays for the block alone.
    pub fn slept_for(&self, way: Way, at: At) -> Option<SleptFor> {
        self.runtime.as_ref()?.slept_for(way, at.work, at.timed)
    }

    /// A read of so many bytes whose data is there. Two sizes were measured; others lie on the line
    /// through both.
    pub fn read(&self, class: BlockClass, bytes: f64) -> Option<Estimate> {
        let nearest = Medium::nearest(class)?.class();
        let mut sizes = self.reads.iter().filter(|r| r.class == nearest);
        let (small, large) = (sizes.next()?, sizes.next()?);
        let (a, b) = (f64::from(small.bytes), f64::from(large.bytes));
        Some(Estimate::between(small.cost, large.cost, ((bytes - a) / (b - a)).max(0.0)))
    }

    /// A block of this class. A class that was not measured counts as the nearest medium, and an
    /// idle time as the nearest one.
    pub fn block(&self, class: BlockClass, idle: Option<f64>) -> Option<&BlockCost> {
        let far = |b: &BlockCost| match (b.idle, idle) {
            (Some(a), Some(b)) => (a.max(1.0) / b.max(1.0)).ln().abs(),
            _ => 0.0,
        };
        let find = |class| {
            let fits = |b: &&BlockCost| b.class == class && b.idle.is_some() == idle.is_some();
            self.blocks.iter().filter(fits).min_by(|a, b| far(a).total_cmp(&far(b)))
        };
        find(Medium::nearest(class).unwrap_or(Medium::Pipe).class()).or_else(|| find(BlockClass::Pipe))
    }

    /// A job given to a thread that waits for it on the same CPU, without the answer: a block and a
    /// wake-up, as a condition variable makes them.
    pub fn hand_over(&self) -> Option<Estimate> {
        let near = |class| self.hand_overs.iter().find(move |h| h.class == class && !h.via_idle);
        near(BlockClass::Futex).or_else(|| near(BlockClass::Pipe)).map(|h| h.cost.scaled(0.5))
    }

    /// What a file read through `io_uring` costs beyond a `pread` of the same bytes.
    pub fn file_tax(&self, depth: f64) -> Option<Estimate> {
        at_number(self.files.iter().filter_map(|f| Some((f.depth, f.uring?.beyond(f.pread)))), depth)
    }

    /// What a request past the page cache costs, if so many are in flight and each call submits so
    /// many. Writes count as reads where they were not measured.
    pub fn direct_io(&self, queue: Queue, write: bool, in_flight: f64, batch: f64) -> Option<Estimate> {
        let own = self.direct_of(queue, write, in_flight, batch);
        if write { own.or_else(|| self.direct_of(queue, false, in_flight, batch)) } else { own }
    }

    fn direct_of(&self, queue: Queue, write: bool, in_flight: f64, batch: f64) -> Option<Estimate> {
        let rows = || self.direct.iter().filter(move |row| row.write == write && row.queue == queue);
        let depth = |row: &DirectRead| row.depth.unwrap_or(row.batch);
        let all = rows().filter(|row| depth(row) == row.batch).map(|row| (row.batch, row.cost));
        let together = at_number(all, in_flight)?;
        if in_flight <= 1.0 || !rows().any(|row| row.batch == 1 && depth(row) > 1) {
            return Some(together);
        }
        let one = rows().filter(|row| row.batch == 1).map(|row| (depth(row), row.cost));
        let alone = at_number(one, in_flight)?;
        let share = batch.clamp(1.0, in_flight).log2() / in_flight.log2();
        Some(Estimate::between(alone, together, share))
    }

    /// By how much code after a block is dearer where `threads` take turns.
    pub fn crowd(&self, threads: f64) -> Option<Estimate> {
        among(&self.crowd, threads)
    }

    /// By how much a message is dearer where `threads` hand it on to each other. For pipes and Unix
    /// sockets only.
    pub fn relay(&self, class: BlockClass, threads: f64) -> Option<Estimate> {
        match Medium::nearest(class)? {
            Medium::Pipe | Medium::Unix => among(&self.relay, threads),
            Medium::Tcp => None,
        }
    }

    /// What handing a file read to a runtime's thread pool costs beyond reading it.
    pub fn pool_tax(&self) -> Option<Estimate> {
        self.files.first().and_then(|f| Some(f.pool?.beyond(f.pread)))
    }
}

fn among(threads_of: &[Crowd], threads: f64) -> Option<Estimate> {
    at_number(threads_of.iter().map(|c| (c.threads, c.cost)), threads)
}

/// The cost at `number`, from costs that were measured at a few numbers. Between two of them it is
/// interpolated by the logarithm of the number; beyond the outermost it stays as it is there.
fn at_number(measured: impl Iterator<Item = (u32, Estimate)>, number: f64) -> Option<Estimate> {
    let points: Vec<(f64, Estimate)> = measured.map(|(number, cost)| (f64::from(number).log2(), cost)).collect();
    let at = number.max(1.0).log2();
    let after = points.iter().position(|&(x, _)| x >= at);
    match after {
        None => points.last().map(|&(_, cost)| cost),
        Some(0) => points.first().map(|&(_, cost)| cost),
        Some(i) => {
            let ((x0, a), (x1, b)) = (points[i - 1], points[i]);
            Some(Estimate::between(a, b, (at - x0) / (x1 - x0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(ns: f64) -> Estimate {
        Estimate::exact(ns)
    }

    fn block(class: BlockClass, idle: Option<f64>, ns: f64) -> BlockCost {
        BlockCost { class, idle, cost: sure(ns), wake: sure(300.0) }
    }

    fn step(events: u32, again: f64) -> Step {
        Step {
            events,
            ready: sure(1_000.0),
            level: sure(again - 100.0),
            again: sure(again),
            runtime: None,
            uring: Some(Estimate { value: 1_300.0, low: 1_200.0, high: 1_400.0 }),
        }
    }

    #[test]
    fn the_tax_falls_with_the_events_that_a_wait_returns() {
        let calibration = PriceList { steps: vec![step(1, 1_600.0), step(4, 1_200.0)], ..PriceList::default() };
        let tax = |events| calibration.tax(Way::Naive, At::events(events)).unwrap().value;
        assert_eq!((tax(1.0), tax(2.0), tax(4.0), tax(100.0)), (600.0, 400.0, 200.0, 200.0));
        assert_eq!(calibration.tax(Way::Runtime, At::events(1.0)), None, "what was not measured has no value");
        let tuned = calibration.tax(Way::Tuned, At::events(1.0)).unwrap();
        assert_eq!((tuned.low, tuned.value, tuned.high), (200.0, 300.0, 400.0));
    }

    #[test]
    fn a_request_is_priced_by_how_many_are_in_flight_and_how_many_an_enter_submits() {
        let row = |write, depth, batch, ns| DirectRead {
            batch,
            depth: Some(depth),
            write,
            queue: Queue::Ring,
            cost: sure(ns),
        };
        let mut direct = vec![
            DirectRead { batch: 1, depth: None, write: false, queue: Queue::Ring, cost: sure(19_000.0) },
            DirectRead { batch: 16, depth: None, write: false, queue: Queue::Ring, cost: sure(2_000.0) },
        ];
        let price = |direct: &[DirectRead], write, in_flight, batch| {
            let list = PriceList { direct: direct.to_vec(), ..PriceList::default() };
            list.direct_io(Queue::Ring, write, in_flight, batch).map(|cost| cost.value)
        };
        // One by one was not measured: as if all were submitted together.
        assert_eq!(price(&direct, false, 16.0, 1.0), Some(2_000.0));
        direct.push(row(false, 16, 1, 6_000.0));
        assert_eq!(price(&direct, false, 16.0, 1.0), Some(6_000.0));
        assert_eq!(price(&direct, false, 16.0, 4.0), Some(4_000.0));
        assert_eq!(price(&direct, false, 16.0, 99.0), Some(2_000.0));
        assert_eq!(price(&direct, false, 1.0, 1.0), Some(19_000.0));
        assert_eq!(price(&direct, true, 16.0, 1.0), Some(6_000.0), "writes as reads");
        direct.extend([row(true, 1, 1, 25_000.0), row(true, 16, 16, 3_000.0)]);
        assert_eq!(price(&direct, true, 16.0, 16.0), Some(3_000.0));
        assert_eq!(price(&[], true, 16.0, 16.0), None);
    }

    #[test]
    fn asking_first_never_makes_a_read_cheaper() {
        let mut disturbed = step(8, 900.0);
        disturbed.again.high = 1_000.0;
        disturbed.again.low = 800.0;
        disturbed.uring = Some(sure(700.0));
        let calibration = PriceList { steps: vec![disturbed], ..PriceList::default() };
        assert_eq!(calibration.tax(Way::Naive, At::events(8.0)), Some(Estimate { value: 0.0, low: 0.0, high: 200.0 }));
        assert_eq!(
            calibration.tax(Way::Tuned, At::events(8.0)).map(|t| t.value),
            Some(-300.0),
            "fewer calls may cost less"
        );
    }

    #[test]
    fn a_block_that_was_not_calibrated_counts_as_the_next_of_kin() {
        let blocks = vec![
            block(BlockClass::Pipe, None, 700.0),
            block(BlockClass::Tcp, None, 900.0),
            block(BlockClass::Tcp, Some(40e3), 1_500.0),
            block(BlockClass::Tcp, Some(5e6), 4_000.0),
        ];
        let calibration = PriceList { blocks, ..PriceList::default() };
        let cost = |class, idle| calibration.block(class, idle).map(|b| b.cost.value);
        assert_eq!(cost(BlockClass::Udp, None), Some(900.0));
        assert_eq!(cost(BlockClass::Unix, None), Some(700.0));
        assert_eq!(cost(BlockClass::Pipe, Some(1e3)), None);
        assert_eq!(
            (cost(BlockClass::Tcp, Some(90e3)), cost(BlockClass::Tcp, Some(9e6))),
            (Some(1_500.0), Some(4_000.0))
        );
    }

    #[test]
    fn prices_are_brought_to_the_pace_of_what_was_measured_and_idle_is_no_work() {
        let of_then = PriceList {
            steps: vec![step(1, 1_600.0)],
            reads: vec![ReadCost { class: BlockClass::Tcp, bytes: 64, cost: sure(800.0) }],
            blocks: vec![block(BlockClass::Tcp, None, 900.0), block(BlockClass::Tcp, Some(40e3), 1_500.0)],
            crowd: vec![Crowd { threads: 64, cost: sure(500.0) }],
            pace: Some(8_000.0),
            source: "made up".to_owned().into(),
            ..PriceList::default()
        };
        let now = of_then.at_pace(Some(10_000.0));
        assert_eq!(now.tax(Way::Naive, At::events(1.0)).unwrap().value, 750.0);
        assert_eq!((now.reads[0].cost.value, now.crowd[0].cost.high), (1_000.0, 625.0));
        assert_eq!((now.blocks[0].cost.value, now.blocks[0].wake.low), (1_125.0, 375.0));
        assert_eq!(now.blocks[1], of_then.blocks[1]);
        assert_eq!(now.pace, Some(10_000.0));
        assert_eq!((now.source.words(), now.source.slowed_by), ("made up", 0.25));
        // The same pace changes nothing, and neither does one that is not known.
        assert_eq!(now.at_pace(Some(10_000.0)).steps, now.steps);
        assert_eq!(of_then.at_pace(None), of_then);
        assert_eq!(PriceList { pace: None, ..of_then.clone() }.at_pace(Some(9.0)).source.slowed_by, 0.0);
    }
}
