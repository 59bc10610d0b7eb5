//! What it makes that there are many: threads that take turns, replies that leave together, reads that are submitted together.

use super::{Counted, Engine, MOST_COLD, UNTOLD};
use crate::{
    machine::{Cost, Way},
    predict::{prices::DirectReads, replay::Trace, whatif::Term},
};

/// Reads past the page cache in another way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct {
    pub(super) reads: DirectReads,
    /// What each costs then.
    pub(super) cost: Cost,
}

impl Engine {
    /// Wake-ups of others that go where the replies of a batch leave together: the first wakes the peer, the others find it
    /// awake. That first one finds it asleep for as long as the batch took, on a CPU that went idle meanwhile: one by one, a reply often
    /// comes while the peer is still on its way to sleep, which is cheap. So it is the cheap ones that go.
    pub(super) fn gathered(&self, way: Way, counted: &Counted) -> Option<Term> {
        let (wakes, batch) = (self.prices.other_wakes, counted.events_per_wait.max(1.0));
        if way != Way::Tuned {
            return None;
        }
        let &each = self.prices.other_wake.value()?;
        let stay = self.staying(way, batch);
        let (go, idle) = (wakes - stay, self.idle_wake(way, batch, each));
        (go >= 1.0).then(|| Term {
            what: format!("{go:.0} wake-ups of others go, several replies leave at once"),
            ns: (wakes * each - stay * idle).max(0.0),
            how: format!(
                "{each:.0} ns each, {}; the {stay:.0} that stay find the peer's CPU idle: {idle:.0} ns each",
                self.prices.other_wake.note()
            ),
        })
    }

    /// Wake-ups of others that stay. Where each event leads to several, those that belong to one event do not go.
    fn staying(&self, way: Way, batch: f64) -> f64 {
        let wakes = self.prices.other_wakes;
        if way == Way::Tuned { (self.blocks(way).count.max(wakes) / batch).min(wakes) } else { wakes }
    }

    /// What waking a peer costs whose CPU has been idle for as long as a batch takes, ns: no less than today's mean.
    fn idle_wake(&self, way: Way, batch: f64, each: f64) -> f64 {
        let took = batch * self.cpu / self.blocks(way).count.max(1.0);
        let block = self.calibration.block(self.prices.kin, Some(took));
        block.map_or(each, |block| block.wake.median.max(each))
    }

    /// How much dearer, and how much cheaper, the wake-ups of others may become in another way of waiting: a part of what lies between
    /// today's mean price and that of a peer whose CPU is idle, and of one that is still awake. How deep peers sleep is up to their own pace
    /// against the target's, and that changes.
    pub(super) fn peers(&self, way: Way, counted: &Counted) -> (f64, f64) {
        let Some(&each) = self.prices.other_wake.value() else { return (0.0, 0.0) };
        let batch = counted.events_per_wait.max(1.0);
        let awake = self.calibration.block(self.prices.kin, None).map_or(each, |block| block.wake.median.min(each));
        let (stay, idle) = (self.staying(way, batch), self.idle_wake(way, batch, each));
        (UNTOLD * stay * (idle - each), UNTOLD * stay * (each - awake))
    }

    /// Reads past the page cache through `io_uring`; nothing in other ways, or where that was not calibrated.
    pub(super) fn direct_reads(&self, way: Way, counted: &Counted) -> Option<Direct> {
        let reads = self.prices.direct_reads;
        let cost = self.calibration.direct_read(counted.events_per_wait)?;
        (way == Way::Tuned && reads.count >= 1.0).then_some(Direct { reads, cost })
    }

    /// How many threads take turns: the mean over the stream's spans.
    fn connections(&self, way: Way) -> f64 {
        let traces = self.traces(way);
        traces.iter().map(Trace::connections).sum::<usize>() as f64 / traces.len().max(1) as f64
    }

    /// How many threads take turns, and what code after a block costs more for it.
    pub(super) fn crowd(&self, way: Way) -> Option<(f64, Cost)> {
        self.calibrated_crowd(way).filter(|(_, cost)| cost.low > 0.0 && self.is_credible(cost))
    }

    fn calibrated_crowd(&self, way: Way) -> Option<(f64, Cost)> {
        let threads = self.connections(way);
        let cost = self.calibration.crowd(threads)?;
        (threads > 1.0 && self.prices.net.count > 0.0).then_some((threads, cost))
    }

    /// Whether so much of what the target runs outside of its blocks can be cold: else the crowd was calibrated among others.
    fn is_credible(&self, crowd: &Cost) -> bool {
        crowd.median * self.prices.net.count <= MOST_COLD * (self.cpu - self.prices.all().direct).max(0.0)
    }

    /// Why the calibrated crowd is not counted on, where it should be.
    pub(crate) fn incredible_crowd(&self) -> Option<String> {
        let (threads, cost) = self.calibrated_crowd(Way::Naive).filter(|_| self.indirect.0 == 0.0)?;
        (!self.is_credible(&cost)).then(|| {
            format!(
                "Code after a block was calibrated to cost {:.0} ns more where {threads:.0} threads take turns: more than this target's \
                 code can be cold. It is not counted: run `should-i-async calibrate` when the machine is quiet.",
                cost.median
            )
        })
    }
}
