//! Stacks, unwound, joined with their wakers, and counted by what is distinct in them.

use std::collections::HashMap;

use crate::{
    answer::{Sampled, SampledStack, StackQuality, Taken},
    event::{BlockClass, Place, StackMoment, StackRecord},
    process,
    quantity::{Nanos, Tgid, Tid},
    symbol::{self, Frame, Origin, StackCopy, Symbolizer, Trace, Unwinder},
    words,
};

/// Distinct stacks kept at most: beyond it, further ones are lost, and counted.
const MOST: usize = 50_000;
/// The user stack of a thread that has none.
const NO_USER_STACK: Trace = Trace { frames: Vec::new(), complete: true };
/// Bytes of a sleeping thread's stack that are read.
const ASLEEP_BYTES: usize = 8_192;

/// A thread that is asleep when the measurement ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper {
    pub(super) tgid: Tgid,
    pub(super) tid: Tid,
    pub(super) class: BlockClass,
    /// Its blocked time of that class.
    pub(super) blocked: Nanos,
}

/// A stack of addresses, interned.
type TraceId = u32;

/// What makes a stack a stack of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    place: Option<Place>,
    class: Option<BlockClass>,
    moment: Moment,
    comm: u32,
    user: TraceId,
    kernel: TraceId,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Moment {
    Call,
    Outside,
    Asleep,
    Clock,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Waker {
    comm: u32,
    user: TraceId,
    kernel: TraceId,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    samples: u64,
    weight: f64,
    blocked: f64,
    delay: f64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.samples += more.samples;
        self.weight += more.weight;
        self.blocked += more.blocked;
        self.delay += more.delay;
    }
}

/// What came of a block before its call returned.
#[derive(Default)]
struct Pending {
    off: Nanos,
    waker: Option<Waker>,
}

/// What tells named stacks apart: moment, place, class, frames, the waker's frames.
type Named = (Moment, Option<Place>, Option<BlockClass>, Vec<u32>, Vec<u32>);

/// Values, each with a number; equal ones share it.
struct Interned<T> {
    ids: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn new() -> Self {
        Self { ids: HashMap::new(), values: Vec::new() }
    }

    fn id(&mut self, value: T) -> u32 {
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let id = self.values.len() as u32;
        self.values.push(value.clone());
        self.ids.insert(value, id);
        id
    }
}

/// All stacks so far, each distinct one with its counts.
pub(super) struct Table {
    unwinder: Unwinder,
    /// The address space of each process, as last seen, and the first process that had it.
    spaces: HashMap<Tgid, u32>,
    first_in: HashMap<u32, Tgid>,
    symbolizer: Symbolizer,
    user: Interned<Trace>,
    kernel: Interned<Vec<u64>>,
    comms: Interned<String>,
    comm_of: HashMap<Tid, u32>,
    stacks: HashMap<Key, Counts>,
    pending: HashMap<Tid, Pending>,
    /// Kernel stacks at switch-out, by place: which, how often.
    offs: HashMap<(Tid, Nanos), TraceId>,
    off_counts: HashMap<(Place, TraceId), u64>,
    quality: StackQuality,
}

