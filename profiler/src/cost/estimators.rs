//! The estimators of the direct cost, side by side, and why they differ where they do.

use super::direct::{Basis, Pools};
use crate::{
    event::{Family, SiteRecord},
    quantity::Figure,
};

/// Two estimators that differ by more than this share of the smaller one disagree.
const THIRD: f64 = 1.0 / 3.0;

/// Direct cost of one blocking-IO block, ns, found in three ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimators {
    /// (a) In place: calls that blocked less calls that did not.
    pub in_place: Figure<f64>,
    /// (b) Sampled: CPU-clock samples whose kernel stack is in the schedule and wake path.
    pub sampled: Figure<f64>,
    /// (c) Calibrated: this machine's cost of a block of that class.
    pub calibrated: Figure<f64>,
    /// Why they disagree, where they do by more than a third.
    pub disagreement: Option<String>,
}

impl Estimators {
    /// `charge` is what the kernel charges for the way out of idle, per blocking-IO block, ns; `sampled` is estimator (b).
    pub(crate) fn of(sites: &[SiteRecord], pools: &Pools<'_>, charge: f64, sampled: Figure<f64>) -> Self {
        let io: Vec<&SiteRecord> =
            sites.iter().filter(|s| s.place.class.family() == Family::BlockingIo && s.site.blocks > 0).collect();
        let mean_by = |of: &dyn Fn(&SiteRecord) -> Option<f64>| -> Option<(f64, f64)> {
            let costs: Vec<(f64, f64)> = io.iter().filter_map(|s| Some((of(s)?, s.site.blocks as f64))).collect();
            let blocks: f64 = costs.iter().map(|(_, n)| n).sum();
            (blocks > 0.0).then(|| (costs.iter().map(|(c, _)| c).sum::<f64>() / blocks + charge, blocks))
        };
        let all: f64 = io.iter().map(|s| s.site.blocks as f64).sum();
        let in_place = mean_by(&|s| {
            let cost =
                [Basis::SameSite, Basis::SameCall, Basis::ReadyCall].into_iter().find_map(|b| pools.direct_by(s, b))?;
            Some(cost.total)
        });
        let in_place = match in_place {
            Some((ns, blocks)) if blocks >= 0.95 * all => Figure::measured(ns),
            Some((ns, blocks)) => Figure::modelled(
                ns,
                format!("from the {:.0} % of the blocks whose call also returned without one", 100.0 * blocks / all),
            ),
            None => Figure::unavailable("no call that blocked also returned often enough without blocking"),
        };
        let calibrated = match mean_by(&|s| Some(pools.direct_by(s, Basis::Calibrated)?.total)) {
            Some((ns, _)) => Figure::modelled(ns, "two threads with small working sets, on this machine"),
            None => Figure::unavailable("no calibration"),
        };
        let disagreement = disagreement(&in_place, &sampled, &calibrated);
        Self { in_place, sampled, calibrated, disagreement }
    }
}

fn disagreement(in_place: &Figure<f64>, sampled: &Figure<f64>, calibrated: &Figure<f64>) -> Option<String> {
    let differ = |a: f64, b: f64| (a - b).abs() > THIRD * a.abs().min(b.abs());
    let mut reasons = Vec::new();
    if let (Some(&a), Some(&c)) = (in_place.value(), calibrated.value())
        && differ(a, c)
    {
        reasons.push(if a > c {
            "in place is dearer than calibrated: the target's working set and its many threads leave the switch path cold, which \
             two threads on an idle machine do not"
        } else {
            "in place is cheaper than calibrated: calls that did not block do more work here (longer messages, a busy lock), so \
             that the difference is too small"
        });
    }
    if let Some(&b) = sampled.value() {
        let best = in_place.value().or(calibrated.value()).copied();
        if best.is_some_and(|a| differ(a, b)) {
            reasons.push(
                "samples see the switch path only where interrupts are on: what runs with them off is charged to the first \
                 instruction after it",
            );
        }
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_of_more_than_a_third_is_explained() {
        let none = Figure::unavailable("not sampled");
        let told = |a: f64, c: f64| disagreement(&Figure::measured(a), &none, &Figure::modelled(c, ""));
        assert_eq!(told(1_000.0, 1_300.0), None);
        assert!(told(2_000.0, 1_300.0).is_some_and(|why| why.contains("cold")));
        assert!(told(900.0, 1_300.0).is_some_and(|why| why.contains("cheaper")));
    }
}
