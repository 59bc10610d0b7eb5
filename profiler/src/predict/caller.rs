//! The two ways that change only which thread makes a call on a file: a new pool of workers, or,
//! without today's pool, the thread that asks. Calls block as before, so nothing is replayed.

use super::{
    doubt::{Assumption, Doubt},
    engine::Engine,
    interval::Found,
    replay::Assignment,
    scenario::{Scenario, Waits},
    sum::{UNSURE_HAND_OVER, UNTOLD_HAND_OVER},
    term::{Term, TermBasis, TermKind},
};
use crate::{
    machine::{Pool, Queue, Way},
    quantity::Estimate,
};

/// The terms of such a way, half the 90 % interval of what scatters (ns), and its doubts.
type Sum = (Vec<Term>, f64, Vec<Doubt>);

/// Requests in flight of a program that reads ahead: as many as *deep32* has.
const READ_AHEAD: f64 = 32.0;

impl Engine {
    /// What a way gives back that changes only the thread of calls on files; `None` where it would
    /// change nothing, or has no price.
    pub(super) fn by_another_thread(&self, way: Way, loops: u32, assignment: Assignment) -> Option<Scenario> {
        let (terms, half, doubts) = if way.pool() == Pool::FilesOnly { self.by_workers() } else { self.in_place(way) }?;
        let most = self.most() / self.cpu;
        let found = Found::new(self.kind(way), self.cpu, terms, half / self.cpu, doubts, most);
        let blocks = self.prices.all().count;
        let waits = Waits { blocks, sleeps_per_block: 1.0, events_per_wait: 1.0, event_tax: None };
        Some(Scenario::new((way, loops, assignment), found, &waits, (self.cpu, self.seconds)))
    }

    /// A new pool of workers. A worker sleeps until it is handed a call, and the thread that handed
    /// it over sleeps until the call is done, or the call of another request.
    fn by_workers(&self) -> Option<Sum> {
        let (calls, each) = (self.prices.file_calls, self.hand_over()?);
        let back = calls / self.prices.file_waits.max(1.0);
        let term = |kind, count| Term::loss(kind, count, each, TermBasis::HandOver);
        let terms = vec![term(TermKind::CallsHandedOver, calls), term(TermKind::AnswersHandedBack, back)];
        let all: f64 = terms.iter().map(|t| t.ns).sum();
        // A program with workers may read ahead, and a device that is kept busy costs less.
        let deeper = self.with_fewer(self.prices.file_waits.max(1.0), READ_AHEAD);
        let ahead = self.prices.file.count * deeper.map_or(0.0, |each| each.value);
        let doubts = vec![
            Doubt { assumption: Assumption::QueuesCostMore, change: all * UNTOLD_HAND_OVER },
            Doubt { assumption: Assumption::WorkersStayBusy, change: calls * each },
            Doubt { assumption: Assumption::CallsOverlap, change: ahead },
        ];
        (calls >= 1.0).then(|| (terms, all.abs() * UNSURE_HAND_OVER, doubts))
    }

    /// No pool: no call is handed over. While one call blocks no other is made, so that the device
    /// is idle whenever it gets a request.
    fn in_place(&self, way: Way) -> Option<Sum> {
        let goes = self.handed_over(way)?;
        let untold = Doubt { assumption: Assumption::QueuesCostMore, change: goes.ns * UNTOLD_HAND_OVER };
        let half = goes.ns * UNSURE_HAND_OVER;
        // A request is at the device with those that it finds there.
        let (blocks, at_once) = (self.prices.file.count, 1.0 + self.prices.others_met);
        if blocks < 1.0 || self.prices.others_met <= 0.0 {
            return Some((vec![goes], half, vec![untold]));
        }
        let alone = self.with_fewer(1.0, at_once)?;
        let comes = Term::loss(TermKind::RequestsAlone, blocks, alone.value, TermBasis::OneAgainst(at_once));
        // Calls through the page cache and syncs have no price: one of them may lead to several
        // requests, or wait for the requests of others.
        let through_cache = (blocks - self.prices.direct_reads.count).max(0.0);
        let shared = Doubt { assumption: Assumption::RequestsAreShared, change: through_cache * alone.value };
        Some((vec![goes, comes], half.hypot(blocks * alone.half_width()), vec![untold, shared]))
    }

