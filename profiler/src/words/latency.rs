//! Latency in words: how long clients wait, for what, and what another way could change.

use crate::{
    aggregate::Spent,
    answer::{Latency, LatencyPart, Note},
    quantity::{Estimate, Figure, Quantiles},
    text::numbers::{NA, count, percent, plural, span, span_range},
    words::in_words::note,
};

/// Names of the quantiles, in the order of `quantity::SHOWN`.
const QUANTILES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];
/// What is assumed of other ways.
const REPLAYED: &str = "by the replay, if each loop had a CPU to itself and clients stayed as they are:";
/// What is said of those that nothing seen stands for.
const LONGER: &str = "took longer than blocks are streamed at a time (50 to 250 ms): so there is no mean, and no quantile that reaches them";
/// A part below this share is not worth its words.
const LITTLE: f64 = 0.005;
/// An interval that is narrower than this, to either side, is not worth its words.
const SURE: f64 = 0.03;

impl Spent {
    /// Its name in sentences and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "on a CPU",
            Self::RunQueue => "waiting for a CPU",
            Self::Lock => "waiting for locks and other threads",
            Self::Disk => "waiting for files and pages",
            Self::Service => "waiting for others than the client",
            Self::Client => "until the client took it",
            Self::Timer => "asleep for a set time",
            Self::Other => "blocked otherwise",
        }
    }
}

impl Latency {
    /// What it shows.
    pub const TITLE: &str = "from a client's data to the end of the answer, while measured";

    /// All that it says, a line each; `n/a` with the reason where there is no figure.
    pub fn lines(figure: &Figure<Self, Note>) -> Vec<String> {
        let Some(latency) = figure.value() else { return vec![format!("{NA}: {}", note(figure))] };
        let mut lines = vec![latency.now()];
        lines.extend(latency.mean_line());
        lines.extend(latency.slowest_line());
        lines.extend(latency.services_line());
        lines.extend(latency.by_address.iter().map(|(name, requests, quantiles)| {
            format!("{}: {}; {}", address(name), plural(*requests, "request", "requests"), short(quantiles))
        }));
        lines.push(latency.scope());
        lines.extend(latency.ways_lines());
        lines
    }

    /// The quantiles.
    pub fn now(&self) -> String {
        let cut = match self.cut {
            0 => String::new(),
            cut => format!(" ({} more not seen to the end)", count(cut)),
        };
        format!(
            "{} in {} by {}{cut}: {}",
            plural(self.requests, "request", "requests"),
            span(self.streamed.as_nanos() as f64),
            plural(self.clients, "connection", "connections"),
            long(&self.quantiles)
        )
    }

    fn mean_line(&self) -> Option<String> {
        let mean: f64 = self.mean.iter().map(|part| part.each).sum();
        (!self.mean.is_empty()).then(|| format!("a mean request of {}: {}", span(mean), parts(&self.mean)))
    }

    fn slowest_line(&self) -> Option<String> {
        let mean: f64 = self.slowest.iter().map(|part| part.each).sum();
        (!self.slowest.is_empty())
            .then(|| format!("the slowest hundredth, {} in the mean: {}", span(mean), parts(&self.slowest)))
    }

    fn services_line(&self) -> Option<String> {
        let named: Vec<String> = self
            .services
            .iter()
            .filter(|(_, share)| *share >= LITTLE)
            .map(|(name, share)| format!("{} {}", address(name), percent(*share)))
            .collect();
        (!named.is_empty()).then(|| format!("the others that it waits for: {}", named.join(", ")))
    }

    /// What other ways would make of it; those that come to the same share a line.
    fn ways_lines(&self) -> Vec<String> {
        let mut lines: Vec<(Vec<&str>, String)> = Vec::new();
        for (way, quantiles) in &self.ways {
            let (name, text) = (way.in_a_sentence(), short(quantiles));
            match lines.iter_mut().find(|line| line.1 == text) {
                Some(line) => line.0.push(name),
                None => lines.push((vec![name], text)),
            }
        }
        let ways: Vec<String> =
            lines.into_iter().map(|(names, text)| format!("{}: {text}", names.join(", "))).collect();
        if ways.is_empty() { ways } else { [vec![REPLAYED.to_owned()], ways].concat() }
    }

