//! Stacks on their way to names: unwound while their processes live, interned, and named as late as
//! one likes.

use std::collections::HashMap;

use crate::{
    event::StackRecord,
    process,
    quantity::{Tgid, Tid},
    symbol::{self, Frame, Origin, SleepingStack, StackCopy, Symbolizer, Trace, Unwinder},
    words,
};

/// The user stack of a thread that has none.
pub(super) const NO_USER_STACK: Trace = Trace { frames: Vec::new(), complete: true };

/// A stack of addresses, interned.
pub(super) type TraceId = u32;

/// Values, each with a number; equal ones share it.
pub(super) struct Interned<T> {
    ids: HashMap<T, u32>,
    pub(super) values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    pub(super) fn new() -> Self {
        Self { ids: HashMap::new(), values: Vec::new() }
    }

    pub(super) fn id(&mut self, value: T) -> u32 {
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let id = self.values.len() as u32;
        self.values.push(value.clone());
        self.ids.insert(value, id);
        id
    }
}

/// A thread that woke another one, or an interrupt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Waker {
    comm: u32,
    user: TraceId,
    kernel: TraceId,
}

/// Every stack that was seen, once, and the names of the threads that had them.
pub(super) struct Traces {
    unwinder: Unwinder,
    /// The address space of each process, as last seen, and the first process that had it.
    spaces: HashMap<Tgid, u32>,
    first_in: HashMap<u32, Tgid>,
    symbolizer: Symbolizer,
    pub(super) user: Interned<Trace>,
    pub(super) kernel: Interned<Vec<u64>>,
    pub(super) comms: Interned<String>,
    comm_of: HashMap<Tid, u32>,
}

impl Traces {
    pub(super) fn new() -> Self {
        let unwinder = Unwinder::new();
        let symbolizer = Symbolizer::new(unwinder.modules());
        Self {
            unwinder,
            spaces: HashMap::new(),
            first_in: HashMap::new(),
            symbolizer,
            user: Interned::new(),
            kernel: Interned::new(),
            comms: Interned::new(),
            comm_of: HashMap::new(),
        }
    }

    pub(super) fn comm(&mut self, tgid: Tgid, tid: Tid) -> u32 {
        if let Some(&known) = self.comm_of.get(&tid) {
            return known;
        }
        let name = process::comm(tgid, tid).unwrap_or_else(|| "[gone]".into());
        let id = self.comms.id(without_number(name));
        self.comm_of.insert(tid, id);
        id
    }

    /// The user stack.
    pub(super) fn trace(&mut self, tgid: Tgid, stack: &StackRecord) -> TraceId {
        let trace = if stack.user.is_empty() {
            NO_USER_STACK
        } else {
            let r = stack.registers;
            let registers = symbol::Registers { ip: r.ip, sp: r.sp, fp: r.fp, lr: r.lr };
            self.unwinder.unwind(&StackCopy { tgid, registers, bytes: &stack.user })
        };
        self.user.id(trace)
    }

    /// Notes which address space a process is in. A forked one has its parent's code until it
    /// executes another program, which makes a new space.
    pub(super) fn is_in(&mut self, tgid: Tgid, space: u32) {
        let before = self.spaces.insert(tgid, space);
        if before == Some(space) {
            return;
        }
        if before.is_some() {
            self.unwinder.forget(tgid);
        }
        let first = *self.first_in.entry(space).or_insert(tgid);
        if first != tgid && self.spaces.get(&first) == Some(&space) {
            self.unwinder.forked(first, tgid);
        }
    }

    /// Who woke a thread. An interrupt that found the CPU idle is nobody.
    pub(super) fn waker(&mut self, by: Option<(Tgid, Tid)>, stack: &StackRecord) -> Waker {
        let (comm, user) = match by {
            Some((tgid, tid)) => (self.comm(tgid, tid), self.trace(tgid, stack)),
            None => (self.comms.id("[idle CPU]".into()), self.user.id(NO_USER_STACK)),
        };
        Waker { comm, user, kernel: self.kernel.id(stack.kernel.clone()) }
    }

