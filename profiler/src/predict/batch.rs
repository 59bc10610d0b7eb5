//! What batches of `io_uring` change: replies that leave together wake their peers less often, and
//! requests that are submitted together share one `io_uring_enter`.

use super::{
    engine::{Counted, Engine},
    files::DirectReads,
    term::{Term, TermBasis, TermKind},
};
use crate::{
    machine::{Queue, Way},
    quantity::Estimate,
};

/// It is not known how deep peers will sleep in another way of waiting, and so what waking them
/// costs. This share of the distance to the dearest and to the cheapest wake-up goes into the
/// interval.
const UNKNOWN_DEPTH: f64 = 0.5;

/// The number of requests in flight is known to this factor.
const UNSURE_IN_FLIGHT: f64 = 1.5;

/// Reads and writes past the page cache, made through `io_uring` or Linux AIO.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct {
    pub(super) queue: Queue,
    pub(super) reads: DirectReads,
    /// What each request costs, ns.
    pub(super) cost: Estimate,
    /// Requests at the device at once.
    pub(super) in_flight: f64,
}

impl Engine {
    /// Wake-ups of other processes that go because the replies of a batch leave together: the first
    /// reply wakes the peer, and the others find it awake. The wake-ups that go are the cheap ones.
    /// Today a reply often comes while the peer is still falling asleep. The first reply of a batch
    /// comes when the peer has slept for the whole batch and its CPU is idle.
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

    /// Wake-ups of other processes that stay: one for each batch, or as many as one event causes
    /// today.
    fn staying(&self, way: Way, batch: f64) -> f64 {
        let wakes = self.prices.other_wakes;
        if way.is_ring() { (self.blocks(way).count.max(wakes) / batch).min(wakes) } else { wakes }
    }

    /// What it costs to wake a peer whose CPU has been idle since the last reply, ns; at least
    /// today's mean. The last reply is a whole batch ago where a batch is answered at once, else
    /// one event ago.
    fn idle_wake(&self, way: Way, batch: f64, each: f64) -> f64 {
        let events = if way.is_ring() { batch } else { 1.0 };
        let took = events * self.cpu / (self.blocks(way).count + self.births.count).max(1.0);
        let block = self.calibration.block(self.prices.main_class, Some(took));
        block.map_or(each, |block| block.wake.value.max(each))
    }

    /// How much dearer, and how much cheaper, all wake-ups of other processes may become in another
    /// way of waiting, ns. How deep peers sleep depends on their pace against the target's, which
    /// changes. The dearest wake-up finds the peer's CPU idle, the cheapest finds the peer awake.
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
    /// Two numbers decide the price: how many requests are in flight, because a busy device need
    /// not be woken, and how many one enter submits, because they share its cost. In flight are as
    /// many as today's threads have there, as one enter submits, or as the way keeps up, whichever
    /// is most.
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

    /// What a request past the page cache costs with `in_flight` at the device and `batch`
    /// submitted by each call. Reads and writes are mixed as in the target; without any it is a
    /// read.
    pub(super) fn request(&self, queue: Queue, in_flight: f64, batch: f64) -> Option<Estimate> {
        let reads = &self.prices.direct_reads;
        let price = |write| self.calibration.direct_io(queue, write, in_flight, batch);
        Some(Estimate::between(price(false)?, price(true)?, reads.writes / reads.count.max(1.0)))
    }
}
