//! What the tables show: sites, threads, devices, wake-ups.

use crate::{
    aggregate::{Histogram, OpenEnd, ThreadRole, ThreadTotals},
    cost::{DirectCost, Pools, mean},
    event::{BlockClass, DeviceRecord, SiteRecord, Stat, Sums},
    predict,
    quantity::{Addr, Figure, Nanos, Tgid, Tid},
};

/// A site in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteView {
    /// Name of the syscall.
    pub syscall: String,
    /// What was waited for.
    pub class: BlockClass,
    /// Address after the syscall instruction.
    pub ip: Addr,
    /// The process that called last.
    pub tgid: Tgid,
    /// What the last call's descriptor is; empty where the call has none.
    pub descriptor: String,
    pub calls: u64,
    pub blocked_calls: u64,
    /// Blocks in these calls; a call may block more than once.
    pub blocks: u64,
    /// Calls that returned an error.
    pub errors: u64,
    /// Bytes moved by calls that return a number of bytes.
    pub bytes: u64,
    /// Blocked time, summed over all threads.
    pub blocked: Nanos,
    /// Mean blocked time of a call that blocked.
    pub blocked_mean: Option<Nanos>,
    /// 99th percentile of it, exact to a factor of two (log2 histogram).
    pub blocked_p99: Option<Nanos>,
    /// Mean run-queue delay of a call that blocked.
    pub run_delay_mean: Option<Nanos>,
    /// Mean kernel CPU of a call that blocked.
    pub cpu_blocked_mean: Option<Nanos>,
    /// Of that, before the first block.
    pub cpu_before_mean: Option<Nanos>,
    /// Mean kernel CPU of a call that did not.
    pub cpu_direct_mean: Option<Nanos>,
    /// Mean user window after a call that blocked.
    pub user_after_blocked: Option<Nanos>,
    /// Mean user window after a call that did not.
    pub user_after_direct: Option<Nanos>,
    /// User windows left out because a preemption hit them.
    pub windows_preempted: u64,
    /// Direct cost of its blocks.
    pub direct: Option<DirectCost>,
}

fn average(stat: &Stat) -> Option<Nanos> {
    mean(stat).map(|ns| Nanos::from_nanos(ns.value as u64))
}

impl SiteView {
    pub(crate) fn new(record: &SiteRecord, pools: &Pools<'_>, descriptor: String) -> Self {
        let site = &record.site;
        Self {
            syscall: record.place.syscall.clone(),
            class: record.place.class,
            ip: record.place.ip,
            tgid: record.last_caller.0,
            descriptor,
            calls: site.calls,
            blocked_calls: site.blocked_calls,
            blocks: site.blocks,
            errors: site.errors,
            bytes: site.bytes,
            blocked: Nanos::from_nanos(site.blocked.sum),
            blocked_mean: average(&site.blocked),
            blocked_p99: Histogram(&site.blocked.buckets).quantile(0.99),
            run_delay_mean: average(&site.run_delay),
            cpu_blocked_mean: average(&site.cpu_blocked()),
            cpu_before_mean: site.cpu_before.checked_div(site.blocked_calls).map(Nanos::from_nanos),
            cpu_direct_mean: average(&site.cpu_direct()),
            user_after_blocked: average(&site.user_after_blocked),
            user_after_direct: average(&site.user_after_direct),
            windows_preempted: site.windows_preempted,
            direct: pools.direct(record),
        }
    }
}

/// A thread in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadView {
    pub tid: Tid,
    /// The process that the thread belongs to.
    pub tgid: Tgid,
    /// Its name; empty where it was gone before it could be read.
    pub name: String,
    /// What it is in its program.
    pub role: ThreadRole,
    /// Time from the first to the last moment it was measured.
    pub wall: Nanos,
    /// CPU that it used, user mode and kernel.
    pub cpu: Nanos,
    /// CPU that it used in user mode.
    pub user: Nanos,
    /// Run-queue delay of all kinds.
    pub run_delay: Nanos,
    pub blocked: Nanos,
    /// What it was blocked on longest.
    pub mostly: Option<BlockClass>,
    pub voluntary: u64,
    pub involuntary: u64,
    pub calls: u64,
    /// Mean CPU between two blocks.
    pub burst_mean: Option<Nanos>,
    /// How it ended the window.
    pub open_end: OpenEnd,
}

impl ThreadView {
    pub(crate) fn new(thread: &ThreadTotals, role: ThreadRole, name: String) -> Self {
        let sums = &thread.sums;
        let mostly = BlockClass::ALL
            .into_iter()
            .filter(|&c| sums.classes[c as usize].blocked > 0)
            .max_by_key(|&c| sums.classes[c as usize].blocked);
        Self {
            tid: thread.tid,
            tgid: thread.tgid,
            name,
            role,
            wall: thread.wall,
            cpu: thread.cpu(),
            user: Nanos::from_nanos(sums.user),
            run_delay: thread.run_delay(),
            blocked: thread.blocked(),
            mostly,
            voluntary: sums.voluntary,
            involuntary: sums.involuntary,
            calls: sums.calls,
            burst_mean: sums.burst_sum.checked_div(sums.voluntary).map(Nanos::from_nanos),
            open_end: thread.open_end,
        }
    }
}

/// A device in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// Name, as in `/dev`; `major:minor` where that is not known.
    pub name: String,
    /// What was measured of its requests.
    pub record: DeviceRecord,
    /// 50th and 99th percentile of the target's service time, exact to a factor of two.
    pub service_p50: Option<Nanos>,
    /// 99th percentile of the target's service time, exact to a factor of two.
    pub service_p99: Option<Nanos>,
}

impl DeviceView {
    pub(crate) fn new(record: &DeviceRecord, name: String) -> Self {
        Self {
            name,
            service_p50: Histogram(&record.target.service).quantile(0.5),
            service_p99: Histogram(&record.target.service).quantile(0.99),
            record: record.clone(),
        }
    }
}

/// Wake-ups of the target's threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Wakeups {
    /// By a thread of the same process.
    pub same_process: u64,
    /// By a thread of another process.
    pub other_process: u64,
    /// By an interrupt or a kernel thread.
    pub kernel: u64,
    /// Of other processes' threads by calls of the target.
    pub others: u64,
    /// What a wake-up costs the one who wakes, ns.
    pub cost: Figure<f64, predict::Note>,
    /// Other threads of the target that ran or could run at each wake-up: 0 to 7, then 8–15, 16–31
    /// …
    pub concurrency: Vec<u64>,
}

impl Wakeups {
    pub(crate) fn new(sums: &Sums, cost: Figure<f64, predict::Note>) -> Self {
        Self {
            same_process: sums.woken_by_self,
            other_process: sums.woken_by_other,
            kernel: sums.woken_by_kernel,
            others: sums.woke_other,
            cost,
            concurrency: sums.concurrency.iter().copied().map(u64::from).collect(),
        }
    }

    /// Share of wake-ups at which no other thread of the target ran or could run; `None` without
    /// wake-ups.
    pub fn alone(&self) -> Option<f64> {
        let all: u64 = self.concurrency.iter().sum();
        (all > 0).then(|| self.concurrency.first().copied().unwrap_or(0) as f64 / all as f64)
    }
}
