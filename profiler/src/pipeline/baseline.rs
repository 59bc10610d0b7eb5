//! The baseline: CPU of the target per voluntary switch while nothing is attached. Hooks slow their
//! target down, and a slower target meets its peers at other moments. What that changed can be seen
//! only by comparing the target with itself.

use std::time::{Duration, Instant};

use super::{facts::process_cpu, measurement::Request, pace::PaceWatch};
use crate::{
    predict::Baseline,
    process::{self, Target},
    quantity::Nanos,
};

/// Length of a part, in ns. The target is watched in parts before the programs are attached, and
/// again after they have left. The spread of the parts says how steady the target is.
const LENGTH: u64 = 125_000_000;
/// The parts before and after a measurement each take one in `SHARE` of its time. There are at
/// least `FEWEST` and at most `MOST`.
const SHARE: u64 = 6;
const FEWEST: u64 = 2;
const MOST: u64 = 8;
/// Reading the counters of more threads than this would itself be a load.
const MOST_THREADS: usize = 2_000;

/// Watches before or `after` the measurement, for a while that depends on its length. Returns
/// nothing where the target has too many threads or ends meanwhile.
pub(super) fn watch(request: &Request, pace: Option<&PaceWatch>, after: bool) -> Vec<Baseline> {
    let target = &request.target;
    let count = request.duration.map_or(FEWEST, |d| d.as_nanos() / SHARE / LENGTH).clamp(FEWEST, MOST);
    let mut parts = Vec::with_capacity(count as usize);
    let Some(mut begun) = counters(target) else { return parts };
    for _ in 0..count {
        let since = Instant::now();
        let taken = pace.map(PaceWatch::so_far);
        std::thread::sleep(Duration::from_nanos(LENGTH));
        let Some(ended) = counters(target) else { return Vec::new() };
        parts.push(Baseline {
            cpu: ended.cpu.saturating_sub(begun.cpu),
            voluntary: ended.voluntary.saturating_sub(begun.voluntary),
            wall: Nanos::from_nanos(since.elapsed().as_nanos() as u64),
            after,
            pace: pace.zip(taken).and_then(|(pace, taken)| pace.since(taken).pace()),
        });
        begun = ended;
    }
    parts
}

/// Reads the counters. `None` where the target has too many threads or is gone.
fn counters(target: &Target) -> Option<Baseline> {
    let threads: Vec<_> =
        target.tgids().flat_map(|tgid| process::threads(tgid).into_iter().map(move |t| (tgid, t))).collect();
    if threads.len() > MOST_THREADS {
        return None;
    }
    // Reading the switches of hundreds of threads takes a while, and longer the first time. The CPU
    // is taken at the middle of that time, so that both are of one interval.
    let before = process_cpu(target)?;
    let voluntary = threads.iter().filter_map(|&(tgid, tid)| Some(process::counters(tgid, tid)?.voluntary)).sum();
    let meanwhile = process_cpu(target)?.saturating_sub(before);
    Some(Baseline {
        cpu: before + Nanos::from_nanos(meanwhile.as_nanos() / 2),
        voluntary,
        wall: Nanos::ZERO,
        after: false,
        pace: None,
    })
}
