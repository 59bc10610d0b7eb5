//! Prices: what the target paid for its blocks, in one place, with the ground that each stands on.

use super::note::Note;
use crate::{
    aggregate::{ThreadTotals, Window},
    cost::{Basis, MIN_CALLS, Pools, RARE, Reference, mean, only_waits},
    event::{BlockClass, Family, Place, SiteRecord, Sums},
    machine::PriceList,
    quantity::{Estimate, Figure, Nanos},
};

/// Blocks on files that are still open or found no site: as many more than were counted at sites.
const MOST_WITHOUT_SITE: f64 = 1.05;
/// Whatever the hooks did, a wake-up or a call past the page cache costs this share of what was
/// seen.
const LEAST_LEFT: f64 = 0.2;

/// What blocks of some classes cost the target altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blocks {
    /// How many blocks there were.
    pub count: f64,
    /// Direct cost of all of them, the kernel's charge for the way out of idle included, ns.
    pub direct: f64,
}

impl Blocks {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, direct: self.direct + other.direct }
    }

    fn less(self, other: Self) -> Self {
        Self { count: self.count - other.count, direct: self.direct - other.direct }
    }
}

/// Calls that only wait for one descriptor: a loop makes none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WaitingCalls {
    /// Calls.
    pub count: f64,
    /// What all of them cost beside their blocks, ns.
    pub cost: Estimate,
}

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

/// Reads of more bytes than this cost more than the calibrated 4 KiB: the device's share grows.
const MOST_DIRECT: u64 = 64 * 1024;

/// What the target's blocks and calls cost today, by kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Blocks on sockets, pipes and whatever else readiness can wait for.
    pub net: Blocks,
    /// Blocks on files and block devices.
    pub file: Blocks,
    /// Calls on files, blocking or not.
    pub file_calls: f64,
    /// Calls on files that a ring has made by workers of the kernel.
    pub by_workers: ByWorkers,
    /// Reads and writes past the page cache.
    pub direct_reads: DirectReads,
    /// How many of them its threads have at devices at once, in the mean: their blocked time over
    /// the time measured.
    pub in_flight: f64,
    /// How many waits for files there are at once, in the mean.
    pub file_waits: f64,
    /// Reads that found their data, at sites that also block.
    pub ready_reads: f64,
    /// Of those, messages of their own: each was answered or passed on by a write.
    pub turns: f64,
    /// Messages that it read and answered or passed on: it may take several calls for either.
    pub messages: f64,
    /// Connections that it accepted.
    pub accepted: f64,
    /// Calls that only wait for one descriptor.
    pub waiting_calls: WaitingCalls,
    /// A block that hands the CPU to another thread of the target, ns.
    pub near: f64,
    /// What a loop pays for each sleep, ns: a block after which the CPU is idle or with somebody
    /// else, as the target's are but for what many threads make of a switch.
    pub sleep: Figure<f64, Note>,
    /// What most of its blocks on sockets and pipes wait for.
    pub kin: BlockClass,
    /// Wake-ups from IO of its threads that its own threads caused.
    pub own_wakes: f64,
    /// Wake-ups of other processes' threads that its threads caused, in calls.
    pub other_wakes: f64,
    /// What a wake-up costs the waker, ns.
    pub wake: Figure<f64, Note>,
    /// What one of another process's threads would cost it if nobody looked, ns.
    pub other_wake: Figure<f64, Note>,
    /// Preemptions of the target's threads by each other.
    pub preemptions: f64,
    /// What one costs, ns: a switch from thread to thread without a sleep.
    pub switch: f64,
    /// What most of the direct cost is based on.
    pub basis: Option<Basis>,
    /// Share of the blocking-IO blocks whose cost could be told.
    pub covered: f64,
}

