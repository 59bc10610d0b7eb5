//! Quotas of CPU that cgroups have, in words.

use super::in_words::InWords;
use crate::{
    answer::Quota,
    text::numbers::{count, decimal, percent},
};

/// What a quota's part of the run-queue delay is.
pub const RUN_DELAY_OF_QUOTA: &str =
    "run-queue delay holds the time in which its cgroup's quota held it back, however idle the CPUs were";

/// CPUs that a quota leaves.
pub(super) fn of_a_quota(cpus: f64) -> String {
    format!("{} CPUs by its cgroup's quota", decimal(cpus, 2))
}

/// How many CPUs it may use, and how long that kept it from running.
impl InWords for Quota {
    fn in_words(&self) -> String {
        let cpus = |cpus: Option<f64>| cpus.map_or_else(|| "any number of".to_owned(), |cpus| decimal(cpus, 2));
        let before = match self.cpus_at_start {
            before if before == self.cpus => String::new(),
            before => format!(" ({} when the measurement began)", cpus(before)),
        };
        let may = format!("its cgroup {} may use {} CPUs{before}", self.group, cpus(self.cpus));
        if !self.held_back() {
            return format!("{may}; it was not held back");
        }
        let periods =
            format!("its quota was used up in {} of {} periods", count(self.throttled_periods), count(self.periods));
        // On several CPUs at once the times add up to more than there was.
        if self.throttled > self.over {
            return format!(
                "{may}; it was held back for {} in {}, its CPUs added up ({periods})",
                self.throttled, self.over
            );
        }
        let share = percent(self.throttled.ratio_to(self.over));
        format!("{may}; it was held back for {share} of the time ({}; {periods})", self.throttled)
    }
}
