//! Who sends when: arrivals and thinking times from the seed. No IO; time comes in as a value.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;

/// When the load ends, counted from the end of the warm-up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// After so many requests.
    Requests(u64),
    /// After so many ns.
    Duration(u64),
}

/// The plan of a load. All times are of CLOCK_MONOTONIC, in ns.
pub(super) struct Plan {
    kind: Kind,
    /// Requests that may still be sent.
    budget: u64,
    /// When requests stop, in ns of `CLOCK_MONOTONIC`.
    end: u64,
    /// When it was first seen to be over.
    over_since: Option<u64>,
    /// When the rest began.
    resting: Option<u64>,
}

enum Kind {
    Closed(Closed),
    Open(Open),
}

/// Every connection sends, waits, thinks.
struct Closed {
    /// Mean of the thinking time, ns.
    think_ns: f64,
    /// A generator per connection, so that a connection thinks the same whatever the order of
    /// replies.
    generators: Vec<Rng>,
    /// Connections that send at once.
    eager: VecDeque<u32>,
    /// Connections that think, by the end of it.
    thinking: BinaryHeap<Reverse<(u64, u32)>>,
}

/// Requests arrive, and the connection that has been free for longest takes them.
struct Open {
    /// Mean time between arrivals, ns.
    gap_ns: f64,
    generator: Rng,
    /// The next arrival. As a float: the rounding of gaps must not add up.
    next: f64,
    /// Arrivals for which no connection was free.
    queue: VecDeque<u64>,
    free: VecDeque<u32>,
}

/// An exponential time with this mean.
fn exponential(generator: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - generator.f64()).ln()
}

impl Plan {
    /// With a rate (per second) open loop, without one closed loop with this mean thinking time.
    pub(super) fn new(rate: Option<f64>, think_us: f64, seed: u64, connections: u32) -> Self {
        let kind = match rate {
            Some(rate) => Kind::Open(Open {
                gap_ns: 1e9 / rate,
                generator: Rng::with_seed(seed),
                next: 0.0,
                queue: VecDeque::new(),
                free: (0..connections).collect(),
            }),
            None => Kind::Closed(Closed {
                think_ns: think_us * 1e3,
                generators: (0..connections)
                    .map(|connection| Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(connection)))
                    .collect(),
                eager: VecDeque::with_capacity(connections as usize),
                thinking: BinaryHeap::with_capacity(connections as usize),
            }),
        };
        Self { kind, budget: u64::MAX, end: u64::MAX, over_since: None, resting: None }
    }

    /// Plans the first requests, from `now` on.
    pub(super) fn begin(&mut self, now: u64) {
        match &mut self.kind {
            Kind::Closed(closed) => (0..closed.generators.len() as u32).for_each(|c| closed.think(c, now)),
            Kind::Open(open) => open.next = now as f64 + exponential(&mut open.generator, open.gap_ns),
        }
    }

    /// From now on requests count.
    pub(super) fn set_limit(&mut self, limit: Limit, now: u64) {
        match limit {
            Limit::Requests(requests) => self.budget = requests,
            Limit::Duration(length) => self.end = now.saturating_add(length),
        }
    }

    /// From now on nothing is sent.
    pub(super) fn rest(&mut self, now: u64) {
        self.resting.get_or_insert(now);
    }

    /// Goes on after a rest. Everything that was planned comes later by the length of the rest, the
    /// end too.
    pub(super) fn go(&mut self, now: u64) {
        let Some(since) = self.resting.take() else { return };
        let rest = now.saturating_sub(since);
        self.end = self.end.saturating_add(rest);
        match &mut self.kind {
            Kind::Closed(closed) => {
                let later = closed.thinking.drain().map(|Reverse((due, connection))| Reverse((due + rest, connection)));
                closed.thinking = later.collect();
            }
            Kind::Open(open) => {
                open.next += rest as f64;
                open.queue.iter_mut().for_each(|arrival| *arrival += rest);
            }
        }
    }

    /// A connection that should send now, and when its request arrived if that was earlier.
    pub(super) fn take(&mut self, now: u64) -> Option<(u32, Option<u64>)> {
        if self.resting.is_some() || self.is_over(now) {
            return None;
        }
        let taken = match &mut self.kind {
            Kind::Closed(closed) => closed.take(now).map(|connection| (connection, None)),
            Kind::Open(open) => open.take(now).map(|(connection, due)| (connection, Some(due))),
        };
        self.budget -= u64::from(taken.is_some());
        taken
    }

    /// A reply has come, so the connection may go on.
    pub(super) fn replied(&mut self, connection: u32, now: u64) {
        match &mut self.kind {
            Kind::Closed(closed) => closed.think(connection, now),
            Kind::Open(open) => open.free.push_back(connection),
        }
    }

    /// When there is something to send next, if no reply comes before.
    pub(super) fn next_due(&self, now: u64) -> Option<u64> {
        if self.resting.is_some() || self.budget == 0 || now >= self.end {
            return None;
        }
        let next = match &self.kind {
            Kind::Closed(closed) if !closed.eager.is_empty() => Some(now),
            Kind::Closed(closed) => closed.thinking.peek().map(|Reverse((due, _))| *due),
            // Without a free connection a reply comes first.
            Kind::Open(open) => (!open.free.is_empty()).then_some(open.next as u64),
        };
        next.map_or(Some(self.end), |next| Some(next.min(self.end))).filter(|due| *due < u64::MAX)
    }

    /// Whether nothing is sent any more.
    pub(super) fn is_over(&mut self, now: u64) -> bool {
        let over = self.resting.is_none() && (self.budget == 0 || now >= self.end);
        if over {
            self.over_since.get_or_insert(now);
        }
        over
    }

    /// When it was over, `now` if it is not.
    pub(super) fn over_since(&self, now: u64) -> u64 {
        self.over_since.unwrap_or(now)
    }

    /// Arrivals that were never sent.
    pub(super) fn unsent(&self) -> u64 {
        match &self.kind {
            Kind::Open(open) if self.budget > 0 => open.queue.len() as u64,
            _ => 0,
        }
    }
}

impl Closed {
    fn think(&mut self, connection: u32, now: u64) {
        if self.think_ns > 0.0 {
            let length = exponential(&mut self.generators[connection as usize], self.think_ns);
            self.thinking.push(Reverse((now + length as u64, connection)));
        } else {
            self.eager.push_back(connection);
        }
    }

    fn take(&mut self, now: u64) -> Option<u32> {
        if let Some(connection) = self.eager.pop_front() {
            return Some(connection);
        }
        let Reverse((due, connection)) = *self.thinking.peek()?;
        (due <= now).then(|| {
            self.thinking.pop();
            connection
        })
    }
}

impl Open {
    fn take(&mut self, now: u64) -> Option<(u32, u64)> {
        while self.next <= now as f64 {
            self.queue.push_back(self.next as u64);
            self.next += exponential(&mut self.generator, self.gap_ns);
        }
        if self.queue.is_empty() || self.free.is_empty() {
            return None;
        }
        Some((self.free.pop_front()?, self.queue.pop_front()?))
    }
}