impl Prices {
    /// `None` where the cost of no block could be told.
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
        let switches = Switches { window, sums, calibration, kin: most_of(sums), threads: blockers(window) };
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
            ready_reads,
            messages: net_sites().map(reads).sum::<f64>().min(replies),
            accepted: window.sites.iter().map(accepted).sum(),
            waiting_calls: waiting_calls(window, pools),
            turns: ready_reads.min((replies - net.count).max(0.0)),
            near,
            sleep: switches.sleep(&parts, near),
            kin: switches.kin,
            own_wakes: sums.woken_io_by_self as f64,
            other_wakes: sums.woke_other as f64,
            wake: switches.wake(near, &other_wake),
            other_wake,
            preemptions: sums.preempted_by_own as f64,
            // No thread sleeps and none is woken: it costs at most what a plain block between two
            // threads does.
            switch: switches.calibrated(None).map_or(near, |plain| near.min(plain)),
            basis: parts.basis.map(|(basis, _)| basis),
            covered: if all > 0.0 { parts.covered / all } else { 0.0 },
        })
    }

    /// Blocking-IO blocks of both kinds.
    pub fn all(&self) -> Blocks {
        self.net.plus(self.file)
    }

    /// Those on files that a ring waits for itself.
    pub(super) fn ring_file(&self) -> Blocks {
        self.file.less(self.by_workers.blocks)
    }

    /// Whether it blocks on files more than on sockets.
    pub(super) fn mostly_files(&self) -> bool {
        self.file.count > self.net.count
    }

    /// Takes off what the hooks did to the target beyond their own run time, where prices depend on
    /// its pace against others: a slower target finds its peers asleep more often and wakes them,
    /// and finds its disk idle and rings for it.
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

    /// CPU of the target without the hooks, ns.
    pub(crate) fn without_hooks(total: Nanos, share: Option<&f64>) -> (f64, f64) {
        let total = total.as_nanos() as f64;
        let hooks = share.map_or(0.0, |s| s.clamp(0.0, 0.9) * total);
        (total - hooks, hooks)
    }
}

/// Direct cost of the blocks on sockets and their like, and of those on files.
fn direct_costs(window: &Window, sums: &Sums, pools: &Pools<'_>) -> ((Blocks, Parts), (Blocks, Parts)) {
    let blocks_of = |file: bool| -> f64 {
        let of = |c: &BlockClass| c.family() == Family::BlockingIo && c.is_file() == file;
        BlockClass::ALL.iter().filter(|c| of(c)).map(|&c| sums.classes[c as usize].blocks as f64).sum()
    };
    let (net_count, file_count) = (blocks_of(false), blocks_of(true));
    let charge = sums.charge_io as f64;
    let part = |file: bool, count: f64| -> (Blocks, Parts) {
        let mut parts = Parts::default();
        for site in window.sites.iter().filter(|s| is_io(s) && s.place.class.is_file() == file) {
            parts.add(site, pools);
        }
        let charge = if net_count + file_count > 0.0 { charge * count / (net_count + file_count) } else { 0.0 };
        // Calls on something else may wait for the disk, too. Nobody knows what would replace them
        // in a ring, so they stay.
        let count = if file { count.min(parts.blocks * MOST_WITHOUT_SITE) } else { count };
        // Blocks of calls that are still open, or that found no site, cost what the others do.
        let scale = if parts.covered > 0.0 { count / parts.covered } else { 0.0 };
        let direct = (parts.near + parts.away) * scale + charge;
        (Blocks { count, direct }, parts)
    };
    (part(false, net_count), part(true, file_count))
}

/// What switches and wake-ups are priced by.
struct Switches<'a> {
    window: &'a Window,
    /// Over all of its threads.
    sums: &'a Sums,
    calibration: Option<&'a PriceList>,
    /// The class of most blocks.
    kin: BlockClass,
    /// Threads that block on IO.
    threads: f64,
}

