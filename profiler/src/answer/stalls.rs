//! answer/stalls: who blocked the loop. Turns of event loops that were too long, what the threads
//! did instead of coming back to their wait, and who waited for them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use super::{
    inputs::Inputs,
    profile::{NO_STACK, Profile, Stack, Weights},
    sampled::StackQuality,
};
use crate::{
    aggregate::{Histogram, Window},
    event::{BUCKETS, BlockClass, LoopRecord, Turn},
    quantity::{Nanos, Tgid, Tid},
    symbol::{Frame, application_frame},
};

/// What a loop did for a part of a stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instead {
    /// It was blocked.
    Blocked(BlockClass),
    /// It ran.
    Ran,
    /// It could run and got no CPU.
    WaitedForCpu,
}

/// A part of a stall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub what: Instead,
    /// The stack in [`Caught::stacks`] that was seen there; `None`: none was taken.
    pub stack: Option<usize>,
    pub time: Nanos,
}

/// A turn that was too long, and the stacks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stall {
    pub tgid: Tgid,
    pub tid: Tid,
    pub turn: Turn,
    /// What it consists of, the longest part first.
    pub parts: Vec<Part>,
}

/// A stack of a stall.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StallStack {
    /// Indices into [`Caught::frames`], the outermost first: the thread's name, its functions, the
    /// syscall's mark, the kernel's functions.
    pub frames: Vec<u32>,
    /// The stack of who ended the block, the innermost first; empty where none was seen.
    pub waker: Vec<u32>,
}

/// What was caught in a measurement, with names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caught {
    /// From what length on a turn is a stall.
    pub over: Nanos,
    /// The sums of each thread that waited for events, each thread once. Without turns.
    pub loops: Vec<LoopRecord>,
    /// Stalls in the order of their beginnings.
    pub stalls: Vec<Stall>,
    /// Further stalls, which are only counted, and their time.
    pub beyond: (u64, Nanos),
    pub frames: Vec<Frame>,
    pub stacks: Vec<StallStack>,
    /// Stacks that found no room.
    pub stacks_lost: u64,
    /// Whether the thread that puts them together ended before the measurement.
    pub broken: bool,
}

impl Caught {
    /// Adds what a thread that lives has had of its turns so far, with its turn where that is a
    /// stall; its stacks are not known yet.
    pub(crate) fn add_living(&mut self, mut record: LoopRecord) {
        if let Some(turn) = record.turn.take() {
            self.stalls.push(Stall::new((record.tgid, record.tid), turn, |_, time| vec![(None, time)]));
        }
        match self.loops.iter_mut().find(|known| (known.tgid, known.tid) == (record.tgid, record.tid)) {
            Some(known) => known.absorb(&record),
            None => self.loops.push(record),
        }
    }
}

/// A thread that waits for events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventLoop {
    pub tgid: Tgid,
    pub tid: Tid,
    /// The thread's name; empty where it was gone before it could be read.
    pub name: String,
    /// Time in which it was watched.
    pub watched: Nanos,
    /// Time in which it was away from its wait.
    pub away: Nanos,
    pub turns: u64,
    /// How many were how long, log2 histogram of ns.
    pub buckets: [u32; BUCKETS],
    pub longest: Nanos,
    pub stalls: u64,
    /// Time of its stalls.
    pub stood: Nanos,
    /// Whether others wait by the same descriptor: they go on while this one stands still.
    pub shared: bool,
    /// Whether it is one descriptor that most of its waits are for: a connection's own thread.
    pub own: bool,
}

/// Stalls by what was done instead, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub what: Instead,
    /// The innermost function that is the program's own, or the call; `None` where no stack tells.
    pub place: Option<String>,
    /// Time of the stalls that it is behind.
    pub time: Nanos,
    /// Stalls of which it is the longest part.
    pub stalls: u64,
    /// Descriptors that were ready after these, times the length of each: see [`Stall::others`].
    pub others: Nanos,
}

/// What stood still in a measurement, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Stalls {
    pub over: Nanos,
    /// From the first to the last moment.
    pub wall: Nanos,
    /// Time in which events counted.
    pub measured: Nanos,
    /// When it began.
    pub start: Nanos,
    /// What is measured: names and PIDs of the processes.
    pub processes: Vec<(u32, String)>,
    /// The loop that stood still for longest first.
    pub loops: Vec<EventLoop>,
    /// What others waited longest for first.
    pub causes: Vec<Cause>,
    /// The one that others waited longest for first.
    pub stalls: Vec<Stall>,
    pub beyond: (u64, Nanos),
    pub frames: Vec<Frame>,
    pub stacks: Vec<StallStack>,
    /// Stalls and stacks that found no room.
    pub lost: (u64, u64),
    /// Whether the thread that puts them together ended before the measurement.
    pub broken: bool,
    /// What the programs cost the target, as a share of its CPU; `None`: not known.
    pub programs: Option<f64>,
    /// What the profiler itself used, in CPUs.
    pub own: f64,
}

