//! Prices: what the target's blocks, calls and wake-ups cost today, and what each price rests on.

use super::{
    blocks::{Blocks, direct_costs, is_io},
    files::{ByWorkers, DirectReads, Files, by_workers, direct_reads, file_waits, moves_bytes, others_met},
    note::Note,
    switches::Switches,
};
use crate::{
    aggregate::{ThreadTotals, Window},
    cost::{Basis, Pools, Reference, only_waits},
    event::{BlockClass, Family, SiteRecord, Sums},
    machine::{PriceList, Queue, Way},
    quantity::{Estimate, Figure, Nanos},
};

/// However much the hooks cost, a wake-up or a call past the page cache keeps at least this share
/// of its measured price.
const LEAST_LEFT: f64 = 0.2;

/// Calls that only wait for one descriptor: a loop makes none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WaitingCalls {
    pub count: f64,
    /// What all of these calls cost beside their blocks, ns.
    pub cost: Estimate,
}

/// What the target's blocks and calls cost today, by kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Blocks on sockets, pipes and whatever else readiness can wait for.
    pub net: Blocks,
    /// Blocks on files and block devices.
    pub file: Blocks,
    /// Calls on files, blocking or not.
    pub file_calls: f64,
    /// Calls on files that `io_uring` would hand to workers of the kernel.
    pub by_workers: ByWorkers,
    /// Reads and writes past the page cache.
    pub direct_reads: DirectReads,
    /// Reads and writes past the page cache that are at devices at once, in the mean: their blocked
    /// time over the time measured.
    pub in_flight: f64,
    /// Threads that are blocked on files at once, in the mean.
    pub file_waits: f64,
    /// Others that such a thread finds blocked on files when it begins to, in the mean.
    pub others_met: f64,
    /// Reads that found their data, at sites that also block.
    pub ready_reads: f64,
    /// Those of `ready_reads` that got a message of its own: a write answered it or passed it on.
    pub turns: f64,
    /// Messages that the target read and answered or passed on. Several calls may make one message.
    pub messages: f64,
    /// Connections that it accepted.
    pub accepted: f64,
    /// Calls that only wait for one descriptor.
    pub waiting_calls: WaitingCalls,
    /// A block that hands the CPU to another thread of the target, ns.
    pub near: f64,
    /// What a loop would pay for each sleep, ns: a block during which the CPU is idle or with
    /// another program, less the part that is due to the target's many threads.
    pub sleep: Figure<f64, Note>,
    /// What most of its blocks on sockets and pipes wait for.
    pub main_class: BlockClass,
    /// Wake-ups of its threads from IO that its own threads caused.
    pub own_wakes: f64,
    /// Wake-ups of other processes' threads that its threads caused, in calls.
    pub other_wakes: f64,
    /// What waking one of its own threads costs the waker, ns.
    pub wake: Figure<f64, Note>,
    /// What waking a thread of another process would cost the target if nobody measured it, ns.
    pub other_wake: Figure<f64, Note>,
    /// Preemptions of the target's threads by each other.
    pub preemptions: f64,
    /// What a preemption costs, ns: a switch from thread to thread without a sleep.
    pub switch: f64,
    /// What most of the direct cost is based on.
    pub basis: Option<Basis>,
    /// Share of the blocking-IO blocks whose cost is known.
    pub covered: f64,
}

impl Prices {
    /// `None` where the cost of no block is known.
    pub(crate) fn new(
        window: &Window,
        sums: &Sums,
        pools: &Pools<'_>,
        calibration: Option<&PriceList>,
        reference: Option<Reference>,
        files: Files<'_>,
    ) -> Option<Self> {
        let ((net, net_parts), (file, file_parts)) = direct_costs(window, sums, pools);
        let parts = net_parts.plus(&file_parts);
        let all = net.count + file.count;
        if all > 0.0 && parts.covered == 0.0 {
            return None;
        }
        let switches = Switches { window, sums, calibration, main_class: most_of(sums), threads: blockers(window) };
        let near = switches.near(&parts, reference);
        let other_wake = switches.other_wake(pools, reference);
        let file_calls =
            window.sites.iter().filter(|s| s.place.class.is_file() && moves_bytes(s)).map(|s| s.site.calls as f64);
        let net_sites = || window.sites.iter().filter(|s| is_io(s) && !s.place.class.is_file());
        let ready_reads: f64 = net_sites().map(ready_reads).sum();
        let direct_reads = direct_reads(window, pools, files.direct);
        let replies: f64 = net_sites().map(writes).sum();
        Some(Self {
            net,
            file,
            file_calls: file_calls.sum(),
            by_workers: by_workers(window, pools, (file, &file_parts), files.by_workers),
            direct_reads: direct_reads.0,
            in_flight: direct_reads.1,
            file_waits: file_waits(window, sums),
            others_met: others_met(window),
            ready_reads,
            messages: net_sites().map(reads).sum::<f64>().min(replies),
            accepted: window.sites.iter().map(SiteRecord::accepted).sum::<u64>() as f64,
            waiting_calls: waiting_calls(window, pools),
            turns: ready_reads.min((replies - net.count).max(0.0)),
            near,
            sleep: switches.sleep(&parts, near),
            main_class: switches.main_class,
            own_wakes: sums.woken_io_by_self as f64,
            other_wakes: sums.woke_other as f64,
            wake: switches.wake(near, &other_wake),
            other_wake,
            preemptions: sums.preempted_by_own as f64,
            // In a preemption no thread sleeps and none is woken: it costs at most what a plain
            // block between two threads costs.
            switch: switches.calibrated(None).map_or(near, |plain| near.min(plain)),
            basis: parts.basis.map(|(basis, _)| basis),
            covered: if all > 0.0 { parts.covered / all } else { 0.0 },
        })
    }

