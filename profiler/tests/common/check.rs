//! What holds for every measurement, and the comparison with a workload's truth.

use std::collections::BTreeMap;

use should_i_async::kernel::programs_are_preempted;
use should_i_async::pipeline::{Measurement, Request};
use should_i_async::{
    aggregate::{OpenEnd, ThreadTotals},
    event::{BlockClass, Site, Sums},
};

use super::measuring::{self, Measuring};
use super::procfs::{self, Counters};
use super::truth::{Line, Row, Truth};

/// A workload measured from `ready` to its truth line, with the kernel's counters over the same
/// interval.
pub(crate) struct Outcome {
    pub(crate) pid: u32,
    pub(crate) line: Line,
    pub(crate) measurement: Measurement,
    pub(crate) before: BTreeMap<u32, Counters>,
    pub(crate) after: BTreeMap<u32, Counters>,
    /// The counters once the measurement had ended: what does not end with the work went on.
    pub(crate) ended: BTreeMap<u32, Counters>,
    /// By the process's CPU clock, ns.
    pub(crate) process_cpu: u64,
}

/// Measures a workload alone, all the time it runs.
pub(crate) fn run(args: &[&str]) -> Outcome {
    run_as(args, |pid| vec![measuring::request(pid)]).remove(0)
}

/// Measures a workload by several requests at once.
pub(crate) fn run_as(args: &[&str], requests: impl FnOnce(u32) -> Vec<Request>) -> Vec<Outcome> {
    let mut truth = Truth::start(args);
    let pid = truth.pid();
    let before = procfs::all(pid);
    let cpu_before = process_cpu(pid);
    let measurings: Vec<Measuring> = requests(pid).into_iter().map(Measuring::start).collect();
    truth.go();
    let line = truth.line();
    let after = procfs::all(pid);
    let process_cpu = process_cpu(pid) - cpu_before;
    let outcome = |measuring: Measuring| Outcome {
        pid,
        line: line.clone(),
        measurement: measuring.stop(),
        before: before.clone(),
        after: after.clone(),
        ended: procfs::all(pid),
        process_cpu,
    };
    let outcomes = measurings.into_iter().map(outcome).collect();
    truth.end();
    outcomes
}

fn process_cpu(pid: u32) -> u64 {
    should_i_async::process::cpu_time(should_i_async::quantity::Tgid::from_raw(pid)).unwrap().as_nanos()
}

/// The record of a thread; there must be one, and no other of that number.
pub(crate) fn thread(measurement: &Measurement, tid: u32) -> &ThreadTotals {
    let mut found = measurement.window.threads.iter().filter(|t| t.tid.as_raw() == tid);
    let thread = found.next().unwrap_or_else(|| panic!("thread {tid} is not in the window"));
    assert!(found.next().is_none(), "thread {tid} is in the window twice");
    thread
}

/// The report's counts are the kernel's.
pub(crate) fn agrees(measurement: &Measurement) {
    let check = measurement.clone().report().check;
    assert!(check.counts_agree(), "{check:?}");
}

/// Blocks of a class.
pub(crate) fn blocks(sums: &Sums, class: BlockClass) -> u64 {
    sums.classes[class as usize].blocks
}

pub(crate) fn all_blocks(sums: &Sums) -> u64 {
    sums.classes.iter().map(|c| c.blocks).sum()
}

pub(crate) fn class_named(name: &str) -> BlockClass {
    BlockClass::ALL.into_iter().find(|class| class.name() == name).unwrap_or_else(|| panic!("no class {name}"))
}

/// The classes that were blocked on, with their blocks.
pub(crate) fn by_class(sums: &Sums) -> BTreeMap<String, u64> {
    let blocked = BlockClass::ALL.into_iter().filter(|&class| blocks(sums, class) > 0);
    blocked.map(|class| (class.name().to_owned(), blocks(sums, class))).collect()
}

/// Two figures differ by no more than a share of the second.
pub(crate) fn within(ours: u64, theirs: u64, share: f64) -> bool {
    ours.abs_diff(theirs) as f64 <= theirs as f64 * share
}

impl Outcome {
    /// The record of a thread; there must be one, and no other of that number.
    pub(crate) fn thread(&self, tid: u32) -> &ThreadTotals {
        thread(&self.measurement, tid)
    }

    /// The kernel's counters of a thread, over the interval.
    pub(crate) fn kernel(&self, tid: u32) -> Counters {
        self.after[&tid].since(self.before.get(&tid).copied().unwrap_or(Counters::ZERO))
    }

