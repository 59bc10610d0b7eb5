//! event: what came over the wire, decoded with checks into owned records. No IO, no clock.
//!
//! Counters stay as the wire has them (plain sums of nanoseconds and counts: there is nothing to get wrong); everything
//! that is a discriminant, an id or a moment gets its type here, and a record that makes no sense is an error that says
//! which field.

mod device;
mod ipc;
mod mark;
mod sample;
mod stack;
mod stream;
mod thread;

pub use device::{DeviceRecord, Side};
pub use ipc::{IpcRecord, SiteIpc};
use profiler_common::syscall::{ABI_COMPAT, ABI_X32};
pub use profiler_common::{
    class::{BlockClass, CLASS_COUNT, Family},
    control::Counters,
    ipc::{self as ipc_layout, IpcCounts, Pairs, SiteWindows, Windows},
    site::Site,
    stat::{BUCKETS, Stat},
    thread::{CONCURRENCY_BUCKETS, ClassSum, Sums},
};
pub(crate) use profiler_common::{counted_sums, signed_sums};
pub use sample::SampleCounts;
pub use stack::{StackMoment, StackRecord, StackRegisters, decode_stack};
pub use stream::{BlockEnd, Span};

pub use thread::{Call, Phase, ThreadRecord, Threads};

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use crate::{
    kernel::{Harvest, ProgramCost, RawSite, syscalls},
    quantity::{Addr, Nanos, Tgid},
};

/// A record that makes no sense: the object and the user side are not of one build, or memory was torn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{record} {id}: {field} holds {value}, which means nothing")]
pub struct DecodeError {
    record: &'static str,
    id: u32,
    field: &'static str,
    value: u32,
}

/// A call place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The syscall's name, its table named where it is not the machine's own.
    pub syscall: String,
    /// The descriptor's class, or that of the call.
    pub class: BlockClass,
    /// Address after the syscall instruction.
    pub ip: Addr,
    /// Number of the address space; places with equal numbers share their code.
    pub space: u32,
}

/// A site.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SiteRecord {
    /// Where.
    pub place: Place,
    /// The process and descriptor of the last call there; the descriptor only where the call has one.
    pub last_caller: (Tgid, Option<i32>),
    /// What was seen.
    pub site: Site,
    /// The windows that tell what a block makes of the calls after it, by how much the calls moved.
    #[serde(default)]
    pub sizes: Vec<SizeWindows>,
}

/// Windows of one site's calls of one size class, after blocks and after none: what is compared is of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SizeWindows {
    /// See `profiler_common::site::size_class`.
    pub size: u64,
    /// User mode after a call that blocked.
    pub user_blocked: Stat,
    /// User mode after a call that did not.
    pub user_direct: Stat,
    /// Kernel CPU of a call that did not block, right after one that did.
    pub cpu_cold: Stat,
    /// Kernel CPU of a call that did not block, after another such.
    pub cpu_warm: Stat,
}

impl SizeWindows {
    /// Those of a site whose calls are of one size class.
    fn of(size: u64, site: &Site) -> Self {
        Self {
            size,
            user_blocked: site.user_after_blocked,
            user_direct: site.user_after_direct,
            cpu_cold: site.cpu_direct_cold,
            cpu_warm: site.cpu_direct_warm,
        }
    }

    fn each(&mut self, other: &Self, change: fn(&mut Stat, &Stat)) {
        change(&mut self.user_blocked, &other.user_blocked);
        change(&mut self.user_direct, &other.user_direct);
        change(&mut self.cpu_cold, &other.cpu_cold);
        change(&mut self.cpu_warm, &other.cpu_warm);
    }
}

impl SiteRecord {
    /// A site whose calls are of one size class.
    pub fn of_one_size(place: Place, last_caller: (Tgid, Option<i32>), size: u64, site: Site) -> Self {
        Self { place, last_caller, site, sizes: vec![SizeWindows::of(size, &site)] }
    }

    /// Adds what was seen at the same place later, or by calls of another size.
    pub fn merge(&mut self, other: &Self) {
        self.last_caller = other.last_caller;
        self.site.merge(&other.site);
        for windows in &other.sizes {
            match self.sizes.iter_mut().find(|own| own.size == windows.size) {
                Some(own) => own.each(windows, Stat::merge),
                None => self.sizes.push(*windows),
            }
        }
    }

    /// Takes away what had been seen at an earlier look.
    pub fn reduce(&mut self, earlier: &Self) {
        self.site.reduce(&earlier.site);
        for windows in &mut self.sizes {
            if let Some(then) = earlier.sizes.iter().find(|then| then.size == windows.size) {
                windows.each(then, Stat::reduce);
            }
        }
    }
}

/// A program's cost.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProgramRecord {
    /// The program.
    pub name: String,
    /// Runs.
    pub runs: u64,
    /// Time in them.
    pub time: Nanos,
    /// Runs left out by the kernel.
    pub missed: u64,
}

/// Everything of one measurement, decoded.
#[derive(Clone, Debug)]
pub struct Batch {
    /// First moment.
    pub start: Nanos,
    /// Last moment.
    pub end: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// Threads, alive at the end or gone before.
    pub threads: Threads,
    /// Sums of the departed whose records found no room.
    pub pooled: Sums,
    /// Sites.
    pub sites: Vec<SiteRecord>,
    /// Calls that found no site.
    pub overflow: Site,
    /// Block devices.
    pub devices: Vec<DeviceRecord>,
    /// Streamed block ends.
    pub spans: Vec<Span>,
    /// CPU-clock samples of the target.
    pub samples: SampleCounts,
    /// What hardware counters told, where there are any.
    pub ipc: Option<IpcRecord>,
    /// Losses and rarities.
    pub counters: Counters,
    /// What the programs cost.
    pub programs: Vec<ProgramRecord>,
}