impl EventLoop {
    fn new(tgid: Tgid, tid: Tid) -> Self {
        Self {
            tgid,
            tid,
            name: String::new(),
            watched: Nanos::ZERO,
            away: Nanos::ZERO,
            turns: 0,
            buckets: [0; BUCKETS],
            longest: Nanos::ZERO,
            stalls: 0,
            stood: Nanos::ZERO,
            shared: false,
            own: false,
        }
    }

    /// Takes what another look knew of it, where that is more.
    pub(crate) fn raise(&mut self, other: &Self) {
        (self.watched, self.away) = (self.watched.max(other.watched), self.away.max(other.away));
        (self.stalls, self.stood) = (self.stalls.max(other.stalls), self.stood.max(other.stood));
        (self.turns, self.longest) = (self.turns.max(other.turns), self.longest.max(other.longest));
        self.buckets.iter_mut().zip(other.buckets).for_each(|(own, other)| *own = (*own).max(other));
    }

    /// The share of its time in which it was away from its wait.
    pub fn busy(&self) -> f64 {
        self.away.ratio_to(self.watched).min(1.0)
    }

    /// The share of its time in which it stood still.
    pub fn stood_still(&self) -> f64 {
        self.stood.ratio_to(self.watched).min(1.0)
    }

    /// A quantile of its turns, exact to a factor of two; never more than the longest.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        Histogram(&self.buckets).quantile(q).map(|at| at.min(self.longest))
    }
}

impl Stall {
    /// `shared_out` says in which stacks the time of each kind was spent.
    pub(crate) fn new(
        (tgid, tid): (Tgid, Tid),
        turn: Turn,
        shared_out: impl Fn(Instead, Nanos) -> Vec<(Option<usize>, Nanos)>,
    ) -> Self {
        let blocked = turn.blocked.iter().map(|&(class, time)| (Instead::Blocked(class), time));
        let others = [(Instead::Ran, turn.user + turn.kernel), (Instead::WaitedForCpu, turn.delay)];
        let part = |what| move |(stack, time)| Part { what, stack, time };
        let parts = blocked.chain(others).flat_map(|(what, time)| shared_out(what, time).into_iter().map(part(what)));
        let mut parts: Vec<Part> = parts.filter(|part| part.time > Nanos::ZERO).collect();
        parts.sort_by_key(|part| Reverse(part.time));
        Self { tgid, tid, turn, parts }
    }

    pub fn length(&self) -> Nanos {
        self.turn.length()
    }

    /// The descriptors that were ready when the loop came back, times the length. Each became ready
    /// at some moment of it, so these waited no longer than that together; a descriptor may stand
    /// for many requests, and what the loop had taken before and not yet served is not in it.
    pub fn others(&self) -> Nanos {
        let ready = u64::from(self.turn.ready.unwrap_or(0));
        Nanos::from_nanos(self.length().as_nanos().saturating_mul(ready))
    }

    /// Time of all parts of a kind, the kind with the most first.
    pub fn kinds(&self) -> Vec<(Instead, Nanos)> {
        let mut kinds: BTreeMap<Instead, Nanos> = BTreeMap::new();
        for part in &self.parts {
            *kinds.entry(part.what).or_default() += part.time;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|&(what, time)| (Reverse(time), what));
        kinds
    }
}

