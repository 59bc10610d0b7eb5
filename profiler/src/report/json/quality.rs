//! Quality, self-cost, reference and check in JSON.

use crate::{aggregate, answer, answer::OthersPay, cost, predict::Paid, words};
use schemars::JsonSchema;
use serde::Serialize;

use super::figure::{Figure, Ratio};

/// What was lost or left open. Where `lost_count` is not 0 the ledgers are not exact.
#[derive(Serialize, JsonSchema)]
pub(super) struct Quality {
    /// Everything that was lost: threads, block requests, devices, program runs.
    lost_count: Figure<u64>,
    /// Threads not measured for lack of room.
    threads_lost_count: Figure<u64>,
    /// Calls not told apart by site for lack of room.
    calls_without_site_count: Figure<u64>,
    /// Threads that ended and whose sums were kept, but not their names.
    threads_pooled_count: Figure<u64>,
    /// How often a CPU came in mid-measurement, for the first time or again: CPU-clock samples of
    /// its first moments are missing.
    late_cpus_count: Figure<u64>,
    /// Block requests not measured for lack of room.
    requests_lost_count: Figure<u64>,
    /// Devices not measured for lack of room.
    devices_lost_count: Figure<u64>,
    /// Program runs that the kernel left out.
    runs_missed_count: Figure<u64>,
    /// Wake-ups seen before the switch-out that they end.
    raced_wakes_count: Figure<u64>,
    /// Switch-ins for which the kernel's tracepoint did not fire; their time is booked as run-queue
    /// delay.
    missed_switch_ins_count: Figure<u64>,
    /// Threads that were asleep when the window began.
    open_at_start_count: Figure<u64>,
    /// Threads whose last interval was closed by the window's end.
    open_at_end_count: Figure<u64>,
    /// Threads without any event.
    silent_count: Figure<u64>,
    /// Threads born in the window.
    forks_count: Figure<u64>,
    /// Programs executed in it.
    execs_count: Figure<u64>,
    /// Threads gone in it.
    exits_count: Figure<u64>,
}

/// What measuring cost.
#[derive(Serialize, JsonSchema)]
pub(super) struct SelfCost {
    /// Events of the target that were counted.
    events_count: Figure<u64>,
    /// Mean run time of a kernel program.
    per_event_ns: Figure<f64>,
    /// Share of the target's CPU that the kernel programs used.
    target_cpu_ratio: Figure<Ratio>,
    /// Share of it that the program on the CPU clock used.
    sampler_cpu_ratio: Figure<Ratio>,
    /// CPU that the target took more than without the programs, over all the time, as a share of
    /// what it takes without them; by its own clock.
    paid_ratio: Figure<Ratio>,
    /// Lower end of its 90 % interval.
    paid_low_ratio: Figure<Ratio>,
    /// Upper end of its 90 % interval.
    paid_high_ratio: Figure<Ratio>,
    /// The same while they were attached.
    paid_while_watched_ratio: Figure<Ratio>,
    /// CPU that all other threads of the machine paid for it over all the time, as a share of all
    /// CPUs.
    others_machine_ratio: Figure<Ratio>,
    /// The same in CPU time.
    others_cpu_ns: Figure<f64>,
    /// System calls that they made while the programs were attached.
    others_calls_count: Figure<f64>,
    /// Their switches.
    others_switches_count: Figure<f64>,
    /// CPU that the profiler's own process used.
    profiler_cpu_ns: Figure<u64>,
    /// Its largest resident size.
    profiler_memory_bytes: Figure<u64>,
}

/// What one block costs on this machine, measured on a pipe of the profiler's own right after the
/// target.
#[derive(Serialize, JsonSchema)]
pub(super) struct Reference {
    /// Kernel CPU of a read that blocks minus that of one that does not.
    per_block_ns: Figure<f64>,
    /// Standard error of `per_block_ns`.
    standard_error_ns: Figure<f64>,
    /// Blocks that it was measured over.
    blocks_count: Figure<u64>,
}

/// The check against the kernel's own counters over the same interval.
#[derive(Serialize, JsonSchema)]
pub(super) struct Check {
    /// Whether all counts agree exactly, thread by thread.
    counts_agree: bool,
    /// Voluntary switches, against those of `/proc/PID/task/TID/status`.
    voluntary: CountCheck,
    /// Involuntary switches, against those of `/proc/PID/task/TID/status`.
    involuntary: CountCheck,
    /// Blocks of all classes, against voluntary switches.
    blocks: CountCheck,
    /// CPU by the tracepoints, against `se.sum_exec_runtime` (what schedstat prints), between each
    /// thread's first and last switch-out.
    cpu: TimeCheck,
    /// CPU that the kernel charges on the way out of idle, less what was stolen: in its figure and
    /// not in ours.
    charge_ns: Figure<i64>,
    /// CPU with that charge added to ours.
    cpu_with_charge: TimeCheck,
    /// CPU of the whole window, against the processes' CPU clocks.
    process_cpu: TimeCheck,
    /// Ids of the threads whose counts differ from the kernel's, in the initial namespace.
    threads_that_differ: Vec<u32>,
    /// Wall time unknown or counted twice, as a share of all of it.
    wall_residual_ratio: Figure<Ratio>,
    /// CPU left as rest, as a share of all of it.
    cpu_residual_ratio: Figure<Ratio>,
}

/// A count, ours and the kernel's.
#[derive(Serialize, JsonSchema)]
struct CountCheck {
    /// The count of the kernel programs.
    ours_count: Figure<u64>,
    /// The count of the kernel's own counter.
    kernel_count: Figure<u64>,
    /// Ours less the kernel's.
    difference_count: Figure<i64>,
}

