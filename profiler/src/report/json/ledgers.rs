//! The two ledgers in JSON.

use crate::answer::Note;
use crate::{answer, quantity, words};
use schemars::JsonSchema;
use serde::Serialize;

use super::figure::{Figure, Ratio};
use crate::{event::Family, quantity::Nanos};

/// Where the target's CPU time went. User, calls, blocking IO, other switches, what was not
/// charged, softirq, rings and rest make up the total.
#[derive(Serialize, JsonSchema)]
pub(super) struct Cpu {
    /// CPU of the target: by the tracepoints, plus what the kernel charges for the way back onto
    /// the CPU.
    total_ns: Figure<u64>,
    /// CPU by the tracepoints alone: from switch-in to switch-out.
    on_cpu_ns: Figure<u64>,
    /// CPU that the kernel charged beyond that on the way out of idle, less what was stolen;
    /// negative where it charged less.
    charge_ns: Figure<i64>,
    /// CPU in user mode, page faults and interrupts that hit it included.
    user_ns: Figure<u64>,
    /// `user_ns` as a share of `total_ns`.
    user_ratio: Figure<Ratio>,
    /// CPU in syscalls, less the direct cost of blocks.
    calls_ns: Figure<u64>,
    /// `calls_ns` as a share of `total_ns`.
    calls_ratio: Figure<Ratio>,
    /// Direct cost of blocking-IO blocks; may be negative.
    blocking_io_ns: Figure<f64>,
    /// `blocking_io_ns` as a share of `total_ns`.
    blocking_io_ratio: Figure<Ratio>,
    /// Direct cost of all other blocks and of preemptions; may be negative.
    other_switches_ns: Figure<f64>,
    /// `other_switches_ns` as a share of `total_ns`.
    other_switches_ratio: Figure<Ratio>,
    /// Time in the lines above that the kernel did not charge, as a negative number: the hypervisor
    /// stole it, or interrupts took it.
    uncharged_ns: Figure<f64>,
    /// `uncharged_ns` as a share of `total_ns`.
    uncharged_ratio: Figure<Ratio>,
    /// Softirq work that hit the target.
    softirq_ns: Figure<u64>,
    /// `softirq_ns` as a share of `total_ns`.
    softirq_ratio: Figure<Ratio>,
    /// CPU of the kernel's threads that work for the target's rings (`io_uring`).
    rings_ns: Figure<u64>,
    /// `rings_ns` as a share of `total_ns`.
    rings_ratio: Figure<Ratio>,
    /// Calls that returned and never began: a seccomp filter answered them, or a tracer.
    refused_calls_count: Figure<u64>,
    /// CPU of these calls and of the code before each; it is in `user_ns`, and their own is less.
    refused_most_ns: Figure<u64>,
    /// What the lines above leave of the total; may be negative.
    rest_ns: Figure<f64>,
    /// `rest_ns` as a share of `total_ns`.
    rest_ratio: Figure<Ratio>,
}

/// Where the wall time of all threads together went.
#[derive(Serialize, JsonSchema)]
pub(super) struct Wall {
    /// Sum of the threads' wall times.
    total_ns: Figure<u64>,
    /// Time that threads were on a CPU.
    on_cpu_ns: Figure<u64>,
    /// `on_cpu_ns` as a share of `total_ns`.
    on_cpu_ratio: Figure<Ratio>,
    /// Time that threads waited for a CPU after a wake-up.
    run_delay_woken_ns: Figure<u64>,
    /// `run_delay_woken_ns` as a share of `total_ns`.
    run_delay_woken_ratio: Figure<Ratio>,
    /// Time that threads waited for a CPU after a preemption.
    run_delay_preempted_ns: Figure<u64>,
    /// `run_delay_preempted_ns` as a share of `total_ns`.
    run_delay_preempted_ratio: Figure<Ratio>,
    /// Run-queue delay before a thread's first run.
    run_delay_born_ns: Figure<u64>,
    /// `run_delay_born_ns` as a share of `total_ns`.
    run_delay_born_ratio: Figure<Ratio>,
    /// Blocked, by class, the longest first.
    blocked: Vec<WallLine>,
    /// Time that is in none of the lines.
    unknown_ns: Figure<u64>,
    /// `unknown_ns` as a share of `total_ns`.
    unknown_ratio: Figure<Ratio>,
    /// Time that is in two lines.
    excess_ns: Figure<u64>,
    /// `excess_ns` as a share of `total_ns`.
    excess_ratio: Figure<Ratio>,
}

