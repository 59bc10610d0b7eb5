//! symbol/process: one process's address space: which module is where, and framehop's view of the
//! same.

use std::ops::Range;
use std::time::{Duration, Instant};

use framehop::{MayAllocateDuringUnwind, Module as FramehopModule, Unwinder as _, UnwinderNative};

use super::address::{CodeAddress, ModuleId};
use super::elf::Bytes;
use super::maps::{self, Mapping};
use super::module::{Kind, Modules};
use super::stub::Stubs;
use crate::quantity::Tgid;

/// If an address lies in no map of a process, its maps are read again, but no more often than this.
const REREAD_AFTER: Duration = Duration::from_millis(100);

/// Stacks are unwound by maps no older than this: a library can be replaced at the same address.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// framehop for the architecture that this runs on.
pub(super) type Framehop = UnwinderNative<Bytes, MayAllocateDuringUnwind>;

/// Addresses of a module in this process.
#[derive(Clone)]
struct Region {
    range: Range<u64>,
    module: ModuleId,
    /// What to subtract, wrapping, from a virtual address to get the module's own.
    bias: u64,
}

/// The address space of a process, as it was when its maps were last read.
pub(super) struct Process {
    tgid: Tgid,
    mappings: Vec<Mapping>,
    /// Sorted, disjoint: as /proc lists them.
    regions: Vec<Region>,
    pub(super) framehop: Framehop,
    /// Counts changes of the regions.
    pub(super) generation: u32,
    read_at: Option<Instant>,
    jit: Option<ModuleId>,
    stubs: Stubs,
}

impl Process {
    pub(super) fn new(tgid: Tgid) -> Self {
        Self {
            tgid,
            mappings: Vec::new(),
            regions: Vec::new(),
            framehop: Framehop::new(),
            generation: 0,
            read_at: None,
            jit: None,
            stubs: Stubs::default(),
        }
    }

    /// The memory that a child starts with: its parent's, until it executes another program.
    pub(super) fn forked(&self, child: Tgid) -> Self {
        let regions = self.regions.clone();
        Self { mappings: self.mappings.clone(), regions, framehop: self.framehop.clone(), ..Self::new(child) }
    }

    /// For code of a JIT compiler: how far above the stack pointer the next return address is,
    /// where the code tells.
    pub(super) fn stub_distance(&mut self, at: CodeAddress) -> Option<u64> {
        let in_jit = self.jit == Some(at.module) && at.is_return;
        if in_jit { self.stubs.distance(self.tgid, at.address) } else { None }
    }

    /// Where a virtual address is.
    pub(super) fn locate(&self, address: u64, is_return: bool) -> Option<CodeAddress> {
        let lookup = address.saturating_sub(u64::from(is_return));
        let after = self.regions.partition_point(|region| region.range.start <= lookup);
        let region = self.regions.get(after.checked_sub(1)?).filter(|region| region.range.contains(&lookup))?;
        Some(CodeAddress { module: region.module, address: address.wrapping_sub(region.bias), is_return })
    }

    /// Whether the maps may be read now; `missing`: because an address is not in them.
    pub(super) fn is_due(&self, missing: bool) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() >= if missing { REREAD_AFTER } else { STALE_AFTER })
    }

    /// Reads the maps, and returns whether they have changed. The maps of a process that is gone
    /// stay as they were.
    pub(super) fn refresh(&mut self, modules: &Modules) -> bool {
        self.read_at = Some(Instant::now());
        let Some(mappings) = maps::read(self.tgid).filter(|mappings| *mappings != self.mappings) else { return false };
        let mut framehop = Framehop::new();
        let mut regions = Vec::with_capacity(mappings.len());
        for mapping in &mappings {
            let found = match mapping.path.as_str() {
                "[vdso]" => modules.vdso(self.tgid, mapping),
                _ if mapping.file.inode != 0 => modules.file(self.tgid, mapping),
                _ => None,
            };
            let range = mapping.range.clone();
            let in_file = found.as_ref().and_then(|(id, module)| match &module.kind {
                Kind::Elf(elf) => Some((*id, elf, elf.bias(range.start, mapping.offset)?)),
                Kind::Nowhere | Kind::Jit(_) => None,
            });
            let Some((module, elf, bias)) = in_file else {
                let jit = *self.jit.get_or_insert_with(|| modules.add_jit(self.tgid));
                regions.push(Region { range, module: jit, bias: 0 });
                continue;
            };
            let base = bias.wrapping_add(elf.base());
            framehop.add_module(FramehopModule::new(String::new(), range.clone(), base, elf.unwind_sections()));
            regions.push(Region { range, module, bias });
        }
        self.mappings = mappings;
        self.regions = regions;
        self.framehop = framehop;
        self.stubs = Stubs::default();
        self.generation = self.generation.wrapping_add(1);
        true
    }
}