    /// All sites of a call on a class, added up.
    pub(crate) fn sites(&self, syscall: &str, class: &str) -> Site {
        let mut sum = Site::ZERO;
        for site in &self.measurement.window.sites {
            if site.place.syscall == syscall && site.place.class.name() == class {
                sum.merge(&site.site);
            }
        }
        sum
    }

    /// Whether the kernel (7.0 or later) left out runs of programs at system calls. Blocks and
    /// switches are still exact, but not always in their class, and some calls are missing.
    pub(crate) fn runs_missed(&self) -> bool {
        runs_missed(&self.measurement)
    }

    /// The sites have the workload's calls at a place. Each run that the kernel left out may be a
    /// call that is missing.
    pub(crate) fn has_calls(&self, calls: u64, truth: u64) {
        let least = truth.saturating_sub(excused(&self.measurement));
        assert!((least..=truth).contains(&calls), "{calls} calls, and {truth} were made");
    }

    /// Everything that is true of every measurement of a workload whose threads live through it.
    pub(crate) fn holds(&self) {
        self.threads_hold();
        self.sites_are_true();
    }

    /// All of it but the sites.
    pub(crate) fn threads_hold(&self) {
        nothing_lost(&self.measurement);
        ledger_closes(&self.measurement);
        for tid in self.after.keys() {
            self.switches_are_the_kernels(*tid);
            self.cpu_is_the_kernels(*tid);
        }
        for row in &self.line.rows {
            self.row_is_true(row);
        }
        let report = self.measurement.clone().report();
        assert!(report.check.counts_agree(), "{:?}", report.check);
    }

    /// Switches of a thread equal what /proc counted between two moments, before and after the
    /// measurement. The thread was asleep at both.
    pub(crate) fn switches_are_the_kernels(&self, tid: u32) {
        let (thread, kernel) = (self.thread(tid), self.kernel(tid));
        let sums = &thread.sums;
        let ours = (sums.voluntary, sums.involuntary);
        assert_eq!(ours, (kernel.voluntary, kernel.involuntary), "switches of thread {tid}: {:?}", by_class(sums));
        assert_eq!(all_blocks(sums), sums.voluntary, "a switch without a class in thread {tid}: {:?}", by_class(sums));
        assert_eq!(ours, (sums.kernel_voluntary, sums.kernel_involuntary), "the check of thread {tid}");
    }

    /// CPU of a thread, as the report's ledger has it (tracepoints and charge), equals schedstat's
    /// to within 1 %. It should be exact: the thread was asleep at both moments, and the charge
    /// makes up for what the kernel's clock sees of a switch and the tracepoints do not (the way
    /// out of idle, and with the other sign interrupts and stolen time). 2 µs are for threads that
    /// hardly ran.
    pub(crate) fn cpu_is_the_kernels(&self, tid: u32) {
        let (thread, kernel) = (self.thread(tid), self.kernel(tid));
        let ours = thread.cpu().as_nanos().saturating_add_signed(thread.sums.charge());
        assert!(
            ours.abs_diff(kernel.cpu) as f64 <= 0.01 * kernel.cpu as f64 + 2_000.0,
            "CPU of thread {tid}: {ours} ns with a charge of {}, by schedstat {} ns",
            thread.sums.charge(),
            kernel.cpu,
        );
    }

    /// A worker's blocks by class, and where it began and ended.
    pub(crate) fn row_is_true(&self, row: &Row) {
        let thread = self.thread(row.tid);
        if self.runs_missed() {
            assert_eq!(all_blocks(&thread.sums), row.voluntary + row.parks, "blocks of worker {} ({row:?})", row.tid);
            return;
        }
        let mut expected = row.blocks_by_class.clone();
        *expected.entry("pipe".into()).or_insert(0) += row.parks;
        expected.entry(row.class.clone()).and_modify(|blocks| *blocks -= sleepless(row));
        expected.retain(|_, n| *n > 0);
        assert_eq!(by_class(&thread.sums), expected, "blocks of worker {} ({row:?})", row.tid);
        assert_eq!(thread.sums.voluntary, row.voluntary + row.parks, "voluntary switches of worker {}", row.tid);
        assert!(thread.sums.involuntary >= row.involuntary, "involuntary switches of worker {}", row.tid);
        if row.parks == 1 {
            assert!(thread.asleep_at_start && !thread.born_inside && !thread.dead && !thread.silent, "{thread:?}");
            assert_eq!(thread.open_end, OpenEnd::Blocked(BlockClass::Pipe));
        }
    }

