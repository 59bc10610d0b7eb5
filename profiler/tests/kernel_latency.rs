//! How long clients wait, on the real kernel, against servers that know it: the kernel's own stamp
//! of each request and the time of its reply. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::measuring::{Measuring, raw_request, request};
use common::truth::Truth;
use common::{can_measure, figures};
use should_i_async::aggregate::Spent;
use should_i_async::answer::{Latency, Note, Report};
use should_i_async::pipeline::Request;
use should_i_async::quantity::Figure;

/// What was found, how long the requests took by the server's own clock, the shortest first, and
/// which part of that was spent on another service.
struct Seen {
    latency: Figure<Latency, Note>,
    took: Vec<u64>,
    served: f64,
}

fn measure(kind: &str, connections: &str, request: impl Fn(u32) -> Request) -> Seen {
    let mut truth = Truth::start(&[kind, "--threads", connections, "--n", "1000", "--us", "200"]);
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    let line = truth.line();
    let measured = measuring.stop();
    truth.end();
    let mut took: Vec<u64> = line.rows.iter().flat_map(|row| row.requests.iter().copied()).collect();
    took.sort_unstable();
    let served = line.rows.iter().map(|row| row.served).sum::<u64>() as f64 / took.iter().sum::<u64>() as f64;
    Seen { latency: Report::new(&measured.window, measured.inputs).latency, took, served }
}

#[test]
fn requests_take_as_long_as_the_server_says() {
    if !can_measure() {
        return;
    }
    for raw in [false, true] {
        let Seen { latency, took, served } = measure("requests", "4", if raw { raw_request } else { request });
        let latency = latency.value().unwrap();
        // One that comes before its thread waits for it counts with the one before.
        let all = took.len() as u64;
        assert!(all - all / 20 <= latency.requests && latency.requests <= all, "{} of {all}", latency.requests);
        assert_eq!(latency.clients, 4);
        let of = |share: f64| took[(share * took.len() as f64) as usize] as f64;
        let found = latency.quantiles.0.map(|ns| ns.map(|ns| ns.value));
        figures!("p50 {:?} of {}, p99 {:?} of {}", found[0], of(0.5), found[2], of(0.99));
        assert!((found[0].unwrap() / of(0.5) - 1.0).abs() < 0.1, "{found:?}, {}", of(0.5));
        assert!((found[1].unwrap() / of(0.9) - 1.0).abs() < 0.1, "{found:?}, {}", of(0.9));
        assert!((found[2].unwrap() / of(0.99) - 1.0).abs() < 0.2, "{found:?}, {}", of(0.99));
        let service = latency.mean.iter().find(|part| part.spent == Spent::Service).unwrap();
        assert!((service.share - served).abs() < 0.05, "{} of {served}", service.share);
        assert!((latency.mean.iter().map(|part| part.share).sum::<f64>() - 1.0).abs() < 0.01);
        assert!((latency.depends_on_waiting() - (1.0 - service.share)).abs() < 0.02, "{latency:#?}");
        assert!(latency.services[0].0.starts_with("unix"), "{:?}", latency.services);
    }
}

#[test]
fn requests_that_share_a_loop_have_no_figure() {
    if !can_measure() {
        return;
    }
    let Seen { latency, took, .. } = measure("requests-loop", "4", request);
    assert_eq!((latency, took.len()), (Figure::unavailable(Note::NoRequests), 4_000));
}
