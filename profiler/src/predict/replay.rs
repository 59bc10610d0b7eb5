//! Replay: the recorded wake-ups and bursts, run through event loops.
//!
//! Each thread of the target that blocks on IO becomes a connection: it becomes ready when the
//! thread was woken, wants the CPU that the thread used until its next block, and is then away for
//! as long as the thread was blocked. A loop takes all that is ready, serves it one after the
//! other, and asks again; it sleeps only if nothing is ready. Two answers bound what would happen:
//! in the *closed* loop the next arrival follows the reply, as with clients that wait for it; in
//! the *open* loop arrivals come when they were recorded, however fast the replies are. What is
//! counted is how often a loop slept and how many events its waits returned: prices come later.
//!
//! Simulated time is in nanoseconds since the start of a span. Pure and seedless: the same trace
//! gives the same answer.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use crate::{
    aggregate::Clients,
    event::{BlockClass, Family, Span},
    quantity::{Quantiles, weights},
};

/// Who brings the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A peer that waits for the reply.
    Closed,
    /// The clock, as recorded.
    Open,
}

/// How connections are assigned to loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// Each connection belongs to one loop for good.
    Fixed,
    /// A loop that is free takes the next connection that is ready (work stealing).
    Stealing,
}

/// What loops the recorded wake-ups are replayed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub loops: u32,
    pub assignment: Assignment,
    /// Who brings the next request.
    pub arrivals: Arrivals,
    /// Taken off each burst, ns: its share of the switch, and the hooks.
    pub less: f64,
    /// The part of `less` that lay between the reply and the block, ns. The peer's time runs from
    /// the reply, and stays as it was. So without this part the next request comes that much later
    /// after the burst's end.
    pub trailing: f64,
    /// Added to each burst: what waiting costs per event, ns.
    pub tax: f64,
    /// For `io_uring` with one enter per batch: the share of a burst that runs inside the enter.
    /// The enter comes when the other part of the whole batch is done. It works the events off one
    /// after the other, and sends the replies. `None` for readiness.
    pub entered: Option<f64>,
    /// From the arrival to the first instruction of a loop that slept, ns.
    pub wake_up: f64,
}

/// What a replay counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Events that loops have served.
    pub served: u64,
    /// Waits that returned events.
    pub waits: u64,
    /// Of those, waits that slept.
    pub sleeps: u64,
}

impl std::ops::AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.served += other.served;
        self.waits += other.waits;
        self.sleeps += other.sleeps;
    }
}

impl Outcome {
    /// Sleeps per event, between 0 and 1; `None` where nothing was served.
    pub fn sleeps_per_event(&self) -> Option<f64> {
        (self.served > 0).then(|| self.sleeps as f64 / self.served as f64)
    }

    /// Events that a wait returns.
    pub fn events_per_wait(&self) -> Option<f64> {
        (self.waits > 0).then(|| self.served as f64 / self.waits as f64)
    }
}

/// A burst of CPU, and the absence that follows it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cycle {
    service: f64,
    gap: u64,
    /// When it was ready again, as recorded.
    until: u64,
    /// Time in it for which the thread waited for something that is not replayed, and that another
    /// way of waiting would wait for as well, ns.
    held: u64,
    /// Whether a client's request began it.
    asked: bool,
    /// Whether a client's request ends it: the one before has been answered.
    answers: bool,
}

/// A connection: when it is ready first, and what it does then.
#[derive(Clone, Debug, PartialEq)]
struct Connection {
    first: u64,
    cycles: Vec<Cycle>,
    /// Whether a client's request began what the span does not show to its end.
    open: bool,
}

/// One span, ready for replay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    connections: Vec<Connection>,
    length: u64,
}

