//! Stacks, unwound, joined with their wakers, and counted by what is distinct in them.

use std::collections::HashMap;

use super::super::traces::{Naming, TraceId, Traces, Waker};
use crate::{
    answer::{Sampled, SampledStack, StackQuality, Taken},
    event::{BlockClass, Place, StackMoment, StackRecord},
    quantity::{Nanos, Tgid, Tid},
    symbol::{self, Frame},
    words,
};

/// Distinct stacks kept at most: beyond it, further ones are lost, and counted.
const MOST: usize = 50_000;
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

/// All stacks so far, each distinct one with its counts.
pub(super) struct Table {
    traces: Traces,
    stacks: HashMap<Key, Counts>,
    pending: HashMap<Tid, Pending>,
    /// Kernel stacks at switch-out, by place: which, how often.
    offs: HashMap<(Tid, Nanos), TraceId>,
    off_counts: HashMap<(Place, TraceId), u64>,
    quality: StackQuality,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            traces: Traces::new(),
            stacks: HashMap::new(),
            pending: HashMap::new(),
            offs: HashMap::new(),
            off_counts: HashMap::new(),
            quality: StackQuality::default(),
        }
    }

    /// Adds a stack to the table, or keeps it until its call returns.
    pub(super) fn add(&mut self, stack: StackRecord) {
        match &stack.moment {
            StackMoment::Off { outside: false } => {
                let kernel = self.traces.kernel.id(stack.kernel);
                // Those whose call never returned in time are forgotten.
                if self.offs.len() > MOST {
                    self.offs.clear();
                }
                self.offs.insert((stack.tid, stack.off), kernel);
            }
            StackMoment::Waker { by } => {
                let waker = Some(self.traces.waker(*by, &stack));
                self.pending.insert(stack.tid, Pending { off: stack.off, waker });
            }
            StackMoment::Return { place, blocked, delay, .. } => {
                let (place, blocked, delay) = (place.clone(), *blocked, *delay);
                self.traces.is_in(stack.tgid, place.space);
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
        let user = self.traces.trace(stack.tgid, stack);
        self.quality.truncated += u64::from(!self.traces.is_complete(user));
        Key {
            place,
            class,
            moment,
            comm: self.traces.comm(stack.tgid, stack.tid),
            user,
            kernel: self.traces.kernel.id(stack.kernel.clone()),
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
        let user = self.traces.trace_asleep(&found);
        self.quality.samples += 1;
        self.quality.truncated += u64::from(!self.traces.is_complete(user));
        let kernel = self.traces.kernel.id(Vec::new());
        let comm = self.traces.comm(sleeper.tgid, sleeper.tid);
        let key =
            Key { place: None, class: Some(sleeper.class), moment: Moment::Asleep, comm, user, kernel, waker: None };
        let blocked = sleeper.blocked.as_nanos() as f64;
        self.count(key, Counts { samples: 1, weight: 1.0, blocked: blocked.max(1.0), delay: 0.0 });
    }

    /// Everything so far, with names. `lost` stacks never came here.
    pub(super) fn named(&mut self, lost: u64) -> Sampled {
        let mut naming = self.traces.naming();
        let offs = commonest(&self.off_counts);
        let mut quality = self.quality;
        quality.lost += lost;
        let mut stacks: HashMap<Named, Counts> = HashMap::new();
        for (key, counts) in &self.stacks {
            let user = self.traces.user_frames(key.user);
            if key.moment != Moment::Clock {
                let named = symbol::application_frame(&user).is_some_and(|f| f.named);
                quality.named += if named { counts.samples } else { 0 };
            }
            let kernel = key.place.as_ref().and_then(|place| offs.get(place)).map_or(key.kernel, |o| o.0);
            let frames = self.frames(key, user, kernel, &mut naming);
            let waker = key.waker.as_ref().map_or_else(Vec::new, |waker| self.traces.waker_frames(waker, &mut naming));
            let entry = stacks.entry((key.moment, key.place.clone(), key.class, frames, waker)).or_default();
            entry.add(*counts);
        }
        let mut stacks: Vec<SampledStack> = stacks.into_iter().map(sampled_stack).collect();
        stacks.sort_by(|a, b| (&a.frames, &a.waker).cmp(&(&b.frames, &b.waker)));
        let unavailable = (stacks.is_empty() && quality.lost == 0).then(|| words::NO_STACK.to_owned());
        Sampled { frames: naming.frames.values, stacks, quality, unavailable }
    }

    /// A stack from its outermost frame, the thread's name, to its innermost. `kernel` is the
    /// kernel's part of it.
    fn frames(&self, key: &Key, user: Vec<Frame>, kernel: TraceId, naming: &mut Naming) -> Vec<u32> {
        let mut frames = vec![naming.frames.id(Frame::mark(&self.traces.comms.values[key.comm as usize]))];
        frames.extend(user.into_iter().rev().map(|f| naming.frames.id(f)));
        let mark = match (&key.place, key.class) {
            (Some(place), _) => Some(place.call_mark()),
            (None, Some(class)) => Some(format!("[{}]", class.name())),
            (None, None) => None,
        };
        frames.extend(mark.map(|m| naming.frames.id(Frame::mark(m))));
        let kernel = naming.kernel_frames(&self.traces.kernel.values[kernel as usize]);
        frames.extend(kernel.into_iter().rev());
        frames
    }
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
