//! aggregate/window: one measurement, closed, and added to a later one.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    quality::Quality,
    silent::Silent,
    totals::{OpenEnd, ThreadTotals, accounted},
};
use crate::{
    event::{
        Batch, DeviceRecord, IpcRecord, ProgramRecord, SampleCounts, Site, SiteRecord, Span, Sums, ThreadRecord,
        join_sites,
    },
    quantity::{Nanos, Tgid, Tid},
};

/// Sites that a sampled measurement tells apart, of all its windows: programs that are started and
/// end again and again would leave more of them without end. It is at least twice as many as one
/// window has.
const MOST_SITES: usize = 8_192;

/// What was measured: threads, sites, devices and losses, with open intervals closed.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// First moment, in ns of `CLOCK_MONOTONIC`.
    pub start: Nanos,
    pub end: Nanos,
    /// Time in which events counted: less than `end − start` where the measurement was sampled.
    pub measured: Nanos,
    /// Threads, alive or gone.
    pub threads: Vec<ThreadTotals>,
    /// Sums of those whose names were lost.
    pub pooled: Sums,
    /// Sites, the one with the most blocked time first.
    pub sites: Vec<SiteRecord>,
    /// Calls that found no site.
    pub overflow: Site,
    pub devices: Vec<DeviceRecord>,
    /// Streamed block ends: a part of the measurement.
    pub spans: Vec<Span>,
    /// CPU-clock samples of the target.
    pub samples: SampleCounts,
    /// What hardware counters told; `None`: there are none, or they were not read.
    #[serde(default)]
    pub ipc: Option<IpcRecord>,
    /// What was lost or left open.
    pub quality: Quality,
    /// What the programs cost.
    pub programs: Vec<ProgramRecord>,
}

impl Window {
    /// Closes a batch. `silent` says what is known of threads without events.
    pub fn close(batch: Batch, silent: &[Silent]) -> Self {
        Self::with_living(batch, (0, std::iter::empty()), silent)
    }

    /// The same of a batch whose living threads come one by one.
    ///
    /// # Errors
    /// The first of them that is none.
    pub fn close_living<E>(
        batch: Batch,
        living: impl Iterator<Item = Result<ThreadRecord, E>>,
        silent: &[Silent],
    ) -> Result<Self, E> {
        let (mut failed, count) = (None, living.size_hint().0);
        let living = living.map_while(|record| record.map_err(|error| failed = Some(error)).ok());
        let window = Self::with_living(batch, (count, living), silent);
        failed.map_or(Ok(window), Err)
    }

    fn with_living(
        batch: Batch,
        (count, living): (usize, impl Iterator<Item = ThreadRecord>),
        silent: &[Silent],
    ) -> Self {
        let mut quality = Quality {
            threads_lost: batch.counters.threads_lost,
            calls_without_site: batch.counters.calls_without_site,
            threads_pooled: batch.counters.exits_pooled,
            requests_lost: batch.counters.requests_lost,
            devices_lost: batch.counters.devices_lost,
            runs_missed: batch.programs.iter().map(|p| p.missed).sum(),
            raced_wakes: batch.counters.raced_wakes,
            missed_switch_ins: batch.counters.missed_switch_ins,
            stream_lost: batch.counters.stream_lost,
            samples_lost: batch.counters.samples_lost,
            late_cpus: batch.samples.late_cpus,
            stacks_lost: batch.counters.stacks_lost,
            stalls_lost: batch.counters.stalls_lost,
            forks: batch.counters.forks,
            execs: batch.counters.execs,
            exits: batch.counters.exits,
            ..Quality::default()
        };
        let silent: HashMap<Tid, Silent> = silent.iter().map(|s| (s.tid, *s)).collect();
        let mut threads = Vec::with_capacity(batch.threads.len() + count);
        for record in living.chain(batch.threads.drain()) {
            let known = silent.get(&record.tid).copied();
            let Some(thread) = ThreadTotals::close(&record, batch.measured, batch.end, known) else {
                continue;
            };
            quality.open_at_start += u64::from(thread.asleep_at_start);
            quality.open_at_end += u64::from(thread.open_end != OpenEnd::Closed);
            quality.silent += u64::from(thread.silent);
            threads.push(thread);
        }
        let mut window = Self {
            start: batch.start,
            end: batch.end,
            measured: batch.measured,
            threads,
            pooled: batch.pooled,
            sites: batch.sites,
            overflow: batch.overflow,
            devices: batch.devices,
            spans: batch.spans,
            samples: batch.samples,
            ipc: batch.ipc,
            quality,
            programs: batch.programs,
        };
        window.sort();
        window
    }