impl Trace {
    /// The trace of all blocks whose class `counts` accepts. Bursts between blocks of other classes
    /// are added to the burst around them.
    /// Spans that follow each other at once are one.
    pub fn from_spans(spans: &[Span], counts: impl Fn(BlockClass) -> bool, clients: &Clients) -> Self {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Self::default() };
        let (start, length) = (first.start, last.end.saturating_sub(first.start).as_nanos());
        let mut threads: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for end in spans.iter().flat_map(|span| &span.ends) {
            threads.entry(end.tid).or_default().push(end);
        }
        let connections = threads
            .into_values()
            .filter_map(|ends| {
                let mut cycles = Vec::with_capacity(ends.len());
                let mut first = None;
                let (mut service, mut held, mut asked) = (0.0, 0, false);
                for end in ends {
                    service += end.burst.as_nanos() as f64;
                    let gap = end.wake.saturating_sub(end.off).as_nanos();
                    if !counts(end.class) {
                        // Threads that are none wait for no lock of each other's; and what waits
                        // for a client is no part of its request.
                        let is_held = end.class.family() != Family::Lock && !clients.awaited(end);
                        held += if is_held { gap } else { 0 };
                        continue;
                    }
                    let (until, answers) = (end.wake.saturating_sub(start).as_nanos(), clients.asked(end));
                    if first.is_none() {
                        // The burst before the first block began before the span.
                        first = Some(until);
                    } else {
                        cycles.push(Cycle { service, gap, until, held, asked, answers });
                    }
                    (service, held, asked) = (0.0, 0, answers);
                }
                Some(Connection { first: first?, cycles, open: asked })
            })
            .collect();
        Self { connections, length }
    }

    /// Number of events in the trace.
    pub fn events(&self) -> usize {
        self.connections.iter().map(|c| c.cycles.len() + 1).sum()
    }

    /// Number of connections in the trace.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How long a loop that slept takes from the wake-up to its first instruction, ns. Measured at
    /// the block ends that came back to a CPU that was idle or with another program.
    pub fn wake_up(spans: &[Span]) -> Option<f64> {
        let away = spans.iter().flat_map(|s| &s.ends).filter(|e| e.away);
        let (sum, n) = away.fold((0.0, 0u64), |(sum, n), e| (sum + e.delay.as_nanos() as f64, n + 1));
        (n > 0).then(|| sum / n as f64)
    }

    fn mean_service(&self) -> f64 {
        let all = self.connections.iter().flat_map(|c| &c.cycles);
        let (sum, n) = all.fold((0.0, 0u64), |(sum, n), c| (sum + c.service, n + 1));
        if n == 0 { 0.0 } else { sum / n as f64 }
    }

    /// Replays the trace on loops of these settings.
    pub fn replay(&self, settings: &Settings) -> Outcome {
        self.replay_timed(settings, &mut Times::default())
    }

    /// The same, with the time that each client's request took.
    pub fn replay_timed(&self, settings: &Settings, times: &mut Times) -> Outcome {
        let loops = settings.loops.max(1) as usize;
        let mut sum = Outcome::default();
        let mut add = |simulation: Simulation<'_>| {
            sum += simulation.outcome;
            times.ended.extend(simulation.answered);
            times.left.extend(simulation.left);
        };
        match settings.assignment {
            Assignment::Stealing => add(Simulation::new(self, settings, 0, 1).shared(loops)),
            Assignment::Fixed => {
                for part in 0..loops.min(self.connections.len().max(1)) {
                    add(Simulation::new(self, settings, part, loops).alone());
                }
            }
        }
        sum
    }
}

/// How long requests took, ns: from their arrival to their reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    pub ended: Vec<f64>,
    /// How long after each one's arrival, of all that arrived, the span went on.
    pub left: Vec<f64>,
}

impl Times {
    pub fn quantiles(&self) -> Quantiles {
        let weights = weights(self.ended.iter().copied(), &self.left);
        Quantiles::new(&self.ended.iter().copied().zip(weights).collect::<Vec<_>>(), self.left.len() as f64)
    }
}

