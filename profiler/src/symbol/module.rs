//! symbol/module: the table of modules, shared by the unwinder, which adds to it, and the
//! symbolizer, which reads it on another thread.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::MemfdFlags;

use super::address::ModuleId;
use super::elf::{ElfFile, Stamp};
use super::maps::{FileKey, Mapping};
use super::perf_map::{Epoch, JitCode};
use super::root::open_in_root;
use crate::process;
use crate::quantity::Tgid;
use crate::text::clean::as_read;

/// What lies behind a mapping.
pub(super) enum Kind {
    /// No mapping is known.
    Nowhere,
    /// A program or library, or the vdso as a memory file.
    Elf(Box<ElfFile>),
    /// Memory of a process without a file, or with one that is no program, as it was in an epoch.
    Jit(Arc<JitCode>, Epoch),
}

/// What addresses of a mapping belong to.
pub(super) struct Module {
    /// File name without its folder, `[vdso]`, `[jit]`; empty for nowhere.
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Default)]
struct Registry {
    modules: Vec<Arc<Module>>,
    by_file: HashMap<FileKey, ModuleId>,
    vdsos: Vec<(Vec<u8>, ModuleId)>,
}

impl Registry {
    fn add(&mut self, module: Module) -> ModuleId {
        let id = ModuleId(u32::try_from(self.modules.len()).unwrap_or(0));
        self.modules.push(Arc::new(module));
        id
    }
}

/// The modules that were seen. A clone refers to the same table.
#[derive(Clone)]
pub struct Modules {
    registry: Arc<Mutex<Registry>>,
}

impl Modules {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        registry.add(Module { name: String::new(), kind: Kind::Nowhere });
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Every change is one push or insert, so what a panic leaves behind is whole.
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: ModuleId) -> Option<Arc<Module>> {
        self.lock().modules.get(id.0 as usize).map(Arc::clone)
    }

    /// The module of a mapping of a file: the one that is known, or a new one. `None` where the
    /// file cannot be had or is no program.
    pub(super) fn file(&self, tgid: Tgid, mapping: &Mapping) -> Option<(ModuleId, Arc<Module>)> {
        let known = self.lock().by_file.get(&mapping.file).copied();
        if let Some(id) = known {
            let module = self.get(id)?;
            // The kept descriptor keeps the inode, so its number is still this file's; the content
            // may have changed.
            if matches!(&module.kind, Kind::Elf(elf) if elf.stamp == Stamp::read(&elf.file)) {
                return Some((id, module));
            }
        }
        let elf = ElfFile::parse(open_mapped(tgid, mapping)?, |path| open_debug(tgid, path))?;
        let path = process::without_deleted(&mapping.path).unwrap_or(&mapping.path);
        let name = Path::new(path).file_name().map_or_else(String::new, |name| as_read(&name.to_string_lossy()));
        let mut registry = self.lock();
        let id = registry.add(Module { name, kind: Kind::Elf(Box::new(elf)) });
        registry.by_file.insert(mapping.file, id);
        let module = registry.modules.get(id.0 as usize).map(Arc::clone)?;
        Some((id, module))
    }

    /// The vdso of a process. It is no file: its bytes come from the process's memory, once for
    /// each variant.
    pub(super) fn vdso(&self, tgid: Tgid, mapping: &Mapping) -> Option<(ModuleId, Arc<Module>)> {
        let mut bytes = vec![0; usize::try_from(mapping.range.end - mapping.range.start).ok()?];
        let memory = File::open(format!("/proc/{tgid}/mem")).ok()?;
        memory.read_exact_at(&mut bytes, mapping.range.start).ok()?;
        let mut registry = self.lock();
        let known = registry.vdsos.iter().find(|(known, _)| *known == bytes).map(|(_, id)| *id);
        let id = match known {
            Some(id) => id,
            None => {
                let file = File::from(rustix::fs::memfd_create("vdso", MemfdFlags::CLOEXEC).ok()?);
                file.write_all_at(&bytes, 0).ok()?;
                let elf = ElfFile::parse(file, |_| None)?;
                let id = registry.add(Module { name: mapping.path.clone(), kind: Kind::Elf(Box::new(elf)) });
                registry.vdsos.push((bytes, id));
                id
            }
        };
        let module = registry.modules.get(id.0 as usize).map(Arc::clone)?;
        Some((id, module))
    }

    /// A module for a process's memory without a file, in an epoch of its names.
    pub(super) fn add_jit(&self, code: &Arc<JitCode>, epoch: Epoch) -> ModuleId {
        self.lock().add(Module { name: "[jit]".to_owned(), kind: Kind::Jit(Arc::clone(code), epoch) })
    }
}

/// Opens the file behind a mapping, and never another one that has taken its name.
fn open_mapped(tgid: Tgid, mapping: &Mapping) -> Option<File> {
    let (start, end) = (mapping.range.start, mapping.range.end);
    // Works for deleted files and across mount namespaces; needs CAP_CHECKPOINT_RESTORE or
    // CAP_SYS_ADMIN.
    let by_range = format!("/proc/{tgid}/map_files/{start:x}-{end:x}");
    let regular = |path: &str| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
    if let Some(file) = regular(&by_range).and_then(|_| File::open(&by_range).ok()) {
        return Some(file);
    }
    let same = |file: &File| file.metadata().is_ok_and(|m| m.is_file() && m.ino() == mapping.file.inode);
    let by_name = match process::without_deleted(&mapping.path) {
        Some(_) => None,
        None => open_in_root(tgid, &mapping.path).filter(same),
    };
    by_name.or_else(|| File::open(format!("/proc/{tgid}/exe")).ok().filter(same))
}

fn open_debug(tgid: Tgid, path: &str) -> Option<File> {
    open_in_root(tgid, path).or_else(|| File::open(path).ok())
}
