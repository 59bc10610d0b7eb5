//! Reading the maps back: sites, threads, devices, each taken once.

use std::collections::HashSet;

use aya::maps::{HashMap as BpfHashMap, Map, MapData, Queue};
use profiler_common::{
    control::{Control, Counters},
    device::Device,
    site::{OVERFLOW_SITE, Site, SiteKey},
    thread::{LATE, Sums, Thread},
};

use super::{
    batch,
    chunks::Chunks,
    error::LoadError,
    ipc::RawIpc,
    per_cpu::{self, PerCpu, Wire, no_map, unreadable},
    sampler::SampleCounts,
    session::Session,
    site::RawSite,
    statistics::ProgramCost,
    stream::RawSpan,
};
use crate::quantity::{Nanos, Tid};

const SITES: &str = "SIA_SITES";
const SITE_INDEX: &str = "SIA_SITE_INDEX";
const FREE_SITES: &str = "SIA_FREE_SITES";
const DEVICES: &str = "SIA_DEVICES";

/// How often the living threads are read, where others end and find no room for their records.
const MOST_TRIES: u32 = 4;

/// What room for keys is filled with.
const NO_KEY: SiteKey = SiteKey { ip: 0, nr: 0, class: 0, abi: 0, space: 0, size: 0 };

/// Everything the programs gathered, as it came over the wire.
#[derive(Clone, Debug)]
pub struct Harvest {
    /// First moment of the windows.
    pub start: Nanos,
    /// Last moment of the windows.
    pub end: Nanos,
    /// Time in which events counted; less than end − start where the measurement was sampled.
    pub measured: Nanos,
    /// The window that was open last.
    pub epoch: u32,
    /// Threads that had not ended.
    pub alive: Chunks<Thread>,
    /// Threads that are gone.
    pub departed: Chunks<Thread>,
    /// Sums of the ended threads whose record found no room.
    pub pooled: Thread,
    pub sites: Vec<RawSite>,
    /// What found no site of its own.
    pub overflow: Site,
    /// `major << 20 | minor` and statistics.
    pub devices: Vec<(u32, Device)>,
    pub spans: Vec<RawSpan>,
    /// CPU-clock samples of the target.
    pub samples: SampleCounts,
    /// Threads that these hit; `None` where none were taken.
    pub hit: Option<HashSet<Tid>>,
    /// What hardware counters told, where there are any.
    pub ipc: Option<RawIpc>,
    /// Losses, and events that are counted because they are rare.
    pub counters: Counters,
    /// What the programs cost, where the kernel was asked to keep count.
    pub programs: Vec<ProgramCost>,
}

