//! What threads cost that are born for a connection or a request each, and end with it.

use super::{direct::Pools, hand_over::HandOvers};
use crate::{
    aggregate::{BriefServers, Window},
    event::{Family, SiteRecord, Sums},
};

/// Threads that were born for a connection or a request each, and ended with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Births {
    /// How many of them were born and ended in the time measured.
    pub count: f64,
    /// Kernel CPU of their births and ends, without the hooks, ns: at least what they cost. The
    /// page faults on a new stack and the library's own code are in user mode.
    pub cpu: f64,
    /// Their part of the waits for locks, if there are more of them than blocks on IO: those of
    /// their births and ends, and in an interpreter of its lock. Else none.
    pub locks: HandOvers,
    /// That part as a share of all waits for locks.
    pub lock_share: f64,
}

/// Births below which nothing is made of them.
const FEW: f64 = 50.0;

/// Calls that make a thread or a process.
const MAKE: [&str; 4] = ["clone", "clone3", "fork", "vfork"];

/// Calls with which C libraries and runtimes set a thread up and take it down, and how many of them
/// a birth and an end make at most. More are the program's own. From glibc's `pthread_create` and
/// its `start_thread` (nptl/), musl's (src/thread/), and the guard pages of a JVM's stacks.
const AROUND: [(&str, f64); 9] = [
    ("rt_sigprocmask", 4.0),
    ("mmap", 2.0),
    ("munmap", 2.0),
    ("mprotect", 2.0),
    ("madvise", 1.0),
    ("set_robust_list", 1.0),
    ("rseq", 1.0),
    ("sigaltstack", 2.0),
    ("prctl", 1.0),
];

impl Births {
    /// `locks` are the waits for locks of the whole target.
    pub(crate) fn new(window: &Window, sums: &Sums, pools: &Pools<'_>, locks: HandOvers, brief: &BriefServers) -> Self {
        let made = calls(window, pools, |name| MAKE.contains(&name));
        let born = made.count.min(window.quality.forks as f64).min(window.quality.exits as f64);
        let serving = brief.threads as f64 / brief.born.max(1) as f64;
        let count = (born * serving).min(brief.accepted as f64);
        if count < FEW {
            return Self::default();
        }
        // Children that are not followed are made by dearer calls, and end elsewhere.
        let making = born * made.cpu / made.count;
        let around = AROUND.iter().map(|(name, most)| {
            let found = calls(window, pools, |other| other == *name);
            found.cpu * (most * born / found.count.max(1.0)).min(1.0)
        });
        let cpu = making + ends(window, sums, pools, born).min(brief.kernel as f64 / serving) + around.sum::<f64>();
        let blocks = sums.blocks_in(Family::BlockingIo);
        let lock_share = if count > blocks as f64 { brief.locks } else { 0.0 };
        Self { count, cpu: cpu * count / born, locks: locks.scaled(lock_share), lock_share }
    }
}

/// Kernel CPU, ns, that is in no call which was seen as a whole: the newborns' way out of their
/// births, and their ends.
fn ends(window: &Window, sums: &Sums, pools: &Pools<'_>, born: f64) -> f64 {
    let sites = || window.sites.iter().map(|record| &record.site).chain([&window.overflow]);
    let in_calls: u64 = sites().map(|site| site.cpu_blocked().sum + site.cpu_direct().sum).sum();
    let seen: u64 = sites().map(|site| site.calls).sum();
    // Calls that were open when a window began. A newborn returns from a call that it did not make.
    let open = (sums.open_calls as f64 - born).max(0.0) * in_calls as f64 / seen.max(1) as f64;
    let programs =
        window.programs.iter().filter(|p| ["sia_fork", "sia_exit"].iter().any(|name| p.name.starts_with(name)));
    let hooks: f64 = programs.map(|p| p.time.as_nanos() as f64 / p.runs.max(1) as f64).sum();
    sums.kernel.saturating_sub(in_calls) as f64 - open - born * (pools.hook_of_call() + hooks)
}

/// How many calls returned, and their kernel CPU without the hooks, ns.
struct Called {
    count: f64,
    cpu: f64,
}

fn calls(window: &Window, pools: &Pools<'_>, is_one: impl Fn(&str) -> bool) -> Called {
    let found = window.sites.iter().filter(|s| is_one(s.place.call()));
    found.fold(Called { count: 0.0, cpu: 0.0 }, |sum, SiteRecord { site, .. }| Called {
        count: sum.count + site.calls as f64,
        cpu: sum.cpu + pools.kernel_cpu(site),
    })
}
