//! What it costs that many threads take turns: the code after each block runs cold.

use super::{engine::Engine, note::Caveat, replay::Trace};
use crate::{machine::Way, quantity::Estimate};

/// The largest share of the target's CPU outside of blocks that cold caches can be the cause of.
pub(super) const MOST_COLD: f64 = 0.5;

impl Engine {
    /// How many threads take turns to run: the mean over the stream's spans.
    fn connections(&self, way: Way) -> f64 {
        let traces = self.traces(way);
        traces.iter().map(Trace::connections).sum::<usize>() as f64 / traces.len().max(1) as f64
    }

    /// How many threads take turns to run, and how much more the code after a block costs for that.
    pub(super) fn crowd(&self, way: Way) -> Option<(f64, Estimate)> {
        self.calibrated_crowd(way).filter(|(_, cost)| cost.low > 0.0 && self.is_credible(cost))
    }

    fn calibrated_crowd(&self, way: Way) -> Option<(f64, Estimate)> {
        let threads = self.connections(way);
        let cost = self.calibration.crowd(threads)?;
        (threads > 1.0 && self.prices.net.count > 0.0).then_some((threads, cost))
    }

    /// Whether the calibrated cost is possible for this target. If not, other programs ran while
    /// the crowd was calibrated.
    fn is_credible(&self, crowd: &Estimate) -> bool {
        crowd.value * self.prices.net.count <= MOST_COLD * (self.cpu - self.prices.all().direct).max(0.0)
    }

    /// The caveat that the calibrated crowd was not counted because it is not credible.
    pub(super) fn incredible_crowd(&self) -> Option<Caveat> {
        let (threads, cost) = self.calibrated_crowd(Way::Naive).filter(|_| self.indirect.is_none())?;
        (!self.is_credible(&cost)).then_some(Caveat::IncredibleCrowd { each: cost.value, threads })
    }
}