impl Switches<'_> {
    /// A calibrated block whose CPU was idle for so long, ns; `None`: from thread to thread.
    fn calibrated(&self, idle: Option<f64>) -> Option<f64> {
        Some(self.calibration?.block(self.kin, idle)?.cost.value)
    }

    /// A block that hands the CPU to another thread of the target, ns.
    fn near(&self, parts: &Parts, reference: Option<Reference>) -> f64 {
        (parts.nears > MIN_CALLS as f64)
            .then(|| parts.near / parts.nears)
            .or_else(|| self.calibrated(None))
            .or(reference.map(|r| r.per_block))
            .unwrap_or(0.0)
            .max(0.0)
    }

    fn sleep(&self, parts: &Parts, near: f64) -> Figure<f64, Note> {
        if parts.aways < MIN_CALLS as f64 {
            return match self.calibrated(Some(self.idle_time())) {
                Some(ns) => Figure::modelled(ns, Note::CalibratedSleep),
                None => Figure::modelled(near, Note::SwitchForSleep),
            };
        }
        // The same two switches, and the way out of idle: dearer than a plain block, even if a few
        // measured ones were not.
        let charge = self.sums.charge_away as f64;
        let away = ((parts.away + charge) / parts.aways).max(near);
        // The target comes back to one of many threads, which others have left cold; a loop comes
        // back to itself. That is no more than so many were calibrated to leave cold: what else
        // makes a switch dear waits for the loop too.
        let crowd = self.calibration.and_then(|c| c.crowd(self.threads));
        let many = crowd.map_or(f64::INFINITY, |cost| cost.value.max(0.0));
        let colder = self.calibrated(None).map_or(0.0, |plain| (near - plain).clamp(0.0, many));
        if parts.nears > MIN_CALLS as f64 && colder > 0.0 {
            Figure::modelled(away - colder, Note::LessCrowd { measured: away, colder })
        } else {
            Figure::measured(away)
        }
    }

    /// A calibrated wake-up like most of the target's, ns.
    fn calibrated_wake(&self) -> Option<f64> {
        let others = self.sums.woke_other > self.sums.woken_io_by_self;
        let idle = others.then(|| self.idle_time());
        Some(self.calibration?.block(self.kin, idle)?.wake.value)
    }

    /// Wall time without CPU of the target, spread over the blocks that left the CPU idle, ns.
    fn idle_time(&self) -> f64 {
        let sums = self.sums;
        let idle = (self.window.measured.as_nanos() as f64 - (sums.user + sums.kernel) as f64).max(0.0);
        idle / sums.away_io.max(1) as f64
    }

    fn other_wake(&self, pools: &Pools<'_>, reference: Option<Reference>) -> Figure<f64, Note> {
        if let Some((ns, calls)) = wake_in_place(&self.window.sites, pools.hook_wake()) {
            return Figure::modelled(ns, Note::WakingCalls(calls));
        }
        if let Some(ns) = self.calibrated_wake() {
            return Figure::modelled(ns, Note::Calibrated);
        }
        reference
            .and_then(|r| r.per_wake)
            .map_or_else(|| Figure::unavailable(Note::NoWakePrice), |ns| Figure::modelled(ns, Note::OwnPipe))
    }

    fn wake(&self, near: f64, other_wake: &Figure<f64, Note>) -> Figure<f64, Note> {
        let cold = |c: &PriceList| c.crowd(self.threads).map_or(0.0, |cold| cold.value.max(0.0));
        // A message among so many threads costs no less than in a ring that hardly has a working
        // set. What is not in the block and not in code after it is the waker's, or lies outside of
        // calls: the way back to user mode restores the thread's registers.
        let handing_on = self.calibration.and_then(|c| Some(c.relay(self.kin, self.threads)?.value - near - cold(c)));
        match handing_on.zip(self.calibrated_wake()) {
            Some((ns, plain)) if ns > plain && !quiet_is_usual(&self.window.sites) => {
                Figure::modelled(ns, Note::HandedOn(self.threads))
            }
            _ => other_wake.clone(),
        }
    }
}

/// What a wake-up costs the waker, ns: calls that woke a thread less calls at the same site that
/// did not, without the hook that runs for it. With how many calls that rests on.
fn wake_in_place(sites: &[SiteRecord], hook: f64) -> Option<(f64, u64)> {
    let (mut sum, mut calls) = (0.0, 0u64);
    for site in sites {
        let (woke, quiet) = (&site.site.cpu_direct_woke, site.site.cpu_direct_quiet());
        if woke.count >= MIN_CALLS
            && quiet.count >= MIN_CALLS
            && let (Some(waking), Some(plain)) = (mean(woke), mean(&quiet))
        {
            sum += (waking.value - plain.value - hook) * woke.count as f64;
            calls += woke.count;
        }
    }
    (calls > 0).then(|| ((sum / calls as f64).max(0.0), calls))
}

