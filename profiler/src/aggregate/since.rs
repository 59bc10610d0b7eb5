//! What happened between two snapshots of one measurement: the later one less the earlier.
//!
//! A snapshot reads counters while the programs go on counting. Each counter is whole, but they are
//! not all of one moment: a difference that would be negative by an event is zero.

use std::collections::{HashMap, HashSet};

use super::{
    quality::Quality,
    totals::{OpenEnd, ThreadTotals, accounted},
    window::Window,
};
use crate::event::{DeviceRecord, Place, ProgramRecord, SampleCounts, Side, Site, SiteRecord, Sums};
use crate::quantity::{Nanos, Tgid, Tid};

/// Takes one histogram from another.
fn less(from: &mut [u32], earlier: &[u32]) {
    for (from, earlier) in from.iter_mut().zip(earlier) {
        *from = from.saturating_sub(*earlier);
    }
}

fn sums(mut later: Sums, earlier: &Sums) -> Sums {
    later.reduce(earlier);
    later
}

/// Makes of what a thread was what it did until `later`.
fn reduce(thread: &mut ThreadTotals, later: &ThreadTotals) {
    // What was booked to one place as far as it was known then, and is booked to another one by
    // now, was told before.
    let grown = told(later).saturating_sub(told(thread));
    let earlier = thread;
    *earlier = ThreadTotals {
        wall: later.wall.saturating_sub(earlier.wall),
        sums: sums(later.sums, &earlier.sums),
        cpu_unknown: later.cpu_unknown.saturating_sub(earlier.cpu_unknown),
        unknown: later.unknown.saturating_sub(earlier.unknown),
        excess: later.excess.saturating_sub(earlier.excess),
        asleep_at_start: matches!(earlier.open_end, OpenEnd::Blocked(_)),
        born_inside: false,
        ..later.clone()
    };
    cut_to(earlier, grown);
}

/// The parts of a thread's wall time together, ns.
fn told(thread: &ThreadTotals) -> u64 {
    accounted(&thread.sums) + thread.cpu_unknown.as_nanos() + thread.unknown.as_nanos()
}

/// Takes what is too much out of a thread's time: of each part its share.
fn cut_to(thread: &mut ThreadTotals, most: u64) {
    let whole = told(thread);
    if whole <= most {
        return;
    }
    let cut = |ns: &mut u64| *ns = (u128::from(*ns) * u128::from(most) / u128::from(whole)) as u64;
    let sums = &mut thread.sums;
    [&mut sums.user, &mut sums.kernel, &mut sums.preempted, &mut sums.born_delay].into_iter().for_each(cut);
    sums.classes.iter_mut().flat_map(|class| [&mut class.blocked, &mut class.run_delay]).for_each(cut);
    for part in [&mut thread.cpu_unknown, &mut thread.unknown] {
        let mut ns = part.as_nanos();
        cut(&mut ns);
        *part = Nanos::from_nanos(ns);
    }
}

fn site(later: &Site, earlier: &Site) -> Site {
    let mut site = *later;
    site.reduce(earlier);
    site
}

fn side(later: &Side, earlier: &Side) -> Side {
    let mut side = later.clone();
    side.requests = side.requests.saturating_sub(earlier.requests);
    side.reads = side.reads.saturating_sub(earlier.reads);
    side.bytes = side.bytes.saturating_sub(earlier.bytes);
    side.queue_time = side.queue_time.saturating_sub(earlier.queue_time);
    side.service_time = side.service_time.saturating_sub(earlier.service_time);
    less(&mut side.queue, &earlier.queue);
    less(&mut side.service, &earlier.service);
    side
}

fn device(later: &DeviceRecord, earlier: &DeviceRecord) -> DeviceRecord {
    DeviceRecord {
        target: side(&later.target, &earlier.target),
        others: side(&later.others, &earlier.others),
        ..later.clone()
    }
}