impl Session {
    /// The sites so far, while events go on counting.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn sites(&self) -> Result<Vec<RawSite>, LoadError> {
        Ok(self.read_sites()?.into_iter().map(|(_, site)| site).collect())
    }

    fn read_sites(&self) -> Result<Vec<(u32, RawSite)>, LoadError> {
        let map = self.loaded.ebpf.map(SITE_INDEX).ok_or_else(|| no_map(SITE_INDEX))?;
        let index: BpfHashMap<&MapData, Wire<SiteKey>, u32> = map.try_into().map_err(unreadable)?;
        let together = match map {
            // SAFETY: aya has checked the sizes of keys and values; both are integers alone.
            Map::HashMap(map) => unsafe { batch::hash(map.fd(), Wire(NO_KEY), 0) }.ok(),
            _ => None,
        };
        let mut known: Vec<(Wire<SiteKey>, u32)> = match together {
            Some(known) => known,
            None => index.iter().collect::<Result<_, _>>().map_err(unreadable)?,
        };
        known.sort_unstable_by_key(|(_, place)| *place);
        let places: Vec<u32> = known.iter().map(|(_, place)| *place).collect();
        let values = PerCpu::new(&self.loaded.ebpf, SITES)?.sums(&places, Site::ZERO, Site::merge)?;
        let sites = known.into_iter().zip(values);
        Ok(sites.map(|((key, place), site)| (place, RawSite { key: key.0, site })).collect())
    }

    fn overflow(&self) -> Result<Site, LoadError> {
        PerCpu::new(&self.loaded.ebpf, SITES)?.sum(OVERFLOW_SITE, Site::ZERO, Site::merge)
    }

    /// Everything so far but the living threads, while events go on counting: each counter is
    /// whole, but not all are of one moment. Without streamed block ends.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn peek(&mut self) -> Result<Harvest, LoadError> {
        self.drain();
        let control: Control = self.loaded.control.read(0);
        let sites = self.read_sites()?;
        let ipc = self.read_ipc(&sites)?;
        let devices = self.read_devices()?;
        let now = super::clock::now();
        let (samples, hit) = self.sampler.so_far();
        Ok(Harvest {
            start: self.start,
            end: now,
            measured: self.measured + now.saturating_sub(self.start),
            epoch: control.epoch,
            alive: Chunks::default(),
            departed: self.departed.clone(),
            pooled: self.loaded.threads.read(0),
            ipc,
            sites: sites.into_iter().map(|(_, site)| site).collect(),
            overflow: self.overflow()?,
            devices,
            spans: Vec::new(),
            samples,
            hit,
            counters: control.counters,
            programs: self.costs(),
        })
    }

    /// Streamed block ends of the newest spans, as many spans as together have at most so many.
    pub fn newest_spans(&self, most: usize) -> Vec<RawSpan> {
        self.stream.newest(most)
    }

    /// Threads with the sockets and pipes on which they blocked while block ends were streamed;
    /// each is told once.
    pub fn fresh_descriptors(&mut self) -> Vec<(Tid, i32)> {
        let fresh = self.stream.fresh_descriptors().into_iter();
        fresh.map(|(tid, fd)| (Tid::from_raw(tid), fd as i32)).collect()
    }

    fn read_devices(&self) -> Result<Vec<(u32, Device)>, LoadError> {
        let table: BpfHashMap<&MapData, u32, Wire<Device>> =
            self.loaded.ebpf.map(DEVICES).ok_or_else(|| no_map(DEVICES))?.try_into().map_err(unreadable)?;
        let mut devices = Vec::new();
        for entry in table.iter() {
            let (number, device) = entry.map_err(unreadable)?;
            devices.push((number, device.0));
        }
        Ok(devices)
    }

    /// Takes everything back and starts the sums anew. To be called after [`Self::finish`].
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn harvest(&mut self) -> Result<Harvest, LoadError> {
        let (alive, slots, pooled) = self.take_threads();
        let control: Control = self.loaded.control.read(0);
        for &slot in slots.iter().chain(&[0]) {
            // SAFETY: inside the mapping; the programs do not count between two windows.
            unsafe { (&raw mut (*self.loaded.threads.at(slot as usize)).sums).write_volatile(Sums::ZERO) };
        }
        // SAFETY: the mapped control page, as above.
        unsafe { (&raw mut (*self.loaded.control.at(0)).counters).write_volatile(Counters::default()) };
        let sites = self.read_sites()?;
        let overflow = self.overflow()?;
        let ipc = self.take_ipc(&sites)?;
        let places = sites.iter().map(|(i, _)| *i).chain([OVERFLOW_SITE]);
        per_cpu::clear(&mut self.loaded.ebpf, SITES, places, Site::ZERO)?;

        let devices = self.read_devices()?;
        self.clear_devices(&devices)?;
        let measured = std::mem::take(&mut self.measured);
        let (samples, hit) = self.sampler.take();
        Ok(Harvest {
            start: self.start,
            end: self.end,
            measured,
            epoch: control.epoch,
            alive,
            departed: std::mem::take(&mut self.departed),
            pooled,
            sites: sites.into_iter().map(|(_, site)| site).collect(),
            overflow,
            devices,
            spans: self.stream.take(),
            samples,
            hit,
            ipc,
            counters: control.counters,
            programs: self.costs(),
        })
    }

    /// The records of the window's living threads, the slots in use, and the pool. Each thread
    /// counts once: one that ends meanwhile is among the departed or in the pool, and one that is
    /// born is of no window yet.
    fn take_threads(&mut self) -> (Chunks<Thread>, Vec<u32>, Thread) {
        let key = |thread: &Thread| (thread.tid, thread.first);
        // A record is handed over before its slot is free, so that one may be drained and its slot
        // still be in use.
        let departed = self.departed.len();
        let mut tries = 0;
        loop {
            tries += 1;
            self.drain();
            let before = self.pooled_count();
            let slots = self.live_slots();
            let records = slots.iter().map(|&slot| self.loaded.threads.read(slot as usize));
            let mut living: Chunks<Thread> = records.filter(|thread| !self.came_later(thread)).collect();
            self.drain();
            let pool = self.loaded.threads.read(0);
            // The pool does not say whose sums it has.
            if self.pooled_count() != before {
                if tries < MOST_TRIES {
                    continue;
                }
                log::warn!("threads ended while their records were read: some of their sums may count twice");
            }
            let ended: HashSet<_> = self.departed.iter().skip(departed).map(key).collect();
            if !ended.is_empty() {
                living = living.into_iter().filter(|thread| !ended.contains(&key(thread))).collect();
            }
            return (living, slots, pool);
        }
    }

    /// How many records went into the pool.
    fn pooled_count(&self) -> u64 {
        self.loaded.control.read(0).counters.exits_pooled
    }

    /// Whether a thread was filed after the window had ended.
    fn came_later(&self, thread: &Thread) -> bool {
        thread.epoch == LATE && thread.first >= self.ending.as_nanos()
    }

    /// Forgets every site, and gives their places back: for a measurement of others, after
    /// [`Self::harvest`] and [`Self::forget_threads`].
    ///
    /// # Errors
    /// A map that cannot be changed.
    pub fn forget_sites(&mut self) -> Result<(), LoadError> {
        let mut index = self.map::<Wire<SiteKey>, u32>(SITE_INDEX)?;
        let known: Vec<(Wire<SiteKey>, u32)> = index.iter().collect::<Result<_, _>>().map_err(unreadable)?;
        for (key, _) in &known {
            index.remove(key).map_err(unreadable)?;
        }
        let map = self.loaded.ebpf.map_mut(FREE_SITES).ok_or_else(|| no_map(FREE_SITES))?;
        let mut free: Queue<&mut MapData, u32> = map.try_into().map_err(unreadable)?;
        known.iter().try_for_each(|(_, place)| free.push(place, 0)).map_err(unreadable)
    }

    fn clear_devices(&mut self, devices: &[(u32, Device)]) -> Result<(), LoadError> {
        let mut table = self.map::<u32, Wire<Device>>(DEVICES)?;
        for (number, _) in devices {
            table.remove(number).map_err(unreadable)?;
        }
        Ok(())
    }
}
