//! What a prediction starts from, beside the window.

use super::{baseline::Drift, prices::Prices};
use crate::{
    aggregate::Clients,
    cost::{Births, Effect, HandOvers},
    machine::{Language, PriceList, Way},
    quantity::Estimate,
};

/// What a prediction starts from, beside the window.
pub(crate) struct Given<'a> {
    /// The connections whose requests are timed.
    pub(crate) clients: &'a Clients,
    /// `None` where the cost of a block is not known.
    pub(crate) prices: Option<Prices>,
    /// What its pools pay to hand work over.
    pub(crate) hand_overs: HandOvers,
    /// Threads that are born for a connection each.
    pub(crate) births: Births,
    /// Kernel CPU of all of its calls on locks, ns.
    pub(crate) locks: f64,
    /// Whether a loop waits for all of its IO and hands what is ready to a pool.
    pub(crate) fed: bool,
    /// Whether the target runs in a runtime whose prices are not known. Then the prices of machine
    /// code are an upper bound.
    pub(crate) bound: bool,
    /// This machine's price list; else the reason why there is none, where one is known.
    pub(crate) calibration: Result<&'a PriceList, Option<&'a str>>,
    /// CPU of the target without the hooks, ns.
    pub(crate) cpu: f64,
    /// CPU that the hooks added, ns.
    pub(crate) hooks: f64,
    /// The direct cost as a share of the CPU, with its interval.
    pub(crate) direct_interval: Option<Estimate>,
    /// Half the 90 % interval of the target's own CPU per switch, as a share.
    pub(crate) unsteady: f64,
    /// How the CPU per switch changed while the target was measured, where it did.
    pub(crate) drift: Option<Drift>,
    /// Whether the hooks filled CPUs that the target leaves free without them.
    pub(crate) filled: bool,
    /// Indirect cost of the blocks, where it is known.
    pub(crate) indirect: Option<Effect>,
    /// Whether the user-mode part of `indirect` was measured by hardware counters.
    pub(crate) by_counters: bool,
    /// How long was measured, in seconds.
    pub(crate) seconds: f64,
    /// CPUs that the target may use: of a quota, the last one in part.
    pub(crate) allowed_cpus: u32,
    /// CPUs that quotas leave to the target; `None` where there are none.
    pub(crate) quota: Option<f64>,
    /// Whether a quota kept it from running.
    pub(crate) held_back: bool,
}

impl Given<'_> {
    /// The ways that suit every target, whatever it blocks on.
    pub(super) fn offered(&self) -> Vec<Way> {
        self.offered_if(Way::suits_all)
    }

    /// The ways that suit a target whose loop feeds a pool.
    pub(super) fn offered_to_fed(&self) -> Vec<Way> {
        self.offered_if(Way::suits_fed)
    }

    fn offered_if(&self, suits: impl Fn(Way) -> bool) -> Vec<Way> {
        let all = self.calibration.map_or_else(|_| Way::in_language(Language::Native).collect(), PriceList::offered);
        all.into_iter().filter(|&way| suits(way)).collect()
    }
}