/// Whether calls that send without a wake-up are common enough for a comparison. Where they are
/// rare, they are of another kind.
fn quiet_is_usual(sites: &[SiteRecord]) -> bool {
    let (woke, quiet) = sites.iter().fold((0u64, 0u64), |(woke, quiet), site| {
        let at = &site.site;
        if at.cpu_direct_woke.count == 0 {
            (woke, quiet)
        } else {
            (woke + at.cpu_direct_woke.count, quiet + at.cpu_direct_quiet().count)
        }
    });
    quiet as f64 >= RARE * woke as f64
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

fn is_io(site: &SiteRecord) -> bool {
    site.place.class.family() == Family::BlockingIo
}

/// What a price of one is off by, it is for all of them: their ends add up.
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

/// Calls that accepted a connection.
fn accepted(record: &SiteRecord) -> f64 {
    let site = &record.site;
    if record.place.syscall.starts_with("accept") { site.calls.saturating_sub(site.errors) as f64 } else { 0.0 }
}

/// Calls that sent something.
fn writes(record: &SiteRecord) -> f64 {
    if record.place.sends() { record.site.calls.saturating_sub(record.site.errors) as f64 } else { 0.0 }
}

/// Calls that read something from a socket, blocked or not.
fn reads(record: &SiteRecord) -> f64 {
    let (site, class) = (&record.site, record.place.class);
    let socket = matches!(class, BlockClass::Tcp | BlockClass::Unix | BlockClass::Udp | BlockClass::SocketOther);
    if socket && record.place.receives() { site.calls.saturating_sub(site.errors) as f64 } else { 0.0 }
}

/// Reads and writes past the page cache, and how many of them were at devices at once.
fn direct_reads(window: &Window, pools: &Pools<'_>, places: &[Place]) -> (DirectReads, f64) {
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

/// Calls that a ring has made by workers, and their part of all blocks on files.
fn by_workers(window: &Window, pools: &Pools<'_>, file: (Blocks, &Parts), places: &[Place]) -> ByWorkers {
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

/// Time blocked on files over the time measured.
fn file_waits(window: &Window, sums: &Sums) -> f64 {
    let files = BlockClass::ALL.into_iter().filter(|c| c.is_file());
    let waited: u64 = files.map(|c| sums.classes[c as usize].blocked).sum();
    Nanos::from_nanos(waited).ratio_to(window.measured)
}

fn moves_bytes(site: &SiteRecord) -> bool {
    site.site.bytes > 0
}

#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    near: f64,
    nears: f64,
    away: f64,
    aways: f64,
    /// Blocks in calls whose cost could be told.
    covered: f64,
    /// Blocks in calls that have a site.
    blocks: f64,
    /// The basis of most of them, and how many that are.
    basis: Option<(Basis, f64)>,
}

impl Parts {
    fn add(&mut self, site: &SiteRecord, pools: &Pools<'_>) {
        let blocks = site.site.blocks as f64;
        self.blocks += blocks;
        let Some(cost) = pools.direct(site) else { return };
        self.near += cost.near;
        self.nears += site.site.cpu_blocked_near.count as f64;
        self.away += cost.away;
        self.aways += site.site.cpu_blocked_away.count as f64;
        self.covered += blocks;
        if self.basis.is_none_or(|(_, most)| blocks > most) {
            self.basis = Some((cost.basis, blocks));
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            near: self.near + other.near,
            nears: self.nears + other.nears,
            away: self.away + other.away,
            aways: self.aways + other.aways,
            covered: self.covered + other.covered,
            blocks: self.blocks + other.blocks,
            basis: if other.basis.map_or(0.0, |b| b.1) > self.basis.map_or(0.0, |b| b.1) {
                other.basis
            } else {
                self.basis
            },
        }
    }
}
