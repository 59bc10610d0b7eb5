//! CPU-clock samples: attached per CPU, read back as counts by where in the kernel they hit.

use std::collections::{BTreeMap, HashSet};

use aya::{
    maps::{MapData, RingBuf},
    programs::{
        PerfEvent,
        perf_event::{PerfEventConfig, PerfEventLink, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
};
use profiler_common::sample::{FRAMES, Sample};

use super::{error::LoadError, loader::Loaded};
use crate::quantity::Tid;

/// Samples a second and CPU. Prime, so that it does not run in step with timers.
const FREQUENCY: u64 = 499;

/// The program on the CPU clock.
pub const SAMPLER: &str = "sia_sample";

/// Samples of the target by where they hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SampleCounts {
    /// Samples of the target, in all.
    pub samples: u64,
    /// Samples in user mode.
    pub user: u64,
    /// In the kernel, below `__schedule`: leaving the CPU and coming back.
    pub schedule: u64,
    /// In the kernel, below `try_to_wake_up`.
    pub wake: u64,
    /// In a program of ours, or in the kernel's way into it.
    pub hooks: u64,
    /// Whose stack could not be read.
    pub unreadable: u64,
    /// How often a CPU came in mid-measurement, for the first time or again: samples of its first
    /// moments are missing.
    #[serde(default)]
    pub late_cpus: u64,
}

impl std::ops::AddAssign for SampleCounts {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.user += other.user;
        self.schedule += other.schedule;
        self.wake += other.wake;
        self.hooks += other.hooks;
        self.unreadable += other.unreadable;
        self.late_cpus += other.late_cpus;
    }
}

/// What a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Schedule,
    Wake,
    Hook,
}

/// Address ranges of the functions that are asked about.
#[derive(Default)]
struct Functions(Vec<(std::ops::Range<u64>, Part)>);

impl Functions {
    /// From the text of `/proc/kallsyms`; empty where addresses are hidden.
    fn parse(text: &str) -> Self {
        let mut symbols: Vec<(u64, Option<Part>)> = text
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_ascii_whitespace();
                let address = u64::from_str_radix(fields.next()?, 16).ok().filter(|&a| a != 0)?;
                fields.next().filter(|kind| matches!(*kind, "t" | "T" | "w" | "W"))?;
                Some((address, part(fields.next()?)))
            })
            .collect();
        symbols.sort_by_key(|&(address, _)| address);
        let ranges = symbols.windows(2).filter_map(|pair| Some((pair[0].0..pair[1].0, pair[0].1?)));
        Self(ranges.filter(|(range, _)| !range.is_empty()).collect())
    }

    fn part(&self, address: u64) -> Option<Part> {
        let after = self.0.partition_point(|(range, _)| range.start <= address);
        let (range, part) = self.0.get(after.checked_sub(1)?)?;
        range.contains(&address).then_some(*part)
    }
}

fn part(name: &str) -> Option<Part> {
    // A compiler's clone of a function is the function: `finish_task_switch.isra.0`.
    match name.split('.').next().unwrap_or(name) {
        "__schedule" | "finish_task_switch" | "__switch_to" | "__switch_to_asm" | "schedule_tail" => {
            Some(Part::Schedule)
        }
        "try_to_wake_up" | "sched_ttwu_pending" => Some(Part::Wake),
        name if name.starts_with("bpf_trampoline_") || (name.starts_with("bpf_prog_") && name.contains("_sia_")) => {
            Some(Part::Hook)
        }
        _ => None,
    }
}

/// Which CPUs have a sampler. The kernel takes an event off a CPU that goes away, and never puts it
/// back (`perf_event_exit_cpu`, kernel/events/core.c): the event stays open, and is dead.
#[derive(Debug)]
struct Covered<L> {
    /// By CPU.
    links: BTreeMap<u32, L>,
}

impl<L> Default for Covered<L> {
    fn default() -> Self {
        Self { links: BTreeMap::new() }
    }
}

impl<L> Covered<L> {
    /// Forgets the samplers of CPUs that are gone, and tells which CPUs that are there have none.
    fn missing(&mut self, online: &[u32]) -> Vec<u32> {
        self.links.retain(|cpu, _| online.contains(cpu));
        online.iter().copied().filter(|cpu| !self.links.contains_key(cpu)).collect()
    }
}

