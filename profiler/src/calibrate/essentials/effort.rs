//! How much time and how many repeats the essentials take. A quiet machine gets what was planned;
//! on a busy one the time is limited.

use std::time::{Duration, Instant};

use crate::{
    calibrate::{error::CalibrateError, result::Missing, rig::clock},
    quantity::Nanos,
};

/// How thoroughly the essentials are measured. The small differences between ways of waiting are
/// what takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::calibrate) enum Effort {
    /// In under 2 s.
    Quick,
    /// As part of a whole calibration.
    Thorough,
}

impl Effort {
    /// How many times as often as in the quickest calibration scattering figures are repeated.
    pub(in crate::calibrate) fn times(self) -> u32 {
        match self {
            Self::Quick => 1,
            Self::Thorough => 8,
        }
    }
}

/// How often something is repeated: by number, and by wall time in ns, because among hundreds of
/// runnable threads a millisecond of work takes a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// At least so many repeats, ...
    pub(super) least: usize,
    /// ... and more until so much time is over, ...
    pub(super) length: u64,
    /// ... but at most so many.
    pub(super) most: usize,
    /// Once so much time is over, ...
    pub(super) longest: u64,
    /// ... so many repeats are enough.
    pub(super) fewest: usize,
}

impl Schedule {
    /// The schedule at a higher effort: longer, and with more repeats.
    pub(super) fn at(self, effort: Effort) -> Self {
        let times = effort.times();
        Self {
            length: self.length * u64::from(times),
            most: self.most * times as usize,
            longest: self.longest * u64::from(times),
            ..self
        }
    }

    /// Begins, and yields the numbers of the repeats, from 0.
    pub(super) fn begin(self) -> impl Iterator<Item = usize> {
        let begun = clock::wall();
        (0..).take_while(move |&done| self.go_on(done, clock::wall() - begun))
    }

    /// Begins, and yields the numbers of the repeats from 1, after a repeat 0 that warms up.
    pub(super) fn begin_warm(self) -> impl Iterator<Item = usize> {
        let begun = clock::wall();
        (0..).take_while(move |&repeat| repeat == 0 || self.go_on(repeat - 1, clock::wall() - begun))
    }

    /// Whether there is another repeat, after `done` of them and so much time.
    fn go_on(self, done: usize, elapsed: u64) -> bool {
        done < self.most
            && (done < self.least || elapsed <= self.length)
            && (done < self.fewest || elapsed <= self.longest)
    }
}

/// The time that the essentials may take.
pub(super) struct Time {
    begun: Instant,
    within: Duration,
}

impl Time {
    /// Starts to count the time that there is.
    pub(super) fn new(within: Duration) -> Self {
        Self { begun: Instant::now(), within }
    }

    /// Measures a part that predictions can do without. Once the time is over, the part is missing,
    /// with that reason.
    pub(super) fn spend<T>(
        &self,
        what: &str,
        missing: &mut Vec<Missing>,
        part: impl FnOnce(&mut Vec<Missing>) -> Result<Vec<T>, CalibrateError>,
    ) -> Result<Vec<T>, CalibrateError> {
        if self.begun.elapsed() > self.within {
            let why =
                format!("{} were over before it began: other programs keep the CPUs busy", Nanos::from(self.within));
            missing.push(Missing { what: what.into(), why });
            return Ok(Vec::new());
        }
        let found = part(missing);
        self.log(what);
        found
    }

    pub(super) fn log(&self, what: &str) {
        log::info!("calibrated {what}, {} after the start", Nanos::from(self.begun.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_end_by_number_by_time_and_early_where_each_takes_long() {
        let plan = Schedule { least: 9, length: 650, most: 61, longest: 8_000, fewest: 3 };
        let times = |each: u64| (0..).take_while(|&done| plan.go_on(done, each * done as u64)).count();
        // In this order: all of them, until the time is over, the least, until far too much time is
        // over, what is enough.
        assert_eq!([1, 20, 100, 1_000, 10_000].map(times), [61, 33, 9, 9, 3]);
        assert!(plan.at(Effort::Thorough).go_on(61, 650));
    }

    #[test]
    fn a_part_that_comes_too_late_is_missing_and_says_why() {
        let mut missing = Vec::new();
        let spend = |within, missing: &mut Vec<Missing>| {
            let begun = Instant::now() - Duration::from_secs(10);
            Time { begun, within }.spend("blocks", missing, |_| Ok(vec![1])).unwrap()
        };
        assert_eq!(spend(Duration::MAX, &mut missing), [1]);
        assert!(missing.is_empty());
        assert!(spend(Duration::from_secs(9), &mut missing).is_empty());
        assert_eq!(missing[0].what, "blocks");
        assert!(missing[0].why.starts_with("9.00 s were over before it began"), "{}", missing[0].why);
    }
}