fn samples(later: SampleCounts, earlier: SampleCounts) -> SampleCounts {
    SampleCounts {
        samples: later.samples.saturating_sub(earlier.samples),
        user: later.user.saturating_sub(earlier.user),
        schedule: later.schedule.saturating_sub(earlier.schedule),
        wake: later.wake.saturating_sub(earlier.wake),
        hooks: later.hooks.saturating_sub(earlier.hooks),
        unreadable: later.unreadable.saturating_sub(earlier.unreadable),
        late_cpus: later.late_cpus.saturating_sub(earlier.late_cpus),
    }
}

fn quality(later: &Quality, earlier: &Quality) -> Quality {
    let mut quality = later.clone();
    macro_rules! fields {
        ($($name:ident)*) => { $(quality.$name = later.$name.saturating_sub(earlier.$name);)* };
    }
    fields!(threads_lost calls_without_site threads_pooled requests_lost devices_lost runs_missed raced_wakes
        missed_switch_ins stream_lost samples_lost late_cpus stacks_lost stalls_lost open_at_start open_at_end silent forks execs exits);
    quality
}

fn program(later: &ProgramRecord, earlier: &ProgramRecord) -> ProgramRecord {
    ProgramRecord {
        name: later.name.clone(),
        runs: later.runs.saturating_sub(earlier.runs),
        time: later.time.saturating_sub(earlier.time),
        missed: later.missed.saturating_sub(earlier.missed),
    }
}

impl Window {
    /// What happened since an earlier snapshot of the same measurement. Threads that were gone by
    /// then, and sites without a call since, are left out.
    pub fn since(&self, mut earlier: Self) -> Self {
        let (threads, vanished) = self.threads_since(std::mem::take(&mut earlier.threads));
        let earlier = &earlier;
        let devices = self
            .devices
            .iter()
            .map(|d| {
                let known = earlier.devices.iter().find(|e| (e.major, e.minor) == (d.major, d.minor));
                known.map_or_else(|| d.clone(), |e| device(d, e))
            })
            .collect();
        let programs = self
            .programs
            .iter()
            .map(|p| {
                let known = earlier.programs.iter().find(|e| e.name == p.name);
                known.map_or_else(|| p.clone(), |e| program(p, e))
            })
            .collect();
        let mut pooled = sums(self.pooled, &earlier.pooled);
        // Their rows had a part of what the pool has of them.
        let mut left = self.quality.threads_pooled.saturating_sub(earlier.quality.threads_pooled);
        for sums in &vanished {
            if left > 0 && pooled.has(sums) {
                pooled.reduce(sums);
                left -= 1;
            }
        }
        let mut before = self.crowded_out(earlier);
        let mut quality = quality(&self.quality, &earlier.quality);
        quality.calls_without_site = quality.calls_without_site.saturating_sub(before.calls);
        before.merge(&earlier.overflow);
        let mut window = Self {
            start: earlier.end,
            end: self.end,
            measured: self.measured.saturating_sub(earlier.measured),
            threads,
            pooled,
            sites: self.sites_since(earlier),
            overflow: site(&self.overflow, &before),
            devices,
            spans: self.spans.iter().filter(|s| s.start >= earlier.end).cloned().collect(),
            samples: samples(self.samples, earlier.samples),
            ipc: self.ipc.as_ref().map(|now| earlier.ipc.as_ref().map_or_else(|| now.clone(), |e| now.since(e))),
            quality,
            programs,
        };
        window.sort();
        window
    }

