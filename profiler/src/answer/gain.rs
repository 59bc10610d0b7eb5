//! What would come back, and whether that decides.

use crate::{
    aggregate::Role,
    event::BlockClass,
    machine::Way,
    predict::{Assumption, Doubt, Scenario},
    quantity::Estimate,
};

/// The share of the target's CPU from which a rewrite is worth it, unless the user gives another.
pub const WORTH: f64 = 0.05;

/// What an answer comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It would be worth it.
    Yes,
    /// It would not be worth it.
    No,
    /// The interval holds both.
    Perhaps,
    /// There is no figure that could decide.
    Abstains,
}

impl Decision {
    /// What a saving decides, where a share of `worth` would be worth a rewrite.
    pub fn from_saving(saving: Estimate, worth: f64) -> Self {
        if saving.low > 0.0 && saving.value >= worth {
            Self::Yes
        } else if saving.high < worth {
            Self::No
        } else {
            Self::Perhaps
        }
    }
}

/// The threads that block, by their role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blockers {
    pub role: Role,
    pub threads: u64,
    /// What most of the blocks are on; `None` where none blocks, and they are handed their work.
    pub class: Option<BlockClass>,
}

/// What would come back in one way of waiting, with what is said beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    pub way: Way,
    /// The share of the target's CPU.
    pub saving: Estimate,
    /// From what share on it would be worth it.
    pub worth: f64,
    /// CPUs that the target keeps busy.
    pub busy: f64,
    /// Sleeps that remain, per block that there is now.
    pub sleeps_per_block: f64,
    /// Which threads block today; `None` where no role is known.
    pub blockers: Option<Blockers>,
    /// A way of `io_uring` with its saving, where that is clearly more.
    pub completion: Option<(Way, Estimate)>,
    /// A way that would take more than threads do, and how much more as a share of the CPU.
    pub worse: Option<(Way, f64)>,
    /// The assumption that would turn the answer, and the share that there would be then.
    pub turned: Option<(Assumption, f64)>,
    /// Whether any program of its kind was measured in both forms.
    pub is_known: bool,
}

impl Gain {
    pub(super) fn new(scenario: &Scenario, worth: f64, busy: f64) -> Self {
        Self {
            way: scenario.way,
            saving: scenario.saving,
            worth,
            busy,
            sleeps_per_block: scenario.sleeps_per_block,
            blockers: None,
            completion: None,
            worse: None,
            turned: turned(&scenario.doubts, scenario.saving.value, worth),
            is_known: scenario.kind.is_known(),
        }
    }

    /// Whether it would be worth it, by the interval of the saving.
    pub fn decision(&self) -> Decision {
        Decision::from_saving(self.saving, self.worth)
    }
}

/// The largest doubt that would bring a figure across the threshold.
fn turned(doubts: &[Doubt], value: f64, worth: f64) -> Option<(Assumption, f64)> {
    let crosses = |d: &&Doubt| (value >= worth) != (value + d.change >= worth);
    doubts.iter().find(crosses).map(|d| (d.assumption, value + d.change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(low: f64, value: f64, high: f64) -> Decision {
        Decision::from_saving(Estimate { low, value, high }, WORTH)
    }

    #[test]
    fn an_interval_decides_where_all_of_it_does() {
        assert_eq!(decision(0.01, 0.06, 0.2), Decision::Yes);
        assert_eq!(decision(-0.2, -0.1, 0.04), Decision::No);
        assert_eq!(decision(-0.01, 0.2, 0.4), Decision::Perhaps);
        assert_eq!(decision(0.01, 0.04, 0.09), Decision::Perhaps, "above zero, and too little");
        assert_eq!(decision(0.01, 0.02, 0.04), Decision::No);
    }

    #[test]
    fn what_crosses_the_threshold_would_turn_the_answer() {
        let doubt = |assumption, change| Doubt { assumption, change };
        let doubts = [doubt(Assumption::CodeRunsCold, 0.3), doubt(Assumption::ArrivalsDoNotFollow, -0.15)];
        assert_eq!(turned(&doubts, 0.15, WORTH), Some((Assumption::ArrivalsDoNotFollow, 0.0)));
        assert_eq!(turned(&doubts, 0.01, WORTH).map(|(what, _)| what), Some(Assumption::CodeRunsCold));
        assert_eq!(turned(&doubts, 0.4, WORTH), None);
    }
}
