//! Sites, threads, wake-ups and devices in JSON.

use crate::{answer, cost, event};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    figure::{Figure, Ratio, TimeBucket, histogram},
    ledgers::FamilyName,
};
use crate::{
    aggregate::{self, OpenEnd, Role},
    cost::Basis,
    quantity::Nanos,
    words::{self, InWords},
};

/// A call place: syscall × class of its descriptor × address it is called from.
#[derive(Serialize, JsonSchema)]
pub(super) struct Site {
    /// Name of the syscall, as in the kernel's table of this architecture.
    syscall: String,
    /// The class of its descriptor, or of the call.
    class: &'static str,
    /// What kind of waiting that class is.
    family: FamilyName,
    /// Address after the syscall instruction, hexadecimal.
    address: String,
    /// The process that called last.
    pid: u32,
    /// What the last call's descriptor is: a path, or addresses; empty where the call has none.
    descriptor: String,
    /// Calls that returned.
    calls_count: Figure<u64>,
    /// Calls that blocked.
    blocked_calls_count: Figure<u64>,
    /// Blocks in these calls: one call may block several times.
    blocks_count: Figure<u64>,
    /// Calls that returned an error.
    errors_count: Figure<u64>,
    /// Bytes moved, summed; 0 for syscalls that do not return a number of bytes.
    moved_bytes: Figure<u64>,
    /// How long the calls were blocked, summed.
    blocked_ns: Figure<u64>,
    /// Mean blocked time of a call that blocked.
    blocked_mean_ns: Figure<u64>,
    /// 99th percentile of the blocked time of a call that blocked.
    blocked_p99_ns: Figure<u64>,
    /// Mean run-queue delay of a call that blocked.
    run_delay_mean_ns: Figure<u64>,
    /// Mean kernel CPU of a call that blocked.
    cpu_blocked_mean_ns: Figure<u64>,
    /// The part of `cpu_blocked_mean_ns` that was used before the call blocked first.
    cpu_before_mean_ns: Figure<u64>,
    /// Mean kernel CPU of a call that did not block.
    cpu_direct_mean_ns: Figure<u64>,
    /// Mean user-mode CPU from the return of a call that blocked to the next call.
    user_after_blocked_mean_ns: Figure<u64>,
    /// Mean user-mode CPU from the return of a call that did not block to the next call.
    user_after_direct_mean_ns: Figure<u64>,
    /// Stretches of user mode that are in neither mean, because a preemption hit them.
    windows_preempted_count: Figure<u64>,
    /// Direct cost of a call that blocked; may be negative.
    direct_cost_mean_ns: Figure<f64>,
    /// Direct cost of all calls that blocked; may be negative.
    direct_cost_ns: Figure<f64>,
    /// Lower end of the 90 % interval of `direct_cost_ns`.
    direct_cost_low_ns: Figure<f64>,
    /// Upper end of the 90 % interval of `direct_cost_ns`.
    direct_cost_high_ns: Figure<f64>,
    /// What the direct cost is based on; null where there is none.
    direct_cost_basis: Option<BasisName>,
}

/// What a direct cost is based on.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BasisName {
    /// The site's own calls that did not block.
    SameSite,
    /// Calls of the same syscall and class at other sites.
    SameCall,
    /// Such a call whose data is there, calibrated.
    ReadyCall,
    /// The calibrated cost of a block of this class.
    Calibrated,
    /// The reference block: a pipe of the profiler's own, measured beside the target.
    Reference,
}

/// A thread.
#[derive(Serialize, JsonSchema)]
pub(super) struct Thread {
    /// Its id in the initial namespace.
    tid: u32,
    /// The process that the thread belongs to.
    pid: u32,
    /// Its name; empty where it was gone before it could be read.
    name: String,
    /// What it is in its program.
    role: RoleName,
    /// The sign that the role was derived from, in words.
    role_basis: String,
    /// From the window's start, or its birth, to the window's end, or its own.
    wall_ns: Figure<u64>,
    /// CPU that it used, in user mode and in the kernel.
    cpu_ns: Figure<u64>,
    /// The part of its CPU in user mode.
    user_ns: Figure<u64>,
    /// How long it was runnable and had no CPU: after wake-ups, preemptions and its birth.
    run_delay_ns: Figure<u64>,
    /// Wall time that it was blocked, on whatever.
    blocked_ns: Figure<u64>,
    /// The class it was blocked on longest; null where it never was.
    mostly_blocked_on: Option<&'static str>,
    /// Switches away because it blocked or ended.
    voluntary_count: Figure<u64>,
    /// Switches away while it could have run on.
    involuntary_count: Figure<u64>,
    /// Syscalls that returned.
    calls_count: Figure<u64>,
    /// Mean CPU from one block to the next.
    burst_mean_ns: Figure<u64>,
    /// How its last interval ended.
    open_end: OpenEndName,
    /// The class it was blocked on when the window ended; null where it was not.
    open_end_class: Option<&'static str>,
}

