//! aggregate/window: one measurement, closed, and added to a later one.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    quality::Quality,
    silent::Silent,
    totals::{OpenEnd, ThreadTotals, accounted},
};
use crate::{
    event::{Batch, DeviceRecord, IpcRecord, ProgramRecord, SampleCounts, Site, SiteRecord, Span, Sums, join_sites},
    quantity::{Nanos, Tgid, Tid},
};

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
            forks: batch.counters.forks,
            execs: batch.counters.execs,
            exits: batch.counters.exits,
            ..Quality::default()
        };
        let silent: HashMap<Tid, Silent> = silent.iter().map(|s| (s.tid, *s)).collect();
        let mut threads = Vec::with_capacity(batch.threads.len());
        for record in batch.threads.drain() {
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
        self.sites = join_sites(own.into_iter().chain(later.sites));
        self.overflow.merge(&later.overflow);
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