/// Decodes a harvest.
///
/// # Errors
/// The first record that makes no sense.
pub fn decode(harvest: Harvest) -> Result<Batch, DecodeError> {
    if harvest.end < harvest.start || harvest.end.as_nanos() >= 1 << 62 || harvest.measured.as_nanos() >= LIMIT {
        return Err(DecodeError { record: "window", id: harvest.epoch, field: "end", value: u32::MAX });
    }
    if let Some(field) = thread::insane(&harvest.pooled.sums) {
        return Err(DecodeError { record: "pool", id: 0, field, value: u32::MAX });
    }
    if !sane(&harvest.overflow) {
        return Err(DecodeError { record: "site", id: 0, field: "counters", value: u32::MAX });
    }
    Ok(Batch {
        start: harvest.start,
        end: harvest.end,
        measured: harvest.measured,
        threads: Threads::check(harvest.alive, harvest.departed, harvest.epoch)?,
        pooled: harvest.pooled.sums,
        sites: decode_sites(&harvest.sites)?,
        overflow: harvest.overflow,
        devices: harvest
            .devices
            .iter()
            .map(|(number, device)| device::decode(*number, device))
            .collect::<Result<_, _>>()?,
        spans: harvest.spans.iter().map(stream::decode).collect::<Result<_, _>>()?,
        samples: harvest.samples.into(),
        counters: harvest.counters,
        ipc: harvest.ipc.as_ref().map(ipc::decode).transpose()?,
        programs: harvest.programs.iter().map(program).collect(),
    })
}

/// Decodes sites alone, in mid-measurement. Sizes of one place become one record.
///
/// # Errors
/// The first one that makes no sense.
pub fn decode_sites(sites: &[RawSite]) -> Result<Vec<SiteRecord>, DecodeError> {
    let records = sites.iter().filter(|s| s.site != Site::ZERO).map(site).collect::<Result<Vec<_>, _>>()?;
    Ok(join_sites(records))
}

/// Records of equal places added up.
pub fn join_sites(records: impl IntoIterator<Item = SiteRecord>) -> Vec<SiteRecord> {
    joined(records, |site| site.place.clone(), SiteRecord::merge)
}

/// Items of equal keys made one, in the order in which the keys first came.
fn joined<K: Hash + Eq, T>(items: impl IntoIterator<Item = T>, key: fn(&T) -> K, merge: fn(&mut T, &T)) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    let mut known: HashMap<K, usize> = HashMap::new();
    for item in items {
        match known.entry(key(&item)) {
            Entry::Occupied(at) => merge(&mut all[*at.get()], &item),
            Entry::Vacant(free) => {
                free.insert(all.len());
                all.push(item);
            }
        }
    }
    all
}

/// No counter of one measurement reaches this: 2.3 years in nanoseconds. Sums of a thousand such still fit.
const LIMIT: u64 = 1 << 56;

fn sane(s: &Site) -> bool {
    let stats = [
        &s.cpu_direct_warm,
        &s.cpu_direct_cold,
        &s.cpu_direct_woke,
        &s.cpu_blocked_near,
        &s.cpu_blocked_away,
        &s.blocked,
        &s.run_delay,
        &s.user_after_direct,
        &s.user_after_blocked,
    ];
    let counters = [s.calls, s.blocked_calls, s.blocks, s.errors, s.bytes, s.cpu_before, s.windows_preempted];
    stats.iter().flat_map(|s| [s.count, s.sum, s.squares_high]).chain(counters).all(|n| n < LIMIT)
}

fn class(record: &'static str, id: u32, raw: u32) -> Result<BlockClass, DecodeError> {
    u8::try_from(raw).ok().and_then(BlockClass::from_wire).ok_or(DecodeError { record, id, field: "class", value: raw })
}

fn place(nr: u16, raw_class: u8, abi: u8, ip: u64, space: u32) -> Result<Place, DecodeError> {
    if abi > ABI_COMPAT | ABI_X32 {
        return Err(DecodeError { record: "site", id: u32::from(nr), field: "abi", value: u32::from(abi) });
    }
    Ok(Place {
        syscall: syscalls::name(nr, abi),
        class: class("site", u32::from(nr), u32::from(raw_class))?,
        ip: Addr::from_raw(ip),
        space,
    })
}

fn site(raw: &RawSite) -> Result<SiteRecord, DecodeError> {
    let key = raw.key;
    let place = place(key.nr, key.class, key.abi, key.ip, key.space)?;
    if !sane(&raw.site) {
        return Err(DecodeError { record: "site", id: u32::from(key.nr), field: "counters", value: u32::MAX });
    }
    let descriptor = raw.site.last_tgid_fd as u32;
    let last_caller = (
        Tgid::from_raw((raw.site.last_tgid_fd >> 32) as u32),
        // Plus one on the wire, so that zero is none.
        descriptor.checked_sub(1).map(|fd| fd as i32),
    );
    Ok(SiteRecord::of_one_size(place, last_caller, key.size, raw.site))
}

fn program(raw: &ProgramCost) -> ProgramRecord {
    ProgramRecord { name: raw.name.clone(), runs: raw.runs, time: raw.time, missed: raw.missed }
}
