//! The baseline: CPU of the target per voluntary switch while nothing is attached. Hooks slow their target down, and a target
//! that is slower meets its peers at other moments; what that did to it shows only against itself.

use std::time::Duration;

use super::facts::process_cpu;
use crate::{
    model::Baseline,
    target::{self, Target},
};

/// How long the target is watched before the programs are attached, and again after they have left.
const LENGTH: Duration = Duration::from_millis(250);
/// Beyond so many threads reading their counters would itself be a load.
const MOST_THREADS: usize = 2_000;

/// Watches for a while; nothing where the target is too large, or ends meanwhile.
pub(super) fn watch(target: &Target) -> Option<Baseline> {
    let begun = counters(target)?;
    std::thread::sleep(LENGTH);
    let ended = counters(target)?;
    Some(Baseline {
        cpu: ended.cpu.saturating_sub(begun.cpu),
        voluntary: ended.voluntary.saturating_sub(begun.voluntary),
    })
}

/// Where the counters stand.
fn counters(target: &Target) -> Option<Baseline> {
    let threads: Vec<_> =
        target.tgids().flat_map(|tgid| target::threads(tgid).into_iter().map(move |t| (tgid, t))).collect();
    if threads.len() > MOST_THREADS {
        return None;
    }
    let voluntary = threads.iter().filter_map(|&(tgid, tid)| Some(target::counters(tgid, tid)?.voluntary)).sum();
    Some(Baseline { cpu: process_cpu(target)?, voluntary })
}
