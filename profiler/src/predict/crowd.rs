//! What it costs that many threads take turns: the code after each block runs cold.

use super::{engine::Engine, note::Caveat, replay::Trace};
use crate::{machine::Way, quantity::Estimate};

/// Of what the target runs outside of its blocks, what coldness can be at most.
pub(super) const MOST_COLD: f64 = 0.5;

impl Engine {
    /// How many threads take turns: the mean over the stream's spans.
    fn connections(&self, way: Way) -> f64 {
        let traces = self.traces(way);
        traces.iter().map(Trace::connections).sum::<usize>() as f64 / traces.len().max(1) as f64
    }

    /// How many threads take turns, and what code after a block costs more for it.
    pub(super) fn crowd(&self, way: Way) -> Option<(f64, Estimate)> {
        self.calibrated_crowd(way).filter(|(_, cost)| cost.low > 0.0 && self.is_credible(cost))
    }

    fn calibrated_crowd(&self, way: Way) -> Option<(f64, Estimate)> {
        let threads = self.connections(way);
        let cost = self.calibration.crowd(threads)?;
        (threads > 1.0 && self.prices.net.count > 0.0).then_some((threads, cost))
    }

    /// Whether so much of what the target runs outside of its blocks can be cold: else the crowd
    /// was calibrated among others.
    fn is_credible(&self, crowd: &Estimate) -> bool {
        crowd.value * self.prices.net.count <= MOST_COLD * (self.cpu - self.prices.all().direct).max(0.0)
    }

    /// Why the calibrated crowd is not counted on, where it should be.
    pub(super) fn incredible_crowd(&self) -> Option<Caveat> {
        let (threads, cost) = self.calibrated_crowd(Way::Naive).filter(|_| self.indirect.is_none())?;
        (!self.is_credible(&cost)).then_some(Caveat::IncredibleCrowd { each: cost.value, threads })
    }
}