    /// Blocking-IO blocks of both kinds.
    pub fn all(&self) -> Blocks {
        self.net.plus(self.file)
    }

    /// The blocks on files that this way waits for itself.
    pub(super) fn file_by(&self, way: Way) -> Blocks {
        match way.queue() {
            None => Blocks::default(),
            Some(Queue::Ring) => self.file.less(self.by_workers.blocks),
            Some(Queue::Aio) => Blocks { count: self.direct_reads.count, direct: self.direct_reads.blocks },
        }
    }

    /// Whether it blocks on files more than on sockets.
    pub(super) fn mostly_files(&self) -> bool {
        self.file.count > self.net.count
    }

    /// Takes off what the hooks cost the target beyond their own run time, from the two prices that
    /// depend on its pace: a slower target finds its peers asleep more often and has to wake them,
    /// and finds its disk idle and has to start it.
    pub(crate) fn less_excess(mut self, excess: f64) -> Self {
        let woken = self.other_wakes * self.other_wake.value().copied().unwrap_or(0.0);
        let reads = &mut self.direct_reads;
        let rung = reads.whole - reads.blocks;
        if excess > 0.0 && woken + rung > 0.0 {
            let left = (1.0 - excess / (woken + rung)).max(LEAST_LEFT);
            reads.whole = reads.blocks + rung * left;
            self.other_wake = self.other_wake.map(|ns| ns * left);
        }
        self
    }

    /// CPU of the target without the hooks, and that of the hooks, ns.
    pub(crate) fn without_hooks(total: Nanos, share: Option<&f64>) -> (f64, f64) {
        let total = total.as_nanos() as f64;
        let hooks = share.map_or(0.0, |s| s.clamp(0.0, 0.9) * total);
        (total - hooks, hooks)
    }
}

/// The class with the most blocking-IO blocks.
fn most_of(sums: &Sums) -> BlockClass {
    let io = BlockClass::ALL.into_iter().filter(|c| c.family() == Family::BlockingIo && !c.is_file());
    io.max_by_key(|&c| sums.classes[c as usize].blocks).unwrap_or(BlockClass::Pipe)
}

/// Threads that blocked on IO.
fn blockers(window: &Window) -> f64 {
    let blocks = |t: &&ThreadTotals| {
        BlockClass::ALL.iter().any(|&c| c.family() == Family::BlockingIo && t.sums.classes[c as usize].blocks > 0)
    };
    window.threads.iter().filter(blocks).count() as f64
}

/// The calls that only wait for one descriptor. All of them have the same error in their price, so
/// the ends of the intervals are added up.
fn waiting_calls(window: &Window, pools: &Pools<'_>) -> WaitingCalls {
    let mut all = WaitingCalls::default();
    let io = window.sites.iter().filter(|s| is_io(s));
    for (calls, each) in io.filter_map(|s| Some((s.site.calls as f64, pools.waiting_call(s)?))) {
        all.count += calls;
        all.cost.value += calls * each.value;
        all.cost.low += calls * each.low;
        all.cost.high += calls * each.high;
    }
    all
}

/// Calls that neither blocked nor failed, where others at the same site blocked.
fn ready_reads(record: &SiteRecord) -> f64 {
    let site = &record.site;
    if site.blocked_calls == 0 || only_waits(&record.place) {
        0.0
    } else {
        site.calls.saturating_sub(site.blocked_calls + site.errors) as f64
    }
}

/// Calls that sent something.
fn writes(record: &SiteRecord) -> f64 {
    if record.place.sends() { record.site.calls.saturating_sub(record.site.errors) as f64 } else { 0.0 }
}

/// Calls that read something from a socket, blocked or not.
fn reads(record: &SiteRecord) -> f64 {
    let site = &record.site;
    if record.place.class.is_socket() && record.place.receives() {
        site.calls.saturating_sub(site.errors) as f64
    } else {
        0.0
    }
}