impl Stalls {
    /// What was caught, and what was measured beside it.
    pub fn new(caught: Caught, window: &Window, inputs: &Inputs) -> Self {
        let parks = inputs.facts.runtime.as_ref().is_some_and(|runtime| runtime.language.parks_its_tasks());
        let mut loops = loops_of(&caught.loops, parks);
        idle_loops(window, &mut loops);
        let known: HashSet<(Tgid, Tid)> = caught.loops.iter().map(|record| (record.tgid, record.tid)).collect();
        let is_loop = |stall: &Stall| {
            let key = (stall.tgid, stall.tid);
            loops.contains_key(&key) || !known.contains(&key)
        };
        let mut stalls: Vec<Stall> = caught.stalls.into_iter().filter(is_loop).collect();
        for stall in &stalls {
            // Where its sums were lost, its stalls are all that is known.
            let key = (stall.tgid, stall.tid);
            let of = loops
                .entry(key)
                .or_insert_with(|| EventLoop { watched: window.measured, ..EventLoop::new(stall.tgid, stall.tid) });
            of.stalls += 1;
            of.stood += stall.length();
            of.longest = of.longest.max(stall.length());
            if stall.turn.open {
                of.away += stall.length();
            }
        }
        for (&(_, tid), of) in &mut loops {
            of.name = inputs.thread_names.get(&tid).cloned().unwrap_or_default();
        }
        let mut loops: Vec<EventLoop> = loops.into_values().collect();
        loops.sort_by_key(|of| (Reverse(of.stood), Reverse(of.away), of.tid));
        let causes = causes_of(&stalls, &caught.stacks, &caught.frames);
        stalls.sort_by_key(|stall| (Reverse(stall.others()), Reverse(stall.length()), stall.turn.from));
        let wall = inputs.window.wall;
        Self {
            over: caught.over,
            wall,
            measured: window.measured,
            start: window.start,
            processes: inputs.facts.processes.iter().map(|process| (process.tgid, process.name.clone())).collect(),
            loops,
            causes,
            stalls,
            beyond: caught.beyond,
            frames: caught.frames,
            stacks: caught.stacks,
            broken: caught.broken,
            lost: (window.quality.stalls_lost, caught.stacks_lost + window.quality.stacks_lost),
            programs: programs_share(window, inputs),
            own: inputs.own_cpu.as_secs_f64() / wall.as_secs_f64().max(1e-9),
        }
    }

    /// Time of all stalls that are listed.
    pub fn stood(&self) -> Nanos {
        self.loops.iter().map(|of| of.stood).sum()
    }

    /// The functions that more than half of a stall's largest part was spent below, and the stack
    /// of who ended it; both with the innermost first. The thread's name is in neither.
    pub fn stack_of(&self, stall: &Stall) -> (Vec<&str>, Vec<&str>) {
        let name = |i: &u32| self.frames.get(*i as usize).map(|frame| frame.name.as_str());
        let largest = stall.kinds().first().map(|&(what, _)| what);
        let of = || stall.parts.iter().filter(|part| Some(part.what) == largest);
        let path = path_of(of(), &self.stacks);
        let waker = of().find_map(|part| self.stacks.get(part.stack?));
        let waker = waker.map_or(&[][..], |stack| &*stack.waker);
        (path.iter().skip(1).rev().filter_map(name).collect(), waker.iter().filter_map(name).collect())
    }

    /// The loops that did something.
    pub fn awake(&self) -> impl Iterator<Item = &EventLoop> {
        self.loops.iter().filter(|of| of.turns > 0 || of.stalls > 0)
    }

    /// The stalls as stacks, for a flame graph: time in which loops stood still, as
    /// [`Weight::Blocked`]. What no stack was taken for stands below a mark.
    pub fn profile(&self) -> Profile {
        let mut times: BTreeMap<(Instead, Option<usize>), u64> = BTreeMap::new();
        for part in self.stalls.iter().flat_map(|stall| &stall.parts) {
            *times.entry((part.what, part.stack)).or_default() += part.time.as_nanos();
        }
        let mut frames = self.frames.clone();
        let mut stacks = Vec::new();
        for ((what, stack), ns) in times {
            let class = match what {
                Instead::Blocked(class) => Some(class),
                Instead::Ran | Instead::WaitedForCpu => None,
            };
            let known = stack.and_then(|stack| self.stacks.get(stack)).cloned();
            let StallStack { frames: indices, waker } = known.unwrap_or_else(|| {
                let mark = |name: &str| Frame::mark(name);
                frames.extend([mark(NO_STACK), mark(what.name())]);
                let last = frames.len() as u32;
                StallStack { frames: vec![last - 2, last - 1], waker: Vec::new() }
            });
            let weights = Weights { blocked: ns, ..Weights::default() };
            stacks.push(Stack { site: None, class, frames: indices, waker, samples: 1, weights });
        }
        Profile { frames, stacks, quality: StackQuality::default(), unavailable: None }
    }
}

/// What the programs cost the target while they are attached, as a share of its CPU.
fn programs_share(window: &Window, inputs: &Inputs) -> Option<f64> {
    let sums = window.sums();
    let cost = inputs.toll?.of(sums.calls, sums.voluntary + sums.involuntary);
    let cpu = (sums.user + sums.kernel) as f64;
    (cpu > 0.0).then(|| cost / cpu)
}

