//! symbol/name: code addresses with their names, each looked up once.

use crate::text::clean::as_read;
use std::collections::HashMap;

use super::address::{CodeAddress, ModuleId};
use super::blaze::{Blaze, Named, Names};
use super::boundary::{self, Jumps};
use super::copy::Trace;
use super::elf::ElfFile;
use super::frame::{Frame, Origin};
use super::module::{Kind, Module, Modules};

/// Names addresses. Reads files and takes its time: it belongs on a thread that nothing waits for.
pub struct Symbolizer {
    modules: Modules,
    blaze: Blaze,
    named: HashMap<CodeAddress, Vec<Frame>>,
    /// Jumps of stripped files, read once one of their functions has no name.
    jumps: HashMap<ModuleId, Jumps>,
    kernel: HashMap<u64, Vec<Frame>>,
}

impl Symbolizer {
    /// A symbolizer for the addresses of the unwinder that has these modules.
    pub fn new(modules: Modules) -> Self {
        Self { modules, blaze: Blaze::default(), named: HashMap::new(), jumps: HashMap::new(), kernel: HashMap::new() }
    }

    /// Names addresses, each of which [`Self::frames`] then knows. An address that was named before
    /// costs a look-up. JIT code without a name is tried again, because the runtime may have
    /// written its name since. The more addresses at once, the better.
    pub fn name(&mut self, addresses: impl IntoIterator<Item = CodeAddress>) {
        let mut wanted: HashMap<ModuleId, Vec<CodeAddress>> = HashMap::new();
        for address in addresses {
            let known = self.named.get(&address);
            if known.is_none_or(|frames| frames.iter().any(|f| f.origin == Origin::Jit && !f.named)) {
                wanted.entry(address.module).or_default().push(address);
            }
        }
        for (id, mut addresses) in wanted {
            addresses.sort_unstable();
            addresses.dedup();
            let Some(module) = self.modules.get(id) else { continue };
            let names = match &module.kind {
                Kind::Elf(elf) => self.names_in_elf(id, elf, &addresses),
                Kind::Jit(code, epoch) => {
                    let map = code.refreshed();
                    let name = |at: &CodeAddress| map.name(at.for_lookup(), *epoch).map(jit_name);
                    addresses.iter().map(|at| name(at).into_iter().collect()).collect()
                }
                Kind::Nowhere => vec![Names::new(); addresses.len()],
            };
            for (address, names) in addresses.into_iter().zip(names) {
                self.named.insert(address, frames(&module, address, names));
            }
        }
    }

    /// What stands at an address: the innermost inlined function first, the function that it was
    /// inlined into last. Empty where [`Self::name`] has not seen it.
    pub fn frames(&self, address: CodeAddress) -> &[Frame] {
        self.named.get(&address).map_or(&[], Vec::as_slice)
    }

    /// A whole trace, named: the innermost first.
    pub fn stack(&mut self, trace: &Trace) -> Vec<Frame> {
        self.name(trace.frames.iter().copied());
        trace.frames.iter().flat_map(|&at| self.frames(at)).cloned().collect()
    }

    /// Names kernel addresses, in their order. Without the right to read /proc/kallsyms they have
    /// none.
    pub fn kernel(&mut self, addresses: &[u64]) -> Vec<Vec<Frame>> {
        let mut missing: Vec<u64> = addresses.iter().copied().filter(|at| !self.kernel.contains_key(at)).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let names = self.blaze.kernel(&missing).unwrap_or_else(|| vec![Names::new(); missing.len()]);
            for (address, names) in missing.into_iter().zip(names) {
                let named = names.into_iter().map(|n| frame(n, "[kernel]", Origin::Kernel)).collect();
                self.kernel.insert(address, or_unnamed(named, format!("[{address:#x}]"), "[kernel]", Origin::Kernel));
            }
        }
        addresses.iter().map(|at| self.kernel.get(at).cloned().unwrap_or_default()).collect()
    }

    /// From separate debug information, else from the file with what it links to, else from its
    /// symbol tables only, else from what its code says.
    fn names_in_elf(&mut self, id: ModuleId, elf: &ElfFile, addresses: &[CodeAddress]) -> Vec<Names> {
        let mut names = vec![Names::new(); addresses.len()];
        let sources = [elf.debug.as_ref().map(|file| (file, true)), Some((&elf.file, true)), Some((&elf.file, false))];
        for (file, debug) in sources.into_iter().flatten() {
            let missing: Vec<usize> = (0..names.len()).filter(|&i| names[i].is_empty()).collect();
            if missing.is_empty() {
                break;
            }
            let wanted: Vec<u64> = missing.iter().map(|&i| addresses[i].for_lookup()).collect();
            for (i, found) in missing.into_iter().zip(self.blaze.elf(file, debug, &wanted).into_iter().flatten()) {
                names[i] = found;
            }
        }
        for (names, at) in names.iter_mut().zip(addresses).filter(|(names, _)| names.is_empty()) {
            let Some(start) = elf.function_start(at.for_lookup()) else { continue };
            let is_start = |at: u64| elf.function_start(at) == Some(at);
            let jumps =
                self.jumps.entry(id).or_insert_with(|| boundary::jumps(&elf.file, is_start).unwrap_or_default());
            if let Some(Some(from)) = jumps.get(&start) {
                names.push(Named { name: format!("{from}.local"), source: None, inlined: false });
            }
        }
        names
    }
}

fn jit_name(name: &str) -> Named {
    Named { name: name.to_owned(), source: None, inlined: false }
}

fn frames(module: &Module, address: CodeAddress, names: Names) -> Vec<Frame> {
    let origin = match &module.kind {
        Kind::Jit(..) => Origin::Jit,
        Kind::Elf(_) | Kind::Nowhere => Origin::User,
    };
    let frames = names.into_iter().map(|name| frame(name, &module.name, origin)).collect();
    let unnamed = match &module.kind {
        Kind::Elf(elf) => {
            // The function's start, where it is known: calls from different places of one function
            // are one frame.
            let at = elf.function_start(address.for_lookup()).unwrap_or(address.address);
            format!("[{}+{at:#x}]", module.name.trim_matches(['[', ']']))
        }
        Kind::Jit(..) | Kind::Nowhere => format!("[{:#x}]", address.address),
    };
    or_unnamed(frames, unnamed, &module.name, origin)
}

fn frame(named: Named, module: &str, origin: Origin) -> Frame {
    Frame {
        name: as_read(&named.name),
        module: module.to_owned(),
        source: named.source.map(|(file, line)| (as_read(&file), line)),
        origin,
        inlined: named.inlined,
        named: true,
    }
}

fn or_unnamed(mut frames: Vec<Frame>, name: String, module: &str, origin: Origin) -> Vec<Frame> {
    if frames.is_empty() {
        frames.push(Frame { name, module: module.to_owned(), source: None, origin, inlined: false, named: false });
    }
    frames
}