    /// What each thread did since, and the sums until then of those that lived and have no row any
    /// more.
    fn threads_since(&self, earlier: Vec<ThreadTotals>) -> (Vec<ThreadTotals>, Vec<Sums>) {
        // What they become takes the place of what they were: ten thousand threads are 14 MB.
        let mut threads = earlier;
        let known: HashMap<(Tgid, Tid), usize> =
            threads.iter().enumerate().filter(|(_, t)| !t.dead).map(|(i, t)| ((t.tgid, t.tid), i)).collect();
        // A number may have had several threads. Few have it, so each is looked for among few: a
        // target that starts a thread for each request leaves tens of thousands behind.
        let mut gone: HashMap<(Tgid, Tid), Vec<usize>> = HashMap::new();
        for (i, thread) in threads.iter().enumerate().filter(|(_, t)| t.dead) {
            gone.entry((thread.tgid, thread.tid)).or_default().push(i);
        }
        let (mut reduced, mut new) = (vec![false; threads.len()], Vec::new());
        // The dead come first: of two with a number it was the one that is gone by now.
        for is_dead in [true, false] {
            for thread in self.threads.iter().filter(|t| t.dead == is_dead) {
                let who = (thread.tgid, thread.tid);
                if is_dead && gone.get(&who).is_some_and(|gone| gone.iter().any(|&i| threads[i] == *thread)) {
                    continue;
                }
                match known.get(&who) {
                    Some(&i) if !reduced[i] => {
                        reduce(&mut threads[i], thread);
                        reduced[i] = true;
                    }
                    _ => new.push(thread.clone()),
                }
            }
        }
        let gone = threads.iter().zip(&reduced).filter(|(thread, reduced)| !**reduced && !thread.dead);
        let vanished = gone.map(|(thread, _)| thread.sums).collect();
        let mut kept = reduced.into_iter();
        threads.retain(|_| kept.next().unwrap_or(false));
        threads.append(&mut new);
        (threads, vanished)
    }

    /// Sites of an earlier snapshot that there was no room for any more: with all that they had
    /// been they were added to what found no site.
    fn crowded_out(&self, earlier: &Self) -> Site {
        let mut sum = Site::default();
        if self.overflow.calls > earlier.overflow.calls {
            let kept: HashSet<&Place> = self.sites.iter().map(|site| &site.place).collect();
            let gone = earlier.sites.iter().filter(|site| !kept.contains(&site.place));
            gone.for_each(|gone| sum.merge(&gone.site));
        }
        sum
    }

