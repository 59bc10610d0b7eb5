//! Block devices: how long requests queue, and how long they are served. The target's own requests
//! are apart from everybody else's.

use crate::stat::BUCKETS;

/// One side's requests on a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSide {
    /// How many requests were completed.
    pub requests: u64,
    /// How many of these were reads.
    pub reads: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Insert to issue, sum, ns.
    pub queue_sum: u64,
    /// Issue to completion, sum, ns.
    pub service_sum: u64,
    /// Insert to issue, log2 histogram.
    pub queue: [u32; BUCKETS],
    /// Issue to completion, log2 histogram.
    pub service: [u32; BUCKETS],
}

/// Statistics of the requests to one whole disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Requests that a thread of the target submitted.
    pub target: DeviceSide,
    /// Requests of all others (writeback included).
    pub others: DeviceSide,
}

/// A request on its way.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// When it was inserted into the queue (or issued, where it was never queued), ns.
    pub inserted: u64,
    /// When it was issued to the device, ns; 0 before that.
    pub issued: u64,
    /// Bytes it was issued with.
    pub bytes: u64,
    /// Slot of the submitting thread of the target, 0 for everybody else.
    pub slot: u32,
    /// Its tid, to know it again after the slot was reused.
    pub tid: u32,
    /// 1 for a read.
    pub read: u32,
    /// Keeps the layout free of holes.
    pub reserved: u32,
}
