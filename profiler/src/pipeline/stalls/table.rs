//! Stalls with the stacks that were taken in them.

use std::collections::{BTreeMap, HashMap, VecDeque, btree_map::Entry};

use super::super::traces::{Interned, Naming, TraceId, Traces, Waker};
use crate::{
    answer::{Caught, Instead, Stall, StallStack, share_out},
    event::{BlockClass, LoopRecord, Place, StackMoment, StackRecord, Turn},
    quantity::{Nanos, Tgid, Tid},
    symbol::Frame,
};

/// Stalls that are kept; further ones are counted.
const MOST: usize = 20_000;
/// Stacks of a thread that wait for the end of its turn: the newest.
const MOST_WAITING: usize = 4_096;
/// Distinct stacks that are kept.
const MOST_STACKS: usize = 50_000;

/// A stack that was taken in a turn.
#[derive(Clone)]
struct Seen {
    /// When its block began, or when it was taken.
    at: Nanos,
    what: Instead,
    /// Blocked time that it stands for, ns; ticks of the CPU clock count one.
    weight: f64,
    stack: u32,
}

/// What makes a stack a stack of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    comm: u32,
    user: TraceId,
    kernel: TraceId,
    /// What it stood in; nothing while it ran.
    mark: Option<Mark>,
    waker: Option<Waker>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Mark {
    Call(Place),
    Class(BlockClass),
}

/// What came of a block before its call returned.
#[derive(Default)]
struct Open {
    off: Nanos,
    waker: Option<Waker>,
    kernel: Option<TraceId>,
}

/// All stalls so far.
pub(super) struct Table {
    over: Nanos,
    traces: Traces,
    stacks: Interned<Key>,
    /// Stacks of turns that are not over, by thread.
    seen: HashMap<Tid, VecDeque<Seen>>,
    open: HashMap<Tid, Open>,
    /// What each thread's turns add up to.
    loops: BTreeMap<(Tgid, Tid), LoopRecord>,
    stalls: Vec<Stall>,
    beyond: (u64, Nanos),
    stacks_lost: u64,
}

impl Table {
    pub(super) fn new(over: Nanos) -> Self {
        Self {
            over,
            traces: Traces::new(),
            stacks: Interned::new(),
            seen: HashMap::new(),
            open: HashMap::new(),
            loops: BTreeMap::new(),
            stalls: Vec::new(),
            beyond: (0, Nanos::ZERO),
            stacks_lost: 0,
        }
    }

    /// Keeps a stack until its turn is over.
    pub(super) fn add_stack(&mut self, stack: StackRecord) {
        let tid = stack.tid;
        let (what, weight, mark) = match &stack.moment {
            StackMoment::Off { outside: false } => {
                let kernel = Some(self.traces.kernel.id(stack.kernel));
                self.open.insert(tid, Open { off: stack.off, waker: None, kernel });
                return;
            }
            StackMoment::Waker { by } => {
                let waker = Some(self.traces.waker(*by, &stack));
                let open = self.open.entry(tid).or_default();
                let kernel = open.kernel.filter(|_| open.off == stack.off);
                *open = Open { off: stack.off, waker, kernel };
                return;
            }
            StackMoment::Return { place, blocked, .. } => {
                self.traces.is_in(stack.tgid, place.space);
                let ns = f64::from(stack.weight) * blocked.as_nanos() as f64;
                (Instead::Blocked(stack.class), ns, Some(Mark::Call(place.clone())))
            }
            StackMoment::Off { outside: true } => {
                (Instead::Blocked(stack.class), f64::from(stack.weight), Some(Mark::Class(stack.class)))
            }
            StackMoment::Clock => (Instead::Ran, 1.0, None),
        };
        let open = match what {
            Instead::Blocked(_) => self.open.remove(&tid).filter(|open| open.off == stack.off).unwrap_or_default(),
            _ => Open::default(),
        };
        if self.stacks.values.len() >= MOST_STACKS {
            self.stacks_lost += 1;
            return;
        }
        let user = self.traces.trace(stack.tgid, &stack);
        let kernel = open.kernel.unwrap_or_else(|| self.traces.kernel.id(stack.kernel.clone()));
        let comm = self.traces.comm(stack.tgid, tid);
        let key = self.stacks.id(Key { comm, user, kernel, mark, waker: open.waker });
        let seen = self.seen.entry(tid).or_default();
        // The oldest are of turns that were none.
        if seen.len() >= MOST_WAITING {
            seen.pop_front();
        }
        seen.push_back(Seen { at: stack.off, what, weight, stack: key });
    }

    /// Adds a stall, or the sums of a thread that has ended.
    pub(super) fn add_turn(&mut self, mut record: LoopRecord) {
        match record.turn.take() {
            Some(turn) => self.add_stall((record.tgid, record.tid), turn),
            None => self.add_sums(record),
        }
    }