/// What a thread is in its program.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoleName {
    /// It serves one connection at a time, and blocks on it.
    Connection,
    /// It reads or writes files, and blocks on them.
    Files,
    /// It waits for many descriptors at once.
    EventLoop,
    /// It waits for connections.
    Acceptor,
    /// It gets its work from other threads.
    PoolWorker,
    /// It gives work to other threads.
    Dispatcher,
    /// It fights over a lock.
    LockBound,
    /// It waits for the time.
    Timer,
    /// It computes.
    Computing,
    /// A thread of the kernel's that looks for what is submitted to a ring (`io_uring`).
    RingPoller,
    /// A thread of the kernel's that makes calls for a ring, those that may sleep.
    RingWorker,
    /// It slept.
    Idle,
    /// No sign covers it.
    Unknown,
}

impl RoleName {
    pub(super) const fn new(role: Role) -> Self {
        match role {
            Role::Connection => Self::Connection,
            Role::Files => Self::Files,
            Role::EventLoop => Self::EventLoop,
            Role::Acceptor => Self::Acceptor,
            Role::PoolWorker => Self::PoolWorker,
            Role::Dispatcher => Self::Dispatcher,
            Role::LockBound => Self::LockBound,
            Role::Timer => Self::Timer,
            Role::Computing => Self::Computing,
            Role::RingPoller => Self::RingPoller,
            Role::RingWorker => Self::RingWorker,
            Role::Idle => Self::Idle,
            Role::Unknown => Self::Unknown,
        }
    }
}

/// The threads of one role together.
#[derive(Serialize, JsonSchema)]
pub(super) struct RoleLine {
    /// What all threads of the line are in their program.
    role: RoleName,
    /// How many threads have it.
    threads_count: Figure<u64>,
    /// CPU that these threads used together.
    cpu_ns: Figure<u64>,
    /// That CPU as a share of the CPU of all threads.
    cpu_ratio: Figure<Ratio>,
}

impl RoleLine {
    pub(super) fn new(line: &aggregate::RoleLine) -> Self {
        Self {
            role: RoleName::new(line.role),
            threads_count: Figure::measured(line.threads),
            cpu_ns: Figure::time(line.cpu),
            cpu_ratio: Figure::measured(line.share),
        }
    }
}

/// How a thread's last interval ended.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OpenEndName {
    /// With the thread.
    Closed,
    /// It was on a CPU when the window ended.
    Running,
    /// It was waiting for a CPU.
    Runnable,
    /// It was blocked.
    Blocked,
}

/// Wake-ups of the target's threads.
#[derive(Serialize, JsonSchema)]
pub(super) struct Wakeups {
    /// Wake-ups by a thread of the same process.
    same_process_count: Figure<u64>,
    /// Wake-ups by a thread of another process.
    other_process_count: Figure<u64>,
    /// Wake-ups by an interrupt or a kernel thread.
    kernel_count: Figure<u64>,
    /// Wake-ups of other processes' threads by calls of the target.
    caused_other_process_count: Figure<u64>,
    /// CPU that a wake-up costs the thread that causes it.
    caused_cost_ns: Figure<f64>,
    /// Share of wake-ups at which no other thread of the target was running or runnable.
    alone_ratio: Figure<Ratio>,
    /// Wake-ups by the number of other threads of the target that were running or runnable.
    /// Buckets without wake-ups are left out.
    concurrency_count: Figure<Vec<ThreadBucket>>,
}

/// A bucket of wake-ups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct ThreadBucket {
    /// The fewest other threads that belong into the bucket.
    from_threads: u64,
    /// The most other threads that belong into the bucket; null in the last, open one.
    to_threads: Option<u64>,
    /// Wake-ups in the bucket.
    count: u64,
}

