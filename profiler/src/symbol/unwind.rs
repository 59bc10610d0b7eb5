//! symbol/unwind: from a copy of a stack to code addresses, by the unwind information that
//! compilers leave in every program (`.eh_frame`), by frame pointers where there is none.

use std::collections::HashMap;

use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, UnwindRegsNative, Unwinder as _};

use super::address::{CodeAddress, ModuleId};
use super::copy::{Registers, StackCopy, Trace};
use super::memo::{Memo, Reads, Word};
use super::module::Modules;
use super::process::{Framehop, Process};
use crate::quantity::Tgid;

/// Frames of a trace at most.
pub const MOST_FRAMES: usize = 128;

/// Stands for a register that is not known. No stack and no code is at this address, so that a step
/// which needs it fails. At 0 framehop would believe that it had reached the thread's outermost
/// frame.
const UNKNOWN: u64 = 1;

/// What the unwinder did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Copies given to it.
    pub unwound: u64,
    /// Of these, taken from those known.
    pub remembered: u64,
    /// Of these, whose outermost frame was not reached.
    pub truncated: u64,
    /// Of these: the innermost frame lies in no mapping that could be read.
    pub no_module: u64,
    /// How often the maps of a process were read.
    pub maps_read: u64,
}

enum End {
    Outermost,
    /// The copy or the unwind information ended.
    Unreachable,
    /// A return address in no mapping.
    Unmapped,
}

/// Unwinds copies of stacks. Keeps what it has learnt of a process until it is told to forget.
pub struct Unwinder {
    modules: Modules,
    processes: HashMap<Tgid, Process>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    /// Knows no module; see [`Unwinder::walk`].
    nothing: Framehop,
    memo: Memo,
    counters: Counters,
}

impl Default for Unwinder {
    fn default() -> Self {
        Self::new()
    }
}

impl Unwinder {
    /// One that knows no process.
    pub fn new() -> Self {
        Self {
            modules: Modules::new(),
            processes: HashMap::new(),
            cache: CacheNative::new(),
            nothing: Framehop::new(),
            memo: Memo::default(),
            counters: Counters::default(),
        }
    }

    /// The modules that its addresses refer to, for a [`super::Symbolizer`].
    pub fn modules(&self) -> Modules {
        self.modules.clone()
    }

    /// What has been unwound so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Reads the maps of a process ahead of its first stack: it may have gone by then.
    pub fn prepare(&mut self, tgid: Tgid) {
        let process = self.processes.entry(tgid).or_insert_with(|| Process::new(tgid));
        if process.is_due(true) {
            self.counters.maps_read += 1;
            process.refresh(&self.modules);
        }
    }

    /// A process was forked by another. Its own maps are read at its first stack. If it is gone by
    /// then, its parent's maps are used.
    pub fn forked(&mut self, parent: Tgid, child: Tgid) {
        if let Some(process) = self.processes.get(&parent).map(|parent| parent.forked(child)) {
            self.processes.insert(child, process);
            self.memo.forget(child);
        }
    }

    /// A process has exited, or executes another program. Addresses of its traces stay valid.
    pub fn forget(&mut self, tgid: Tgid) {
        if self.processes.remove(&tgid).is_some() {
            self.memo.forget(tgid);
        }
    }

    /// Unwinds a copy. What cannot be followed is left out, and the trace is not complete.
    pub fn unwind(&mut self, copy: &StackCopy<'_>) -> Trace {
        self.counters.unwound += 1;
        let process = self.processes.entry(copy.tgid).or_insert_with(|| Process::new(copy.tgid));
        let missing = process.locate(copy.registers.ip, false).is_none();
        if process.is_due(missing) {
            self.counters.maps_read += 1;
            process.refresh(&self.modules);
        }
        process.look_at_jit(&self.modules);
        let trace = self.known_or_walked(copy);
        if let Some(process) = self.processes.get_mut(&copy.tgid) {
            process.went_through(&trace.frames);
        }
        self.counters.truncated += u64::from(!trace.complete);
        self.counters.no_module += u64::from(trace.frames.first().is_none_or(|at| at.module == ModuleId::NOWHERE));
        trace
    }

    fn known_or_walked(&mut self, copy: &StackCopy<'_>) -> Trace {
        let Some(process) = self.processes.get_mut(&copy.tgid) else { return Trace::default() };
        if let Some(trace) = self.memo.find(copy, process.generation) {
            self.counters.remembered += 1;
            return trace.clone();
        }
        let (mut trace, mut reads, mut end) = walk(process, &self.nothing, &mut self.cache, copy);
        if matches!(end, End::Unmapped) && process.is_due(true) {
            self.counters.maps_read += 1;
            if process.refresh(&self.modules) {
                (trace, reads, end) = walk(process, &self.nothing, &mut self.cache, copy);
            }
        }
        // Memory that is not mapped now may be later.
        if !matches!(end, End::Unmapped) {
            self.memo.keep(copy, process.generation, reads, &trace);
        }
        trace
    }
}