    /// Calls, blocks, bytes and errors at the workers' sites. The waits at the gate begin before
    /// the measurement or never return in it, so they are at no site. The driver may share a site:
    /// it naps, and it wakes each futex wait once.
    pub(crate) fn sites_are_true(&self) {
        if self.runs_missed() {
            return;
        }
        let mut rows: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
        for row in self.line.rows.iter().filter(|row| row.calls > 0) {
            rows.entry((&row.syscall, &row.class)).or_default().push(row);
        }
        for ((syscall, class), rows) in rows {
            let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
            let site = self.sites(syscall, class);
            let naps = if class == "sleep" { blocks(&self.thread(self.pid).sums, BlockClass::Sleep) } else { 0 };
            let wakes = if class == "futex" { sum(|r| r.blocks) } else { 0 };
            let ours = (site.calls, site.blocks, site.bytes, site.errors);
            // A nap whose timer is over before it sleeps is a call that does not block. Only the
            // driver could count it.
            let over = site.calls.saturating_sub(sum(|r| r.calls) + naps).min(naps);
            let calls = sum(|r| r.calls) + naps + over + wakes;
            let blocks = sum(|r| r.blocks - sleepless(r)) + naps;
            // A call whose limit is over before it sleeps is at the site of what it is for.
            if class == "timeout" && sum(sleepless) > 0 {
                assert_eq!(site.blocks, blocks, "blocks of {syscall} on {class}");
                continue;
            }
            let truth = (calls, blocks, sum(|r| r.bytes), sum(|r| r.errors));
            assert_eq!(ours, truth, "calls, blocks, bytes, errors of {syscall} on {class}");
            if self.line.exact {
                assert_eq!(site.blocked_calls, site.blocks, "each call of {syscall} on {class} blocks at most once");
            }
            let direct = site.calls - site.blocked_calls;
            assert_eq!((site.cpu_blocked().count, site.cpu_direct().count), (site.blocked_calls, direct));
        }
        for row in &self.line.rows {
            for (syscall, calls) in &row.other_calls {
                let sites = self.measurement.window.sites.iter().filter(|s| s.place.syscall == *syscall);
                let seen: u64 = sites.map(|s| s.site.calls).sum();
                assert!(seen >= *calls, "{seen} calls of {syscall}, of which worker {} made {calls}", row.tid);
            }
        }
    }
}

/// Sleeps of a worker that did not block, because the timer was over before the sleep began. On a
/// slow machine the kernel itself counts fewer switches than there were sleeps.
fn sleepless(row: &Row) -> u64 {
    let is_timer = row.class == "sleep" || row.class == "timeout";
    if is_timer { row.blocks.saturating_sub(row.voluntary) } else { 0 }
}

/// Whether the kernel left out runs of the programs, as [`Outcome::runs_missed`].
pub(crate) fn runs_missed(measurement: &Measurement) -> bool {
    excused(measurement) > 0
}

/// How many runs of programs the kernel left out. It does so since 7.0, and counts them.
pub(crate) fn excused(measurement: &Measurement) -> u64 {
    if programs_are_preempted() { measurement.window.quality.runs_missed } else { 0 }
}

/// No event and no thread is missing, except runs of programs that the kernel left out.
pub(crate) fn no_event_lost(measurement: &Measurement) {
    let quality = &measurement.window.quality;
    assert_eq!(quality.lost() - excused(measurement), 0, "{quality:?}");
}

/// No event, thread, site or name is missing.
pub(crate) fn nothing_lost(measurement: &Measurement) {
    let quality = &measurement.window.quality;
    no_event_lost(measurement);
    assert_eq!((quality.calls_without_site, quality.threads_pooled), (0, 0), "{quality:?}");
}

/// Wall = on-CPU + run-queue delay + blocked, for each thread, to within 1 %.
pub(crate) fn ledger_closes(measurement: &Measurement) {
    for thread in &measurement.window.threads {
        let residual = thread.unknown + thread.excess;
        assert!(
            residual.as_nanos() as f64 <= 0.01 * thread.wall.as_nanos() as f64,
            "thread {}: wall {}, on CPU {}, run queue {}, blocked {}, unknown {}, excess {}: {thread:?}",
            thread.tid,
            thread.wall,
            thread.cpu(),
            thread.run_delay(),
            thread.blocked(),
            thread.unknown,
            thread.excess,
        );
    }
}
