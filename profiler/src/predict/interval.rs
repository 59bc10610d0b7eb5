//! Intervals of predictions, from the errors that predictions were found to have.
//!
//! The model states a standard error with each figure. Where the async form of a program was
//! measured too, it is known how many of these errors the prediction was off by. The interval is
//! the standard error times the number that nine of ten such predictions kept to: split-conformal
//! prediction on scaled residuals (Lei, G'Sell, Rinaldo, Tibshirani, Wasserman 2018). No program
//! counts for more than a fifth: the 90 % are meant for the next program, not for another load of
//! one that has many rows.

use super::{
    doubt::Doubt,
    kind::{Kind, Missed},
    missed::{KINDS, MACHINES, POOLED, SEEN},
    term::{Term, TermKind},
};
use crate::quantity::{Estimate, Z90};

/// The error that every prediction has, as a share of the target's CPU: two runs of one program
/// differ by as much.
const FLOOR: f64 = 0.01;
/// The error of each term, as a share of the term: a price that was found in one place is off in
/// another.
const TRANSFER: f64 = 0.1;

impl Kind {
    /// By how much predictions of this kind were off. A kind with too few rows of its own gets the
    /// figure over all kinds.
    pub fn missed(self) -> Missed {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or(POOLED, |(_, own)| *own)
    }

    /// Whether [`Kind::missed`] is a figure of this kind alone.
    pub fn has_its_own(self) -> bool {
        KINDS.iter().any(|(kind, _)| *kind == self)
    }

    /// Whether any program of this kind was measured in both forms.
    pub fn is_known(self) -> bool {
        SEEN.contains(&self)
    }
}

impl Missed {
    /// The machines that the errors were measured on.
    pub const fn machines() -> &'static [&'static str] {
        MACHINES
    }
}

/// One standard error as the model sees it, to both sides, in shares of the target's CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unsure {
    /// How much less may come back.
    pub less: f64,
    /// How much more may come back.
    pub more: f64,
}

impl Unsure {
    /// The error from three sources, all of them shares: `half` the 90 % interval of what scatters
    /// to both sides, the doubts, and the terms of the sum. A doubt counts as uniform between
    /// nothing and its full size, a choice as its full size.
    pub(super) fn new(half: f64, doubts: &[Doubt], terms: impl Iterator<Item = f64>) -> Self {
        let terms: f64 = terms.map(|share| (TRANSFER * share).powi(2)).sum();
        let both = FLOOR * FLOOR + (half / Z90).powi(2) + terms;
        let one = |of: fn(f64) -> bool| -> f64 {
            let square = |d: &Doubt| d.change * d.change / if d.assumption.is_a_choice() { 1.0 } else { 3.0 };
            (both + doubts.iter().filter(|d| of(d.change)).map(square).sum::<f64>()).sqrt()
        };
        Self { less: one(|change| change < 0.0), more: one(|change| change > 0.0) }
    }

    /// The error of a figure that is 0 and may lie `bound` to either side.
    pub(super) fn from_bound(bound: f64) -> Self {
        let both = FLOOR.hypot(bound);
        Self { less: both, more: both }
    }

    /// The 90 % interval around a figure of this kind. No more can come back than `most`.
    pub(super) fn around(self, value: f64, kind: Kind, most: f64) -> Estimate {
        let times = kind.missed().times;
        let high = (value + times * self.more).min(most.max(value));
        Estimate { low: value - times * self.less, value, high }
    }
}

/// The result of a sum of terms. All figures but the terms are shares of the target's CPU.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) saving: Estimate,
    pub(super) unsure: Unsure,
    pub(super) bounds: Estimate,
    pub(super) doubts: Vec<Doubt>,
    /// The sum itself, ns.
    pub(super) terms: Vec<Term>,
}

