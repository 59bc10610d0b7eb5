//! The maps, and how a program reaches a value in them. All are preallocated; the loader sets the
//! sizes that follow from the target and the machine.

use core::intrinsics::AtomicOrdering;

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, Queue, RingBuf},
};
use profiler_common::{
    control::Control,
    device::{Device, InFlight},
    site::{Site, SiteKey},
    thread::Thread,
    turn::Turn,
};

/// `BPF_F_MMAPABLE` of `include/uapi/linux/bpf.h`: user space reads and writes the map as memory.
const MMAPABLE: u32 = 1 << 10;

/// Thread ids per chunk of [`SIA_TIDS`].
pub const TID_CHUNK_BITS: u32 = 14;
/// A chunk of [`SIA_TIDS`].
pub type TidChunk = [u32; 1 << TID_CHUNK_BITS];

/// How many descriptors [`SIA_FDS`] holds.
pub const FD_SLOTS: usize = 1 << 16;

#[map]
pub static SIA_CONTROL: Array<Control> = Array::with_max_entries(1, MMAPABLE);

/// tid → slot of [`SIA_THREADS`], 0 for everybody else. An array, not a hash: every event of the
/// machine asks it, and the lookup in an array is a few inlined instructions.
#[map]
pub static SIA_TIDS: Array<TidChunk> = Array::with_max_entries(2, MMAPABLE);

/// Slot 0 is the pool of the threads that ended when [`SIA_EXITS`] was full.
#[map]
pub static SIA_THREADS: Array<Thread> = Array::with_max_entries(64, MMAPABLE);

#[map]
pub static SIA_FREE_THREADS: Queue<u32> = Queue::with_max_entries(64, 0);

/// Records of threads that ended.
#[map]
pub static SIA_EXITS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Block ends, while `Control::stream` is on.
#[map]
pub static SIA_STREAM: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Ring of samples of the CPU clock.
#[map]
pub static SIA_SAMPLES: RingBuf = RingBuf::with_byte_size(1 << 19, 0);

/// Stacks, while `Control::stack_every` is on.
#[map]
pub static SIA_STACKS: RingBuf = RingBuf::with_byte_size(1 << 12, 0);

/// The turns of each thread, by its slot, where stalls are asked for.
#[map]
pub static SIA_TURNS: Array<Turn> = Array::with_max_entries(1, MMAPABLE);

/// Turns of event loops that were too long.
#[map]
pub static SIA_STALLS: RingBuf = RingBuf::with_byte_size(1 << 12, 0);

/// (address space, descriptor) → the thread that waits by it for events, or that there are many.
#[map]
pub static SIA_LOOPS: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

#[map]
pub static SIA_SITE_INDEX: HashMap<SiteKey, u32> = HashMap::with_max_entries(64, 0);

#[map]
pub static SIA_SITES: PerCpuArray<Site> = PerCpuArray::with_max_entries(64, 0);

#[map]
pub static SIA_FREE_SITES: Queue<u32> = Queue::with_max_entries(64, 0);

/// (process, descriptor) → class, direct-mapped. A word holds generation, process, descriptor and
/// class; see `descriptor`.
#[map]
pub static SIA_FDS: Array<[u64; FD_SLOTS]> = Array::with_max_entries(1, 0);

/// task → slot, for a thread inside `execve` whose tid is about to change.
#[map]
pub static SIA_EXECS: HashMap<u64, u32> = HashMap::with_max_entries(256, 0);

/// Processes of the target, for births by a thread that was not listed yet. One leaves with its
/// leader, because its number may be given again.
#[map]
pub static SIA_GROUPS: HashMap<u32, u32> = HashMap::with_max_entries(8192, 0);

#[map]
pub static SIA_REQUESTS: HashMap<u64, InFlight> = HashMap::with_max_entries(8192, 0);

/// `major << 20 | minor` → statistics.
#[map]
pub static SIA_DEVICES: HashMap<u32, Device> = HashMap::with_max_entries(64, 0);

/// The page through which both sides set and count; `None` never happens.
#[inline(always)]
pub fn control() -> Option<&'static mut Control> {
    // SAFETY: plain integers in a map's value, which lives as long as the program. Both sides write
    // them; each field has one writer, or is only added to atomically.
    unsafe { SIA_CONTROL.get_ptr_mut(0).map(|p| &mut *p) }
}

/// The control page while events count: what most programs begin with.
#[inline(always)]
pub fn measuring() -> Option<&'static mut Control> {
    control().filter(|control| control.enabled != 0)
}

/// The slot filed under a tid; 0 where the thread is not of the target.
#[inline(always)]
pub fn slot_of(tid: u32) -> u32 {
    match SIA_TIDS.get_ptr(tid >> TID_CHUNK_BITS) {
        // SAFETY: the index is masked to the chunk's length.
        Some(chunk) => unsafe { *chunk.cast::<u32>().add((tid & ((1 << TID_CHUNK_BITS) - 1)) as usize) },
        None => 0,
    }
}

/// Files a slot under a tid.
#[inline(always)]
pub fn set_slot(tid: u32, slot: u32) {
    if let Some(chunk) = SIA_TIDS.get_ptr_mut(tid >> TID_CHUNK_BITS) {
        // SAFETY: the index is masked to the chunk's length.
        unsafe {
            *chunk.cast::<u32>().add((tid & ((1 << TID_CHUNK_BITS) - 1)) as usize) = slot;
        }
    }
}

/// The thread in a slot; `None` for slot 0, which is no thread's.
#[inline(always)]
pub fn thread(slot: u32) -> Option<&'static mut Thread> {
    if slot == 0 { None } else { in_slot(slot) }
}

/// The pool of the threads that ended without a record.
#[inline(always)]
pub fn pool() -> Option<&'static mut Thread> {
    in_slot(0)
}

#[inline(always)]
fn in_slot(slot: u32) -> Option<&'static mut Thread> {
    // SAFETY: as for `control`. A thread's state is written on the CPU that runs it; a waker on
    // another CPU writes only `wake` and `phase`, in an order that the switch-in tolerates (see
    // `cycle`).
    unsafe { SIA_THREADS.get_ptr_mut(slot).map(|p| &mut *p) }
}

/// Integers that BPF's atomic add takes.
pub trait Word: Copy {
    /// Adds atomically; an overflow wraps.
    fn add(&mut self, by: Self);
}

macro_rules! word {
    ($($type:ty: $unsigned:ty),*) => {$(
        impl Word for $type {
            #[inline(always)]
            fn add(&mut self, by: Self) {
                // The library has no atomics for targets without compare-and-swap. The result is
                // not used, so that this is the plain atomic add that kernels before 5.12 have.
                // SAFETY: an aligned integer of this width.
                unsafe {
                    core::intrinsics::atomic_xadd::<
                        $unsigned,
                        $unsigned,
                        { AtomicOrdering::Relaxed },
                    >((&raw mut *self).cast(), by as $unsigned)
                };
            }
        }
    )*};
}
word!(u32: u32, i32: u32, u64: u64, i64: u64);

/// Adds to a counter that several CPUs may touch.
#[inline(always)]
pub fn bump<T: Word>(counter: &mut T, by: T) {
    counter.add(by);
}
