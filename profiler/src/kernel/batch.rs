//! kernel/batch: values of a map, hundreds in a system call (`BPF_MAP_LOOKUP_BATCH`). Kernels
//! before 5.6, and for arrays per CPU before 5.13, cannot do that: then each value is a call.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

/// Entries a call, and bytes of their values, at most.
const AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1 << 20;

/// `BPF_MAP_LOOKUP_BATCH` of include/uapi/linux/bpf.h.
const MAP_LOOKUP_BATCH: libc::c_int = 24;

/// `struct { ... } batch` in `union bpf_attr` of include/uapi/linux/bpf.h.
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Room for what a call reads: keys of type `K`, and for each the values `V` of so many CPUs (one
/// where the map is not per CPU).
struct Room<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    per_key: usize,
}

impl<K: Copy, V: Copy> Room<K, V> {
    /// Room for so many entries, if a call is to read them all.
    fn new(key: K, value: V, per_key: usize, wanted: usize) -> Self {
        let fit = BYTES_AT_ONCE / (per_key * size_of::<V>()).max(1);
        let count = wanted.min(AT_ONCE).min(fit).max(1);
        Self { keys: vec![key; count], values: vec![value; count * per_key], per_key }
    }

    /// Reads at most `most` entries that come after `from`, or the first ones; says how many came,
    /// and whether there may be more. `from` moves on.
    ///
    /// # Safety
    /// The map's keys are `K` and its values `V`, as many a key as this has room for; both are made
    /// of integers alone.
    unsafe fn read(&mut self, map: impl AsFd, from: &mut Option<u32>, most: usize) -> io::Result<(usize, bool)> {
        let (before, mut after) = (from.unwrap_or_default(), 0_u32);
        let mut batch = Batch {
            in_batch: from.map_or(0, |_| (&raw const before) as u64),
            out_batch: (&raw mut after) as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.values.as_mut_ptr() as u64,
            count: most.min(self.keys.len()) as u32,
            map_fd: map.as_fd().as_raw_fd() as u32,
            ..Batch::default()
        };
        // SAFETY: the kernel writes at most `count` keys and their values, for which there is room,
        // and four bytes to `after`: a bucket's number, or the index of an array.
        let result = unsafe { libc::syscall(libc::SYS_bpf, MAP_LOOKUP_BATCH, &raw mut batch, size_of::<Batch>()) };
        let more = if result < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ENOENT) {
                return Err(error);
            }
            false
        } else {
            true
        };
        *from = Some(after);
        Ok((batch.count as usize, more))
    }

    fn entries(&self, count: usize) -> impl Iterator<Item = (&K, &[V])> {
        self.keys.iter().zip(self.values.chunks_exact(self.per_key)).take(count)
    }
}

/// All entries of a hash map.
///
/// # Errors
/// The kernel's: it cannot read so.
///
/// # Safety
/// The map is a hash from `K` to `V`, both made of integers alone.
pub(super) unsafe fn hash<K: Copy, V: Copy>(map: impl AsFd, key: K, value: V) -> io::Result<Vec<(K, V)>> {
    let mut room = Room::new(key, value, 1, AT_ONCE);
    let (mut entries, mut from) = (Vec::new(), None);
    loop {
        // SAFETY: as the caller says.
        let (count, more) = unsafe { room.read(map.as_fd(), &mut from, AT_ONCE)? };
        entries.extend(room.entries(count).filter_map(|(key, values)| Some((*key, *values.first()?))));
        if !more {
            return Ok(entries);
        }
    }
}

/// Hands the values of all CPUs at each of these places to `take`, in the order of the places,
/// which rise.
///
/// # Errors
/// The kernel's: it cannot read so.
///
/// # Safety
/// The map is an array per CPU of `V`, which is made of integers alone and as long as a multiple of
/// eight bytes, and the machine can have `cpus` of them.
pub(super) unsafe fn array_per_cpu<V: Copy>(
    map: impl AsFd,
    places: &[u32],
    zero: V,
    cpus: usize,
    mut take: impl FnMut(u32, &[V]),
) -> io::Result<()> {
    let mut room = Room::new(0_u32, zero, cpus, places.len());
    // Neighbours are read together.
    for run in places.chunk_by(|a, b| a + 1 == *b) {
        let mut left = run;
        while let Some(first) = left.first() {
            let mut from = first.checked_sub(1);
            // SAFETY: as the caller says.
            let (count, _) = unsafe { room.read(map.as_fd(), &mut from, left.len())? };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            room.entries(count).for_each(|(place, values)| take(*place, values));
            left = left.get(count..).unwrap_or_default();
        }
    }
    Ok(())
}