    fn sites_since(&self, earlier: &Self) -> Vec<SiteRecord> {
        let places: HashMap<&Place, &SiteRecord> = earlier.sites.iter().map(|s| (&s.place, s)).collect();
        let since = self.sites.iter().map(|s| {
            let mut site = s.clone();
            places.get(&s.place).iter().for_each(|earlier| site.reduce(earlier));
            site
        });
        since.filter(|s| s.site.calls > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantity::Nanos;

    fn site(calls: u64, ns: u64) -> Site {
        let mut site = Site::ZERO;
        site.calls = calls;
        (0..calls).for_each(|i| site.blocked.add(ns + i));
        site
    }

    /// Of several threads that had one number, those that were gone before are left out, and no
    /// other.
    #[test]
    fn who_was_gone_before_is_left_out_whatever_its_number() {
        let thread = |tid: u32, calls: u64, dead: bool| {
            let mut sums = Sums::ZERO;
            sums.calls = calls;
            let thread = ThreadTotals::running(tid, 1, Nanos::from_millis(calls), sums);
            ThreadTotals { dead, ..thread }
        };
        let earlier = Window {
            threads: vec![thread(1, 5, true), thread(1, 6, true), thread(2, 7, true), thread(3, 8, false)],
            ..Window::default()
        };
        let mut later = earlier.clone();
        later.threads[3] = thread(3, 10, true);
        later.threads.extend([thread(1, 9, true), thread(2, 1, false)]);
        let mut found: Vec<(u32, u64)> =
            later.since(earlier).threads.iter().map(|t| (t.tid.as_raw(), t.sums.calls)).collect();
        found.sort_unstable();
        assert_eq!(found, [(1, 9), (2, 1), (3, 2)]);
    }

    /// A thread that was seen to run without an event, and whose first event said where: no CPU is
    /// told twice. So it is with a wait that was taken for another one.
    #[test]
    fn what_was_told_in_another_place_is_not_told_again() {
        let mut before = ThreadTotals::running(1, 1, Nanos::from_millis(10), Sums::ZERO);
        (before.cpu_unknown, before.unknown) = (Nanos::from_millis(10), Nanos::ZERO);
        let mut sums = Sums::ZERO;
        (sums.user, sums.kernel) = (12_000_000, 3_000_000);
        let after = ThreadTotals::running(1, 1, Nanos::from_millis(15), sums);
        let of = |threads: Vec<ThreadTotals>| Window { threads, ..Window::default() };
        let found = of(vec![after]).since(of(vec![before]));
        assert_eq!(found.threads[0].cpu(), Nanos::from_millis(5));

        let waiting = |classes: &[(usize, u64)]| {
            let mut sums = Sums::ZERO;
            classes.iter().for_each(|&(class, ms)| sums.classes[class].blocked = ms * 1_000_000);
            let wall = sums.classes.iter().map(|class| class.blocked).sum();
            ThreadTotals::running(1, 1, Nanos::from_nanos(wall), sums)
        };
        let found = of(vec![waiting(&[(2, 60), (3, 12)])]).since(of(vec![waiting(&[(1, 40), (3, 10)])]));
        let thread = &found.threads[0];
        assert_eq!(thread.blocked().as_nanos() / 1_000_000, 21);
        assert_eq!(thread.sums.classes[1].blocked, 0);

        // A wait that its limit ended is a time-out, and no CPU beside it is lost.
        let timeout = crate::event::BlockClass::Timeout as usize;
        let before = waiting(&[(3, 5_000)]);
        let mut after = waiting(&[(3, 3_000), (timeout, 7_000)]);
        after.sums.user = 2_000_000_000;
        let found = of(vec![after]).since(of(vec![before]));
        let thread = &found.threads[0];
        let ms = |ns: u64| ns / 1_000_000;
        assert_eq!((ms(thread.sums.classes[timeout].blocked), ms(thread.sums.user)), (5_000, 2_000));
    }

    /// A thread that lived, and ended among those whose rows found no room: what it did before is
    /// not in the pool's growth.
    #[test]
    fn who_ends_in_the_pool_is_not_counted_twice() {
        let mut sums = Sums::ZERO;
        (sums.calls, sums.user) = (50, 50);
        let mut earlier =
            Window { threads: vec![ThreadTotals::running(1, 1, Nanos::from_millis(1), sums)], ..Window::default() };
        earlier.pooled.calls = 7;
        let mut later = Window::default();
        (later.pooled.calls, later.pooled.user, later.quality.threads_pooled) = (7 + 80, 80, 1);
        let found = later.since(earlier);
        assert_eq!((found.pooled.calls, found.pooled.user, found.threads.len()), (30, 30, 0));
    }

    /// A thread that ended, and another one that got its number, between two snapshots.
    #[test]
    fn a_successor_is_not_taken_for_who_had_its_number() {
        let thread = |calls: u64, dead: bool| {
            let mut sums = Sums::ZERO;
            (sums.calls, sums.user) = (calls, calls);
            let thread = ThreadTotals::running(1, 1, Nanos::from_millis(calls), sums);
            ThreadTotals { dead, ..thread }
        };
        let earlier = Window { threads: vec![thread(50, false)], ..Window::default() };
        let later = Window { threads: vec![thread(70, false), thread(60, true)], ..Window::default() };
        let found: Vec<(u64, bool)> = later.since(earlier).threads.iter().map(|t| (t.sums.calls, t.dead)).collect();
        assert_eq!(found, [(70, false), (10, true)]);
    }

    proptest! {
        /// An earlier snapshot and what happened since make the later one.
        #[test]
        fn a_difference_and_what_came_before_make_the_whole(
            first in (0..50u64, 1..1u64 << 40),
            then in (0..50u64, 1..1u64 << 40),
        ) {
            let (before, more) = (site(first.0, first.1), site(then.0, then.1));
            let mut after = before;
            after.merge(&more);
            prop_assert_eq!(super::site(&after, &before), more);
        }
    }
}