    /// What another way of waiting has any influence on, or why that is not known.
    pub fn scope(&self) -> String {
        if self.mean.is_empty() {
            return format!("{} of those that began {LONGER}", percent(self.unseen));
        }
        let scope = self.depends_on_waiting();
        let rest: Vec<&str> = self
            .mean
            .iter()
            .filter(|part| !part.spent.depends_on_waiting() && part.share >= LITTLE)
            .map(|part| part.spent.name())
            .collect();
        let rest = match rest.as_slice() {
            [] => String::new(),
            all => format!("; no way of waiting shortens the rest ({})", all.join(", ")),
        };
        format!("another way of waiting has a part in {} of a mean request{rest}", percent(scope))
    }
}

/// What has no name was closed before it was looked at, or is one of several that were waited for
/// at once.
fn address(name: &str) -> &str {
    if name.is_empty() { "others without a name" } else { name }
}

fn parts(parts: &[LatencyPart]) -> String {
    let named = parts.iter().filter(|part| part.share >= LITTLE);
    let named: Vec<String> =
        named.map(|part| format!("{} {} ({})", span(part.each), part.spent.name(), percent(part.share))).collect();
    named.join(", ")
}

fn joined(quantiles: &Quantiles, one: impl Fn(Estimate) -> String) -> String {
    let named = QUANTILES.iter().zip(quantiles.0);
    let named: Vec<String> = named.filter_map(|(name, ns)| Some(format!("{name} {}", one(ns?)))).collect();
    named.join(", ")
}

/// `p50 31.2 µs, p99 120 µs`
fn short(quantiles: &Quantiles) -> String {
    joined(quantiles, |ns| span(ns.value))
}

/// The same with the intervals, where these are wide enough to matter.
fn long(quantiles: &Quantiles) -> String {
    joined(quantiles, |ns| {
        let value = span(ns.value);
        if ns.half_width() < SURE * ns.value { value } else { format!("{value} ({})", span_range(ns)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{machine::Way, quantity::Nanos};

    #[test]
    fn a_request_is_told_by_its_parts() {
        let part = |spent, each: f64| LatencyPart { spent, each, share: each / 1e6 };
        let all: Vec<f64> = (0..2_000).map(|i| 9e5 + 100.0 * f64::from(i)).collect();
        let all: Vec<(f64, f64)> = all.into_iter().map(|ns| (ns, 1.0)).collect();
        let quantiles = Quantiles::new(&all, 2_000.0);
        let mut latency = Latency {
            requests: 2_000,
            cut: 1,
            streamed: Nanos::from_millis(800),
            unseen: 0.0,
            clients: 4,
            quantiles,
            mean: vec![part(Spent::Service, 7e5), part(Spent::Cpu, 299e3), part(Spent::Timer, 1e3)],
            slowest: Vec::new(),
            services: vec![("tcp → 127.0.0.1:5432".to_owned(), 0.7)],
            by_address: Vec::new(),
            ways: vec![(Way::Level, quantiles)],
        };
        let lines = |latency: &Latency| Latency::lines(&Figure::measured(latency.clone()));
        assert_eq!(
            lines(&latency),
            [
                "2,000 requests in 800 ms by 4 connections (1 more not seen to the end): p50 1.00 ms, \
                 p90 1.08 ms, p99 1.10 ms",
                "a mean request of 1.00 ms: 700 µs waiting for others than the client (70.0 %), 299 µs on a CPU (29.9 %)",
                "the others that it waits for: tcp → 127.0.0.1:5432 70.0 %",
                "another way of waiting has a part in 29.9 % of a mean request; no way of waiting shortens the rest \
                 (waiting for others than the client)",
                "by the replay, if each loop had a CPU to itself and clients stayed as they are:",
                "an event loop: p50 1.00 ms, p90 1.08 ms, p99 1.10 ms",
            ]
        );
        (latency.cut, latency.mean) = (0, vec![part(Spent::Cpu, 1e6)]);
        latency.services = vec![(String::new(), 0.3)];
        assert!(lines(&latency)[2].ends_with("waits for: others without a name 30.0 %"), "{:?}", lines(&latency));
        assert!(lines(&latency)[3].ends_with("in 100.0 % of a mean request"), "{:?}", lines(&latency));
        (latency.mean, latency.services, latency.unseen) = (Vec::new(), Vec::new(), 0.25);
        assert!(lines(&latency)[1].starts_with("25.0 % of those that began took longer"), "{:?}", lines(&latency));
        let none = Latency::lines(&Figure::unavailable(Note::FewRequests(3)));
        assert!(none[0].starts_with("n/a: only 3 requests"), "{none:?}");
    }
}