    /// Adds a later window of the same target: threads by id, sites by place, devices by number.
    pub fn absorb(&mut self, later: Self) {
        self.end = later.end;
        self.measured += later.measured;
        let mut places: HashMap<(Tgid, Tid), usize> =
            self.threads.iter().enumerate().map(|(i, t)| ((t.tgid, t.tid), i)).collect();
        for thread in later.threads {
            match places.get(&(thread.tgid, thread.tid)) {
                // A thread that ended, and a later one that was given its number.
                Some(&i) if !self.threads[i].dead => self.threads[i].absorb(&thread),
                _ => {
                    places.insert((thread.tgid, thread.tid), self.threads.len());
                    self.threads.push(thread);
                }
            }
        }
        self.pooled.merge(&later.pooled);
        let own = std::mem::take(&mut self.sites);
        let most = MOST_SITES.max(2 * later.sites.len());
        self.sites = join_sites(own.into_iter().chain(later.sites));
        self.overflow.merge(&later.overflow);
        self.keep_most_called(most);
        for device in later.devices {
            match self.devices.iter_mut().find(|d| (d.major, d.minor) == (device.major, device.minor)) {
                Some(own) => own.absorb(&device),
                None => self.devices.push(device),
            }
        }
        self.spans.extend(later.spans);
        self.samples += later.samples;
        match (&mut self.ipc, later.ipc) {
            (Some(own), Some(later)) => own.absorb(&later),
            (own, later) => *own = own.take().or(later),
        }
        self.quality.absorb(&later.quality);
        for program in later.programs {
            match self.programs.iter_mut().find(|p| p.name == program.name) {
                // The kernel counts from the load on.
                Some(own) => *own = program,
                None => self.programs.push(program),
            }
        }
        self.sort();
    }

    /// What [`Self::absorb`] makes of an earlier window and this one; the earlier one stays.
    pub fn after(mut self, earlier: &Self) -> Self {
        let mut threads = std::mem::take(&mut self.threads);
        let places: HashMap<(Tgid, Tid), usize> =
            earlier.threads.iter().enumerate().map(|(i, t)| ((t.tgid, t.tid), i)).collect();
        let mut went_on = vec![false; earlier.threads.len()];
        for thread in &mut threads {
            let Some(&i) = places.get(&(thread.tgid, thread.tid)) else { continue };
            // Of two that were given one number, the first was the earlier one's.
            if !earlier.threads[i].dead && !std::mem::replace(&mut went_on[i], true) {
                thread.follow(&earlier.threads[i]);
            }
        }
        threads.extend(earlier.threads.iter().zip(went_on).filter(|(_, went_on)| !went_on).map(|(t, _)| t.clone()));
        let mut whole = earlier.without_threads();
        whole.absorb(self);
        whole.threads = threads;
        whole.sort();
        whole
    }

    fn without_threads(&self) -> Self {
        Self {
            threads: Vec::new(),
            sites: self.sites.clone(),
            devices: self.devices.clone(),
            spans: self.spans.clone(),
            ipc: self.ipc.clone(),
            quality: self.quality.clone(),
            programs: self.programs.clone(),
            start: self.start,
            end: self.end,
            measured: self.measured,
            pooled: self.pooled,
            overflow: self.overflow,
            samples: self.samples,
        }
    }

    /// Once there are more sites than that, keeps most of them, those with the most calls, and adds
    /// the others to what found no site.
    fn keep_most_called(&mut self, most: usize) {
        if self.sites.len() <= most {
            return;
        }
        self.sites.sort_by_key(|site| Reverse(site.site.calls));
        for site in self.sites.drain(most - most / 4..) {
            self.overflow.merge(&site.site);
            self.quality.calls_without_site += site.site.calls;
        }
    }