/// A request that was not answered yet.
#[derive(Clone, Copy)]
struct Asked {
    at: f64,
    /// Of its time so far, what passed in waits that are not replayed, ns.
    held: f64,
}

/// A reply that has not left yet.
struct Held {
    connection: u32,
    /// CPU that is needed before it leaves, ns.
    rest: f64,
    /// How long the connection is away afterwards, if its reply brings the next request.
    gap: Option<u64>,
    /// Whether it is the answer to a client's request.
    answers: bool,
}

/// A replay of the connections of one queue, under way.
struct Simulation<'a> {
    trace: &'a Trace,
    settings: &'a Settings,
    /// When a connection is ready next.
    arrivals: BinaryHeap<Reverse<(u64, u32)>>,
    /// Index of the next cycle, by connection.
    next: Vec<u32>,
    mean: f64,
    /// When each connection became ready last.
    ready_at: Vec<u64>,
    /// The client's request that each connection works on.
    asked: Vec<Option<Asked>>,
    /// How long those took that were answered, ns.
    answered: Vec<f64>,
    /// How long after each arrival the span goes on, ns.
    left: Vec<f64>,
    /// Replies of this batch that leave with the enter.
    held: Vec<Held>,
    outcome: Outcome,
}

impl<'a> Simulation<'a> {
    /// Takes every `of`-th connection, from number `part` on.
    fn new(trace: &'a Trace, settings: &'a Settings, part: usize, of: usize) -> Self {
        let mut arrivals = BinaryHeap::with_capacity(trace.connections.len());
        for (i, connection) in trace.connections.iter().enumerate().skip(part).step_by(of) {
            arrivals.push(Reverse((connection.first, i as u32)));
            if settings.arrivals == Arrivals::Open {
                arrivals.extend(connection.cycles.iter().map(|cycle| Reverse((cycle.until, i as u32))));
            }
        }
        let next = vec![0; trace.connections.len()];
        Self {
            trace,
            settings,
            arrivals,
            next,
            mean: trace.mean_service(),
            ready_at: vec![0; trace.connections.len()],
            asked: vec![None; trace.connections.len()],
            answered: Vec::new(),
            left: Vec::new(),
            held: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Serves a connection from `now` on, and returns the time at its end.
    fn serve(&mut self, connection: u32, now: u64) -> u64 {
        let cycles = &self.trace.connections[connection as usize].cycles;
        let place = self.next[connection as usize] as usize;
        // A faster server gets through more cycles than were recorded. Then they are repeated.
        let cycle = (!cycles.is_empty()).then(|| cycles[place % cycles.len()]);
        let service = (cycle.map_or(self.mean, |c| c.service) - self.settings.less).max(0.0);
        self.next[connection as usize] += 1;
        self.outcome.served += 1;
        let gap = cycle.filter(|_| self.settings.arrivals == Arrivals::Closed).map(|cycle| cycle.gap);
        let entered = self.settings.entered.unwrap_or(1.0);
        let asked = &mut self.asked[connection as usize];
        // What is repeated is in no time: it would take the place of what the span cut off.
        let recorded = cycle.filter(|_| place < cycles.len());
        let is_open = place == cycles.len() && self.trace.connections[connection as usize].open;
        let begins = is_open || recorded.is_some_and(|cycle| cycle.asked);
        if begins {
            let at = self.ready_at[connection as usize] as f64;
            *asked = Some(Asked { at, held: 0.0 });
            self.left.push((self.trace.length as f64 - at).max(0.0));
        }
        match (&mut *asked, recorded) {
            (Some(asked), Some(cycle)) => asked.held += cycle.held as f64,
            // It has no end in the span.
            (of, None) => *of = None,
            _ => {}
        }
        let answers = recorded.is_some_and(|cycle| cycle.answers);
        self.held.push(Held { connection, rest: service * entered + self.settings.tax, gap, answers });
        let now = now + (service * (1.0 - entered)) as u64;
        if self.settings.entered.is_some() { now } else { self.reply(now) }
    }

    /// The time at which the next connection is ready, if that is within the span.
    fn earliest(&self) -> Option<u64> {
        self.arrivals.peek().map(|Reverse((at, _))| *at).filter(|&at| at < self.trace.length)
    }

    fn take_ready(&mut self, now: u64, ready: &mut VecDeque<u32>) {
        while let Some(&Reverse((at, connection))) = self.arrivals.peek()
            && at <= now
        {
            self.arrivals.pop();
            self.ready_at[connection as usize] = at;
            ready.push_back(connection);
        }
    }

    /// Waits from `now` on for what is ready, or else sleeps until the next connection is. Returns
    /// the time at the end of the wait.
    fn wait(&mut self, now: u64, ready: &mut VecDeque<u32>) -> Option<u64> {
        let earliest = self.earliest()?;
        let mut now = now;
        if earliest > now {
            self.outcome.sleeps += 1;
            now = earliest + self.settings.wake_up as u64;
        }
        self.outcome.waits += 1;
        self.take_ready(now, ready);
        Some(now)
    }

    /// Sends the held replies, and returns the time at which the last one has left.
    fn reply(&mut self, mut now: u64) -> u64 {
        for Held { connection, rest, gap, answers } in self.held.drain(..) {
            now += rest as u64;
            if answers && let Some(asked) = self.asked[connection as usize].take() {
                self.answered.push(now as f64 - asked.at + asked.held);
            }
            if let Some(gap) = gap {
                self.arrivals.push(Reverse((now + gap + self.settings.trailing as u64, connection)));
            }
        }
        now
    }

    /// Runs one loop with a queue of its own.
    fn alone(mut self) -> Self {
        let (mut now, mut ready) = (0, VecDeque::new());
        while now < self.trace.length {
            let Some(at) = self.wait(now, &mut ready) else { break };
            now = at;
            while let Some(connection) = ready.pop_front() {
                now = self.serve(connection, now);
            }
            now = self.reply(now);
        }
        self
    }

    /// Runs loops that share one queue: the loop that is free first takes the next connection.
    fn shared(mut self, loops: usize) -> Self {
        let mut free: BinaryHeap<Reverse<u64>> = (0..loops).map(|_| Reverse(0)).collect();
        let mut ready = VecDeque::new();
        while let Some(Reverse(mut now)) = free.pop() {
            if now >= self.trace.length {
                break;
            }
            if ready.is_empty() {
                let Some(at) = self.wait(now, &mut ready) else { break };
                now = at;
            }
            if let Some(connection) = ready.pop_front() {
                now = self.serve(connection, now);
                now = self.reply(now);
            }
            free.push(Reverse(now));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(connections: usize, service: f64, gap: u64, length: u64) -> Trace {
        let until = |first: u64, n: u64| first + n * (service as u64 + gap);
        let cycle = |first, n| Cycle { service, gap, until: until(first, n), held: 0, asked: true, answers: true };
        let connection = |first| Connection { first, cycles: (1..=50).map(|n| cycle(first, n)).collect(), open: false };
        let connections = (0..connections as u64).map(connection).collect();
        Trace { connections, length }
    }

    /// A device ends eight requests at once. They were made one after the other, so that each took
    /// another time; one enter makes all of them at once, and the device does not mind.
    #[test]
    fn what_ends_together_still_does_in_the_open_loop() {
        let (held, asked, answers) = (0, false, false);
        let gap = |i: u64| 50_000 - 1_000 * i;
        let cycle = |i: u64, n: u64| Cycle { service: 1_000.0, gap: gap(i), until: n * 60_000, held, asked, answers };
        let connection =
            |i| Connection { first: 0, cycles: (1..=40).map(|n| cycle((i + n) % 8, n)).collect(), open: false };
        let trace = Trace { connections: (0..8).map(connection).collect(), length: 2_400_000 };
        let sleeps = |arrivals| {
            let batched = Settings { entered: Some(0.1), ..settings(arrivals) };
            trace.replay(&batched).sleeps_per_event().unwrap()
        };
        assert!((sleeps(Arrivals::Open) - 0.125).abs() < 0.01, "{}", sleeps(Arrivals::Open));
        assert!(sleeps(Arrivals::Closed) > 0.5, "{}", sleeps(Arrivals::Closed));
    }

    fn settings(arrivals: Arrivals) -> Settings {
        Settings {
            loops: 1,
            assignment: Assignment::Fixed,
            arrivals,
            less: 0.0,
            trailing: 0.0,
            tax: 0.0,
            entered: None,
            wake_up: 0.0,
        }
    }

    #[test]
    fn one_connection_sleeps_at_every_wait_and_saves_nothing() {
        for arrivals in [Arrivals::Closed, Arrivals::Open] {
            let outcome = trace(1, 10.0, 90, 5_000).replay(&settings(arrivals));
            // Its first arrival is at the very start of the span, where the loop does not sleep
            // yet.
            assert_eq!(outcome, Outcome { served: 50, waits: 50, sleeps: 49 }, "{arrivals:?}");
        }
    }

    #[test]
    fn a_request_takes_its_wake_up_its_queue_and_its_work() {
        let times = |trace: &Trace, settings: &Settings| {
            let mut times = Times::default();
            trace.replay_timed(settings, &mut times);
            times
        };
        let woken = Settings { wake_up: 5.0, tax: 1.0, ..settings(Arrivals::Closed) };
        let mut one = trace(1, 10.0, 90, 5_000);
        let took = times(&one, &woken).ended;
        // The first one arrives at the very start, where the loop does not sleep yet.
        assert!(took.len() > 40 && took[0] == 11.0 && took[1..].iter().all(|&ns| ns == 16.0), "{took:?}");
        // What it waits for otherwise is its own, and nobody else's.
        one.connections[0].cycles.iter_mut().for_each(|cycle| cycle.held = 100);
        assert!(times(&one, &woken).ended[1..].iter().all(|&ns| ns == 116.0));
        // Four at once: the last one waits for three others.
        let four = times(&trace(4, 10.0, 990, 900), &settings(Arrivals::Closed));
        // They come 1 ns after each other.
        assert_eq!(four.ended, [10.0, 19.0, 28.0, 37.0]);
        // An answer that did not come before the end has no length.
        let mut late = trace(1, 10.0, 90, 5_000);
        late.connections[0].cycles.iter_mut().for_each(|cycle| cycle.answers = false);
        let late = times(&late, &settings(Arrivals::Closed));
        assert!(late.ended.is_empty() && late.left.len() > 40 && late.left[0] == 5_000.0);
    }

    #[test]
    fn a_saturated_loop_never_sleeps() {
        // 64 connections that each want 10 of every 100 ns: more than six loops' work on one.
        let outcome = trace(64, 10.0, 90, 100_000).replay(&settings(Arrivals::Closed));
        assert_eq!(outcome.sleeps, 0);
        assert!(outcome.events_per_wait().unwrap() > 8.0, "{outcome:?}");
    }

    #[test]
    fn in_the_closed_loop_arrivals_follow_replies() {
        // At half load a faster server gets its requests earlier. Arrivals by the clock do not
        // change.
        let trace = trace(5, 10.0, 90, 4_000);
        let slow = Settings { tax: 5.0, ..settings(Arrivals::Closed) };
        assert!(trace.replay(&slow).served < trace.replay(&settings(Arrivals::Closed)).served);
        let open = Settings { tax: 5.0, ..settings(Arrivals::Open) };
        assert_eq!(trace.replay(&open).served, trace.replay(&settings(Arrivals::Open)).served);
    }

    #[test]
    fn a_peer_answers_the_reply_and_not_the_block() {
        // Two connections that are away for as long as the other is served: with 20 of 60 ns gone,
        // the one is there again before the other is done, unless all 20 lay behind the reply.
        let trace = trace(2, 60.0, 35, 100_000);
        let sleeps = |trailing| {
            let settings = Settings { less: 20.0, trailing, ..settings(Arrivals::Closed) };
            trace.replay(&settings).sleeps_per_event().unwrap()
        };
        assert!(sleeps(0.0) < 0.01, "{}", sleeps(0.0));
        assert!(sleeps(20.0) > 0.4, "{}", sleeps(20.0));
    }

    #[test]
    fn replies_that_leave_together_come_back_together() {
        let trace = trace(8, 10.0, 200, 100_000);
        let with = |entered| trace.replay(&Settings { entered, ..settings(Arrivals::Closed) });
        let (apart, together) = (with(None), with(Some(0.0)));
        assert!(together.events_per_wait() > apart.events_per_wait(), "{together:?} against {apart:?}");
        // If the enter does all of the work, it is done one after the other in either case.
        assert_eq!(with(Some(1.0)), apart);
        let mixed = with(Some(0.5));
        assert!(apart.events_per_wait() <= mixed.events_per_wait(), "{mixed:?}");
        assert!(mixed.events_per_wait() <= together.events_per_wait(), "{mixed:?}");
    }

    #[test]
    fn more_loops_sleep_more_often() {
        let trace = trace(16, 10.0, 90, 100_000);
        let with = |loops, assignment| trace.replay(&Settings { loops, assignment, ..settings(Arrivals::Closed) });
        for assignment in [Assignment::Fixed, Assignment::Stealing] {
            let (one, four) = (with(1, assignment), with(4, assignment));
            assert!(four.sleeps_per_event() > one.sleeps_per_event(), "{assignment:?}: {four:?} against {one:?}");
        }
    }

    #[test]
    fn blocks_of_other_classes_do_not_split_a_burst() {
        use crate::{
            event::BlockEnd,
            quantity::{Nanos, Tid},
        };
        let at = Nanos::from_nanos;
        let end = |class, off, wake, burst| BlockEnd {
            tid: Tid::from_raw(1),
            waker: None,
            class,
            away: false,
            fd: Some(7),
            sends: false,
            off: at(off),
            wake: at(wake),
            burst: at(burst),
            delay: Nanos::ZERO,
        };
        let span = Span {
            start: at(1_000),
            end: at(3_000),
            ends: vec![
                end(BlockClass::Tcp, 900, 1_100, 70),
                end(BlockClass::Futex, 1_150, 1_200, 50),
                end(BlockClass::Tcp, 1_230, 1_900, 30),
            ],
        };
        let clients: Clients = [(Tid::from_raw(1), 7)].into_iter().collect();
        let trace = Trace::from_spans(&[span], |class| class == BlockClass::Tcp, &clients);
        let cycle = Cycle { service: 80.0, gap: 670, until: 900, held: 0, asked: true, answers: true };
        let connection = Connection { first: 100, cycles: vec![cycle], open: true };
        assert_eq!(trace, Trace { connections: vec![connection], length: 2_000 });
        assert_eq!((trace.events(), trace.connections()), (2, 1));
    }

    /// A request that the span cuts off began, and has no end: no shorter one takes its place.
    #[test]
    fn what_the_span_cuts_off_is_not_answered() {
        let cycle = |until| Cycle { service: 1e3, gap: 9_000, until, held: 0, asked: true, answers: true };
        let connection = Connection { first: 0, cycles: (1..=10).map(|n| cycle(n * 10_000)).collect(), open: true };
        let trace = Trace { connections: vec![connection], length: 1_000_000 };
        let settings = settings(Arrivals::Closed);
        let mut times = Times::default();
        let outcome = trace.replay_timed(&settings, &mut times);
        assert!(outcome.served > 50, "it is repeated all the same: {outcome:?}");
        assert_eq!((times.ended.len(), times.left.len()), (10, 11));
    }
}