/// Blocks of one class.
#[derive(Serialize, JsonSchema)]
struct WallLine {
    /// The class: what was waited for.
    class: &'static str,
    /// The family it is reported in. Only `blocking_io` is what async would take away.
    family: FamilyName,
    /// Blocks that began in the window.
    blocks_count: Figure<u64>,
    /// How long threads were blocked in this class, summed.
    blocked_ns: Figure<u64>,
    /// `blocked_ns` as a share of the wall time of all threads.
    blocked_ratio: Figure<Ratio>,
    /// How long threads waited for a CPU after these blocks, summed.
    run_delay_ns: Figure<u64>,
}

/// The family of a class.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FamilyName {
    /// Blocking IO on one descriptor.
    BlockingIo,
    /// An event or completion wait: already async.
    EventWait,
    /// A lock.
    Lock,
    /// A timer.
    Timer,
    /// Waiting for connections.
    Accept,
    /// Everything else.
    Other,
}

impl FamilyName {
    pub(super) const fn new(family: Family) -> Self {
        match family {
            Family::BlockingIo => Self::BlockingIo,
            Family::EventWait => Self::EventWait,
            Family::Lock => Self::Lock,
            Family::Timer => Self::Timer,
            Family::Accept => Self::Accept,
            Family::Other => Self::Other,
        }
    }
}

impl Cpu {
    pub(super) fn new(cpu: &answer::CpuLedger) -> Self {
        let total = cpu.whole().as_nanos() as f64;
        let share = |f: &quantity::Figure<f64, Note>| Figure::derived(f, f.value().map(|ns| ns / total), words::NO_CPU);
        let time_share = |f: &quantity::Figure<Nanos, Note>| share(&f.map(|t| t.as_nanos() as f64));
        Self {
            total_ns: Figure::time(cpu.total),
            on_cpu_ns: Figure::time(cpu.on_cpu),
            charge_ns: Figure::measured(cpu.charge),
            user_ns: Figure::from_time(&cpu.user),
            user_ratio: time_share(&cpu.user),
            calls_ns: Figure::from_time(&cpu.calls),
            calls_ratio: time_share(&cpu.calls),
            blocking_io_ns: Figure::new(&cpu.blocking_io),
            blocking_io_ratio: share(&cpu.blocking_io),
            other_switches_ns: Figure::new(&cpu.other_switches),
            other_switches_ratio: share(&cpu.other_switches),
            uncharged_ns: Figure::new(&cpu.uncharged),
            uncharged_ratio: share(&cpu.uncharged),
            softirq_ns: Figure::from_time(&cpu.softirq),
            softirq_ratio: time_share(&cpu.softirq),
            rings_ns: Figure::time(cpu.rings),
            rings_ratio: Figure::ratio(cpu.rings.as_nanos() as f64, total, words::NO_CPU),
            refused_calls_count: Figure::measured(cpu.refused),
            refused_most_ns: Figure::time(cpu.refused_most),
            rest_ns: Figure::finite(cpu.rest),
            rest_ratio: Figure::ratio(cpu.rest, total, words::NO_CPU),
        }
    }
}

impl Wall {
    pub(super) fn new(wall: &answer::WallLedger) -> Self {
        let share = |time: Nanos| Figure::ratio(time.as_nanos() as f64, wall.total.as_nanos() as f64, words::NO_THREAD);
        let line = |l: &answer::WallLine| WallLine {
            class: l.class.name(),
            family: FamilyName::new(l.class.family()),
            blocks_count: Figure::measured(l.blocks),
            blocked_ns: Figure::time(l.blocked),
            blocked_ratio: share(l.blocked),
            run_delay_ns: Figure::time(l.run_delay),
        };
        Self {
            total_ns: Figure::time(wall.total),
            on_cpu_ns: Figure::time(wall.on_cpu),
            on_cpu_ratio: share(wall.on_cpu),
            run_delay_woken_ns: Figure::time(wall.run_delay),
            run_delay_woken_ratio: share(wall.run_delay),
            run_delay_preempted_ns: Figure::time(wall.preempted),
            run_delay_preempted_ratio: share(wall.preempted),
            run_delay_born_ns: Figure::time(wall.born),
            run_delay_born_ratio: share(wall.born),
            blocked: wall.classes.iter().map(line).collect(),
            unknown_ns: Figure::time(wall.unknown),
            unknown_ratio: share(wall.unknown),
            excess_ns: Figure::time(wall.excess),
            excess_ratio: share(wall.excess),
        }
    }
}