/// The samplers of all CPUs, attached.
pub(super) struct Sampler {
    ring: RingBuf<MapData>,
    covered: Covered<PerfEventLink>,
    /// Whether samples are taken.
    attached: bool,
    functions: Functions,
    counts: SampleCounts,
    /// Threads that were hit; `None` where no samples were taken.
    hit: Option<HashSet<Tid>>,
}

impl Sampler {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        let (functions, counts) = (Functions::default(), SampleCounts::default());
        Self { ring, covered: Covered::default(), attached: false, functions, counts, hit: None }
    }

    /// Loads the program once, and attaches it to every CPU. Without it nothing else is lost: an
    /// error is a reason to name.
    pub(super) fn attach(&mut self, loaded: &mut Loaded) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Attach { tracepoint: "cpu-clock".into(), reason };
        let program = loaded.ebpf.program_mut(SAMPLER).ok_or_else(|| failed("not in the object".into()))?;
        let program: &mut PerfEvent =
            program.try_into().map_err(|e: aya::programs::ProgramError| failed(e.to_string()))?;
        if program.fd().is_err() {
            program.load().map_err(|e| failed(e.to_string()))?;
            let text = std::fs::read_to_string("/proc/kallsyms").map_err(|e| failed(e.to_string()))?;
            self.functions = Functions::parse(&text);
        }
        if self.functions.0.is_empty() {
            return Err(failed("the kernel hides its addresses (kptr_restrict)".into()));
        }
        // Where it cannot be attached again, nobody watches.
        self.hit = None;
        self.cover(loaded)?;
        self.attached = true;
        self.hit = Some(HashSet::new());
        Ok(())
    }

    /// Attaches it to the CPUs that came since it was attached, for the first time or again. To be
    /// called a few times a second.
    pub(super) fn follow_cpus(&mut self, loaded: &mut Loaded) {
        if !self.attached {
            return;
        }
        match self.cover(loaded) {
            Ok(late) => self.counts.late_cpus += late,
            // It may have gone again: the next call tries anew.
            Err(error) => log::debug!("no CPU-clock samples on a CPU that came: {error}"),
        }
    }

    /// Attaches it to every CPU that has none. Returns to how many.
    fn cover(&mut self, loaded: &mut Loaded) -> Result<u64, LoadError> {
        let failed = |reason: String| LoadError::Attach { tracepoint: "cpu-clock".into(), reason };
        let program = loaded.ebpf.program_mut(SAMPLER).ok_or_else(|| failed("not in the object".into()))?;
        let program: &mut PerfEvent =
            program.try_into().map_err(|e: aya::programs::ProgramError| failed(e.to_string()))?;
        let online = aya::util::online_cpus().map_err(|(what, e)| failed(format!("{what}: {e}")))?;
        let missing = self.covered.missing(&online);
        for &cpu in &missing {
            let id = program.attach(
                PerfEventConfig::Software(SoftwareEvent::CpuClock),
                PerfEventScope::AllProcessesOneCpu { cpu },
                SamplePolicy::Frequency(FREQUENCY),
                false,
            );
            let link = id.and_then(|id| program.take_link(id)).map_err(|e| failed(e.to_string()))?;
            self.covered.links.insert(cpu, link);
        }
        Ok(missing.len() as u64)
    }

    pub(super) fn detach(&mut self) {
        self.attached = false;
        self.covered.links.clear();
    }

    pub(super) fn drain(&mut self) {
        while let Some(item) = self.ring.next() {
            if item.len() >= size_of::<Sample>() {
                // SAFETY: as many bytes as a `Sample` has, and any bytes are one: it is made of
                // integers alone.
                let sample = unsafe { item.as_ptr().cast::<Sample>().read_unaligned() };
                count(&mut self.counts, &self.functions, &sample);
                if let Some(hit) = &mut self.hit {
                    hit.insert(Tid::from_raw(sample.tid));
                }
            }
        }
    }

    /// What has been counted so far, and the threads that were hit.
    pub(super) fn so_far(&self) -> (SampleCounts, Option<HashSet<Tid>>) {
        (self.counts, self.hit.clone())
    }

    /// The same, and begins anew.
    pub(super) fn take(&mut self) -> (SampleCounts, Option<HashSet<Tid>>) {
        self.drain();
        let anew = self.attached.then(HashSet::new);
        (std::mem::take(&mut self.counts), std::mem::replace(&mut self.hit, anew))
    }
}

