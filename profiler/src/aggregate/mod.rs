//! aggregate: from decoded records to a [`Window`], in which every interval is closed and every loss has a count.
//! No IO, no clock.
//!
//! The programs leave intervals open: a thread that is blocked when the measurement ends has its switch-out on record and
//! no switch-in. Here they are closed at the window's end, and counted as open.

mod histogram;
mod since;
mod totals;

pub use histogram::Histogram;
pub use totals::{OpenEnd, ThreadTotals};

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    event::{
        Batch, BlockClass, DeviceRecord, IpcRecord, ProgramRecord, SampleCounts, Site, SiteRecord, Span, Sums,
        join_sites,
    },
    quantity::{Nanos, Tgid, Tid},
};

/// What is known from outside of a thread that had no event in the whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    /// The thread.
    pub tid: Tid,
    /// What it sleeps on, where `/proc` tells; `None`: it was running all the time.
    pub asleep_on: Option<BlockClass>,
    /// CPU that the kernel charged it over the window.
    pub on_cpu: Nanos,
}

/// Losses, rarities and open ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    /// Threads not measured for lack of room.
    pub threads_lost: u64,
    /// Calls not told apart by site for lack of room.
    pub calls_without_site: u64,
    /// Threads whose sums were kept but not their names.
    pub threads_pooled: u64,
    /// Block requests not measured for lack of room.
    pub requests_lost: u64,
    /// Devices not measured for lack of room.
    pub devices_lost: u64,
    /// Program runs that the kernel left out.
    pub runs_missed: u64,
    /// Wake-ups seen before the switch-out they answer.
    pub raced_wakes: u64,
    /// Switch-ins for which the kernel's tracepoint did not fire.
    pub missed_switch_ins: u64,
    /// Block ends that found no room in the stream.
    pub stream_lost: u64,
    /// CPU-clock samples that found no room.
    pub samples_lost: u64,
    /// Stacks that found no room.
    pub stacks_lost: u64,
    /// Threads that were asleep when the window began.
    pub open_at_start: u64,
    /// Threads whose last interval was closed by the window's end.
    pub open_at_end: u64,
    /// Threads without any event.
    pub silent: u64,
    /// Births, program starts and ends in the window.
    pub forks: u64,
    /// Likewise.
    pub execs: u64,
    /// Likewise.
    pub exits: u64,
}

impl Quality {
    /// Everything that was lost: what must be zero for the ledger to be exact.
    pub fn lost(&self) -> u64 {
        self.threads_lost + self.requests_lost + self.devices_lost + self.runs_missed
    }

    /// What was lost of the events themselves, and in which words.
    pub fn losses(&self) -> [(u64, &'static str); 6] {
        [
            (self.threads_lost, "threads not measured for lack of room"),
            (self.calls_without_site, "calls not told apart by site for lack of room"),
            (self.threads_pooled, "threads that ended are in the sums and not in the table"),
            (self.requests_lost, "block requests not measured for lack of room"),
            (self.devices_lost, "devices not measured for lack of room"),
            (self.runs_missed, "program runs left out by the kernel: events are missing"),
        ]
    }

    /// What was lost of the evidence beside them: no count depends on it.
    pub fn evidence_losses(&self) -> [(u64, &'static str); 2] {
        [
            (self.stream_lost, "block ends that found no room in the stream"),
            (self.samples_lost, "CPU-clock samples that found no room"),
        ]
    }

    fn absorb(&mut self, later: &Self) {
        // The kernel counts missed runs from the load on; the rest is counted per window.
        self.runs_missed = later.runs_missed;
        self.threads_lost += later.threads_lost;
        self.calls_without_site += later.calls_without_site;
        self.threads_pooled += later.threads_pooled;
        self.requests_lost += later.requests_lost;
        self.devices_lost += later.devices_lost;
        self.raced_wakes += later.raced_wakes;
        self.missed_switch_ins += later.missed_switch_ins;
        self.stream_lost += later.stream_lost;
        self.samples_lost += later.samples_lost;
        self.stacks_lost += later.stacks_lost;
        self.open_at_start += later.open_at_start;
        self.open_at_end += later.open_at_end;
        self.silent += later.silent;
        self.forks += later.forks;
        self.execs += later.execs;
        self.exits += later.exits;
    }
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// First moment, `CLOCK_MONOTONIC`.
    pub start: Nanos,
    /// Last moment.
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
    /// Block devices.
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
        totals::add(&mut self.pooled, &later.pooled);
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

    /// Keeps the threads that used the most CPU by name, and adds the others to those whose names were lost.
    pub fn keep_busiest(&mut self, most: usize) {
        self.sort();
        for thread in self.threads.drain(most.min(self.threads.len())..) {
            totals::add(&mut self.pooled, &thread.sums);
        }
    }

    /// Accounted time of those whose names were lost.
    pub fn pooled_time(&self) -> Nanos {
        Nanos::from_nanos(totals::accounted(&self.pooled))
    }

    fn sort(&mut self) {
        self.threads.sort_by_key(|t| (Reverse(t.cpu()), t.tid));
        self.sites.sort_by_cached_key(|s| (Reverse(s.site.blocked.sum), s.place.clone()));
    }

    /// Sums over all threads, the departed included.
    pub fn sums(&self) -> Sums {
        let mut sum = self.pooled;
        for thread in &self.threads {
            totals::add(&mut sum, &thread.sums);
        }
        sum
    }
}
