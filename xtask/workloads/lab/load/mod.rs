//! `lab load`: the load for an echo, HTTP or Redis server, closed loop or open loop, from one epoll
//! thread that sleeps until there is something to do.

mod clients;
mod plan;
mod protocol;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use serde_json::{Map, json};

use self::clients::{Clients, Outcome};
use self::plan::{Limit, Plan};
use self::protocol::Protocol;
use crate::echo::parse_bytes;
use crate::session::{self, Common, Tally};
use crate::sys::{self, Poller};
use crate::work::Job;

/// How long it waits after its end for the replies that are still due, in ns.
const PATIENCE_NS: u64 = 5_000_000_000;
/// Latencies from 1 ns to a minute, to three digits.
const LONGEST_NS: u64 = 60_000_000_000;

/// Flags of `load`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server's port on loopback.
    #[arg(long)]
    port: u16,
    /// Connections.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Open loop: Poisson arrivals per second. Without it: closed loop.
    #[arg(long)]
    rate: Option<f64>,
    /// Ends after so many requests.
    #[arg(long)]
    requests: Option<u64>,
    /// Ends after so many seconds.
    #[arg(long)]
    duration: Option<f64>,
    /// Bytes of a request, and of its reply.
    #[arg(long, default_value_t = 64, value_parser = parse_bytes)]
    bytes: usize,
    /// Speaks HTTP/1.1: GETs of this path on connections that are kept.
    #[arg(long, value_name = "PATH", conflicts_with = "bytes")]
    http: Option<String>,
    /// Speaks to a Redis server: PING.
    #[arg(long, conflicts_with_all = ["bytes", "http"])]
    redis: bool,
    /// Seed of arrivals and think times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Closed loop: mean µs from a reply to the next request, exponential.
    #[arg(long, default_value_t = 0.0)]
    think_us: f64,
    /// Seconds of load before the requests that count.
    #[arg(long, default_value_t = 0.0)]
    warmup: f64,
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn protocol(&self) -> Protocol {
        match &self.http {
            _ if self.redis => Protocol::Redis,
            Some(path) => Protocol::Http { path: path.clone() },
            None => Protocol::Echo { bytes: self.bytes },
        }
    }

    fn limit(&self) -> Result<Limit> {
        match (self.requests, self.duration) {
            (Some(requests), None) => Ok(Limit::Requests(requests)),
            (None, Some(seconds)) => Ok(Limit::Duration(seconds_to_ns(seconds)?)),
            _ => bail!("either --requests or --duration says when the load ends"),
        }
    }
}

fn seconds_to_ns(seconds: f64) -> Result<u64> {
    anyhow::ensure!((0.0..1e6).contains(&seconds), "{seconds} is no length in seconds");
    Ok((seconds * 1e9) as u64)
}

/// The figures at the end, or when it rests.
#[derive(Clone)]
struct Summary {
    requests: u64,
    elapsed_ns: u64,
    latency: Histogram<u64>,
    /// Arrivals for which no connection was free until the end.
    unsent: u64,
}

/// The newest summary; `None` until there is one.
type Shared = Mutex<Option<Summary>>;

/// The harness's token; the others are those of connections.
const PACE: u64 = u64::MAX;

pub(crate) fn run(args: &Args) -> Result<()> {
    let limit = args.limit()?;
    let warmup_ns = seconds_to_ns(args.warmup)?;
    anyhow::ensure!(args.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite()), "--rate is above 0");
    anyhow::ensure!((0.0..1e9).contains(&args.think_us), "--think-us is a length in µs");
    let summary: Arc<Shared> = Arc::default();
    session::run_with(
        &args.common,
        |tally| {
            let clients = Clients::connect(args.port, args.connections, args.protocol())?;
            let plan = Plan::new(args.rate, args.think_us, args.seed, args.connections);
            let (own, shared) = (Arc::clone(tally), Arc::clone(&summary));
            tally.spawn("load", move |_| {
                let done = generate(&own, clients, plan, limit, warmup_ns, &shared);
                own.finish();
                done
            })?;
            Ok(Map::new())
        },
        |tally| {
            let found = summary.lock().unwrap_or_else(PoisonError::into_inner);
            match &*found {
                Some(found) => json!({
                    "requests": found.requests,
                    "elapsed_ns": found.elapsed_ns,
                    "p50_ns": found.latency.value_at_quantile(0.5),
                    "p99_ns": found.latency.value_at_quantile(0.99),
                    "p999_ns": found.latency.value_at_quantile(0.999),
                    "errors": tally.errors(),
                    "unsent": found.unsent,
                    "operations": tally.operations(),
                }),
                // Ended from outside before its time, and it never rested.
                None => json!({ "operations": tally.operations(), "errors": tally.errors() }),
            }
        },
    )
}