impl Table {
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
            stacks: HashMap::new(),
            pending: HashMap::new(),
            offs: HashMap::new(),
            off_counts: HashMap::new(),
            quality: StackQuality::default(),
        }
    }

    fn comm(&mut self, tgid: Tgid, tid: Tid) -> u32 {
        if let Some(&known) = self.comm_of.get(&tid) {
            return known;
        }
        let name = process::comm(tgid, tid).unwrap_or_else(|| "[gone]".into());
        let id = self.comms.id(without_number(name));
        self.comm_of.insert(tid, id);
        id
    }

    /// The user stack.
    fn trace(&mut self, tgid: Tgid, stack: &StackRecord) -> TraceId {
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
    fn is_in(&mut self, tgid: Tgid, space: u32) {
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

    /// Adds a stack to the table, or keeps it until its call returns.
    pub(super) fn add(&mut self, stack: StackRecord) {
        match &stack.moment {
            StackMoment::Off { outside: false } => {
                let kernel = self.kernel.id(stack.kernel);
                // Those whose call never returned in time are forgotten.
                if self.offs.len() > MOST {
                    self.offs.clear();
                }
                self.offs.insert((stack.tid, stack.off), kernel);
            }
            StackMoment::Waker { by } => {
                let (comm, user) = match *by {
                    // A waker's stack is no sample: it is not among those that can be truncated.
                    Some((tgid, tid)) => (self.comm(tgid, tid), self.trace(tgid, &stack)),
                    None => (self.comms.id("[idle CPU]".into()), self.user.id(NO_USER_STACK)),
                };
                let kernel = self.kernel.id(stack.kernel);
                let waker = Some(Waker { comm, user, kernel });
                self.pending.insert(stack.tid, Pending { off: stack.off, waker });
            }
            StackMoment::Return { place, blocked, delay, .. } => {
                let (place, blocked, delay) = (place.clone(), *blocked, *delay);
                self.is_in(stack.tgid, place.space);
                let pending = self.pending.remove(&stack.tid).filter(|p| p.off == stack.off).unwrap_or_default();
                if let Some(kernel) = self.offs.remove(&(stack.tid, stack.off)) {
                    *self.off_counts.entry((place.clone(), kernel)).or_default() += 1;
                }
                let weight = f64::from(stack.weight);
                let counts = Counts {
                    samples: 1,
                    weight,
                    blocked: weight * blocked.as_nanos() as f64,
                    delay: weight * delay.as_nanos() as f64,
                };
                self.quality.samples += 1;
                self.quality.with_waker += u64::from(pending.waker.is_some());
                let key = self.key(Moment::Call, Some(stack.class), Some(place), &stack, pending.waker);
                self.count(key, counts);
            }
            StackMoment::Off { outside: true } => {
                self.quality.samples += 1;
                let weight = f64::from(stack.weight);
                let key = self.key(Moment::Outside, Some(stack.class), None, &stack, None);
                self.count(key, Counts { samples: 1, weight, blocked: weight, delay: weight });
            }
            StackMoment::Clock => {
                self.quality.clock_samples += 1;
                let key = self.key(Moment::Clock, None, None, &stack, None);
                self.count(key, Counts { samples: 1, weight: 1.0, blocked: 0.0, delay: 0.0 });
            }
        }
    }

    fn key(
        &mut self,
        moment: Moment,
        class: Option<BlockClass>,
        place: Option<Place>,
        stack: &StackRecord,
        waker: Option<Waker>,
    ) -> Key {
        let user = self.trace(stack.tgid, stack);
        self.quality.truncated += u64::from(!self.user.values[user as usize].complete);
        Key {
            place,
            class,
            moment,
            comm: self.comm(stack.tgid, stack.tid),
            user,
            kernel: self.kernel.id(stack.kernel.clone()),
            waker,
        }
    }

    fn count(&mut self, key: Key, more: Counts) {
        if self.stacks.len() >= MOST && !self.stacks.contains_key(&key) {
            self.quality.lost += 1;
            return;
        }
        self.stacks.entry(key).or_default().add(more);
    }

    /// Counts a thread that is asleep. Its stack is read from `/proc`.
    pub(super) fn add_asleep(&mut self, sleeper: &Sleeper) {
        let Some(found) = symbol::sleeping_stack(sleeper.tgid, sleeper.tid, ASLEEP_BYTES) else { return };
        let trace = self.unwinder.unwind(&found.copy());
        self.quality.samples += 1;
        self.quality.truncated += u64::from(!trace.complete);
        let user = self.user.id(trace);
        let kernel = self.kernel.id(Vec::new());
        let comm = self.comm(sleeper.tgid, sleeper.tid);
        let key =
            Key { place: None, class: Some(sleeper.class), moment: Moment::Asleep, comm, user, kernel, waker: None };
        let blocked = sleeper.blocked.as_nanos() as f64;
        self.count(key, Counts { samples: 1, weight: 1.0, blocked: blocked.max(1.0), delay: 0.0 });
    }

    /// Everything so far, with names. `lost` stacks never came here.
    pub(super) fn named(&mut self, lost: u64) -> Sampled {
        self.symbolizer.name(self.user.values.iter().flat_map(|trace| &trace.frames).copied());
        let mut naming = Naming { frames: Interned::new(), kernel: self.kernel_names() };
        let offs = commonest(&self.off_counts);
        let mut quality = self.quality;
        quality.lost += lost;
        let mut stacks: HashMap<Named, Counts> = HashMap::new();
        for (key, counts) in &self.stacks {
            let user = user_frames(&self.symbolizer, &self.user.values[key.user as usize]);
            if key.moment != Moment::Clock {
                let named = symbol::application_frame(&user).is_some_and(|f| f.named);
                quality.named += if named { counts.samples } else { 0 };
            }
            let kernel = key.place.as_ref().and_then(|place| offs.get(place)).map_or(key.kernel, |o| o.0);
            let frames = self.frames(key, user, kernel, &mut naming);
            let waker = key.waker.as_ref().map_or_else(Vec::new, |waker| self.waker_frames(waker, &mut naming));
            let entry = stacks.entry((key.moment, key.place.clone(), key.class, frames, waker)).or_default();
            entry.add(*counts);
        }
        let mut stacks: Vec<SampledStack> = stacks.into_iter().map(sampled_stack).collect();
        stacks.sort_by(|a, b| (&a.frames, &a.waker).cmp(&(&b.frames, &b.waker)));
        let unavailable = (stacks.is_empty() && quality.lost == 0).then(|| words::NO_STACK.to_owned());
        Sampled { frames: naming.frames.values, stacks, quality, unavailable }
    }

    /// The frames of every kernel address that is in a stack.
    fn kernel_names(&mut self) -> HashMap<u64, Vec<Frame>> {
        let mut asked: Vec<u64> = self.kernel.values.iter().flatten().copied().collect();
        asked.sort_unstable();
        asked.dedup();
        asked.iter().copied().zip(self.symbolizer.kernel(&asked)).collect()
    }

    /// A stack from its outermost frame, the thread's name, to its innermost. `kernel` is the
    /// kernel's part of it.
    fn frames(&self, key: &Key, user: Vec<Frame>, kernel: TraceId, naming: &mut Naming) -> Vec<u32> {
        let mut frames = vec![naming.frames.id(Frame::mark(&self.comms.values[key.comm as usize]))];
        frames.extend(user.into_iter().rev().map(|f| naming.frames.id(f)));
        let mark = match (&key.place, key.class) {
            (Some(place), _) => Some(place.call_mark()),
            (None, Some(class)) => Some(format!("[{}]", class.name())),
            (None, None) => None,
        };
        frames.extend(mark.map(|m| naming.frames.id(Frame::mark(m))));
        let kernel = naming.kernel_frames(&self.kernel.values[kernel as usize]);
        frames.extend(kernel.into_iter().rev());
        frames
    }

    /// A waker's stack from its innermost frame to its outermost.
    fn waker_frames(&self, waker: &Waker, naming: &mut Naming) -> Vec<u32> {
        let mut ids = naming.kernel_frames(&self.kernel.values[waker.kernel as usize]);
        if naming.is_interrupt(&ids) {
            ids.push(naming.frames.id(Frame::mark("[interrupt]")));
        } else {
            let user = user_frames(&self.symbolizer, &self.user.values[waker.user as usize]);
            ids.extend(user.into_iter().map(|f| naming.frames.id(f)));
            ids.push(naming.frames.id(Frame::mark(&self.comms.values[waker.comm as usize])));
        }
        ids
    }
}

/// The frames of a user stack, the innermost first. Where its outer end was not reached a mark
/// stands for what is missing.
fn user_frames(symbolizer: &Symbolizer, trace: &Trace) -> Vec<Frame> {
    let named = trace.frames.iter().flat_map(|&address| symbolizer.frames(address).to_vec());
    named.chain((!trace.complete).then(|| Frame::mark(words::OUTER_MISSING))).collect()
}

/// Of each place, the kernel stack that was seen most, and how often.
fn commonest(counts: &HashMap<(Place, TraceId), u64>) -> HashMap<&Place, (TraceId, u64)> {
    let mut most: HashMap<&Place, (TraceId, u64)> = HashMap::new();
    for ((place, trace), &count) in counts {
        let best = most.entry(place).or_insert((*trace, count));
        if (count, std::cmp::Reverse(*trace)) > (best.1, std::cmp::Reverse(best.0)) {
            *best = (*trace, count);
        }
    }
    most
}

fn sampled_stack(((moment, place, class, frames, waker), counts): (Named, Counts)) -> SampledStack {
    SampledStack {
        taken: match (moment, place) {
            (Moment::Call, Some(place)) => Taken::Call(place),
            (Moment::Asleep, _) => Taken::Asleep,
            (Moment::Clock, _) => Taken::Clock,
            _ => Taken::Outside,
        },
        class,
        frames,
        waker,
        samples: counts.samples,
        weight: counts.weight,
        blocked: counts.blocked,
        delay: counts.delay,
    }
}

/// A pool's threads differ by a number behind their name; in a flame graph they are one:
/// `worker-*`.
fn without_number(name: String) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.is_empty() || stem.len() == name.len() { name } else { format!("{stem}*") }
}

