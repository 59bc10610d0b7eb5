//! The baseline: CPU of the target per voluntary switch while nothing is attached. Hooks slow their target down, and a target
//! that is slower meets its peers at other moments; what that did to it shows only against itself.

use std::time::{Duration, Instant};

use super::{facts::process_cpu, pace::PaceWatch};
use crate::{
    model::Baseline,
    target::{self, Target},
    units::Nanos,
};

/// The target is watched for so long before the programs are attached, and again after they have left …
const LENGTH: Duration = Duration::from_millis(125);
/// … in so many parts: their spread says how steady it is.
const PARTS: usize = 2;
/// Beyond so many threads reading their counters would itself be a load.
const MOST_THREADS: usize = 2_000;

/// Watches for a while; nothing where the target is too large, or ends meanwhile.
pub(super) fn watch(target: &Target, pace: Option<&PaceWatch>) -> Vec<Baseline> {
    let mut parts = Vec::with_capacity(PARTS);
    let Some(mut begun) = counters(target) else { return parts };
    for _ in 0..PARTS {
        let since = Instant::now();
        let taken = pace.map(PaceWatch::so_far);
        std::thread::sleep(LENGTH);
        let Some(ended) = counters(target) else { return Vec::new() };
        parts.push(Baseline {
            cpu: ended.cpu.saturating_sub(begun.cpu),
            voluntary: ended.voluntary.saturating_sub(begun.voluntary),
            wall: Nanos::from_nanos(since.elapsed().as_nanos() as u64),
            pace: pace.zip(taken).and_then(|(pace, taken)| pace.since(taken).pace()),
        });
        begun = ended;
    }
    parts
}

/// Where the counters stand.
fn counters(target: &Target) -> Option<Baseline> {
    let threads: Vec<_> =
        target.tgids().flat_map(|tgid| target::threads(tgid).into_iter().map(move |t| (tgid, t))).collect();
    if threads.len() > MOST_THREADS {
        return None;
    }
    // The switches of hundreds of threads take a while to read, the first time longer than the next: the CPU is that of the
    // middle of it, so that both are of one interval.
    let before = process_cpu(target)?;
    let voluntary = threads.iter().filter_map(|&(tgid, tid)| Some(target::counters(tgid, tid)?.voluntary)).sum();
    let meanwhile = process_cpu(target)?.saturating_sub(before);
    Some(Baseline {
        cpu: before + Nanos::from_nanos(meanwhile.as_nanos() / 2),
        voluntary,
        wall: Nanos::ZERO,
        pace: None,
    })
}
