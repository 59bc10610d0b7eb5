//! What a million requests cost, from one process to a fleet, simulated from measured prices.
//!
//! A process has one CPU, and requests come to it at random (Poisson). A request that finds nothing
//! else to do costs what the laboratory measured with one connection: the process slept, and has to
//! come back. One that finds others costs what was measured with 64 connections. So the price of a
//! request depends on how full its process is. A fleet has as many processes as keep each at or
//! below a given share of its CPU, and pays for whole CPUs.
//!
//! What it leaves out: memory, the network, other instances of a spare, a load that changes over
//! the day, and how much deeper a CPU sleeps that has been idle for long.

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// The kept run that has the prices.
const LAB: &str = "docs/lab/results.json";
/// The forms: their name in the document, the suffix of their cells, and whether they are the twin.
const FORMS: [(&str, &str, &str); 4] = [
    ("threads", "epoll", "blocking"),
    ("epoll", "epoll", "twin"),
    ("tokio", "tokio", "twin"),
    ("io_uring", "uring", "twin"),
];
/// A process may use so much of its CPU.
const FULL: f64 = 0.6;
/// Requests a second that come to the whole fleet.
const RATES: [f64; 9] = [100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0, 300_000.0, 1_000_000.0];
/// Requests of a simulation, of which the first tenth is not counted.
const REQUESTS: usize = 400_000;
const SEED: u64 = 1;
const MILLION: f64 = 1e6;

/// What the simulation found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fleet {
    /// The share of its CPU that a process may use.
    pub(super) full: f64,
    pub(super) forms: Vec<Form>,
}

/// A form of the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) idle_ns: f64,
    pub(super) busy_ns: f64,
    pub(super) at: Vec<Point>,
}

/// A fleet for a rate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Point {
    /// Requests a second, as a name.
    pub(super) id: String,
    pub(super) rate: f64,
    pub(super) processes: f64,
    /// CPU of a request.
    pub(super) cpu_ns: f64,
    /// CPU-seconds for a million requests: those that are used, and those that are paid for.
    pub(super) used_s: f64,
    pub(super) paid_s: f64,
}

impl Fleet {
    pub(super) fn simulate(kept: &Kept) -> Result<Self> {
        let forms = FORMS.iter().map(|(name, suffix, side)| {
            let price = |connections: u32| {
                kept.number(&format!(
                    "{LAB}#/cells/echo-closed-c{connections}-w10us-{suffix}/truth/{side}/*/cpu_per_operation_ns"
                ))
            };
            let prices = Prices { idle_ns: price(1)?, busy_ns: price(64)? };
            let at = RATES.iter().map(|&rate| prices.fleet(rate)).collect::<Result<_>>()?;
            Ok(Form { name: (*name).to_owned(), idle_ns: prices.idle_ns, busy_ns: prices.busy_ns, at })
        });
        Ok(Self { full: FULL, forms: forms.collect::<Result<_>>()? })
    }
}

impl Form {
    /// CPU of a request at a rate that comes to one process; `None` where it cannot serve as many.
    pub(super) fn cpu_ns(&self, rate: f64) -> Option<f64> {
        Prices { idle_ns: self.idle_ns, busy_ns: self.busy_ns }.simulate(rate)
    }
}

#[derive(Clone, Copy)]
struct Prices {
    idle_ns: f64,
    busy_ns: f64,
}

impl Prices {
    /// The smallest fleet whose processes are not too full.
    fn fleet(self, rate: f64) -> Result<Point> {
        let fits = |processes: f64| {
            let each = rate / processes;
            self.simulate(each).filter(|cpu_ns| each * cpu_ns / 1e9 <= FULL)
        };
        // Fewer cannot be enough even if all requests were cheap.
        let least = (rate * self.busy_ns / 1e9 / FULL).ceil().max(1.0);
        ensure!(least < 1e4, "too many processes");
        let sizes = (0..10_000).map(|more| least + f64::from(more));
        let (processes, cpu_ns) =
            sizes.into_iter().find_map(|n| Some((n, fits(n)?))).context("no fleet is large enough")?;
        Ok(Point {
            id: format!("{rate}"),
            rate,
            processes,
            cpu_ns: tenth(cpu_ns),
            used_s: tenth(cpu_ns / 1e9 * MILLION),
            paid_s: tenth(processes / rate * MILLION),
        })
    }

    /// Mean CPU of a request, ns, where they come to one process at a rate.
    fn simulate(self, rate: f64) -> Option<f64> {
        if rate * self.busy_ns >= 0.99e9 {
            return None;
        }
        let mut rng = Rng::with_seed(SEED);
        let (mut now, mut free, mut sum, mut counted) = (0.0_f64, 0.0_f64, 0.0_f64, 0_u32);
        for request in 0..REQUESTS {
            now -= (1.0 - rng.f64()).ln() / rate * 1e9;
            let cost = if now >= free { self.idle_ns } else { self.busy_ns };
            free = free.max(now) + cost;
            if request >= REQUESTS / 10 {
                sum += cost;
                counted += 1;
            }
        }
        Some(sum / f64::from(counted))
    }
}

/// To tenths: the last digits of a logarithm may differ between machines.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue whose first service of a busy period differs (Welch 1964): a request finds it empty
    /// with the probability (1 − λb) / (1 − λb + λa).
    #[test]
    fn the_simulation_is_that_of_a_queue_that_is_known() {
        let prices = Prices { idle_ns: 30_000.0, busy_ns: 20_000.0 };
        for rate in [100.0, 5_000.0, 20_000.0, 40_000.0] {
            let (a, b) = (rate * prices.idle_ns / 1e9, rate * prices.busy_ns / 1e9);
            let empty = (1.0 - b) / (1.0 - b + a);
            let known = empty * prices.idle_ns + (1.0 - empty) * prices.busy_ns;
            let found = prices.simulate(rate).unwrap();
            assert!((found / known - 1.0).abs() < 0.01, "{rate}: {found} for {known}");
        }
        assert_eq!(prices.simulate(50_000.0), None);
    }

    #[test]
    fn a_fleet_is_as_large_as_it_must_be() {
        let prices = Prices { idle_ns: 30_000.0, busy_ns: 20_000.0 };
        let one = prices.fleet(1_000.0).unwrap();
        assert_eq!((one.processes, one.paid_s), (1.0, 1_000.0));
        let many = prices.fleet(1e6).unwrap();
        let used = many.rate / many.processes * many.cpu_ns / 1e9;
        assert!(used <= FULL && used > FULL - 0.02, "{used}");
        assert!(many.paid_s < one.paid_s);
    }
}