/// The block devices, and what the target waited for them.
#[derive(Serialize, JsonSchema)]
pub(super) struct Devices {
    /// Blocked time on files, block devices and pages. Waits for a file system's journal, which
    /// another thread writes, are not in it.
    file_wait_ns: Figure<u64>,
    /// The part of `file_wait_ns` during which a request of the waiting thread was at the device.
    device_wait_ns: Figure<u64>,
    /// Every device that had requests.
    list: Vec<Device>,
}

/// A block device.
#[derive(Serialize, JsonSchema)]
struct Device {
    /// Its name, as in `/dev`; `major:minor` where that is not known.
    name: String,
    /// Major number of its device node.
    major: u32,
    /// Minor number of its device node.
    minor: u32,
    /// 50th percentile of the service time of the target's requests.
    service_p50_ns: Figure<u64>,
    /// 99th percentile of the service time of the target's requests.
    service_p99_ns: Figure<u64>,
    /// Requests of the target's own threads.
    target: Side,
    /// Requests of everybody else, the kernel's writeback included.
    others: Side,
}

/// Requests of one side.
#[derive(Serialize, JsonSchema)]
struct Side {
    /// Requests that were completed in the window.
    requests_count: Figure<u64>,
    /// The reads among these requests.
    reads_count: Figure<u64>,
    /// Bytes that these requests read or wrote.
    moved_bytes: Figure<u64>,
    /// Wall time from insert to issue, summed over the requests.
    queue_ns: Figure<u64>,
    /// Wall time from insert to issue, mean of a request.
    queue_mean_ns: Figure<u64>,
    /// Wall time from issue to completion, summed over the requests.
    service_ns: Figure<u64>,
    /// Wall time from issue to completion, mean of a request.
    service_mean_ns: Figure<u64>,
    /// Requests by the time from insert to issue. Empty buckets are left out.
    queue_histogram_count: Figure<Vec<TimeBucket>>,
    /// Requests by the time from issue to completion. Empty buckets are left out.
    service_histogram_count: Figure<Vec<TimeBucket>>,
}

impl Site {
    pub(super) fn new(site: &answer::SiteView) -> Self {
        let blocked = |time: Option<Nanos>| Figure::maybe_time(time, words::NO_CALL_BLOCKED);
        let cost = |pick: fn(&cost::DirectCost) -> f64| match &site.direct {
            None => Figure::unavailable(site.without_cost()),
            Some(cost) if !pick(cost).is_finite() => Figure::unavailable(words::NOT_A_NUMBER),
            Some(cost) if cost.basis == Basis::SameSite => Figure::measured(pick(cost)),
            Some(cost) => Figure::modelled(pick(cost), &format!("compared with: {}", cost.basis.name())),
        };
        Self {
            syscall: site.syscall.clone(),
            class: site.class.name(),
            family: FamilyName::new(site.class.family()),
            address: site.ip.to_string(),
            pid: site.tgid.as_raw(),
            descriptor: site.descriptor.clone(),
            calls_count: Figure::measured(site.calls),
            blocked_calls_count: Figure::measured(site.blocked_calls),
            blocks_count: Figure::measured(site.blocks),
            errors_count: Figure::measured(site.errors),
            moved_bytes: Figure::measured(site.bytes),
            blocked_ns: Figure::time(site.blocked),
            blocked_mean_ns: blocked(site.blocked_mean),
            blocked_p99_ns: blocked(site.blocked_p99).noted(words::TO_A_BUCKET),
            run_delay_mean_ns: blocked(site.run_delay_mean),
            cpu_blocked_mean_ns: blocked(site.cpu_blocked_mean),
            cpu_before_mean_ns: blocked(site.cpu_before_mean),
            cpu_direct_mean_ns: Figure::maybe_time(site.cpu_direct_mean, words::ALL_CALLS_BLOCKED),
            user_after_blocked_mean_ns: Figure::maybe_time(site.user_after_blocked, words::NO_USER_WINDOW),
            user_after_direct_mean_ns: Figure::maybe_time(site.user_after_direct, words::NO_USER_WINDOW),
            windows_preempted_count: Figure::measured(site.windows_preempted),
            direct_cost_mean_ns: cost(|c| c.per_call),
            direct_cost_ns: cost(|c| c.total.value),
            direct_cost_low_ns: cost(|c| c.total.low),
            direct_cost_high_ns: cost(|c| c.total.high),
            direct_cost_basis: site.direct.map(|c| match c.basis {
                Basis::SameSite => BasisName::SameSite,
                Basis::SameCall => BasisName::SameCall,
                Basis::ReadyCall => BasisName::ReadyCall,
                Basis::Calibrated => BasisName::Calibrated,
                Basis::Reference => BasisName::Reference,
            }),
        }
    }
}

