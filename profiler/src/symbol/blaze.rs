//! symbol/blaze: blazesym on a thread of its own. Its types cannot leave the thread they were made
//! on, and a file with broken debug information may make it panic. Then only that file has no
//! names.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Elf, Kernel, Source};
use blazesym::symbolize::{CodeInfo, Input, Reason, Sym, Symbolized, Symbolizer};

/// A name, and where in the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) source: Option<(String, u32)>,
    pub(super) inlined: bool,
}

/// What stands at an address: the innermost inlined function first, the function that was compiled
/// last. Empty where there is no name.
pub(super) type Names = Vec<Named>;

/// Where names come from.
enum Symbols {
    Elf { path: PathBuf, debug: bool },
    Kernel,
}

struct Question {
    from: Symbols,
    addresses: Vec<u64>,
}

type Answer = Option<Vec<Names>>;

/// The thread's other end.
#[derive(Default)]
pub(super) struct Blaze {
    thread: Option<(SyncSender<Question>, Receiver<Answer>)>,
}

impl Blaze {
    /// Names addresses that the file states. `None` where the file cannot be read as a whole.
    /// `debug`: with inlined functions and source lines.
    pub(super) fn elf(&mut self, file: &File, debug: bool, addresses: &[u64]) -> Option<Vec<Names>> {
        // By descriptor: the path may name another file by now, or none. blazesym tells files apart
        // by inode and time.
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.ask(Symbols::Elf { path, debug }, addresses)
    }

    /// Names kernel addresses, from /proc/kallsyms. `None` where that cannot be read.
    pub(super) fn kernel(&mut self, addresses: &[u64]) -> Option<Vec<Names>> {
        self.ask(Symbols::Kernel, addresses)
    }

    fn ask(&mut self, from: Symbols, addresses: &[u64]) -> Option<Vec<Names>> {
        if self.thread.is_none() {
            self.thread = start();
        }
        let (questions, answers) = self.thread.as_ref()?;
        let sent = questions.send(Question { from, addresses: addresses.to_vec() }).is_ok();
        let Ok(answer) = answers.recv().map(|answer| answer.filter(|names| sent && names.len() == addresses.len()))
        else {
            // The next question starts it again.
            self.thread = None;
            return None;
        };
        answer
    }
}

fn start() -> Option<(SyncSender<Question>, Receiver<Answer>)> {
    let (ask, questions) = sync_channel::<Question>(1);
    let (reply, answers) = sync_channel(1);
    let work = move || {
        let symbolizer = Symbolizer::new();
        for question in questions {
            if reply.send(answer(&symbolizer, &question)).is_err() {
                break;
            }
        }
    };
    std::thread::Builder::new().name("symbols".into()).spawn(work).ok()?;
    Some((ask, answers))
}

fn answer(symbolizer: &Symbolizer, question: &Question) -> Answer {
    let addresses = question.addresses.as_slice();
    let symbols = match &question.from {
        Symbols::Elf { path, debug } => {
            let mut elf = Elf::new(path);
            elf.debug_syms = *debug;
            symbolizer.symbolize(&Source::Elf(elf), Input::VirtOffset(addresses))
        }
        Symbols::Kernel => {
            // A vmlinux with debug information would take seconds and hundreds of MiB, for names
            // that kallsyms has.
            let kernel = Kernel { vmlinux: MaybeDefault::None, debug_syms: false, ..Kernel::default() };
            let symbols = symbolizer.symbolize(&Source::Kernel(kernel.clone()), Input::AbsAddr(addresses));
            symbols.map(|symbols| corrected(symbolizer, &kernel, addresses, symbols))
        }
    };
    Some(symbols.ok()?.iter().map(names).collect())
}

/// No function of the kernel is as long as this, bytes. kallsyms has no sizes: past the last symbol
/// of a region (between the kernel and its modules, or in code that a JIT compiler made) the last
/// one would lend its name to all.
const MOST_OF_KERNEL_FUNCTION: usize = 1 << 20;

/// What kallsyms alone gets wrong. An address right at the start of a function is a return address,
/// from a call that ends the function before it.
fn corrected<'a>(
    symbolizer: &'a Symbolizer,
    kernel: &Kernel,
    addresses: &[u64],
    mut symbols: Vec<Symbolized<'a>>,
) -> Vec<Symbolized<'a>> {
    for (symbol, address) in symbols.iter_mut().zip(addresses) {
        if symbol.as_sym().is_some_and(|symbol| symbol.offset >= MOST_OF_KERNEL_FUNCTION) {
            *symbol = Symbolized::Unknown(Reason::UnknownAddr);
        }
        if symbol.as_sym().is_none_or(|symbol| symbol.offset != 0) {
            continue;
        }
        let before = Input::AbsAddr(address.saturating_sub(1));
        if let Ok(found @ Symbolized::Sym(_)) = symbolizer.symbolize_single(&Source::Kernel(kernel.clone()), before) {
            *symbol = found;
        }
    }
    symbols
}

fn names(symbolized: &Symbolized<'_>) -> Names {
    let Some(symbol) = symbolized.as_sym().filter(|symbol| !symbol.name.is_empty()) else { return Names::new() };
    let Sym { name, code_info, inlined, .. } = symbol;
    let inlined = inlined.iter().rev().filter(|function| !function.name.is_empty());
    let mut names: Names = inlined
        .map(|function| Named {
            name: function.name.to_string(),
            source: function.code_info.as_ref().and_then(source),
            inlined: true,
        })
        .collect();
    names.push(Named { name: name.to_string(), source: code_info.as_deref().and_then(source), inlined: false });
    names
}

fn source(info: &CodeInfo<'_>) -> Option<(String, u32)> {
    Some((info.to_path().to_string_lossy().into_owned(), info.line?))
}