/// A time, ours and the kernel's.
#[derive(Serialize, JsonSchema)]
struct TimeCheck {
    /// The time by the kernel programs.
    ours_ns: Figure<u64>,
    /// The time by the kernel's own clock.
    kernel_ns: Figure<u64>,
    /// Ours less the kernel's.
    difference_ns: Figure<i64>,
    /// The difference as a share of `kernel_ns`.
    difference_ratio: Figure<Ratio>,
}

impl Quality {
    pub(super) fn new(quality: &aggregate::Quality) -> Self {
        let count = Figure::measured;
        Self {
            lost_count: count(quality.lost()),
            threads_lost_count: count(quality.threads_lost),
            calls_without_site_count: count(quality.calls_without_site),
            threads_pooled_count: count(quality.threads_pooled),
            late_cpus_count: count(quality.late_cpus),
            requests_lost_count: count(quality.requests_lost),
            devices_lost_count: count(quality.devices_lost),
            runs_missed_count: count(quality.runs_missed),
            raced_wakes_count: count(quality.raced_wakes),
            missed_switch_ins_count: count(quality.missed_switch_ins),
            open_at_start_count: count(quality.open_at_start),
            open_at_end_count: count(quality.open_at_end),
            silent_count: count(quality.silent),
            forks_count: count(quality.forks),
            execs_count: count(quality.execs),
            exits_count: count(quality.exits),
        }
    }
}

impl SelfCost {
    pub(super) fn new(cost: &answer::SelfCost) -> Self {
        let paid = |of: fn(&Paid) -> f64| Figure::derived(&cost.paid, cost.paid.value().map(of), words::NOT_A_NUMBER);
        let others = |of: fn(&OthersPay) -> Option<f64>| {
            Figure::derived(&cost.bystanders, cost.bystanders.value().and_then(of), words::NOT_MEASURED)
        };
        Self {
            events_count: Figure::measured(cost.events),
            per_event_ns: Figure::new(&cost.per_event),
            target_cpu_ratio: Figure::new(&cost.share),
            sampler_cpu_ratio: Figure::new(&cost.sampler),
            paid_ratio: paid(|p| p.overall.value),
            paid_low_ratio: paid(|p| p.overall.low),
            paid_high_ratio: paid(|p| p.overall.high),
            paid_while_watched_ratio: paid(|p| p.watched.value),
            others_machine_ratio: others(|o| Some(o.machine)),
            others_cpu_ns: others(|o| Some((o.did.cpus() * o.watched.as_nanos() as f64).round())),
            others_calls_count: others(|o| Some((o.did.calls? * o.watched.as_secs_f64()).round())),
            others_switches_count: others(|o| Some((o.did.switches * o.watched.as_secs_f64()).round())),
            profiler_cpu_ns: Figure::time(cost.own_cpu),
            profiler_memory_bytes: Figure::measured(cost.own_bytes),
        }
    }
}

impl Reference {
    pub(super) fn new(reference: Option<&cost::Reference>) -> Self {
        Self {
            per_block_ns: reference
                .map_or_else(|| Figure::unavailable(words::NOT_MEASURED), |r| Figure::finite(r.per_block)),
            standard_error_ns: reference
                .map_or_else(|| Figure::unavailable(words::NOT_MEASURED), |r| Figure::finite(r.standard_error)),
            blocks_count: Figure::maybe(reference.map(|r| r.blocks), words::NOT_MEASURED),
        }
    }
}

impl Check {
    pub(super) fn new(report: &answer::Report) -> Self {
        let (check, wall, cpu) = (&report.check, &report.wall, &report.cpu);
        let left = (wall.unknown + wall.excess).as_nanos() as f64;
        Self {
            counts_agree: check.counts_agree(),
            voluntary: CountCheck::new(check.voluntary),
            involuntary: CountCheck::new(check.involuntary),
            blocks: CountCheck::new(check.blocks),
            cpu: TimeCheck::new(check.cpu),
            charge_ns: Figure::measured(check.charge),
            cpu_with_charge: TimeCheck::new(answer::Counted {
                ours: check.cpu.ours.saturating_add_signed(check.charge),
                kernel: check.cpu.kernel,
            }),
            process_cpu: check
                .process_cpu
                .map_or_else(|| TimeCheck::without_kernel(cpu.total.as_nanos(), report.no_clock()), TimeCheck::new),
            threads_that_differ: check.threads_that_differ.clone(),
            wall_residual_ratio: Figure::ratio(left, wall.total.as_nanos() as f64, words::NO_THREAD),
            cpu_residual_ratio: Figure::ratio(cpu.rest, cpu.total.as_nanos() as f64, words::NO_CPU),
        }
    }
}

impl CountCheck {
    fn new(counted: answer::Counted) -> Self {
        Self {
            ours_count: Figure::measured(counted.ours),
            kernel_count: Figure::measured(counted.kernel),
            difference_count: Figure::measured(counted.difference()),
        }
    }
}

impl TimeCheck {
    fn new(counted: answer::Counted) -> Self {
        Self {
            ours_ns: Figure::measured(counted.ours),
            kernel_ns: Figure::measured(counted.kernel),
            difference_ns: Figure::measured(counted.difference()),
            difference_ratio: Figure::maybe(counted.ratio(), words::NO_KERNEL_CPU),
        }
    }

    fn without_kernel(ours: u64, why_not: &str) -> Self {
        Self {
            ours_ns: Figure::measured(ours),
            kernel_ns: Figure::unavailable(why_not),
            difference_ns: Figure::unavailable(why_not),
            difference_ratio: Figure::unavailable(why_not),
        }
    }
}