fn walk(
    process: &mut Process,
    nothing: &Framehop,
    cache: &mut CacheNative<MayAllocateDuringUnwind>,
    copy: &StackCopy<'_>,
) -> (Trace, Reads, End) {
    let Registers { ip, sp, .. } = copy.registers;
    let nowhere = CodeAddress { module: ModuleId::NOWHERE, address: ip, is_return: false };
    let mut frames = vec![process.locate(ip, false).unwrap_or(nowhere)];
    let mut registers = native(&copy.registers);
    let mut address = FrameAddress::from_instruction_pointer(ip);
    let mut reads = Reads::new();
    let end = loop {
        if frames.len() >= MOST_FRAMES {
            break End::Unreachable;
        }
        let first_of_step = reads.len();
        let mut failed = false;
        let mut read = |at: u64| {
            let distance = at.checked_sub(sp).ok_or(())?;
            let word = copy.word(distance);
            // Sorted into what it was once the step is done.
            reads.push((distance, word.map_or(Word::Missing, Word::Exactly)));
            failed |= word.is_none();
            word.ok_or(())
        };
        let stub = frames.last().and_then(|&at| process.stub_distance(at));
        let step = match stub {
            Some(distance) => step_over(&mut registers, distance, &mut read),
            None => process.framehop.unwind_frame(address, &mut registers, cache, &mut read),
        };
        if failed && stub.is_none() {
            // Where a rule cannot be followed, framehop falls back on frame pointers and keeps that
            // for this address, also for the next copy, which may be longer. Asking once without a
            // stack replaces what it kept.
            let mut no_stack = |_| Err(());
            let _ = nothing.unwind_frame(address, &mut registers.clone(), cache, &mut no_stack);
        }
        let Ok(Some(caller)) = step else {
            break if step.is_ok() { End::Outermost } else { End::Unreachable };
        };
        for (_, word) in &mut reads[first_of_step..] {
            if let Word::Exactly(value) = *word
                && code_pointer(value) != caller
            {
                *word = Word::from_register(value, copy);
            }
        }
        let (Some(at), Some(next)) = (process.locate(caller, true), FrameAddress::from_return_address(caller)) else {
            break End::Unmapped;
        };
        frames.push(at);
        address = next;
    };
    (Trace { frames, complete: matches!(end, End::Outermost) }, reads, end)
}

/// A step out of code that changes no register of its caller but the stack pointer.
fn step_over(
    registers: &mut UnwindRegsNative,
    distance: u64,
    read: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Result<Option<u64>, framehop::Error> {
    let at = registers.sp().checked_add(distance).ok_or(framehop::Error::IntegerOverflow)?;
    let caller = read(at).map_err(|()| framehop::Error::CouldNotReadStack(at))?;
    registers.set_sp(at.checked_add(8).ok_or(framehop::Error::IntegerOverflow)?);
    set_ip(registers, caller);
    Ok((caller != 0).then_some(caller))
}

#[cfg(target_arch = "x86_64")]
fn set_ip(registers: &mut UnwindRegsNative, ip: u64) {
    registers.set_ip(ip);
}

/// framehop keeps none for aarch64.
#[cfg(target_arch = "aarch64")]
fn set_ip(_registers: &mut UnwindRegsNative, _ip: u64) {}

fn known(register: u64) -> u64 {
    if register == 0 { UNKNOWN } else { register }
}

#[cfg(target_arch = "x86_64")]
fn native(registers: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(registers.ip, registers.sp, known(registers.fp))
}

/// A return address without what the CPU may have added to it.
#[cfg(target_arch = "x86_64")]
fn code_pointer(value: u64) -> u64 {
    value
}

/// User space has 48 bits of address; where the CPU signs return addresses, the signature is above
/// them.
#[cfg(target_arch = "aarch64")]
const ADDRESS_BITS: u64 = u64::MAX >> 16;

#[cfg(target_arch = "aarch64")]
fn code_pointer(value: u64) -> u64 {
    value & ADDRESS_BITS
}

#[cfg(target_arch = "aarch64")]
fn native(registers: &Registers) -> UnwindRegsNative {
    let mask = framehop::aarch64::PtrAuthMask(ADDRESS_BITS);
    UnwindRegsNative::new_with_ptr_auth_mask(mask, known(registers.lr), registers.sp, known(registers.fp))
}
