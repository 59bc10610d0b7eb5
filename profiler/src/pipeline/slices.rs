//! What the sites had counted from time to time: the score's interval is made of how that changed.
//! However long a measurement lasts, and however many sites there are, so many are kept.

use std::sync::Arc;

use crate::{
    answer::Slice,
    event::{Family, SiteRecord},
    quantity::Nanos,
};

/// The most slices that are kept, of 250 ms each at first: beyond it every second one is dropped,
/// and those to come last twice as long. What they had counted is in the next one.
const MOST: usize = 1_200;
/// The most sites of all slices together, of about 100 bytes each: beyond it, likewise.
const MOST_SITES: usize = 250_000;
/// So many are kept whatever they hold: fewer would say nothing.
const FEWEST: usize = 8;

/// The slices so far.
#[derive(Default)]
pub(super) struct Slices {
    kept: Vec<Arc<Slice>>,
    /// Sites of all of them.
    sites: usize,
    /// One in two to this power is kept.
    thinned: u32,
    /// How many have come.
    come: u64,
}

impl Slices {
    /// Adds what the sites have counted by now, if it is one that is kept. `cpu`: that of the
    /// target's processes by now.
    pub(super) fn add(&mut self, cpu: Nanos, sites: &[SiteRecord]) {
        self.come += 1;
        if !self.come.is_multiple_of(1 << self.thinned.min(63)) {
            return;
        }
        // The score is about blocking IO.
        let counts = |s: &&SiteRecord| s.site.blocked_calls > 0 && s.place.class.family() == Family::BlockingIo;
        let blocked = sites.iter().filter(counts).map(|s| {
            let blocked = s.site.cpu_blocked();
            (s.place.clone(), blocked.count, Nanos::from_nanos(blocked.sum))
        });
        self.push(Slice { cpu, blocked: blocked.collect() });
    }

    fn push(&mut self, slice: Slice) {
        self.sites += slice.blocked.len();
        self.kept.push(Arc::new(slice));
        while self.kept.len() > MOST || self.sites > MOST_SITES && self.kept.len() >= 2 * FEWEST {
            self.thinned += 1;
            let mut nth = 0;
            self.kept.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
            self.sites = self.kept.iter().map(|slice| slice.blocked.len()).sum();
        }
    }

    /// Those that are kept.
    pub(super) fn kept(&self) -> Vec<Arc<Slice>> {
        self.kept.clone()
    }
}

/// The slices from that on which was the newest when the target's processes had used so much CPU.
pub(super) fn since(slices: &[Arc<Slice>], cpu: Nanos) -> Vec<Arc<Slice>> {
    let later = slices.partition_point(|slice| slice.cpu <= cpu);
    slices.get(later.saturating_sub(1)..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{BlockClass, Place},
        quantity::Addr,
    };

    fn slice(ms: u64, sites: u64) -> Slice {
        let place = |ip| Place { syscall: "read".into(), class: BlockClass::Tcp, ip: Addr::from_raw(ip), space: 0 };
        Slice {
            cpu: Nanos::from_millis(ms),
            blocked: (0..sites).map(|i| (place(i), ms, Nanos::from_millis(ms))).collect(),
        }
    }

    /// However long it lasts, what is kept is spread evenly over all of it.
    #[test]
    fn a_long_measurement_keeps_as_many_as_a_short_one() {
        let mut slices = Slices::default();
        let mut most = 0;
        for ms in 1..=40_000 {
            slices.come += 1;
            if slices.come.is_multiple_of(1 << slices.thinned) {
                slices.push(slice(ms, 1));
            }
            most = most.max(slices.kept.len());
        }
        assert_eq!(most, MOST);
        let at: Vec<u64> = slices.kept.iter().map(|slice| slice.cpu.as_nanos() / 1_000_000).collect();
        let steps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|&step| step == 64), "{steps:?}");
        assert!(at.len() > MOST / 2 - 1 && at[at.len() - 1] > 40_000 - 64);
    }

    #[test]
    fn many_sites_make_fewer_slices_but_never_too_few() {
        let mut slices = Slices::default();
        (0..40).for_each(|ms| slices.push(slice(ms, 50_000)));
        assert!((FEWEST..2 * FEWEST).contains(&slices.kept.len()), "{}", slices.kept.len());
        let mut few = Slices::default();
        (0..40).for_each(|ms| few.push(slice(ms, 2_000)));
        assert_eq!(few.kept.len(), 40);
    }

    #[test]
    fn after_a_reset_the_newest_slice_is_the_first() {
        let slices: Vec<Arc<Slice>> = [1, 2, 2, 5].map(|ms| Arc::new(slice(ms, 0))).into();
        let left = |ms| since(&slices, Nanos::from_millis(ms)).len();
        assert_eq!([left(0), left(1), left(2), left(4), left(5), left(9)], [4, 4, 2, 2, 1, 1]);
        assert_eq!(since(&[], Nanos::ZERO), []);
    }
}
