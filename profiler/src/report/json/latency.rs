//! How long the target's clients wait, in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::figure::{Figure, Range, Ratio};
use crate::{
    aggregate,
    answer::{self, Note},
    quantity, words,
};

/// How long clients wait: from their data's arrival (the wake-up of the thread that waited for it)
/// to the end of the answer (the thread's next wait for the client, less what lies between). What
/// measuring puts into it is taken off.
#[derive(Serialize, JsonSchema)]
pub(super) struct Latency {
    /// Requests that were seen from their arrival to the end.
    requests_count: Figure<f64>,
    /// Others that began and whose ends were not seen; those that had as much time left, and were,
    /// stand for them.
    cut_count: Figure<f64>,
    /// How long blocks were streamed: all of this is of that time.
    streamed_ns: Figure<f64>,
    /// The share of those that began for which none of these stands: they are longer than all of
    /// them. Above 5 % there is no mean and what goes with it.
    unseen_ratio: Figure<Ratio>,
    /// Connections of clients that they came by.
    clients_count: Figure<f64>,
    /// The share of the mean request on which another way of waiting has any influence.
    depends_on_waiting_ratio: Figure<Ratio>,
    /// Of all requests.
    quantiles: Quantiles,
    /// What the mean request goes to, the largest part first.
    mean: Vec<Part>,
    /// The same of the slowest hundredth; empty where there is no 99th percentile.
    slowest: Vec<Part>,
    /// Whom the requests waited for, the longest first; at most five.
    services: Vec<Service>,
    /// By the address that clients came to, the one with the most requests first; empty where
    /// there is only one.
    by_address: Vec<Address>,
    /// In other ways of waiting, by the replay.
    ways: Vec<InWay>,
}

/// Quantiles with their 90 % intervals, ns; null where too few requests lie beyond.
#[derive(Serialize, JsonSchema)]
struct Quantiles {
    /// The median.
    p50_ns: Option<Range>,
    /// The 90th percentile.
    p90_ns: Option<Range>,
    /// The 99th percentile.
    p99_ns: Option<Range>,
    /// The 99.9th percentile.
    p999_ns: Option<Range>,
}

impl From<&quantity::Quantiles> for Quantiles {
    fn from(of: &quantity::Quantiles) -> Self {
        let [p50_ns, p90_ns, p99_ns, p999_ns] = of.0.map(|ns| ns.map(Range::from));
        Self { p50_ns, p90_ns, p99_ns, p999_ns }
    }
}

/// What a request's time goes to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Spent {
    /// On a CPU.
    Cpu,
    /// Waiting for a CPU.
    RunQueue,
    /// Waiting for locks and other threads.
    Lock,
    /// Waiting for files, pages and block devices.
    Disk,
    /// Waiting for others than the client.
    Service,
    /// Until the client took what it was sent.
    Client,
    /// Asleep for a set time.
    Timer,
    /// Everything else.
    Other,
}

impl From<aggregate::Spent> for Spent {
    fn from(spent: aggregate::Spent) -> Self {
        match spent {
            aggregate::Spent::Cpu => Self::Cpu,
            aggregate::Spent::RunQueue => Self::RunQueue,
            aggregate::Spent::Lock => Self::Lock,
            aggregate::Spent::Disk => Self::Disk,
            aggregate::Spent::Service => Self::Service,
            aggregate::Spent::Client => Self::Client,
            aggregate::Spent::Timer => Self::Timer,
            aggregate::Spent::Other => Self::Other,
        }
    }
}

/// A part of a request.
#[derive(Serialize, JsonSchema)]
struct Part {
    /// What it goes to.
    spent: Spent,
    /// In the mean.
    mean_ns: f64,
    /// Of the whole request.
    share_ratio: Ratio,
}

impl From<&answer::LatencyPart> for Part {
    fn from(part: &answer::LatencyPart) -> Self {
        Self { spent: part.spent.into(), mean_ns: part.each, share_ratio: part.share }
    }
}

/// Somebody that requests waited for.
#[derive(Serialize, JsonSchema)]
struct Service {
    /// The connection's name; empty where it was closed before it was looked at, and for waits for
    /// several at once.
    name: String,
    /// Of the mean request.
    share_ratio: Ratio,
}

/// Requests by the address that they came to.
#[derive(Serialize, JsonSchema)]
struct Address {
    /// The address.
    name: String,
    /// How many came.
    requests_count: u64,
    /// How long they took.
    quantiles: Quantiles,
}

/// What a way of waiting would make of it.
#[derive(Serialize, JsonSchema)]
struct InWay {
    /// Its name, as in `what_if`.
    name: &'static str,
    /// How long requests would take.
    quantiles: Quantiles,
}

impl Latency {
    pub(super) fn new(figure: &quantity::Figure<answer::Latency, Note>) -> Self {
        let of =
            |pick: fn(&answer::Latency) -> f64| Figure::derived(figure, figure.value().map(pick), words::NOT_A_NUMBER);
        let latency = figure.value();
        let parts = |pick: fn(&answer::Latency) -> &Vec<answer::LatencyPart>| {
            latency.map(|latency| pick(latency).iter().map(Part::from).collect()).unwrap_or_default()
        };
        let services = latency.iter().flat_map(|latency| &latency.services);
        let addresses = latency.iter().flat_map(|latency| &latency.by_address);
        let ways = latency.iter().flat_map(|latency| &latency.ways);
        Self {
            requests_count: of(|latency| latency.requests as f64),
            cut_count: of(|latency| latency.cut as f64),
            streamed_ns: of(|latency| latency.streamed.as_nanos() as f64),
            unseen_ratio: of(|latency| latency.unseen),
            clients_count: of(|latency| latency.clients as f64),
            depends_on_waiting_ratio: of(answer::Latency::depends_on_waiting),
            quantiles: (&latency.map_or_else(quantity::Quantiles::default, |latency| latency.quantiles)).into(),
            mean: parts(|latency| &latency.mean),
            slowest: parts(|latency| &latency.slowest),
            services: services.map(|(name, share)| Service { name: name.clone(), share_ratio: *share }).collect(),
            by_address: addresses
                .map(|(name, requests, quantiles)| Address {
                    name: name.clone(),
                    requests_count: *requests,
                    quantiles: quantiles.into(),
                })
                .collect(),
            ways: ways.map(|(way, quantiles)| InWay { name: way.name(), quantiles: quantiles.into() }).collect(),
        }
    }
}