    /// How much more a request costs with `few` requests at the device than with `many`.
    fn with_fewer(&self, few: f64, many: f64) -> Option<Estimate> {
        let at = |requests| self.request(Queue::Ring, requests, 1.0);
        Some(at(few)?.beyond(at(many)?).at_least_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cost::{Births, HandOvers},
        event::BlockClass,
        machine::{BlockCost, DirectRead, HandOverCost, PriceList},
        predict::{
            blocks::Blocks,
            files::{ByWorkers, DirectReads},
            note::Note,
            prices::{Prices, WaitingCalls},
        },
        quantity::Figure,
    };

    /// 10,000 calls on files in 100 ms of CPU, 4,000 of which block, eight at once.
    fn prices() -> Prices {
        let none = || Figure::unavailable(Note::NoWakePrice);
        Prices {
            net: Blocks::default(),
            file: Blocks { count: 4_000.0, direct: 8e6 },
            file_calls: 10_000.0,
            by_workers: ByWorkers::default(),
            direct_reads: DirectReads::default(),
            in_flight: 0.0,
            file_waits: 8.0,
            others_met: 7.0,
            ready_reads: 0.0,
            turns: 0.0,
            messages: 0.0,
            accepted: 0.0,
            waiting_calls: WaitingCalls::default(),
            near: 1_000.0,
            sleep: none(),
            main_class: BlockClass::Pipe,
            own_wakes: 0.0,
            other_wakes: 0.0,
            wake: none(),
            other_wake: none(),
            preemptions: 0.0,
            switch: 1_000.0,
            basis: None,
            covered: 1.0,
        }
    }

    /// A hand-over costs 1.5 µs, of which a block is 1; a request alone 9 µs, and one of eight 4.
    fn machine() -> PriceList {
        let sure = Estimate::exact;
        let block = BlockCost { class: BlockClass::Pipe, idle: None, cost: sure(1_000.0), wake: sure(500.0) };
        let request =
            |depth, queue, ns| DirectRead { batch: 1, depth: Some(depth), write: false, queue, cost: sure(ns) };
        PriceList {
            blocks: vec![block],
            hand_overs: vec![HandOverCost { class: BlockClass::Futex, via_idle: false, cost: sure(3_000.0) }],
            direct: vec![
                request(1, Queue::Ring, 9_000.0),
                request(8, Queue::Ring, 4_000.0),
                request(8, Queue::Aio, 1.0),
            ],
            ..PriceList::default()
        }
    }

    fn engine(waits: f64, prices: Prices, calibration: PriceList) -> Engine {
        Engine {
            prices,
            calibration,
            hand_overs: HandOvers { waits, cpu: waits * 2_000.0 },
            births: Births::default(),
            net: Vec::new(),
            all: Vec::new(),
            net_joined: Vec::new(),
            all_joined: Vec::new(),
            cpu: 100e6,
            hooks_per_block: 0.0,
            before_block: 0.0,
            spread: 0.0,
            indirect: None,
            by_counters: false,
            wake_up: 0.0,
            in_kernel: 0.5,
            unsteady: 0.0,
            filled: false,
            bound: false,
            concurrency: Vec::new(),
            seconds: 1.0,
        }
    }

    #[test]
    fn a_worker_is_handed_every_call_and_answers_of_calls_that_overlap_wake_nobody() {
        let found = engine(0.0, prices(), machine()).by_another_thread(Way::Workers, 1, Assignment::Fixed).unwrap();
        // 15 ms to hand them over, and an eighth of that for the answers.
        assert!((found.saving.value + 0.15 * 1.125).abs() < 1e-9, "{found:?}");
        let alone = engine(0.0, Prices { file_waits: 0.9, ..prices() }, machine());
        let found = alone.by_another_thread(Way::Workers, 1, Assignment::Fixed).unwrap();
        assert!((found.saving.value + 0.3).abs() < 1e-9, "{found:?}");
        let change = |of| found.doubts.iter().find(|d| d.assumption == of).map(|d| d.change).unwrap();
        assert!(change(Assumption::WorkersStayBusy) > 0.149);
        // 4,000 requests could be 5 µs cheaper, as those of eight are: no more was measured.
        assert!((change(Assumption::CallsOverlap) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn reading_ahead_brings_less_the_more_requests_there_are_today() {
        let ahead = |file_waits| {
            let found = engine(0.0, Prices { file_waits, ..prices() }, machine())
                .by_another_thread(Way::Workers, 1, Assignment::Fixed)
                .unwrap();
            found.doubts.iter().find(|d| d.assumption == Assumption::CallsOverlap).map_or(0.0, |d| d.change)
        };
        assert!(ahead(0.5) >= ahead(1.9) && ahead(1.9) > ahead(2.1) && ahead(2.1) > ahead(4.0), "no step at two");
        assert!(ahead(4.0) > 0.0 && ahead(8.0).abs() < 1e-9);
    }

    #[test]
    fn only_what_goes_past_the_cache_is_sure_to_be_dearer_alone() {
        let shared = |count| {
            let direct_reads = DirectReads { count, ..DirectReads::default() };
            let found = engine(5_000.0, Prices { direct_reads, ..prices() }, machine())
                .by_another_thread(Way::Inline, 1, Assignment::Fixed)
                .unwrap();
            found.doubts.iter().find(|d| d.assumption == Assumption::RequestsAreShared).map_or(0.0, |d| d.change)
        };
        assert!((shared(0.0) - 0.2).abs() < 1e-9 && (shared(3_000.0) - 0.05).abs() < 1e-9);
        assert!(shared(4_000.0).abs() < 1e-9);
    }

    #[test]
    fn linux_aio_leaves_a_pool_what_goes_through_the_cache() {
        let goes = |count| {
            let direct_reads = DirectReads { count, ..DirectReads::default() };
            let engine = engine(5_000.0, Prices { direct_reads, ..prices() }, machine());
            [Way::Tuned, Way::Aio].map(|way| engine.handed_over(way).map_or(0.0, |term| term.ns))
        };
        assert_eq!(goes(2_500.0), [10e6, 2.5e6]);
        assert_eq!(goes(0.0), [10e6, 0.0]);
        assert_eq!(goes(10_000.0), [10e6, 10e6]);
    }

    #[test]
    fn without_its_pool_requests_are_alone_and_dearer() {
        let found = engine(5_000.0, prices(), machine()).by_another_thread(Way::Inline, 1, Assignment::Fixed).unwrap();
        // 10 ms go, and 4,000 requests cost 5 µs more each.
        assert!((found.saving.value - (0.1 - 0.2)).abs() < 1e-9, "{found:?}");
        let cached = Prices { file: Blocks::default(), file_waits: 0.0, others_met: 0.0, ..prices() };
        let found =
            engine(5_000.0, cached, PriceList::default()).by_another_thread(Way::Inline, 1, Assignment::Fixed).unwrap();
        assert!((found.saving.value - 0.1).abs() < 1e-9, "{found:?}");
        // Half of the time another one is there: a request is one of 1.5, though fewer wait in the
        // mean.
        let few = Prices { file_waits: 0.9, others_met: 0.5, ..prices() };
        let found = engine(5_000.0, few, machine()).by_another_thread(Way::Inline, 1, Assignment::Fixed).unwrap();
        assert!(found.saving.value > -0.1 && found.saving.value < 0.1, "{found:?}");
        let unpriced = PriceList { direct: Vec::new(), ..machine() };
        assert_eq!(engine(5_000.0, prices(), unpriced).by_another_thread(Way::Inline, 1, Assignment::Fixed), None);
    }

    #[test]
    fn each_way_for_files_is_offered_where_it_changes_something() {
        let offered = |waits, direct| {
            let direct_reads = DirectReads { count: direct, ..DirectReads::default() };
            let ways = engine(waits, Prices { direct_reads, ..prices() }, machine()).offered();
            [Way::Aio, Way::Workers, Way::Inline].map(|way| ways.contains(&way))
        };
        assert_eq!(offered(0.0, 0.0), [false, true, false]);
        assert_eq!(offered(5_000.0, 10.0), [true, false, true]);
    }
}
