//! kernel/per_cpu: the shared structures in per-CPU arrays, added up over the CPUs, and begun anew.

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray, PerCpuValues},
};

use super::{batch, error::LoadError};

/// aya wants its own mark on what it copies; the orphan rule wants a type of ours.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Wire<T>(pub(super) T);

// SAFETY: used for the structures of profiler-common only, which are `repr(C)` and made of integers
// alone.
unsafe impl<T: Copy + 'static> aya::Pod for Wire<T> {}

/// A per-CPU array, to be read.
pub(super) struct PerCpu<'a, T: Copy + 'static> {
    array: PerCpuArray<&'a MapData, Wire<T>>,
    map: &'a MapData,
}

impl<'a, T: Copy + 'static> PerCpu<'a, T> {
    pub(super) fn new(ebpf: &'a Ebpf, name: &str) -> Result<Self, LoadError> {
        let map = ebpf.map(name).ok_or_else(|| no_map(name))?;
        let array = map.try_into().map_err(unreadable)?;
        let Map::PerCpuArray(map) = map else { return Err(no_map(name)) };
        Ok(Self { array, map })
    }

    /// What all CPUs have at `index`.
    pub(super) fn sum(&self, index: u32, zero: T, add: impl Fn(&mut T, &T)) -> Result<T, LoadError> {
        let mut sum = zero;
        for value in self.array.get(&index, 0).map_err(unreadable)?.iter() {
            add(&mut sum, &value.0);
        }
        Ok(sum)
    }

    /// The same for many, which rise: hundreds in a system call, where the kernel can do that.
    pub(super) fn sums(&self, places: &[u32], zero: T, add: impl Fn(&mut T, &T)) -> Result<Vec<T>, LoadError> {
        let mut sums = Vec::with_capacity(places.len());
        if size_of::<T>().is_multiple_of(8) && places.len() > 1 {
            let together = |_, values: &[Wire<T>]| {
                let mut sum = zero;
                values.iter().for_each(|value| add(&mut sum, &value.0));
                sums.push(sum);
            };
            // SAFETY: aya has checked that the map is an array per CPU of values of this size; `T`
            // is a structure of profiler-common.
            let read = unsafe { batch::array_per_cpu(self.map.fd(), places, Wire(zero), cpus()?, together) };
            if read.is_ok() {
                return Ok(sums);
            }
        }
        places.iter().map(|&place| self.sum(place, zero, &add)).collect()
    }
}

fn cpus() -> Result<usize, LoadError> {
    aya::util::nr_cpus().map_err(|(what, e)| LoadError::Object(format!("{what}: {e}")))
}

/// Begins the values at `places` anew.
pub(super) fn clear<T: Copy + 'static>(
    ebpf: &mut Ebpf,
    name: &str,
    places: impl Iterator<Item = u32>,
    zero: T,
) -> Result<(), LoadError> {
    let map = ebpf.map_mut(name).ok_or_else(|| no_map(name))?;
    let mut values: PerCpuArray<&mut MapData, Wire<T>> = map.try_into().map_err(unreadable)?;
    let cpus = cpus()?;
    for i in places {
        let zeros = PerCpuValues::try_from(vec![Wire(zero); cpus]).map_err(|e| LoadError::Object(e.to_string()))?;
        values.set(i, zeros, 0).map_err(unreadable)?;
    }
    Ok(())
}

pub(super) fn no_map(name: &str) -> LoadError {
    LoadError::Object(format!("no map {name}"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unreadable(error: MapError) -> LoadError {
    LoadError::Object(error.to_string())
}

/// As many CPUs as the machine can have; 0 where it does not say.
pub fn possible_cpus() -> u32 {
    aya::util::nr_cpus().map_or(0, |cpus| cpus as u32)
}