impl Found {
    /// The terms, the doubts and the target's `cpu` are in ns. `half` the 90 % interval of what
    /// scatters, and the `most` that can come back, are shares of `cpu`. The doubts come out
    /// sorted, the largest first.
    pub(super) fn new(kind: Kind, cpu: f64, terms: Vec<Term>, half: f64, doubts: Vec<Doubt>, most: f64) -> Self {
        let shares: Vec<f64> = terms.iter().map(|t| t.ns / cpu).collect();
        let mut doubts: Vec<Doubt> = doubts.into_iter().map(|d| Doubt { change: d.change / cpu, ..d }).collect();
        doubts.retain(|d| d.change != 0.0);
        doubts.sort_by(|a, b| b.change.abs().total_cmp(&a.change.abs()));
        let value = terms.iter().map(|t| t.ns).sum::<f64>() / cpu;
        let unsure = Unsure::new(half, &doubts, shares.iter().copied());
        // What a sleep of a runtime costs less than an event that is there is no term that saves.
        let gains = terms.iter().filter(|t| t.kind != TermKind::SleepsInRuntime).map(|t| (t.ns / cpu).max(0.0));
        let most = most.min(at_stake(kind, gains.sum(), half, &doubts));
        let (saving, bounds) = (unsure.around(value, kind, most), bounds(value, half, &doubts, most));
        Self { kind, saving, unsure, bounds, doubts, terms }
    }
}

/// The most that can come back, a share: the terms that save CPU, at the dearest prices that are
/// likely, and the doubts that may add to them. What comes in their place is left out.
fn at_stake(kind: Kind, goes: f64, half: f64, doubts: &[Doubt]) -> f64 {
    let dearer = 1.0 + kind.missed().times * TRANSFER;
    goes * dearer + changes(doubts, |change| change > 0.0) + half
}

/// The figure if all doubts came true at once, each at its full size.
fn bounds(value: f64, half: f64, doubts: &[Doubt], most: f64) -> Estimate {
    let high = value + changes(doubts, |change| change > 0.0) + half;
    Estimate { low: value + changes(doubts, |change| change < 0.0) - half, value, high: high.min(most.max(value)) }
}

/// The sum of the doubts whose sign `of` accepts.
fn changes(doubts: &[Doubt], of: fn(f64) -> bool) -> f64 {
    doubts.iter().map(|d| d.change).filter(|&change| of(change)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{
        doubt::Assumption,
        term::{TermBasis, TermKind},
    };

    #[test]
    fn a_doubt_widens_its_own_side() {
        let doubts = [Doubt { assumption: Assumption::ArrivalsDoNotFollow, change: -0.3 }];
        let unsure = Unsure::new(0.0, &doubts, std::iter::empty());
        assert!((unsure.more - FLOOR).abs() < 1e-12);
        assert!((unsure.less - (FLOOR * FLOOR + 0.03_f64).sqrt()).abs() < 1e-12, "{unsure:?}");
        let choice = [Doubt { assumption: Assumption::RuntimeTakesIt, change: -0.3 }];
        let unsure = Unsure::new(0.0, &choice, std::iter::empty());
        assert!((unsure.less - FLOOR.hypot(0.3)).abs() < 1e-12, "{unsure:?}");
    }

    #[test]
    fn an_interval_is_as_wide_as_predictions_of_its_kind_were_off() {
        let unsure = Unsure { less: 0.02, more: 0.04 };
        let found = unsure.around(0.5, Kind::Sockets, 1.0);
        let times = Kind::Sockets.missed().times;
        assert!((found.low - (0.5 - 0.02 * times)).abs() < 1e-12 && (found.high - (0.5 + 0.04 * times)).abs() < 1e-12);
        assert_eq!(unsure.around(0.5, Kind::Sockets, 0.51).high, 0.51);
        assert_eq!(unsure.around(0.5, Kind::Sockets, 0.4).high, 0.5, "the figure stands");
    }

    #[test]
    fn no_more_comes_back_than_is_spent_on_what_goes() {
        let term = |ns| Term::gain(TermKind::BlocksGo, 1.0, ns, TermBasis::InPlace);
        let found = |doubts| Found::new(Kind::Files, 1_000.0, vec![term(4.0), term(-3.0)], 0.0, doubts, 1.0).saving;
        let times = Kind::Files.missed().times;
        let saving = found(Vec::new());
        assert!((saving.value - 0.001).abs() < 1e-9 && (saving.high - 0.004 * (1.0 + times * TRANSFER)).abs() < 1e-9);
        assert!(
            (saving.low - (0.001 - times * FLOOR)).abs() < 1e-4,
            "it may cost more, for all that is known: {saving:?}"
        );
        let doubt = Doubt { assumption: Assumption::CodeRunsCold, change: 100.0 };
        assert!(found(vec![doubt]).high > 0.1);
    }

    #[test]
    fn every_kind_that_has_a_figure_of_its_own_has_rows() {
        for (kind, own) in KINDS {
            assert!(kind.is_known() && own.rows >= 20 && own.programs >= 5, "{kind:?} {own:?}");
        }
    }
}
