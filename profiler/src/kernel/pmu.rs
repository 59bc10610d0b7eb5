//! kernel/pmu: hardware counters of every CPU: opened, handed to the programs, their overflows
//! sampled, closed again.
//!
//! One pinned group a CPU, of any process: what the programs read is always running, or refused.
//! Each optional counter and the sampled one is pinned on its own, so that one that finds no room
//! does not take others with it.

mod event;
mod period;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use aya::{Ebpf, programs::PerfEvent};
use profiler_common::ipc::{counter, extra::EXTRAS};

use self::event::{Which, open, open_overflows};
use self::period::{FIRST, adapted};
use super::{descriptors, error::LoadError};
use crate::quantity::Nanos;

/// Maps of `profiler-ebpf/src/ipc.rs` and the bit of each in the programs' `COUNTERS`.
const MAPS: [(&str, Which, u32); 7] = [
    ("SIA_PMU_CYCLES", Which::Cycles { kernel: false }, counter::CYCLES),
    ("SIA_PMU_INSNS", Which::Instructions { kernel: false }, counter::INSTRUCTIONS),
    ("SIA_PMU_CYCLES_ALL", Which::Cycles { kernel: true }, counter::CYCLES_ALL),
    ("SIA_PMU_INSNS_ALL", Which::Instructions { kernel: true }, counter::INSTRUCTIONS_ALL),
    ("SIA_PMU_LLC", Which::LastLevelMisses, counter::extra(0)),
    ("SIA_PMU_DTLB", Which::DataTlbMisses, counter::extra(1)),
    ("SIA_PMU_BRANCH", Which::BranchMisses, counter::extra(2)),
];
/// How many of [`MAPS`] make the group.
const GROUP: usize = 4;

/// What is tried for the group, the best first.
const GROUPS: [u32; 4] = [
    counter::CYCLES | counter::INSTRUCTIONS | counter::CYCLES_ALL | counter::INSTRUCTIONS_ALL,
    counter::CYCLES | counter::INSTRUCTIONS,
    counter::CYCLES | counter::CYCLES_ALL,
    counter::CYCLES,
];

/// What this machine's counters are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// There are no counters to use.
    None,
    /// Cycles alone: no instructions, so no IPC.
    CyclesOnly,
    /// Windows: cycles and instructions from a return to the next call.
    CyclesAndInstructions,
    /// Windows, and curves from samples at overflow.
    Sampling,
}

/// A counter of one CPU, and its place in [`MAPS`].
struct Counter {
    map: usize,
    fd: OwnedFd,
}

/// The sampled counter of one CPU.
struct Overflows {
    fd: OwnedFd,
    /// Where it stood when it was last asked.
    seen: u64,
}

struct Cpu {
    number: u32,
    /// The leader first; after the group's members, the optional ones.
    counters: Vec<Counter>,
    overflows: Option<Overflows>,
}

/// The counters. Closing them is dropping them.
pub struct Pmu {
    cpus: Vec<Cpu>,
    mask: u32,
    grade: Grade,
    refused: Option<io::Error>,
    period: u64,
    /// Overflows that should have come.
    expected: f64,
    /// Stretches of counting with one period, of all CPUs: each may leave an overflow behind.
    stretches: u64,
    asked: Nanos,
    running: bool,
}

impl Pmu {
    /// No counters, and none asked for.
    pub(super) fn absent() -> Self {
        Self::with(Vec::new(), 0, Grade::None, None)
    }

    fn with(cpus: Vec<Cpu>, mask: u32, grade: Grade, refused: Option<io::Error>) -> Self {
        Self {
            cpus,
            mask,
            grade,
            refused,
            period: FIRST,
            expected: 0.0,
            stretches: 0,
            asked: Nanos::ZERO,
            running: false,
        }
    }

