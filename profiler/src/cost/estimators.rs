//! The estimators of the direct cost, side by side, and why they differ where they do.

use super::{
    direct::{Basis, Pools},
    note::{Disagreement, Note},
};
use crate::{
    aggregate::Window,
    event::{Family, SiteRecord},
    quantity::{Figure, Nanos},
};

/// Two estimators that differ by more than this share of the smaller one disagree.
const THIRD: f64 = 1.0 / 3.0;

/// Direct cost of one blocking-IO block, ns, found in three ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimators {
    /// (a) In place: calls that blocked less calls that did not.
    pub in_place: Figure<f64, Note>,
    /// (b) Sampled: CPU-clock samples whose kernel stack is in the schedule and wake path.
    pub sampled: Figure<f64, Note>,
    /// (c) Calibrated: this machine's cost of a block of that class.
    pub calibrated: Figure<f64, Note>,
    /// Why they disagree, where they do by more than a third.
    pub disagreements: Vec<Disagreement>,
}

impl Estimators {
    /// `charge` is what the kernel charges for the way out of idle, per blocking-IO block, ns;
    /// `sampled` is estimator (b).
    pub(crate) fn new(sites: &[SiteRecord], pools: &Pools<'_>, charge: f64, sampled: Figure<f64, Note>) -> Self {
        let io: Vec<&SiteRecord> =
            sites.iter().filter(|s| s.place.class.family() == Family::BlockingIo && s.site.blocks > 0).collect();
        let mean_by = |cost_of: &dyn Fn(&SiteRecord) -> Option<f64>| -> Option<(f64, f64)> {
            let costs: Vec<(f64, f64)> = io.iter().filter_map(|s| Some((cost_of(s)?, s.site.blocks as f64))).collect();
            let blocks: f64 = costs.iter().map(|(_, n)| n).sum();
            (blocks > 0.0).then(|| (costs.iter().map(|(c, _)| c).sum::<f64>() / blocks + charge, blocks))
        };
        let all: f64 = io.iter().map(|s| s.site.blocks as f64).sum();
        let in_place = mean_by(&|s| {
            let cost =
                [Basis::SameSite, Basis::SameCall, Basis::ReadyCall].into_iter().find_map(|b| pools.direct_by(s, b))?;
            Some(cost.total.value)
        });
        let in_place = match in_place {
            Some((ns, blocks)) if blocks >= 0.95 * all => Figure::measured(ns),
            Some((ns, blocks)) => Figure::modelled(ns, Note::PartOfBlocks(blocks / all)),
            None => Figure::unavailable(Note::NoComparableCall),
        };
        let calibrated = match mean_by(&|s| Some(pools.direct_by(s, Basis::Calibrated)?.total.value)) {
            Some((ns, _)) => Figure::modelled(ns, Note::SmallWorkingSets),
            None => Figure::unavailable(Note::NoCalibration),
        };
        let disagreements = disagreements(in_place.value(), sampled.value(), calibrated.value());
        Self { in_place, sampled, calibrated, disagreements }
    }
}

fn disagreements(in_place: Option<&f64>, sampled: Option<&f64>, calibrated: Option<&f64>) -> Vec<Disagreement> {
    let differ = |a: f64, b: f64| (a - b).abs() > THIRD * a.abs().min(b.abs());
    let mut reasons = Vec::new();
    if let (Some(&a), Some(&c)) = (in_place, calibrated)
        && differ(a, c)
    {
        reasons.push(if a > c { Disagreement::ColdSwitchPath } else { Disagreement::DearDirectCalls });
    }
    if let Some(&b) = sampled
        && in_place.or(calibrated).is_some_and(|&a| differ(a, b))
    {
        reasons.push(Disagreement::InterruptsOff);
    }
    reasons
}

/// Samples below which nothing is said.
const MIN_SAMPLES: u64 = 100;

/// Estimator (b): CPU in the schedule path per switch, ns, of a target that took so much CPU.
/// Samples in the hooks are nobody's cost of blocking.
pub(crate) fn sampled(window: &Window, cpu: Nanos, switches: u64) -> Figure<f64, Note> {
    let s = window.samples;
    match s.samples {
        0 => Figure::unavailable(Note::NoSamples),
        n if n < MIN_SAMPLES || switches == 0 => Figure::unavailable(Note::FewSamples(n)),
        n => Figure::modelled(
            s.schedule as f64 / n as f64 * cpu.as_nanos() as f64 / switches as f64,
            Note::Samples { schedule: s.schedule, all: n },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_of_more_than_a_third_is_explained() {
        let why = |a: f64, b: Option<f64>, c: f64| disagreements(Some(&a), b.as_ref(), Some(&c));
        assert_eq!(why(1_000.0, None, 1_300.0), []);
        assert_eq!(why(2_000.0, None, 1_300.0), [Disagreement::ColdSwitchPath]);
        assert_eq!(why(900.0, None, 1_300.0), [Disagreement::DearDirectCalls]);
        assert_eq!(why(1_000.0, Some(500.0), 1_300.0), [Disagreement::InterruptsOff]);
    }
}
