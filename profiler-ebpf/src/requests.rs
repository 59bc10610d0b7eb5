//! Block requests: from insertion to issue to completion, and whose they are.
//!
//! A request is its inserter's, or its issuer's where it was never queued: direct IO and reads that
//! miss do either in the thread that waits (the plug is flushed before it sleeps). What was queued
//! is issued by whoever runs the queue, and what the device could not take is queued again by one
//! of the kernel's workers: neither changes whose it is. Writeback by these workers counts as
//! others'.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use profiler_common::{
    control::Control,
    device::{Device, DeviceSide, InFlight},
    since,
    stat::{BUCKETS, bucket},
    thread::Thread,
};

use crate::{
    access::{Access, now, offset, present},
    maps::{SIA_DEVICES, SIA_REQUESTS, bump, measuring, slot_of, thread},
};

/// `REQ_OP_MASK` of `include/linux/blk_types.h`; a read is operation 0.
const OP_MASK: u32 = 0xff;

/// The tracepoint `block_rq_insert`: a request is queued.
#[inline(always)]
pub fn on_insert<A: Access>(request: *const u8) {
    let Some(control) = measuring() else { return };
    let now = now();
    let flight = describe::<A>(request, now);
    if let Some(known) = flight_of(request)
        && known.issued != 0
    {
        // The device had no room for it: it is queued again, as it was, by a worker of the kernel.
        if flight.slot == 0 && flight.bytes == known.bytes && flight.read == known.read {
            return;
        }
        // Another request's, whose completion was missed.
        end_wait(known.slot, known.tid, now);
    }
    remember(control, request, &flight);
}

/// The tracepoint `block_rq_issue`: a request goes to the device.
#[inline(always)]
pub fn on_issue<A: Access>(request: *const u8) {
    let Some(control) = measuring() else { return };
    let now = now();
    let mut flight = describe::<A>(request, now);
    flight.issued = now;
    match flight_of(request) {
        Some(known) => {
            let again = known.issued != 0;
            known.issued = now;
            known.bytes = flight.bytes;
            if !again {
                begin_wait(known.slot, known.tid, now);
            }
        }
        None => {
            begin_wait(flight.slot, flight.tid, now);
            remember(control, request, &flight);
        }
    }
}

/// What is known of a request on its way.
#[inline(always)]
fn flight_of(request: *const u8) -> Option<&'static mut InFlight> {
    // SAFETY: a map's value, and one CPU handles a request at a time.
    SIA_REQUESTS.get_ptr_mut(request as u64).map(|flight| unsafe { &mut *flight })
}

#[inline(always)]
fn remember(control: &mut Control, request: *const u8, flight: &InFlight) {
    if SIA_REQUESTS.insert(request as u64, flight, 0).is_err() {
        bump(&mut control.counters.requests_lost, 1);
    }
}

/// `block_rq_complete(rq, error, nr_bytes)`. A request may complete in parts; the last part has all
/// that is left.
#[inline(always)]
pub fn on_complete<A: Access>(request: *const u8, bytes: u32) {
    let Some(control) = measuring() else { return };
    // SAFETY: the request of the tracepoint's argument.
    let left: u32 = unsafe { A::field(request, offset!(rq_len)) };
    if left > bytes {
        return;
    }
    let now = now();
    let Some(&mut flight) = flight_of(request) else { return };
    let _ = SIA_REQUESTS.remove(request as u64);
    if flight.issued == 0 {
        return;
    }
    end_wait(flight.slot, flight.tid, now);
    let Some(device) = device_of(device_number::<A>(request)) else {
        bump(&mut control.counters.devices_lost, 1);
        return;
    };
    // SAFETY: a map's value; every field is only added to.
    let device = unsafe { &mut *device };
    let side = if flight.slot != 0 { &mut device.target } else { &mut device.others };
    let queue = since(flight.issued, flight.inserted);
    let service = since(now, flight.issued);
    bump(&mut side.requests, 1);
    bump(&mut side.reads, flight.read as u64);
    bump(&mut side.bytes, flight.bytes);
    bump(&mut side.queue_sum, queue);
    bump(&mut side.service_sum, service);
    bump_bucket(&mut side.queue, queue);
    bump_bucket(&mut side.service, service);
}

/// A device's statistics, made at its first request; `None` where there is no room.
#[inline(always)]
fn device_of(number: u32) -> Option<*mut Device> {
    let mut device = SIA_DEVICES.get_ptr_mut(number);
    if device.is_none() {
        // BPF_NOEXIST: another CPU may have been faster.
        // By reference: a copy would be too large for the stack.
        let new: &Device = &NEW_DEVICE;
        let _ = SIA_DEVICES.insert(number, new, 1);
        device = SIA_DEVICES.get_ptr_mut(number);
    }
    device
}

/// In `.rodata`: too large for the stack.
static NEW_DEVICE: Device = Device { target: NEW_SIDE, others: NEW_SIDE };
const NEW_SIDE: DeviceSide = DeviceSide {
    requests: 0,
    reads: 0,
    bytes: 0,
    queue_sum: 0,
    service_sum: 0,
    queue: [0; BUCKETS],
    service: [0; BUCKETS],
};

#[inline(always)]
fn bump_bucket(buckets: &mut [u32; BUCKETS], ns: u64) {
    let i = bucket(ns);
    if i < BUCKETS {
        bump(&mut buckets[i], 1);
    }
}

#[inline(always)]
fn describe<A: Access>(request: *const u8, now: u64) -> InFlight {
    let tid = bpf_get_current_pid_tgid() as u32;
    // SAFETY: the request of the tracepoint's argument.
    let (bytes, flags): (u32, u32) =
        unsafe { (A::field(request, offset!(rq_len)), A::field(request, offset!(rq_flags))) };
    InFlight {
        inserted: now,
        issued: 0,
        bytes: bytes as u64,
        slot: slot_of(tid),
        tid,
        read: (flags & OP_MASK == 0) as u32,
        reserved: 0,
    }
}

#[inline(always)]
fn device_number<A: Access>(request: *const u8) -> u32 {
    // SAFETY: typed members from the request on.
    unsafe {
        let disk: *const u8 = if present(offset!(rq_disk)) {
            A::field(request, offset!(rq_disk))
        } else {
            let queue: *const u8 = A::field(request, offset!(rq_queue));
            A::field(queue, offset!(queue_disk))
        };
        if disk.is_null() {
            return 0;
        }
        A::field::<u32>(disk, offset!(disk_major)) << 20 | A::field::<u32>(disk, offset!(disk_minor))
    }
}

/// A request of this thread goes to the device.
#[inline(always)]
fn begin_wait(slot: u32, tid: u32, now: u64) {
    if let Some(t) = thread(slot)
        && t.tid == tid
    {
        if t.requests == 0 {
            t.device_from = now;
        }
        t.requests += 1;
    }
}

/// A request of this thread came back from the device.
#[inline(always)]
fn end_wait(slot: u32, tid: u32, now: u64) {
    if let Some(t) = thread(slot)
        && t.tid == tid
        && t.requests > 0
    {
        t.requests -= 1;
        if t.requests == 0 {
            t.device_to = now;
        }
    }
}

/// How much of the wait that ends at `wake` the thread's own requests were at the device: the
/// overlap with the last stretch of time in which at least one of them was.
#[inline(always)]
pub fn device_share(t: &Thread, wake: u64) -> u64 {
    let from = if t.device_from > t.off { t.device_from } else { t.off };
    let to = if t.requests > 0 || t.device_to > wake { wake } else { t.device_to };
    since(to, from)
}