/// The loops among threads that wait for events. Of those that share a descriptor, one that never
/// sleeps by it only looks in: a watchdog.
fn loops_of(records: &[LoopRecord], parks: bool) -> BTreeMap<(Tgid, Tid), EventLoop> {
    let shared = |record: &LoopRecord| record.shared || parks;
    let loops = records.iter().filter(|record| record.slept || !shared(record)).map(|record| {
        let sums = &record.sums;
        let of = EventLoop {
            watched: sums.watched.max(sums.turned),
            away: sums.turned,
            turns: sums.turns,
            buckets: sums.buckets,
            longest: sums.most,
            shared: shared(record),
            own: 2 * sums.own > sums.waits && !shared(record),
            ..EventLoop::new(record.tgid, record.tid)
        };
        ((record.tgid, record.tid), of)
    });
    loops.collect()
}

/// Adds the threads that slept in an event wait all the time: they had nothing to do.
fn idle_loops(window: &Window, loops: &mut BTreeMap<(Tgid, Tid), EventLoop>) {
    let waits = [BlockClass::EventWait, BlockClass::IoUring, BlockClass::LinuxAio];
    for thread in &window.threads {
        let waited: u64 = waits.iter().map(|&class| thread.sums.classes[class as usize].blocked).sum();
        if thread.sums.calls == 0 && waited > 0 {
            let of = loops.entry((thread.tgid, thread.tid)).or_insert_with(|| EventLoop::new(thread.tgid, thread.tid));
            of.watched = of.watched.max(Nanos::from_nanos(waited));
        }
    }
}

/// What the stalls are spent on. A stall's waiting others are those of its longest part.
fn causes_of(stalls: &[Stall], stacks: &[StallStack], frames: &[Frame]) -> Vec<Cause> {
    let places: Vec<Option<String>> = stacks.iter().map(|stack| place_of(stack, frames)).collect();
    let mut causes: BTreeMap<(Instead, Option<&String>), Cause> = BTreeMap::new();
    let ran: Vec<Option<String>> = stalls.iter().map(|stall| ran_in(stall, stacks, frames)).collect();
    for (stall, ran) in stalls.iter().zip(&ran) {
        let mut of: BTreeMap<(Instead, Option<&String>), Nanos> = BTreeMap::new();
        for part in &stall.parts {
            let place = match part.what {
                Instead::Ran => ran.as_ref(),
                _ => part.stack.and_then(|stack| places.get(stack)?.as_ref()),
            };
            *of.entry((part.what, place)).or_default() += part.time;
        }
        let main = of.iter().max_by_key(|&(_, time)| *time).map(|(&key, _)| key);
        for (key, time) in of {
            let (what, place) = (key.0, key.1.cloned());
            let none = Cause { what, place, time: Nanos::ZERO, stalls: 0, others: Nanos::ZERO };
            let cause = causes.entry(key).or_insert(none);
            cause.time += time;
            if Some(key) == main {
                cause.stalls += 1;
                cause.others += stall.others();
            }
        }
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    causes.sort_by(|a, b| (b.others, b.time, a.what, &a.place).cmp(&(a.others, a.time, b.what, &b.place)));
    causes
}

/// Of the CPU that a stall took, the innermost function that most of it was below.
fn ran_in(stall: &Stall, stacks: &[StallStack], frames: &[Frame]) -> Option<String> {
    let ran = stall.parts.iter().filter(|part| part.what == Instead::Ran);
    name_of(&path_of(ran, stacks), frames)
}

/// The frames that more than half of the parts' time is below, as far in as there are such, the
/// outermost first.
fn path_of<'a>(parts: impl Iterator<Item = &'a Part>, stacks: &[StallStack]) -> Vec<u32> {
    let (mut seen, mut all): (Vec<(&[u32], u64)>, u64) = (Vec::new(), 0);
    for part in parts {
        all += part.time.as_nanos();
        let stack = part.stack.and_then(|stack| stacks.get(stack));
        seen.extend(stack.map(|stack| (&*stack.frames, part.time.as_nanos())));
    }
    let mut path = Vec::new();
    loop {
        let mut below: BTreeMap<u32, u64> = BTreeMap::new();
        for (stack, ns) in &seen {
            if let Some(&frame) = stack.get(path.len()) {
                *below.entry(frame).or_default() += ns;
            }
        }
        let Some((frame, _)) = below.into_iter().find(|&(_, ns)| 2 * ns > all) else { return path };
        seen.retain(|(stack, _)| stack.get(path.len()) == Some(&frame));
        path.push(frame);
    }
}

/// The innermost function that is the program's own.
fn place_of(stack: &StallStack, frames: &[Frame]) -> Option<String> {
    name_of(&stack.frames, frames)
}

fn name_of(path: &[u32], frames: &[Frame]) -> Option<String> {
    // The outermost frame is the thread's name.
    let own = path.iter().skip(1).rev().filter_map(|&i| frames.get(i as usize));
    let own: Vec<Frame> = own.cloned().collect();
    application_frame(&own).map(|frame| frame.name.clone())
}