impl Thread {
    pub(super) fn new(thread: &answer::ThreadView) -> Self {
        let (open_end, class) = match thread.open_end {
            OpenEnd::Closed => (OpenEndName::Closed, None),
            OpenEnd::Running => (OpenEndName::Running, None),
            OpenEnd::Runnable => (OpenEndName::Runnable, None),
            OpenEnd::Blocked(class) => (OpenEndName::Blocked, Some(class.name())),
        };
        Self {
            tid: thread.tid.as_raw(),
            pid: thread.tgid.as_raw(),
            name: thread.name.clone(),
            role: RoleName::new(thread.role.role),
            role_basis: thread.role.basis.in_words(),
            wall_ns: Figure::time(thread.wall),
            cpu_ns: Figure::time(thread.cpu),
            user_ns: Figure::time(thread.user),
            run_delay_ns: Figure::time(thread.run_delay),
            blocked_ns: Figure::time(thread.blocked),
            mostly_blocked_on: thread.mostly.map(|c| c.name()),
            voluntary_count: Figure::measured(thread.voluntary),
            involuntary_count: Figure::measured(thread.involuntary),
            calls_count: Figure::measured(thread.calls),
            burst_mean_ns: Figure::maybe_time(thread.burst_mean, words::NEVER_BLOCKED),
            open_end,
            open_end_class: class,
        }
    }
}

impl Wakeups {
    pub(super) fn new(wakeups: &answer::Wakeups) -> Self {
        let last = wakeups.concurrency.len().saturating_sub(1);
        let buckets = wakeups.concurrency.iter().enumerate().filter(|&(_, &n)| n > 0).map(|(i, &count)| {
            // 0 to 7 exactly, then powers of two.
            let from = if i < 8 { i as u64 } else { 1 << (i - 5).min(62) };
            let to = if i < 8 { from } else { 2 * from - 1 };
            ThreadBucket { from_threads: from, to_threads: (i < last).then_some(to), count }
        });
        Self {
            same_process_count: Figure::measured(wakeups.same_process),
            other_process_count: Figure::measured(wakeups.other_process),
            kernel_count: Figure::measured(wakeups.kernel),
            caused_other_process_count: Figure::measured(wakeups.others),
            caused_cost_ns: Figure::new(&wakeups.cost),
            alone_ratio: Figure::maybe(wakeups.alone(), words::NO_WAKE_UP),
            concurrency_count: Figure::measured(buckets.collect()),
        }
    }
}

impl Devices {
    pub(super) fn new(report: &answer::Report) -> Self {
        let waited = report.wall.classes.iter().filter(|l| l.class.is_at_device()).map(|l| l.blocked).sum();
        Self {
            file_wait_ns: Figure::time(waited),
            device_wait_ns: Figure::time(report.device_wait),
            list: report.devices.iter().map(Device::new).collect(),
        }
    }
}

impl Device {
    fn new(device: &answer::DeviceView) -> Self {
        let service = |time| Figure::maybe_time(time, words::NO_REQUEST).noted(words::TO_A_BUCKET);
        Self {
            name: device.name.clone(),
            major: device.record.major,
            minor: device.record.minor,
            service_p50_ns: service(device.service_p50),
            service_p99_ns: service(device.service_p99),
            target: Side::new(&device.record.target),
            others: Side::new(&device.record.others),
        }
    }
}

impl Side {
    fn new(side: &event::Side) -> Self {
        let mean = |sum: Nanos| Figure::maybe(sum.as_nanos().checked_div(side.requests), words::NO_REQUEST);
        Self {
            requests_count: Figure::measured(side.requests),
            reads_count: Figure::measured(side.reads),
            moved_bytes: Figure::measured(side.bytes),
            queue_ns: Figure::time(side.queue_time),
            queue_mean_ns: mean(side.queue_time),
            service_ns: Figure::time(side.service_time),
            service_mean_ns: mean(side.service_time),
            queue_histogram_count: histogram(&side.queue),
            service_histogram_count: histogram(&side.service),
        }
    }
}
