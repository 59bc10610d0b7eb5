//! Stacks in words: why there are none, how many were taken, and how good they are.

use crate::{
    answer::{Profile, StackQuality, Weight},
    text::numbers::{count, ratio},
};

/// Why there is no stack at all.
pub const NO_STACK: &str = "no stack was taken: nothing blocked, and nothing ran";
/// Why a site has no stack.
pub const NO_STACK_HERE: &str = "no stack was taken at this site";
/// Why stacks were taken and not kept.
pub const STACKS_BROKE_OFF: &str = "the profiler's thread that unwinds stacks ended too early";
/// Why no stacks were taken although they were asked for.
pub const NO_ROOM_FOR_STACKS: &str = "no stacks are taken: there is memory for the measurement, but not for stacks";
/// Stands in a stack for the outer frames that could not be reached.
pub const OUTER_MISSING: &str = "[outer frames missing]";
/// What stacks are.
pub const STACKS: &str = "samples that share out the ledger's figures exactly";

impl Profile {
    /// Why no stack has a part of a figure; `None` where some has.
    pub fn no_stacks(&self, weight: Weight) -> Option<String> {
        match &self.unavailable {
            Some(why) => Some(why.clone()),
            None if self.stacks.is_empty() => Some(NO_STACK.to_owned()),
            None if self.total(weight) == 0 => {
                Some(format!("no stack has a part of “{}”: choose another weight", weight.title()))
            }
            None => None,
        }
    }
}

impl StackQuality {
    /// How many were taken.
    pub fn taken(&self) -> String {
        format!("{} at blocks, {} by the CPU clock", count(self.samples), count(self.clock_samples))
    }

    /// How many have the names that one looks for.
    pub fn names(&self) -> String {
        format!(
            "of those at blocks {} have a named innermost application frame, and {} their waker's stack",
            ratio(self.named, self.samples),
            ratio(self.with_waker, self.samples)
        )
    }

    /// How many are not whole.
    pub fn ends(&self) -> String {
        format!(
            "{} truncated ({} of {}): their outer end was not reached",
            count(self.truncated()),
            ratio(self.truncated(), self.all()),
            count(self.all())
        )
    }
}
