//! answer/latency: how long clients wait for the target's answers, what that time goes to, and what
//! it would come to in another way of waiting.

use std::collections::{BTreeMap, HashMap};

use super::{inputs::Inputs, note::Note};
use crate::{
    aggregate::{Clients, Connection, Request, Requests, Spent, Window},
    event::{Family, Sums},
    machine::{Pool, Way},
    predict::WhatIf,
    quantity::{Figure, Nanos, Quantiles},
};

/// Below so many requests there is no figure.
const FEWEST: usize = 50;
/// Where more of those that began are longer than all that was seen, there is no mean.
const UNSEEN: f64 = 0.05;
/// From this one of the shown quantiles on a request is slow: the 99th percentile.
const SLOW: usize = 2;
/// Services that are named; the others are added up.
const NAMED: usize = 5;

/// How long clients wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// Requests that were seen from their arrival to the end.
    pub requests: u64,
    /// Others that began, and whose ends were not seen: those with as much time left weigh more.
    pub cut: u64,
    /// How long blocks were streamed, of which all of this is.
    pub streamed: Nanos,
    /// The share of those that began for which none of these stands: they are longer than all of
    /// them.
    pub unseen: f64,
    /// Connections of clients that they came by.
    pub clients: u64,
    /// Of all of them.
    pub quantiles: Quantiles,
    /// What the mean request goes to, the largest part first; empty where too many are unseen.
    pub mean: Vec<Part>,
    /// The same of the slowest hundredth; empty where there is no 99th percentile.
    pub slowest: Vec<Part>,
    /// Whom the requests waited for, the longest first: the name of the connection, and its share
    /// of the mean request.
    pub services: Vec<(String, f64)>,
    /// By the address that the clients came to, the one with the most requests first; none where
    /// there is only one.
    pub by_address: Vec<(String, u64, Quantiles)>,
    /// The same in other ways of waiting, where the replay could tell.
    pub ways: Vec<(Way, Quantiles)>,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub spent: Spent,
    /// In the mean, ns.
    pub each: f64,
    /// Of all of it.
    pub share: f64,
}

impl Latency {
    /// `hooks`: what measuring put into all blocks, ns; it is taken off.
    pub(crate) fn new(
        (window, sums, inputs): (&Window, &Sums, &Inputs),
        clients: &Clients,
        hooks: f64,
        what_if: &WhatIf,
    ) -> Figure<Self, Note> {
        let Some(connections) = &inputs.connections else { return Figure::unavailable(Note::NotCounted) };
        let requests = Requests::new(&window.spans, clients);
        let weights = requests.weights();
        let unseen = requests.unseen(&weights);
        let Requests { ended, left } = requests;
        if ended.len() < FEWEST {
            return Figure::unavailable(match (ended.len() as u64, left.len() as u64) {
                (0, 0) => Note::NoRequests,
                (0, begun) => Note::LongRequests(begun),
                (few, _) => Note::FewRequests(few),
            });
        }
        let paid = Paid { hooks: hooks / sums.voluntary.max(1) as f64, trailing: before_block(window), unseen };
        let all: Vec<Weighted<'_>> = ended.iter().zip(weights).collect();
        let quantiles = paid.quantiles(&all);
        let slow_from = quantiles.0[SLOW].map(|ns| ns.value);
        let is_slow = |of: &&Weighted<'_>| slow_from.is_some_and(|from| paid.length(of.0) >= from);
        let slow: Vec<Weighted<'_>> = all.iter().filter(is_slow).copied().collect();
        // What is not seen is the longest: a mean without it is of the others alone.
        let told: &[Weighted<'_>] = if unseen > UNSEEN { &[] } else { &all };
        let names: HashMap<Connection, &str> = connections.iter().map(|c| ((c.tid, c.fd), c.name.as_str())).collect();
        Figure::measured(Self {
            requests: ended.len() as u64,
            cut: left.len().saturating_sub(ended.len()) as u64,
            streamed: window.spans.iter().map(|span| span.end.saturating_sub(span.start)).sum(),
            unseen,
            clients: ended.iter().map(|request| request.client).collect::<std::collections::HashSet<_>>().len() as u64,
            quantiles,
            mean: paid.parts(told),
            slowest: paid.parts(&slow),
            services: services(told, &names, paid),
            by_address: by_address(&all, &names, paid),
            ways: ways(what_if),
        })
    }

    /// The share of the mean request on which another way of waiting has any influence; no number
    /// where there is no mean.
    pub fn depends_on_waiting(&self) -> f64 {
        if self.mean.is_empty() {
            return f64::NAN;
        }
        self.mean.iter().filter(|part| part.spent.depends_on_waiting()).map(|part| part.share).sum()
    }
}

/// The ways whose queues the replay has: what a pool of workers adds is priced, and not replayed.
fn ways(what_if: &WhatIf) -> Vec<(Way, Quantiles)> {
    let replayed = what_if.scenarios.iter().filter(|scenario| matches!(scenario.way.pool(), Pool::None | Pool::Files));
    replayed.filter(|scenario| scenario.times.median().is_some()).map(|of| (of.way, of.times)).collect()
}

/// A request, and for how many it stands.
type Weighted<'a> = (&'a Request, f64);