/// Names of one table.
struct Naming {
    frames: Interned<Frame>,
    kernel: HashMap<u64, Vec<Frame>>,
}

impl Naming {
    /// Kernel frames, the innermost first, without those of our own hook and of the kernel's way
    /// into it.
    fn kernel_frames(&mut self, addresses: &[u64]) -> Vec<u32> {
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
    fn is_interrupt(&self, frames: &[u32]) -> bool {
        frames.iter().filter_map(|&i| self.frames.values.get(i as usize)).any(|f| {
            f.origin == Origin::Kernel
                && (f.name.starts_with("asm_sysvec_")
                    || f.name.starts_with("asm_common_interrupt")
                    || f.name.starts_with("el0_interrupt")
                    || f.name.starts_with("el1_interrupt"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StackRegisters;

    /// A user stack that leads nowhere, of a process that is not there.
    fn stack(moment: StackMoment) -> StackRecord {
        StackRecord {
            tid: Tid::from_raw(u32::MAX),
            tgid: Tgid::from_raw(u32::MAX),
            off: Nanos::from_nanos(7),
            class: BlockClass::Tcp,
            weight: 1,
            moment,
            registers: StackRegisters { ip: 0x1000, sp: 0x2000, ..StackRegisters::default() },
            user: vec![0; 64].into(),
            kernel: Vec::new(),
        }
    }

    #[test]
    fn no_more_stacks_are_truncated_than_were_taken() {
        let mut table = Table::new();
        let nobody = (Tgid::from_raw(u32::MAX), Tid::from_raw(u32::MAX));
        for moment in [StackMoment::Waker { by: Some(nobody) }, StackMoment::Off { outside: true }, StackMoment::Clock]
        {
            table.add(stack(moment));
        }
        let quality = table.quality;
        assert_eq!((quality.all(), quality.truncated), (2, 2), "{quality:?}");
        // Each of them says so where its outer frames would be.
        let found = table.named(0);
        let outer = |stack: &SampledStack| found.frames[stack.frames[1] as usize].name.clone();
        assert!(!found.stacks.is_empty() && found.stacks.iter().all(|stack| outer(stack) == words::OUTER_MISSING));
    }
}
