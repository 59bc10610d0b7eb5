//! A block device's record, decoded.

use profiler_common::device::{Device, DeviceSide};

use super::{
    error::{DecodeError, LIMIT},
    stat::BUCKETS,
};
use crate::quantity::Nanos;

/// One side's requests on a device.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Side {
    pub requests: u64,
    /// Requests completed that were reads.
    pub reads: u64,
    /// Bytes of all requests.
    pub bytes: u64,
    /// Insert to issue, sum.
    pub queue_time: Nanos,
    /// Issue to completion, sum.
    pub service_time: Nanos,
    /// Insert to issue, log2 histogram of ns.
    #[serde(with = "serde_big_array::BigArray")]
    pub queue: [u32; BUCKETS],
    /// Issue to completion, log2 histogram of ns.
    #[serde(with = "serde_big_array::BigArray")]
    pub service: [u32; BUCKETS],
}

/// Requests to one whole disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeviceRecord {
    /// Major number of the whole disk.
    pub major: u32,
    /// Minor number of the whole disk.
    pub minor: u32,
    pub target: Side,
    /// Requests of everybody else.
    pub others: Side,
}

impl Side {
    fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        self.reads += other.reads;
        self.bytes += other.bytes;
        self.queue_time += other.queue_time;
        self.service_time += other.service_time;
        for (to, from) in self.queue.iter_mut().chain(&mut self.service).zip(other.queue.iter().chain(&other.service)) {
            *to = to.wrapping_add(*from);
        }
    }
}

impl DeviceRecord {
    /// Adds what another window saw of the same device.
    pub fn absorb(&mut self, other: &Self) {
        self.target.absorb(&other.target);
        self.others.absorb(&other.others);
    }
}

pub(super) fn decode(number: u32, raw: &Device) -> Result<DeviceRecord, DecodeError> {
    let insane =
        |s: &DeviceSide| [s.requests, s.reads, s.bytes, s.queue_sum, s.service_sum].into_iter().any(|n| n >= LIMIT);
    if insane(&raw.target) || insane(&raw.others) {
        return Err(DecodeError { record: "device", id: number, field: "counters", value: u32::MAX });
    }
    Ok(DeviceRecord {
        major: number >> 20,
        minor: number & 0xf_ffff,
        target: side(&raw.target),
        others: side(&raw.others),
    })
}

fn side(raw: &DeviceSide) -> Side {
    Side {
        requests: raw.requests,
        reads: raw.reads,
        bytes: raw.bytes,
        queue_time: Nanos::from_nanos(raw.queue_sum),
        service_time: Nanos::from_nanos(raw.service_sum),
        queue: raw.queue,
        service: raw.service,
    }
}