/// What is in a request only because it was watched, or because it ends at the next wait and not
/// at the reply.
#[derive(Clone, Copy)]
struct Paid {
    /// For each block, ns.
    hooks: f64,
    /// From the reply to the next wait, ns.
    trailing: f64,
    /// The share of requests that are longer than all that were seen.
    unseen: f64,
}

impl Paid {
    /// What is taken off a request; it is all CPU, so never more than that.
    fn off(self, request: &Request) -> f64 {
        let off = self.trailing + self.hooks * f64::from(request.blocks + 1);
        off.min(request.spent[Spent::Cpu as usize].as_nanos() as f64)
    }

    fn length(self, request: &Request) -> f64 {
        request.length.as_nanos() as f64 - self.off(request)
    }

    fn quantiles(self, requests: &[Weighted<'_>]) -> Quantiles {
        let seen: Vec<(f64, f64)> = requests.iter().map(|&(request, weight)| (self.length(request), weight)).collect();
        let all = seen.iter().map(|of| of.1).sum::<f64>() / (1.0 - self.unseen).max(f64::MIN_POSITIVE);
        Quantiles::new(&seen, all)
    }

    fn parts(self, requests: &[Weighted<'_>]) -> Vec<Part> {
        let count: f64 = requests.iter().map(|of| of.1).sum();
        let all: f64 = requests.iter().map(|&(request, weight)| weight * self.length(request)).sum();
        let sum = |spent: Spent| {
            let each = |&(request, weight): &Weighted<'_>| {
                let off = if spent == Spent::Cpu { self.off(request) } else { 0.0 };
                weight * (request.spent[spent as usize].as_nanos() as f64 - off)
            };
            requests.iter().map(each).sum::<f64>()
        };
        let part = |spent| Part { spent, each: sum(spent) / count.max(1.0), share: sum(spent) / all.max(1.0) };
        let mut parts: Vec<Part> = Spent::ALL.map(part).into_iter().filter(|part| part.each > 0.0).collect();
        parts.sort_by(|a, b| b.each.total_cmp(&a.each));
        parts
    }
}

/// Kernel CPU of a call on IO until it blocks, ns: the mean.
fn before_block(window: &Window) -> f64 {
    let io = window.sites.iter().filter(|site| site.place.class.family() == Family::BlockingIo);
    let sum = io.fold((0, 0), |sum, site| (sum.0 + site.site.cpu_before, sum.1 + site.site.blocked_calls));
    sum.0 as f64 / sum.1.max(1) as f64
}

/// Whom they waited for.
fn services(requests: &[Weighted<'_>], names: &HashMap<Connection, &str>, paid: Paid) -> Vec<(String, f64)> {
    let mut times: BTreeMap<&str, f64> = BTreeMap::new();
    for (request, weight) in requests {
        for (connection, time) in &request.services {
            let name = names.get(connection).copied().unwrap_or_default();
            *times.entry(name).or_default() += weight * time.as_nanos() as f64;
        }
    }
    let all: f64 = requests.iter().map(|&(request, weight)| weight * paid.length(request)).sum();
    let mut shares: Vec<(String, f64)> =
        times.into_iter().map(|(name, time)| (name.to_owned(), time / all.max(1.0))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.truncate(NAMED);
    shares
}

/// By the address that clients came to.
fn by_address(
    requests: &[Weighted<'_>],
    names: &HashMap<Connection, &str>,
    paid: Paid,
) -> Vec<(String, u64, Quantiles)> {
    let mut theirs: BTreeMap<&str, Vec<Weighted<'_>>> = BTreeMap::new();
    for &of in requests {
        theirs.entry(names.get(&of.0.client).copied().unwrap_or_default()).or_default().push(of);
    }
    if theirs.len() < 2 {
        return Vec::new();
    }
    let row =
        |(name, theirs): (&str, Vec<Weighted<'_>>)| (name.to_owned(), theirs.len() as u64, paid.quantiles(&theirs));
    let mut rows: Vec<_> = theirs.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    rows.truncate(NAMED);
    rows
}
