//! Who woke the target's threads, and whom they woke, in words.

use super::{in_words::provenance, missing::NO_WAKE_UP};
use crate::{
    answer::Wakeups,
    text::numbers::{NA, count, percent, span},
};

impl Wakeups {
    /// The wake-ups that its calls caused, where there were any.
    pub fn caused(&self) -> Option<String> {
        let any = self.others > 0 || self.same_process > 0;
        any.then(|| {
            let cost = self.cost.value().map_or_else(String::new, |&ns| format!("{} ", span(ns)));
            format!(
                "caused by its calls: {} of other processes, {} of its own threads; each costs the waker {cost}({})",
                count(self.others),
                count(self.same_process),
                provenance(&self.cost)
            )
        })
    }

    /// The wake-ups that its threads received.
    pub fn received(&self) -> String {
        let all = self.same_process + self.other_process + self.kernel;
        let share = |n: u64| percent(n as f64 / all as f64);
        if all == 0 {
            return format!("{NA}: {NO_WAKE_UP}");
        }
        format!(
            "received: {} wake-ups, {} by the same process, {} by another process, {} by an interrupt or the kernel",
            count(all),
            share(self.same_process),
            share(self.other_process),
            share(self.kernel)
        )
    }

    /// At how many of them the target was idle.
    pub fn among(&self) -> Option<String> {
        let alone = self.alone()?;
        Some(format!("at {} of them no other thread of the target was running or runnable", percent(alone)))
    }

    /// Each bucket of [`Wakeups::concurrency`] that is not empty, with its share.
    pub fn busy(&self) -> Vec<String> {
        let seen: u64 = self.concurrency.iter().sum();
        let named = |(i, &n): (usize, &u64)| {
            format!("{}: {}", bucket(i, self.concurrency.len()), percent(n as f64 / seen as f64))
        };
        self.concurrency.iter().enumerate().filter(|(_, n)| **n > 0).map(named).collect()
    }
}

/// 0 to 7 exactly, then powers of two, the last one open.
fn bucket(i: usize, buckets: usize) -> String {
    if i < 8 {
        return i.to_string();
    }
    let low = 1u64 << (i - 5).min(62);
    if i + 1 == buckets { format!("{low}+") } else { format!("{low}–{}", 2 * low - 1) }
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_are_named_as_the_programs_fill_them() {
        let names: Vec<String> = (6..11).chain([15]).map(|i| bucket(i, 16)).collect();
        assert_eq!(names, ["6", "7", "8–15", "16–31", "32–63", "1024+"]);
    }
}
