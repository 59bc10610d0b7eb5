//! symbol/process: one process's address space: which module is where, and framehop's view of the
//! same.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use framehop::{MayAllocateDuringUnwind, Module as FramehopModule, Unwinder as _, UnwinderNative};

use super::address::{CodeAddress, ModuleId};
use super::elf::Bytes;
use super::maps::{self, Mapping};
use super::module::{Kind, Modules};
use super::perf_map::{Epoch, JitCode};
use super::stub::Stubs;
use crate::quantity::Tgid;

/// If an address lies in no map of a process, its maps are read again, but no more often than this.
/// The names of its JIT code are looked at as often.
const REREAD_AFTER: Duration = Duration::from_millis(100);

/// Stacks are unwound by maps no older than this: a library can be replaced at the same address.
const STALE_AFTER: Duration = Duration::from_secs(10);
/// The same where the size of the process's memory has changed since.
const STALE_IF_CHANGED: Duration = Duration::from_secs(1);

/// Epochs of names, after each so many of which they are looked at less often.
const OFTEN: Epoch = 16;

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
    /// The size of its memory then, in pages.
    pages: Option<u64>,
    jit: Option<Jit>,
    stubs: Stubs,
}

/// Its memory without a file.
struct Jit {
    code: Arc<JitCode>,
    epoch: Epoch,
    /// The module of this epoch.
    module: ModuleId,
    looked: Instant,
    /// Whether a stack has gone through it. Nearly every process has such memory, and few have
    /// names for it.
    used: bool,
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
            pages: None,
            jit: None,
            stubs: Stubs::default(),
        }
    }

    /// The memory that a child starts with: its parent's, until it executes another program.
    /// Its own maps are read as soon as it has a stack: its JIT code is its own from then on.
    pub(super) fn forked(&self, child: Tgid) -> Self {
        Self { regions: self.regions.clone(), framehop: self.framehop.clone(), ..Self::new(child) }
    }

    /// For code of a JIT compiler: how far above the stack pointer the next return address is,
    /// where the code tells.
    pub(super) fn stub_distance(&mut self, at: CodeAddress) -> Option<u64> {
        let in_jit = at.is_return && self.jit.as_ref().is_some_and(|jit| jit.module == at.module);
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
        self.read_at.is_none_or(|at| match at.elapsed() {
            age if age >= STALE_AFTER || missing && age >= REREAD_AFTER => true,
            age => age >= STALE_IF_CHANGED && maps::pages(self.tgid) != self.pages,
        })
    }

    /// Looks whether names of its JIT code have taken the place of others. Stacks from now on are
    /// of the new epoch then.
    pub(super) fn look_at_jit(&mut self, modules: &Modules) {
        // The more often names change, the less often they are looked at: each epoch makes stacks
        // of its own.
        let is_due = |jit: &&mut Jit| jit.used && jit.looked.elapsed() >= REREAD_AFTER * (1 + jit.epoch / OFTEN);
        let Some(jit) = self.jit.as_mut().filter(is_due) else { return };
        jit.looked = Instant::now();
        let epoch = jit.code.refreshed().epoch();
        if epoch == jit.epoch {
            return;
        }
        let old = std::mem::replace(&mut jit.module, modules.add_jit(&jit.code, epoch));
        jit.epoch = epoch;
        for region in self.regions.iter_mut().filter(|region| region.module == old) {
            region.module = jit.module;
        }
        self.generation = self.generation.wrapping_add(1);
    }

    /// Notes whether a stack went through code that was made at run time.
    pub(super) fn went_through(&mut self, frames: &[CodeAddress]) {
        if let Some(jit) = self.jit.as_mut().filter(|jit| !jit.used) {
            jit.used = frames.iter().any(|at| at.module == jit.module);
        }
    }

    /// The module of memory without a file.
    fn jit(&mut self, modules: &Modules) -> ModuleId {
        let tgid = self.tgid;
        let jit = self.jit.get_or_insert_with(|| {
            let code = Arc::new(JitCode::new(tgid));
            Jit { module: modules.add_jit(&code, 0), epoch: 0, code, looked: Instant::now(), used: false }
        });
        jit.module
    }

    /// Reads the maps, and returns whether they have changed. The maps of a process that is gone
    /// stay as they were.
    pub(super) fn refresh(&mut self, modules: &Modules) -> bool {
        self.read_at = Some(Instant::now());
        self.pages = maps::pages(self.tgid);
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
                Kind::Nowhere | Kind::Jit(..) => None,
            });
            let Some((module, elf, bias)) = in_file else {
                let module = self.jit(modules);
                regions.push(Region { range, module, bias: 0 });
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
