//! Indirect cost: what runs slower after a block because caches, TLB and branch predictors went
//! cold.
//!
//! With a PMU it is measured by instructions and cycles after each return (see [`super::ipc`]).
//! Without one, two kinds of windows show it. *User windows*: the user-mode CPU from a syscall's
//! return to the next call, at the same return site, after calls that blocked against calls that
//! did not. *Kernel windows*: the kernel CPU of a call that did not block, right after one that did
//! against any other, at the same site. Both compare like with like only as far as the program does
//! the same thing in both cases, which nobody can promise: the figure is modelled.

use super::{
    direct::{MIN_CALLS, RARE},
    effect::Effect,
    ipc,
    note::Note,
};
use crate::{
    event::{BlockClass, Family, SiteRecord, Stat},
    quantity::{Estimate, Figure, Uncertain},
};

/// Both windows, and the counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Indirect {
    /// In user mode, by hardware counters: takes the place of `user` where there are counters.
    pub counted: Figure<Effect, ipc::Note>,
    /// In user mode, by windows of time.
    pub user: Figure<Effect, Note>,
    /// In the kernel, by windows of time.
    pub kernel: Figure<Effect, Note>,
}

/// A window that is longer than the median by more than this many powers of two was hit by an
/// interrupt, a fault or a hypervisor.
const OUTLIER: usize = 3;

/// Mean duration, ns, without the outliers that the histogram shows.
fn robust(stat: &Stat) -> Option<Uncertain> {
    if stat.count < MIN_CALLS {
        return None;
    }
    let mut seen = 0u64;
    let median = stat.buckets.iter().position(|&n| {
        seen += u64::from(n);
        2 * seen >= stat.count
    })?;
    let kept = |i: usize| i <= median + OUTLIER;
    // A bucket's middle stands for what is in it.
    let middle = |i: usize| 1.5 * 2f64.powi(i as i32);
    let outliers: f64 =
        stat.buckets.iter().enumerate().filter(|&(i, _)| !kept(i)).map(|(i, &n)| f64::from(n) * middle(i)).sum();
    let within: Vec<(f64, f64)> = stat
        .buckets
        .iter()
        .enumerate()
        .filter(|&(i, &n)| kept(i) && n > 0)
        .map(|(i, &n)| (middle(i), f64::from(n)))
        .collect();
    let count: f64 = within.iter().map(|(_, n)| n).sum();
    let mean = (stat.sum as f64 - outliers).max(0.0) / count;
    let coarse = within.iter().map(|(x, n)| x * n).sum::<f64>() / count;
    let variance = within.iter().map(|(x, n)| (x - coarse).powi(2) * n).sum::<f64>() / count;
    // A bucket's middle may be off by a third: that is in the interval.
    let unsure = outliers / 3.0 / count;
    Some(Uncertain { value: mean, variance: variance / count + unsure * unsure })
}

/// One comparison per site and size: (after a block, after none, blocks that the difference stands
/// for).
fn effect<'a>(pairs: impl Iterator<Item = (&'a Stat, &'a Stat)>, why_not: Note) -> Figure<Effect, Note> {
    let (mut all, mut matched) = (Uncertain::ZERO, 0u64);
    for (after, none) in pairs {
        // If a call hardly ever comes without a block before it, such a call does other work.
        let usual = none.count as f64 >= RARE * after.count as f64;
        if let (true, Some(cold), Some(warm)) = (usual, robust(after), robust(none)) {
            all = all.plus(cold.less(warm).scaled(after.count as f64));
            matched += after.count;
        }
    }
    if matched == 0 {
        return Figure::unavailable(why_not);
    }
    let effect = Effect { per_block: all.value / matched as f64, total: all.by_normal(), matched };
    Figure::modelled(effect, Note::SameSiteAndSize)
}

impl Indirect {
    pub(crate) fn new(sites: &[SiteRecord], counted: Figure<Effect, ipc::Note>) -> Self {
        let io = |s: &&SiteRecord| s.place.class.family() == Family::BlockingIo && s.place.class != BlockClass::BadFd;
        Self {
            counted,
            user: effect(
                sites.iter().filter(io).flat_map(|s| &s.sizes).map(|w| (&w.user_blocked, &w.user_direct)),
                Note::NoUserWindows,
            ),
            kernel: effect(
                sites.iter().flat_map(|s| &s.sizes).map(|w| (&w.cpu_cold, &w.cpu_warm)),
                Note::NoKernelWindows,
            ),
        }
    }

    /// The user part: by hardware counters where there are any, else by windows of time.
    pub fn in_user_mode(&self) -> Figure<Effect, Note> {
        let counted = || self.counted.clone().map_note(Note::Counters);
        if self.counted.value().is_some() { counted() } else { self.user.clone() }
    }