    /// The stack of a thread that sleeps.
    pub(super) fn trace_asleep(&mut self, found: &SleepingStack) -> TraceId {
        let trace = self.unwinder.unwind(&found.copy());
        self.user.id(trace)
    }

    /// Whether the outer end of a user stack was reached.
    pub(super) fn is_complete(&self, user: TraceId) -> bool {
        self.user.values[user as usize].complete
    }

    /// Everything so far, ready to be named.
    pub(super) fn naming(&mut self) -> Naming {
        self.symbolizer.name(self.user.values.iter().flat_map(|trace| &trace.frames).copied());
        Naming { frames: Interned::new(), kernel: self.kernel_names() }
    }

    /// The frames of a user stack, the innermost first. Where its outer end was not reached a mark
    /// stands for what is missing.
    pub(super) fn user_frames(&self, user: TraceId) -> Vec<Frame> {
        let trace = &self.user.values[user as usize];
        let named = trace.frames.iter().flat_map(|&address| self.symbolizer.frames(address).to_vec());
        named.chain((!trace.complete).then(|| Frame::mark(words::OUTER_MISSING))).collect()
    }

    /// A waker's stack from its innermost frame to its outermost.
    pub(super) fn waker_frames(&self, waker: &Waker, naming: &mut Naming) -> Vec<u32> {
        let mut ids = naming.kernel_frames(&self.kernel.values[waker.kernel as usize]);
        if naming.is_interrupt(&ids) {
            ids.push(naming.frames.id(Frame::mark("[interrupt]")));
        } else {
            let user = self.user_frames(waker.user);
            ids.extend(user.into_iter().map(|f| naming.frames.id(f)));
            ids.push(naming.frames.id(Frame::mark(&self.comms.values[waker.comm as usize])));
        }
        ids
    }

    /// The frames of every kernel address that is in a stack.
    fn kernel_names(&mut self) -> HashMap<u64, Vec<Frame>> {
        let mut asked: Vec<u64> = self.kernel.values.iter().flatten().copied().collect();
        asked.sort_unstable();
        asked.dedup();
        asked.iter().copied().zip(self.symbolizer.kernel(&asked)).collect()
    }
}

/// A pool's threads differ by a number behind their name; in a flame graph they are one:
/// `worker-*`.
fn without_number(name: String) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.is_empty() || stem.len() == name.len() { name } else { format!("{stem}*") }
}

/// Names of one table.
pub(super) struct Naming {
    pub(super) frames: Interned<Frame>,
    kernel: HashMap<u64, Vec<Frame>>,
}

impl Naming {
    /// Kernel frames, the innermost first, without those of our own hook and of the kernel's way
    /// into it.
    pub(super) fn kernel_frames(&mut self, addresses: &[u64]) -> Vec<u32> {
        let named: Vec<Frame> =
            addresses.iter().flat_map(|a| self.kernel.get(a).cloned().unwrap_or_default()).collect();
        let hook = |f: &Frame| {
            let name = f.name.as_str();
            ["bpf_", "__bpf_", "__traceiter_", "perf_trace_", "__perf_", "perf_"].iter().any(|p| name.starts_with(p))
        };
        let skip = named.iter().rposition(hook).map_or(0, |last| last + 1);
        named.into_iter().skip(skip).map(|f| self.frames.id(f)).collect()
    }

    /// Whether kernel frames go back to an interrupt. Then the thread that it hit woke nobody.
    pub(super) fn is_interrupt(&self, frames: &[u32]) -> bool {
        frames.iter().filter_map(|&i| self.frames.values.get(i as usize)).any(|f| {
            f.origin == Origin::Kernel
                && (f.name.starts_with("asm_sysvec_")
                    || f.name.starts_with("asm_common_interrupt")
                    || f.name.starts_with("el0_interrupt")
                    || f.name.starts_with("el1_interrupt"))
        })
    }
}