/// Makes the load. A request counts if it was sent after the warm-up and before the end. The load
/// waits for all replies.
fn generate(
    tally: &Tally,
    mut clients: Clients,
    mut plan: Plan,
    limit: Limit,
    warmup_ns: u64,
    shared: &Shared,
) -> Result<()> {
    workloads::drop_timer_slack();
    tally.await_ready();
    let job = tally.job(0, None);
    let mut poller = Poller::new()?;
    clients.register(&poller)?;
    poller.add_level(tally.pace_changed(), PACE)?;
    let mut harvest = Harvest::new(job)?;
    let begun = sys::now_ns();
    harvest.warm_at = begun + warmup_ns;
    plan.begin(begun);
    let mut warm = false;
    // Rests that the harness has asked for, and those that were answered. The first changes only
    // with the event that announces a rest.
    let (mut asked, mut answered) = (0, 0);
    loop {
        let mut now = sys::now_ns();
        if !warm && now >= harvest.warm_at {
            warm = true;
            plan.set_limit(limit, now);
            crate::line::say(&json!({ "warm": true }))?;
            now = sys::now_ns();
        }
        // The clock is read after each send: a burst of requests takes longer than the precision of
        // a latency.
        while let Some((connection, due)) = plan.take(now) {
            if let Err(error) = clients.send(connection, due.unwrap_or(now), warm) {
                tally.error(&error);
            }
            now = sys::now_ns();
        }
        if is_done(tally, &clients, &mut plan, now) {
            break;
        }
        if tally.rests() && asked > answered && clients.outstanding() == 0 {
            answered = asked;
            harvest.keep(&plan, shared);
            crate::line::say(&json!({ "resting": true }))?;
        }
        let until = plan.next_due(now).into_iter().chain((!warm).then_some(harvest.warm_at)).min();
        let timeout = until.map_or(PATIENCE_NS, |until| until.saturating_sub(now).min(PATIENCE_NS));
        for index in 0..poller.wait(Some(timeout))? {
            match poller.ready(index).token {
                PACE => asked = change_pace(tally, &mut plan),
                connection => harvest.receive(tally, &mut clients, &mut plan, connection as u32),
            }
        }
    }
    harvest.keep(&plan, shared);
    Ok(())
}

/// Rests or goes on, as the harness wants. Returns how many rests it has asked for so far.
fn change_pace(tally: &Tally, plan: &mut Plan) -> u64 {
    tally.pace_seen();
    // Several may have come at once: the last one counts, and a rest is answered.
    let asked = tally.rests_asked();
    if tally.rests() {
        plan.rest(sys::now_ns());
    } else {
        plan.go(sys::now_ns());
    }
    asked
}

/// Whether the load ends: the plan is over and all replies are there, or will never come.
fn is_done(tally: &Tally, clients: &Clients, plan: &mut Plan, now: u64) -> bool {
    if plan.is_over(now) {
        let stuck = plan.over_since(now) + PATIENCE_NS <= now;
        if clients.outstanding() > 0 && stuck {
            tally.error(&anyhow::anyhow!("{} replies never came", clients.outstanding()));
        }
        if clients.outstanding() == 0 || stuck {
            return true;
        }
    }
    if clients.alive() == 0 {
        tally.error(&anyhow::anyhow!("no connection is left"));
        return true;
    }
    false
}

/// What the replies add up to.
struct Harvest {
    summary: Summary,
    job: Job,
    /// When the warm-up ends.
    warm_at: u64,
}

impl Harvest {
    fn new(job: Job) -> Result<Self> {
        let latency = Histogram::new_with_bounds(1, LONGEST_NS, 3).context("the histogram")?;
        Ok(Self { summary: Summary { requests: 0, elapsed_ns: 0, latency, unsent: 0 }, job, warm_at: 0 })
    }

    fn receive(&mut self, tally: &Tally, clients: &mut Clients, plan: &mut Plan, connection: u32) {
        match clients.receive(connection) {
            Ok(Outcome::Partial) => {}
            Ok(Outcome::Reply { since, counts }) => {
                let now = sys::now_ns();
                self.job.perform(&[]);
                if counts {
                    self.summary.requests += 1;
                    self.summary.elapsed_ns = now.saturating_sub(self.warm_at);
                    // The histogram has a longest value; what is longer counts as that.
                    self.summary.latency.saturating_record(now.saturating_sub(since).max(1));
                }
                plan.replied(connection, now);
            }
            Err(error) => tally.error(&error),
        }
    }

    /// Stores the summary so far where the main thread reads it.
    fn keep(&mut self, plan: &Plan, shared: &Shared) {
        self.summary.unsent = plan.unsent();
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.summary.clone());
    }
}
