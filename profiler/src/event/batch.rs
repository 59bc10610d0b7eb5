//! event/batch: everything of one measurement, decoded at once.

use std::collections::HashSet;

use super::{
    counters::Counters,
    device::{self, DeviceRecord},
    error::{DecodeError, LIMIT},
    ipc::{self, IpcRecord},
    program::ProgramRecord,
    sample::SampleCounts,
    seen::{Site, sane},
    site::{SiteRecord, decode_sites},
    stream::{self, Span},
    sums::Sums,
    thread::Threads,
};
use crate::{
    kernel::Harvest,
    quantity::{Nanos, Tid},
};

/// Everything of one measurement, decoded.
#[derive(Clone, Debug)]
pub struct Batch {
    /// First moment, in ns of `CLOCK_MONOTONIC`.
    pub start: Nanos,
    pub end: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// Threads, alive at the end or gone before.
    pub threads: Threads,
    /// Sums of the departed whose records found no room.
    pub pooled: Sums,
    pub sites: Vec<SiteRecord>,
    /// Calls that found no site.
    pub overflow: Site,
    pub devices: Vec<DeviceRecord>,
    pub spans: Vec<Span>,
    /// CPU-clock samples of the target.
    pub samples: SampleCounts,
    /// Threads that these hit; `None` where none were taken.
    pub hit: Option<HashSet<Tid>>,
    /// What hardware counters told, where there are any.
    pub ipc: Option<IpcRecord>,
    /// Losses, and events that are counted because they are rare.
    pub counters: Counters,
    /// What the programs cost.
    pub programs: Vec<ProgramRecord>,
}

impl Batch {
    /// Moves the end to a later moment, up to which events counted, too.
    pub fn go_on_until(&mut self, end: Nanos) {
        self.measured += end.saturating_sub(self.end);
        self.end = self.end.max(end);
    }
}

/// Decodes a harvest.
///
/// # Errors
/// The first record that makes no sense.
pub fn decode(harvest: Harvest) -> Result<Batch, DecodeError> {
    if harvest.end < harvest.start || harvest.end.as_nanos() >= 1 << 62 || harvest.measured.as_nanos() >= LIMIT {
        return Err(DecodeError { record: "window", id: harvest.epoch, field: "end", value: u32::MAX });
    }
    let pooled = Sums::from(&harvest.pooled.sums);
    if let Some(field) = pooled.insane() {
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
        pooled,
        sites: decode_sites(&harvest.sites)?,
        overflow: Site::from(&harvest.overflow),
        devices: harvest
            .devices
            .iter()
            .map(|(number, device)| device::decode(*number, device))
            .collect::<Result<_, _>>()?,
        spans: harvest.spans.iter().map(stream::decode).collect::<Result<_, _>>()?,
        samples: harvest.samples.into(),
        hit: harvest.hit,
        counters: harvest.counters.into(),
        ipc: harvest.ipc.as_ref().map(ipc::decode).transpose()?,
        programs: harvest.programs.iter().map(ProgramRecord::from).collect(),
    })
}