    /// Opens what there is on every CPU that is online. Never fails: [`Self::grade`] says what came
    /// of it, and [`Self::refused`] why it is not more.
    pub fn open() -> Self {
        let online = match aya::util::online_cpus() {
            Ok(online) => online,
            Err((_, error)) => return Self::with(Vec::new(), 0, Grade::None, Some(error)),
        };
        descriptors::raise(online.len() * (MAPS.len() + 1));
        let mut refused = None;
        for mask in GROUPS {
            match online.iter().map(|&cpu| group(cpu, mask)).collect::<io::Result<Vec<Cpu>>>() {
                Ok(cpus) => return Self::complete(cpus, mask, refused),
                // The first try asks for the most, so its refusal says what is in the way.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Self::with(Vec::new(), 0, Grade::None, refused)
    }

    fn complete(cpus: Vec<Cpu>, mask: u32, refused: Option<io::Error>) -> Self {
        let mut pmu = Self::with(cpus, mask, Grade::CyclesOnly, refused);
        if mask & counter::INSTRUCTIONS == 0 {
            return pmu;
        }
        pmu.grade = Grade::CyclesAndInstructions;
        let overflows: io::Result<Vec<Overflows>> = pmu
            .cpus
            .iter()
            .map(|cpu| {
                let fd = open_overflows(cpu.number, pmu.period)?;
                event::tried(&fd)?;
                Ok(Overflows { fd, seen: 0 })
            })
            .collect();
        match overflows {
            Ok(overflows) => {
                pmu.grade = Grade::Sampling;
                pmu.cpus.iter_mut().zip(overflows).for_each(|(cpu, fd)| cpu.overflows = Some(fd));
            }
            Err(error) => pmu.refused = pmu.refused.or(Some(error)),
        }
        for (map, &(_, which, bit)) in MAPS.iter().enumerate().skip(GROUP) {
            let all: io::Result<Vec<OwnedFd>> = pmu
                .cpus
                .iter()
                .map(|cpu| open(which, cpu.number, None).and_then(|fd| event::tried(&fd).map(|()| fd)))
                .collect();
            if let Ok(all) = all {
                pmu.mask |= bit;
                pmu.cpus.iter_mut().zip(all).for_each(|(cpu, fd)| cpu.counters.push(Counter { map, fd }));
            }
        }
        pmu
    }

    /// Which counters there are: bits of `profiler_common::ipc::counter`.
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// What they are good for.
    pub fn grade(&self) -> Grade {
        self.grade
    }

    /// Why the grade is not the next one, or the kernel's part is not counted; `None` where all
    /// could be had.
    pub fn refused(&self) -> Option<&io::Error> {
        self.refused.as_ref()
    }

    /// Whether the kernel's cycles and instructions are counted too.
    pub fn with_kernel(&self) -> bool {
        self.mask & counter::CYCLES_ALL != 0
    }

    /// Which optional counters there are, see `profiler_common::ipc::extra`.
    pub fn extras(&self) -> [bool; EXTRAS] {
        std::array::from_fn(|i| self.mask & counter::extra(i) != 0)
    }

    /// Instructions from one overflow to the next; 0: none are sampled.
    pub(super) fn period(&self) -> u64 {
        if self.grade == Grade::Sampling { self.period } else { 0 }
    }

    /// Hands the counters to the programs.
    pub(super) fn hand_over(&mut self, ebpf: &mut Ebpf) -> Result<(), LoadError> {
        for cpu in &self.cpus {
            for held in &cpu.counters {
                let name = MAPS[held.map].0;
                let failed = |reason: String| LoadError::Object(format!("{name}: {reason}"));
                let Some(aya::maps::Map::PerfEventArray(map)) = ebpf.map(name) else {
                    return Err(failed("not in the object".into()));
                };
                event::put(map.fd().as_fd(), cpu.number, held.fd.as_fd()).map_err(|e| failed(e.to_string()))?;
            }
        }
        if self.grade == Grade::Sampling
            && let Err(error) = self.attach(ebpf)
        {
            log::warn!("no samples at overflow: {error}");
            self.grade = Grade::CyclesAndInstructions;
            self.cpus.iter_mut().for_each(|cpu| cpu.overflows = None);
        }
        Ok(())
    }

    fn attach(&self, ebpf: &mut Ebpf) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Attach { tracepoint: "instructions".into(), reason };
        let program = ebpf.program_mut("sia_ipc_sample").ok_or_else(|| failed("not in the object".into()))?;
        let program: &mut PerfEvent =
            program.try_into().map_err(|e: aya::programs::ProgramError| failed(e.to_string()))?;
        program.load().map_err(|e| failed(e.to_string()))?;
        let fd = program.fd().map_err(|e| failed(e.to_string()))?;
        for overflows in self.cpus.iter().filter_map(|cpu| cpu.overflows.as_ref()) {
            event::attach(overflows.fd.as_fd(), fd.as_fd()).map_err(|e| failed(e.to_string()))?;
        }
        Ok(())
    }

    /// From now on they count.
    pub(super) fn start(&mut self) {
        for cpu in &mut self.cpus {
            for leader in leaders(cpu) {
                // Another profiler may have come since they were opened. What the programs cannot
                // read, they count.
                if let Err(error) = event::enable(leader).and_then(|()| event::count(leader)) {
                    log::warn!("a hardware counter of CPU {} does not run: {error}", cpu.number);
                }
            }
            if let Some(overflows) = &mut cpu.overflows {
                match event::count(&overflows.fd).and_then(|seen| event::enable(&overflows.fd).map(|()| seen)) {
                    Ok(seen) => (overflows.seen, self.stretches) = (seen, self.stretches + 1),
                    Err(error) => log::warn!("no samples at overflow on CPU {}: {error}", cpu.number),
                }
            }
        }
        (self.asked, self.running) = (super::clock::now(), true);
    }

    /// They stop; what they counted stays.
    pub(super) fn stop(&mut self) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        for cpu in &self.cpus {
            let sampled = cpu.overflows.as_ref().map(|o| &o.fd);
            sampled.into_iter().chain(leaders(cpu)).for_each(|fd| {
                let _ = event::disable(fd);
            });
        }
        self.account();
    }