    /// Adds what a living thread had at the end of a window, with its turn where that is a stall.
    pub(super) fn end_window(&mut self, mut record: LoopRecord) {
        if let Some(turn) = record.turn.take() {
            self.add_stall((record.tgid, record.tid), turn);
        }
        self.add_sums(record);
    }

    /// Adds what a thread had in a window that is over for it.
    fn add_sums(&mut self, record: LoopRecord) {
        self.seen.remove(&record.tid);
        self.open.remove(&record.tid);
        match self.loops.entry((record.tgid, record.tid)) {
            Entry::Occupied(mut known) => known.get_mut().absorb(&record),
            Entry::Vacant(place) => drop(place.insert(record)),
        }
    }

    fn add_stall(&mut self, (tgid, tid): (Tgid, Tid), turn: Turn) {
        // What came later is of the next turn.
        let mut seen = self.seen.remove(&tid).unwrap_or_default();
        let next = seen.iter().position(|seen| seen.at > turn.to).unwrap_or(seen.len());
        let later = seen.split_off(next);
        if !later.is_empty() {
            self.seen.insert(tid, later);
        }
        if self.stalls.len() >= MOST {
            self.beyond.0 += 1;
            self.beyond.1 += turn.length();
            return;
        }
        seen.retain(|seen| seen.at >= turn.from);
        let seen = by_time(&turn, seen.into());
        self.stalls.push(Stall::new((tgid, tid), turn, |what, time| shared_out(what, time, &seen)));
    }

    /// Everything so far, with names.
    pub(super) fn named(&mut self) -> Caught {
        let mut naming = self.traces.naming();
        let stacks = self.stacks.values.iter().map(|key| self.stack(key, &mut naming)).collect();
        let mut stalls = self.stalls.clone();
        stalls.sort_by_key(|stall| (stall.turn.from, stall.tid));
        Caught {
            over: self.over,
            loops: self.loops.values().cloned().collect(),
            broken: false,
            stalls,
            beyond: self.beyond,
            frames: naming.frames.values,
            stacks,
            stacks_lost: self.stacks_lost,
        }
    }

    fn stack(&self, key: &Key, naming: &mut Naming) -> StallStack {
        let comm = Frame::mark(&self.traces.comms.values[key.comm as usize]);
        let mut frames = vec![naming.frames.id(comm)];
        frames.extend(self.traces.user_frames(key.user).into_iter().rev().map(|frame| naming.frames.id(frame)));
        let mark = match &key.mark {
            Some(Mark::Call(place)) => Some(place.call_mark()),
            Some(Mark::Class(class)) => Some(format!("[{}]", class.name())),
            None => None,
        };
        frames.extend(mark.map(|mark| naming.frames.id(Frame::mark(mark))));
        let kernel = naming.kernel_frames(&self.traces.kernel.values[key.kernel as usize]);
        frames.extend(kernel.into_iter().rev());
        let waker = key.waker.as_ref().map_or_else(Vec::new, |waker| self.traces.waker_frames(waker, naming));
        StallStack { frames, waker }
    }
}

/// Brings stacks to the classes that the turn has time of: a call has the class of what it is for,
/// and its block that of what it waited for (`fsync` of a file waits for the journal).
fn by_time(turn: &Turn, mut seen: Vec<Seen>) -> Vec<Seen> {
    let has_time = |class: BlockClass| turn.blocked.iter().any(|&(known, _)| known == class);
    let without: Vec<&(BlockClass, Nanos)> = turn
        .blocked
        .iter()
        .filter(|(class, _)| seen.iter().all(|seen| seen.what != Instead::Blocked(*class)))
        .collect();
    let most = without.iter().max_by_key(|(_, time)| *time).map(|(class, _)| *class);
    for seen in &mut seen {
        let Instead::Blocked(class) = seen.what else { continue };
        let longest = turn.longest.as_ref().filter(|longest| longest.off == seen.at).map(|longest| longest.class);
        if let Some(class) = longest.or(if has_time(class) { None } else { most }) {
            seen.what = Instead::Blocked(class);
        }
    }
    seen
}

/// Shares the time of a kind out among the stacks that were taken in it.
fn shared_out(what: Instead, time: Nanos, seen: &[Seen]) -> Vec<(Option<usize>, Nanos)> {
    let of: Vec<&Seen> = seen.iter().filter(|seen| seen.what == what).collect();
    let weights: Vec<f64> = of.iter().map(|seen| seen.weight).collect();
    let Some(shares) = share_out(time.as_nanos(), &weights) else { return vec![(None, time)] };
    let mut stacks: BTreeMap<usize, Nanos> = BTreeMap::new();
    for (seen, share) in of.iter().zip(shares) {
        *stacks.entry(seen.stack as usize).or_default() += Nanos::from_nanos(share);
    }
    stacks.into_iter().map(|(stack, time)| (Some(stack), time)).collect()
}