    /// User and kernel part together, ns, where at least one of them is known.
    pub fn total(&self) -> Figure<Effect, Note> {
        let of_user = self.in_user_mode();
        match (of_user.value(), self.kernel.value()) {
            (None, None) | (Some(_), None) => of_user,
            (user, kernel) => {
                let parts: Vec<&Effect> = user.into_iter().chain(kernel).collect();
                let value: f64 = parts.iter().map(|e| e.total.value).sum();
                let half = parts.iter().map(|e| e.total.half_width().powi(2)).sum::<f64>().sqrt();
                let matched = parts.iter().map(|e| e.matched).max().unwrap_or(0);
                let total = Estimate::with_half_width(value, half);
                let per_block = parts.iter().map(|e| e.per_block).sum();
                let counted = self.counted.value().and(self.counted.note());
                let note = counted.map_or(Note::SameSiteAndSize, |note| Note::CountersAndTime(note.clone()));
                Figure::modelled(Effect { per_block, total, matched }, note)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Place, Site},
        quantity::{Addr, Tgid},
    };

    fn stat(values: impl Iterator<Item = u64>) -> Stat {
        let mut stat = Stat::ZERO;
        values.for_each(|v| stat.add(v));
        stat
    }

    fn site(after: Stat, none: Stat) -> SiteRecord {
        of_size(1, after, none)
    }

    fn of_size(size: u64, after: Stat, none: Stat) -> SiteRecord {
        let place = Place { syscall: "read".into(), class: BlockClass::Tcp, ip: Addr::from_raw(1), space: 1 };
        let site = Site { user_after_blocked: after, user_after_direct: none, ..Site::ZERO };
        SiteRecord::with_one_size(place, (Tgid::from_raw(1), None), size, site)
    }

    fn by_time(sites: &[SiteRecord]) -> Indirect {
        Indirect::new(sites, Figure::unavailable(ipc::Note::NoCounters))
    }

    #[test]
    fn what_counters_tell_stands_for_what_time_suggests() {
        let noisy = |mean: u64| (0..1_000u64).map(move |i| mean + i * 37 % 200);
        let sites = [site(stat(noisy(10_300)), stat(noisy(10_000)))];
        let effect = Effect { per_block: 90.0, total: Estimate::with_half_width(9e4, 1e4), matched: 1_000 };
        let counted = Figure::measured(effect);
        let indirect = Indirect::new(&sites, counted.clone());
        assert_eq!(indirect.total().value(), counted.value());
        assert_eq!(indirect.user.value().unwrap().per_block, 300.0);
        assert_eq!(by_time(&sites).total().value().unwrap().per_block, 300.0);
    }

    #[test]
    fn a_known_slowdown_is_found_inside_its_interval() {
        let noisy = |mean: u64| (0..1_000u64).map(move |i| mean + i * 37 % 200);
        let indirect = by_time(&[site(stat(noisy(10_300)), stat(noisy(10_000)))]);
        let effect = indirect.user.value().unwrap();
        assert_eq!(effect.per_block, 300.0);
        assert!(
            0.0 < effect.total.low && effect.total.low <= effect.total.value && effect.total.value <= effect.total.high
        );
        assert_eq!(indirect.kernel.value(), None);

        // A hypervisor hit two windows: there is no clear figure any more, and the interval says
        // so.
        let spoiled = noisy(10_300).chain([50_000_000, 20_000_000]);
        let indirect = by_time(&[site(stat(spoiled), stat(noisy(10_000)))]);
        let effect = indirect.user.value().unwrap();
        let truth = 300.0 * effect.matched as f64;
        assert!(effect.total.low <= truth && truth <= effect.total.high, "{effect:?}");
        assert!(effect.total.low < 0.0);
    }

    #[test]
    fn calls_of_one_size_are_compared_with_each_other() {
        let noisy = |mean: u64, n: u64| (0..n).map(move |i| mean + i * 37 % 200);
        // Calls that block are mostly large, the others mostly small. Taken together, that would
        // look like a slowdown.
        let mut mixed = of_size(1, stat(noisy(2_100, 100)), stat(noisy(2_000, 1_000)));
        mixed.merge(&of_size(6, stat(noisy(50_100, 1_000)), stat(noisy(50_000, 500))));
        assert_eq!(by_time(&[mixed]).user.value().unwrap().per_block, 100.0);
    }

    #[test]
    fn without_windows_of_both_kinds_there_is_no_figure() {
        let indirect = by_time(&[site(stat(std::iter::repeat_n(10, 500)), stat(std::iter::repeat_n(10, 5)))]);
        assert_eq!(indirect.total().value(), None);
    }
}