    /// Adds the overflows that should have come since the last call. Returns the instructions of
    /// the busiest CPU.
    fn account(&mut self) -> u64 {
        let mut most = 0;
        for overflows in self.cpus.iter_mut().filter_map(|cpu| cpu.overflows.as_mut()) {
            let Ok(count) = event::count(&overflows.fd) else { continue };
            let instructions = count.saturating_sub(overflows.seen);
            overflows.seen = count;
            self.expected += instructions as f64 / self.period as f64;
            most = most.max(instructions);
        }
        most
    }

    /// Adapts the period to how fast the CPUs execute instructions. To be called a few times a
    /// second.
    pub(super) fn tune(&mut self) {
        if self.grade != Grade::Sampling || !self.running {
            return;
        }
        let now = super::clock::now();
        let elapsed = now.saturating_sub(std::mem::replace(&mut self.asked, now));
        let most = self.account();
        let Some(period) = adapted(self.period, most, elapsed) else { return };
        for overflows in self.cpus.iter().filter_map(|cpu| cpu.overflows.as_ref()) {
            if event::set_period(&overflows.fd, period).is_err() {
                return;
            }
            self.stretches += 1;
        }
        self.period = period;
    }

    /// How many overflows should have come and did not, given that `came` did. Counts anew from
    /// here.
    pub(super) fn take_lost(&mut self, came: u64) -> u64 {
        let lost = self.lost(came);
        self.expected = 0.0;
        self.stretches = self.cpus.len() as u64;
        lost
    }

    /// As [`Self::take_lost`], in mid-measurement.
    pub(super) fn lost(&mut self, came: u64) -> u64 {
        if self.grade != Grade::Sampling {
            return 0;
        }
        self.account();
        // The last of a stretch may be still to come.
        (self.expected - self.stretches as f64 - came as f64).max(0.0) as u64
    }
}

/// The events to switch on and off: the group's leader, and each optional counter.
fn leaders(cpu: &Cpu) -> impl Iterator<Item = &OwnedFd> {
    cpu.counters.iter().enumerate().filter(|(i, c)| *i == 0 || c.map >= GROUP).map(|(_, c)| &c.fd)
}

/// Opens one CPU's group, and looks whether it gets to run.
fn group(number: u32, mask: u32) -> io::Result<Cpu> {
    let mut counters: Vec<Counter> = Vec::new();
    for (map, &(_, which, bit)) in MAPS.iter().enumerate().take(GROUP) {
        if mask & bit != 0 {
            let fd = open(which, number, counters.first().map(|leader| leader.fd.as_fd()))?;
            counters.push(Counter { map, fd });
        }
    }
    if let Some(leader) = counters.first() {
        event::tried(&leader.fd)?;
    }
    Ok(Cpu { number, counters, overflows: None })
}