fn count(counts: &mut SampleCounts, functions: &Functions, sample: &Sample) {
    counts.samples += 1;
    let Ok(bytes) = usize::try_from(sample.bytes) else {
        // EFAULT: there is no kernel stack, the sample hit user mode.
        let user = sample.bytes == -libc::EFAULT;
        counts.user += u64::from(user);
        counts.unreadable += u64::from(!user);
        return;
    };
    let frames = &sample.frames[..(bytes / 8).min(FRAMES)];
    if frames.is_empty() {
        counts.user += 1;
        return;
    }
    // The innermost of the parts decides: a hook below `__schedule` is the hook's.
    match frames.iter().find_map(|&address| functions.part(address)) {
        Some(Part::Hook) => counts.hooks += 1,
        Some(Part::Schedule) => counts.schedule += 1,
        Some(Part::Wake) => counts.wake += 1,
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &str = "\
ffffffff81000000 T _stext
ffffffff81000100 t __schedule
ffffffff81000200 T schedule
ffffffff81000300 t finish_task_switch.isra.0
ffffffff81000400 T try_to_wake_up
ffffffff81000500 D jiffies
ffffffff81000600 T wake_up_process
ffffffffc0000000 t bpf_prog_0123456789abcdef_sia_switch\t[bpf]
ffffffffc0000100 t bpf_prog_0123456789abcdef_other\t[bpf]
ffffffffc0000200 t last\t[bpf]
";

    fn sample(bytes: i32, frames: &[u64]) -> Sample {
        let mut all = [0; FRAMES];
        all[..frames.len()].copy_from_slice(frames);
        Sample { tid: 1, bytes, frames: all }
    }

    #[test]
    fn a_sample_belongs_to_the_innermost_part() {
        let functions = Functions::parse(KALLSYMS);
        let mut counts = SampleCounts::default();
        let samples = [
            sample(-libc::EFAULT, &[]),
            sample(-libc::EINVAL, &[]),
            sample(16, &[0xffff_ffff_8100_0150, 0xffff_ffff_8100_0210]),
            sample(8, &[0xffff_ffff_8100_0350]),
            sample(8, &[0xffff_ffff_8100_0450]),
            sample(16, &[0xffff_ffff_c000_0010, 0xffff_ffff_8100_0150]),
            sample(8, &[0xffff_ffff_c000_0110]),
            sample(8, &[0xffff_ffff_8100_0610]),
        ];
        samples.iter().for_each(|s| count(&mut counts, &functions, s));
        let expected =
            SampleCounts { samples: 8, user: 1, schedule: 2, wake: 1, hooks: 1, unreadable: 1, late_cpus: 0 };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_cpu_that_comes_back_is_covered_anew() {
        let mut covered = Covered::default();
        let mut look = |online: &[u32]| {
            let missing = covered.missing(online);
            missing.iter().for_each(|&cpu| _ = covered.links.insert(cpu, ()));
            (missing, covered.links.len())
        };
        assert_eq!(look(&[0, 1, 2]), (vec![0, 1, 2], 3));
        assert_eq!(look(&[0, 1, 2]), (vec![], 3));
        assert_eq!(look(&[0, 2]), (vec![], 2), "its event is dead");
        assert_eq!(look(&[0, 1, 2]), (vec![1], 3), "back");
        assert_eq!(look(&[0, 1, 2, 5]), (vec![5], 4), "new");
        assert_eq!(look(&[1, 5, 7]), (vec![7], 3));
    }

    #[test]
    fn hidden_addresses_are_no_functions() {
        assert!(Functions::parse("0000000000000000 T __schedule\n0000000000000000 T schedule\n").0.is_empty());
    }
}
