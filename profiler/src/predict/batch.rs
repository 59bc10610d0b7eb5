//! What batches change: replies that leave together wake their peers less often, reads that are
//! submitted together share an enter.

use super::{
    engine::{Counted, Engine},
    files::DirectReads,
    term::{Term, TermBasis, TermKind},
};
use crate::{
    machine::{Queue, Way},
    quantity::Estimate,
};

/// How deep peers sleep in another way of waiting cannot be told: this share of the distance to as
/// deep as can be, and to not at all, goes into the interval.
const UNKNOWN_DEPTH: f64 = 0.5;

/// As many requests are in flight as there were, to this factor.
const UNSURE_IN_FLIGHT: f64 = 1.5;

/// Reads past the page cache in another way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct {
    pub(super) queue: Queue,
    pub(super) reads: DirectReads,
    /// What each costs then.
    pub(super) cost: Estimate,
    /// How many are at the device at once.
    pub(super) in_flight: f64,
}

impl Engine {
    /// Wake-ups of others that go where the replies of a batch leave together: the first wakes the
    /// peer, the others find it awake. That first one finds it asleep for as long as the batch
    /// took, on a CPU that went idle meanwhile: one by one, a reply often comes while the peer is
    /// still on its way to sleep, which is cheap. So it is the cheap ones that go.
    pub(super) fn gathered(&self, way: Way, counted: &Counted) -> Option<Term> {
        let (wakes, batch) = (self.prices.other_wakes, counted.events_per_wait.max(1.0));
        if !way.is_ring() {
            return None;
        }
        let &each = self.prices.other_wake.value()?;
        let stay = self.staying(way, batch);
        let (go, idle) = (wakes - stay, self.idle_wake(way, batch, each));
        let note = *self.prices.other_wake.note()?;
        (go >= 1.0).then(|| Term {
            kind: TermKind::OtherWakeupsGo,
            count: go,
            each,
            ns: (wakes * each - stay * idle).max(0.0),
            basis: TermBasis::PricedBeside { note, stay, idle },
        })
    }

    /// Wake-ups of others that stay. Where each event leads to several, those that belong to one
    /// event do not go.
    fn staying(&self, way: Way, batch: f64) -> f64 {
        let wakes = self.prices.other_wakes;
        if way.is_ring() { (self.blocks(way).count.max(wakes) / batch).min(wakes) } else { wakes }
    }

    /// What waking a peer costs whose CPU has been idle for as long as it took since the reply
    /// before, ns: no less than today's mean. Where a batch is answered at once that is the batch,
    /// else an event.
    fn idle_wake(&self, way: Way, batch: f64, each: f64) -> f64 {
        let events = if way.is_ring() { batch } else { 1.0 };
        let took = events * self.cpu / self.blocks(way).count.max(1.0);
        let block = self.calibration.block(self.prices.main_class, Some(took));
        block.map_or(each, |block| block.wake.value.max(each))
    }

    /// How much dearer, and how much cheaper, the wake-ups of others may become in another way of
    /// waiting: a part of what lies between today's mean price and that of a peer whose CPU is
    /// idle, and of one that is still awake. How deep peers sleep is up to their own pace against
    /// the target's, and that changes.
    pub(super) fn peers(&self, way: Way, counted: &Counted) -> (f64, f64) {
        let Some(&each) = self.prices.other_wake.value() else { return (0.0, 0.0) };
        let batch = counted.events_per_wait.max(1.0);
        let awake =
            self.calibration.block(self.prices.main_class, None).map_or(each, |block| block.wake.value.min(each));
        let (stay, idle) = (self.staying(way, batch), self.idle_wake(way, batch, each));
        (UNKNOWN_DEPTH * stay * (idle - each), UNKNOWN_DEPTH * stay * (each - awake))
    }

    /// Reads and writes past the page cache through `io_uring` or Linux AIO; nothing in other ways,
    /// or where that was not calibrated.
    ///
    /// A request that finds the device busy is cheaper than one that has to wake it, however few an
    /// enter submits, and an enter is paid by all that it submits: what counts is how many are in
    /// flight, and how many end at once. As many as today's threads have there, or as one enter
    /// submits, where that is more, or as the way keeps up.
    pub(super) fn direct_reads(&self, way: Way, counted: &Counted) -> Option<Direct> {
        let (queue, reads) = (way.queue()?, self.prices.direct_reads);
        let in_flight = self.prices.in_flight.max(counted.events_per_wait).max(way.depth().unwrap_or(0.0));
        let at = |in_flight| self.request(queue, in_flight, counted.events_per_wait);
        let cost = at(in_flight)?;
        let (fewer, more) = (at(in_flight / UNSURE_IN_FLIGHT)?, at(in_flight * UNSURE_IN_FLIGHT)?);
        let half = ((fewer.value - more.value) / 2.0).hypot(cost.half_width());
        let cost = Estimate::with_half_width(cost.value, half);
        (reads.count >= 1.0).then_some(Direct { queue, reads, cost, in_flight })
    }

    /// What a request past the page cache costs among so many in flight, of which a call submits
    /// `batch`: reads and writes as the target has them, reads where it has neither.
    pub(super) fn request(&self, queue: Queue, in_flight: f64, batch: f64) -> Option<Estimate> {
        let reads = &self.prices.direct_reads;
        let price = |write| self.calibration.direct_io(queue, write, in_flight, batch);
        Some(Estimate::between(price(false)?, price(true)?, reads.writes / reads.count.max(1.0)))
    }
}