    /// Keeps the threads that used the most CPU by name, and adds the others to those whose names
    /// were lost.
    pub fn keep_busiest(&mut self, most: usize) {
        self.sort();
        for thread in self.threads.drain(most.min(self.threads.len())..) {
            self.pooled.merge(&thread.sums);
        }
    }

    /// Accounted time of those whose names were lost.
    pub fn pooled_time(&self) -> Nanos {
        Nanos::from_nanos(accounted(&self.pooled))
    }

    pub(super) fn sort(&mut self) {
        // By a list of keys: a thread is more than a kilobyte, and a sort that moves them takes
        // them through memory a dozen times.
        self.threads.sort_by_cached_key(|t| (Reverse(t.cpu()), t.tid));
        self.sites.sort_by_cached_key(|s| (Reverse(s.site.blocked.sum), s.place.clone()));
    }

    /// Sums over all threads, the departed included.
    pub fn sums(&self) -> Sums {
        let mut sum = self.pooled;
        for thread in &self.threads {
            sum.merge(&thread.sums);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{BlockClass, Place},
        quantity::Addr,
    };

    fn thread(tid: u32, calls: u64, dead: bool) -> ThreadTotals {
        let mut sums = Sums::ZERO;
        (sums.calls, sums.user) = (calls, 1_000 * calls);
        let thread = ThreadTotals::running(tid, 1, Nanos::from_millis(calls), sums);
        ThreadTotals { dead, ..thread }
    }

    fn window(start: u64, threads: Vec<ThreadTotals>) -> Window {
        let (start, measured) = (Nanos::from_millis(start), Nanos::from_millis(10));
        Window { start, end: start + measured, measured, threads, ..Window::default() }
    }

    /// One number may be an ended thread's and its successor's, in either window or over both.
    #[test]
    fn an_earlier_window_that_stays_is_added_as_one_that_is_taken() {
        let asleep = ThreadTotals { asleep_at_start: true, silent: true, ring: true, ..thread(5, 50, false) };
        let earlier = window(0, vec![thread(1, 10, false), thread(2, 20, true), thread(3, 30, false), asleep]);
        let later = [thread(1, 1, true), thread(1, 2, false), thread(2, 3, false), thread(4, 4, false)];
        let later = window(20, later.into_iter().chain([thread(5, 1, false)]).collect());
        let mut taken = earlier.clone();
        taken.absorb(later.clone());
        assert_eq!(taken.threads.len(), 7);
        assert_eq!(later.after(&earlier), taken);
    }

    fn site(space: u32, calls: u64) -> SiteRecord {
        let place = Place { syscall: "read".into(), class: BlockClass::Pipe, ip: Addr::from_raw(1), space };
        let site = Site { calls, ..Site::default() };
        SiteRecord::with_one_size(place, (Tgid::from_raw(1), None), 0, site)
    }

    /// Programs that come and go leave sites behind: those with the fewest calls make room.
    #[test]
    fn sites_of_programs_that_come_and_go_are_bounded_and_none_of_their_calls_is_lost() {
        let mut whole = window(0, Vec::new());
        let (each, windows) = (100, 400);
        for i in 0..windows {
            let mut sites: Vec<SiteRecord> = (0..each).map(|n| site(1_000 + i * each + n, 2)).collect();
            sites.push(site(7, 50));
            let before = whole.clone();
            whole.absorb(Window { sites, ..window(20 + u64::from(i), Vec::new()) });
            assert!(whole.sites.len() <= MOST_SITES, "{}", whole.sites.len());
            let since = whole.since(before);
            let told = since.sites.iter().map(|site| site.site.calls).sum::<u64>() + since.overflow.calls;
            // Of those that have gone at once it is known that they were, not which.
            assert_eq!(told, 2 * u64::from(each) + 50, "window {i}");
            assert_eq!(since.overflow.calls, since.quality.calls_without_site);
        }
        let lasting = whole.sites.iter().find(|site| site.place.space == 7).unwrap();
        assert_eq!(lasting.site.calls, 50 * u64::from(windows));
        let told = whole.sites.iter().map(|site| site.site.calls).sum::<u64>() + whole.overflow.calls;
        assert_eq!(told, u64::from(windows) * (2 * u64::from(each) + 50));
        assert_eq!(whole.overflow.calls, whole.quality.calls_without_site);
    }
}
