//! kernel/per_cpu: the shared structures in per-CPU arrays, added up over the CPUs, and begun anew.

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
};

use super::error::LoadError;

/// aya wants its own mark on what it copies; the orphan rule wants a type of ours.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Wire<T>(pub(super) T);

// SAFETY: used for the structures of profiler-common only, which are `repr(C)` and made of integers
// alone.
unsafe impl<T: Copy + 'static> aya::Pod for Wire<T> {}

/// A per-CPU array, to be read.
pub(super) struct PerCpu<'a, T: Copy + 'static>(PerCpuArray<&'a MapData, Wire<T>>);

impl<'a, T: Copy + 'static> PerCpu<'a, T> {
    pub(super) fn new(ebpf: &'a Ebpf, name: &str) -> Result<Self, LoadError> {
        let map = ebpf.map(name).ok_or_else(|| no_map(name))?;
        Ok(Self(map.try_into().map_err(unreadable)?))
    }

    /// What all CPUs have at `index`.
    pub(super) fn sum(&self, index: u32, zero: T, add: impl Fn(&mut T, &T)) -> Result<T, LoadError> {
        let mut sum = zero;
        for value in self.0.get(&index, 0).map_err(unreadable)?.iter() {
            add(&mut sum, &value.0);
        }
        Ok(sum)
    }
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
    let cpus = aya::util::nr_cpus().map_err(|(what, e)| LoadError::Object(format!("{what}: {e}")))?;
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
