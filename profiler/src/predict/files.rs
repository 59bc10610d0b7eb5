//! Two kinds of calls on files that need prices of their own: those past the page cache, and those
//! that `io_uring` hands to workers of the kernel.

use super::blocks::{Blocks, Parts, is_io};
use crate::{
    aggregate::Window,
    cost::{MIN_CALLS, Pools},
    event::{BlockClass, Place, SiteRecord, Sums},
    quantity::Nanos,
};

/// Reads of more bytes than this cost more than the calibrated 4 KiB: the device's share grows.
const MOST_DIRECT: u64 = 64 * 1024;

/// Reads and writes past the page cache (`O_DIRECT`) that blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DirectReads {
    /// How many calls there were.
    pub count: f64,
    /// Of them, those that write.
    pub writes: f64,
    /// Their kernel CPU without the hooks, ns.
    pub whole: f64,
    /// Of that, what counts as the cost of their blocks, ns.
    pub blocks: f64,
}

/// What is known of the files that places read and write.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// Places whose descriptor was opened with `O_DIRECT`.
    pub direct: &'a [Place],
    /// Places whose buffered writes `io_uring` hands to workers of the kernel.
    pub by_workers: &'a [Place],
}

/// Calls on files that `io_uring` hands to workers of the kernel, which block in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ByWorkers {
    /// Calls.
    pub calls: f64,
    /// Their blocks.
    pub blocks: Blocks,
}

/// Reads and writes past the page cache, and how many of them were at devices at once.
pub(super) fn direct_reads(window: &Window, pools: &Pools<'_>, places: &[Place]) -> (DirectReads, f64) {
    let (mut sum, mut waited) = (DirectReads::default(), 0);
    let moves = |s: &&SiteRecord| s.place.syscall.contains("read") || s.place.syscall.contains("write");
    for record in window.sites.iter().filter(|s| places.contains(&s.place)).filter(moves) {
        let (site, blocked) = (&record.site, record.site.cpu_blocked());
        if blocked.count < MIN_CALLS || site.bytes > MOST_DIRECT * site.calls {
            continue;
        }
        let count = blocked.count as f64;
        sum.count += count;
        sum.writes += if record.place.sends() { count } else { 0.0 };
        waited += site.blocked.sum;
        sum.whole += (blocked.sum as f64 - count * pools.hook_of_call()).max(0.0);
        sum.blocks += pools.direct(record).map_or(0.0, |cost| cost.total.value);
    }
    (sum, Nanos::from_nanos(waited).ratio_to(window.measured))
}

/// Calls that `io_uring` hands to workers of the kernel, and their part of all blocks on files.
pub(super) fn by_workers(window: &Window, pools: &Pools<'_>, file: (Blocks, &Parts), places: &[Place]) -> ByWorkers {
    let (file, all) = file;
    let (mut calls, mut parts) = (0.0, Parts::default());
    let handed = |s: &&SiteRecord| s.place.syncs() || places.contains(&s.place);
    for site in window.sites.iter().filter(|s| is_io(s) && s.place.class.is_file()).filter(handed) {
        calls += site.site.calls.saturating_sub(site.site.errors) as f64;
        parts.add(site, pools);
    }
    let share = parts.blocks / all.blocks.max(1.0);
    let cost = (parts.near + parts.away) / (all.near + all.away);
    let cost = if cost.is_finite() { cost.clamp(0.0, 1.0) } else { share };
    ByWorkers { calls, blocks: Blocks { count: file.count * share, direct: file.direct * cost } }
}

/// How often a thread, or all of them, blocked on files, and for how long, ns.
fn on_files(sums: &Sums) -> (u64, u64) {
    let classes = BlockClass::ALL.into_iter().filter(|c| c.is_file()).map(|c| sums.classes[c as usize]);
    classes.fold((0, 0), |(blocks, blocked), class| (blocks + class.blocks, blocked + class.blocked))
}

/// Time blocked on files over the time measured.
pub(super) fn file_waits(window: &Window, sums: &Sums) -> f64 {
    let (_, waited) = on_files(sums);
    Nanos::from_nanos(waited).ratio_to(window.measured)
}

/// How many others a thread finds blocked on files when it blocks on one, in the mean over such
/// blocks. It does not meet itself (the arrival theorem: Lavenberg and Reiser, 1980).
pub(super) fn others_met(window: &Window) -> f64 {
    let each = || window.threads.iter().map(|thread| on_files(&thread.sums)).filter(|&(blocks, _)| blocks > 0);
    let blocks: u64 = each().map(|(blocks, _)| blocks).sum();
    let blocked: u64 = each().map(|(_, blocked)| blocked).sum();
    let met = each().map(|(blocks, own)| blocks as f64 * (blocked - own) as f64).sum::<f64>();
    met / (blocks as f64 * window.measured.as_nanos() as f64).max(1.0)
}

pub(super) fn moves_bytes(site: &SiteRecord) -> bool {
    site.site.bytes > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::ThreadTotals;

    #[test]
    fn a_request_meets_the_others_and_not_itself() {
        let met = |waited_ms: &[u64]| {
            let threads = waited_ms.iter().zip(1..).map(|(&ms, tid)| {
                let mut sums = Sums::ZERO;
                let file = &mut sums.classes[BlockClass::File as usize];
                (file.blocks, file.blocked) = (10, ms * 1_000_000);
                ThreadTotals::running(tid, 1, Nanos::from_millis(100), sums)
            });
            let window = Window { measured: Nanos::from_millis(100), threads: threads.collect(), ..Window::default() };
            others_met(&window)
        };
        assert_eq!(met(&[]), 0.0);
        assert_eq!(met(&[90]), 0.0, "one thread is alone with its requests");
        assert!((met(&[100; 8]) - 7.0).abs() < 1e-9);
        assert!((met(&[50, 50, 50]) - 1.0).abs() < 1e-9, "1.5 wait in the mean, and 1 of them is another");
    }
}
