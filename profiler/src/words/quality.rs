//! How good the measurement is, in words: what was lost or left open, what measuring cost, and how
//! far the kernel's own counters agree.

use super::{in_words::provenance, missing::NOT_MEASURED};
use crate::{
    aggregate::{Loss, Quality},
    answer::{Check, Counted, Report},
    cost::Reference,
    quantity::Nanos,
    text::numbers::{
        NA, bytes, change, count, cpus as load, difference, percent, plural, range, residual, short, span,
    },
};

impl Loss {
    /// What was lost, after how many: "3 threads not measured for lack of room".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Threads => "threads not measured for lack of room",
            Self::Sites => "calls not told apart by site for lack of room",
            Self::ThreadRows => "threads that ended are in the sums and not in the table",
            Self::Requests => "block requests not measured for lack of room",
            Self::Devices => "devices not measured for lack of room",
            Self::Runs => "program runs left out by the kernel: events are missing",
            Self::BlockEnds => "block ends that found no room in the stream",
            Self::Samples => "CPU-clock samples that found no room",
            Self::Stalls => "stalls of event loops that found no room",
            Self::LateCpus => "CPUs that came or came back meanwhile: the CPU-clock samples of their first moments",
        }
    }
}

impl Quality {
    /// What was cut off at the ends.
    pub fn open_intervals(&self) -> String {
        format!(
            "{} asleep when it began, {} still open at its end, {} without any event",
            plural(self.open_at_start, "thread", "threads"),
            count(self.open_at_end),
            count(self.silent)
        )
    }

    /// Switch-ins that the kernel did not report.
    pub fn switch_ins(&self) -> String {
        format!("{} that the kernel did not report; booked as run-queue delay", count(self.missed_switch_ins))
    }

    /// Wake-ups that were seen before the switch-out.
    pub fn raced(&self) -> String {
        format!("{} seen before the switch-out that they end", count(self.raced_wakes))
    }

    /// Threads and programs that came and went.
    pub fn births(&self) -> String {
        format!(
            "{} born, {} gone, {} executed",
            plural(self.forks, "thread", "threads"),
            count(self.exits),
            plural(self.execs, "program", "programs")
        )
    }
}

/// The profiler's own block, which others are compared with.
pub fn reference(block: Option<&Reference>) -> String {
    block.map_or_else(
        || format!("{NA}: {NOT_MEASURED}"),
        |r| {
            format!(
                "{} ±{} of kernel CPU, from {} on a pipe of the profiler's own",
                span(r.per_block),
                span(r.standard_error),
                plural(r.blocks, "block", "blocks")
            )
        },
    )
}

/// Counts of ours less the kernel's.
pub fn counts(counted: Counted) -> String {
    difference(counted.difference())
}

/// Our time less the kernel's, as a share of the kernel's.
pub fn times(counted: Counted) -> String {
    match counted.ratio() {
        _ if counted.difference() == 0 => "exact".to_owned(),
        Some(ratio) if ratio > 0.0 => format!("+{}", residual(ratio)),
        Some(ratio) => residual(ratio),
        None => span(counted.difference() as f64),
    }
}

/// Programs that are attached for less than this share of the time have a cost while they are, and
/// another over all of it.
const SAMPLED: f64 = 0.99;

/// Threads named before the list is cut.
const NAMED: usize = 12;

/// What is compared with a counter of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// At most 22 columns, which is what `live` has for it.
    pub name: &'static str,
    how: &'static str,
}

impl Compared {
    /// The name, and how it is compared where there is room to say so.
    pub fn in_full(&self) -> String {
        if self.how.is_empty() { self.name.to_owned() } else { format!("{}, {}", self.name, self.how) }
    }
}

impl Check {
    /// The threads whose counts differ from the kernel's, where there are any.
    pub fn differing(&self) -> Option<String> {
        let threads = &self.threads_that_differ;
        let mut named: Vec<String> = threads.iter().take(NAMED).map(u32::to_string).collect();
        if threads.len() > NAMED {
            named.push(format!("… and {} more", threads.len() - NAMED));
        }
        (!threads.is_empty()).then(|| format!("counts differ in threads {}", named.join(", ")))
    }

    /// Title of the section.
    pub const TITLE: &str = "against the kernel's own counters over the same interval";
    /// The row for all CPU of the window.
    pub const IN_ALL: Compared = Compared { name: "CPU of the processes", how: "against their CPU clocks" };

    /// What is counted.
    pub const fn counted(&self) -> [(Compared, Counted); 3] {
        [
            (Compared { name: "voluntary switches", how: "" }, self.voluntary),
            (Compared { name: "involuntary switches", how: "" }, self.involuntary),
            (Compared { name: "blocks of all classes", how: "against voluntary switches" }, self.blocks),
        ]
    }

    /// What is timed at switches.
    pub const fn timed(&self) -> [(Compared, Counted); 2] {
        let charged = Counted { ours: self.cpu.ours.saturating_add_signed(self.charge), ..self.cpu };
        [
            (Compared { name: "CPU at switches", how: "against sum_exec_runtime" }, self.cpu),
            (Compared { name: "CPU as charged", how: "with what the kernel charges otherwise" }, charged),
        ]
    }
}

impl Report {
    /// How much of the time waited on files was a device's.
    pub fn device_time(&self) -> String {
        let waited: Nanos = self.wall.classes.iter().filter(|l| l.class.is_at_device()).map(|l| l.blocked).sum();
        format!("{} of the {waited} waited on files and pages was device time", self.device_wait)
    }

    /// The events that programs ran for, and what that cost.
    pub fn events(&self) -> String {
        format!("{}; {}", count(self.self_cost.events), self.per_event())
    }

    /// What measuring cost for each event.
    fn per_event(&self) -> String {
        let each = &self.self_cost.per_event;
        match each.value() {
            Some(&ns) => format!("{} each, {}", span(ns), provenance(each)),
            None => format!("cost of each {}", provenance(each)),
        }
    }

    /// What the kernel programs cost the target.
    pub fn programs(&self) -> String {
        let share = &self.self_cost.share;
        match share.value() {
            Some(&ratio) => format!("{} of the target's CPU; {}", percent(ratio), provenance(share)),
            None => provenance(share),
        }
    }

    /// What the target paid, by its own clock, and what for.
    pub fn paid(&self) -> String {
        let cost = &self.self_cost;
        let Some(paid) = cost.paid.value() else { return provenance(&cost.paid) };
        let value = paid.overall.value;
        let mut text = format!("{} CPU over that without the programs (90 %: {})", change(value), range(paid.overall));
        // Shares of programs are of its CPU in windows; what is paid is of what it takes alone.
        let own = (1.0 + paid.watched.value) * self.window.measured.ratio_to(self.window.wall).min(1.0);
        if paid.part < SAMPLED {
            text += &format!(", {} while watched", change(paid.watched.value));
        }
        if let Some(&share) = cost.share.value() {
            let sampler = cost.sampler.value().map(|share| share * own);
            let hooks = share * own;
            text += &format!(": the programs' own {}, ", percent(hooks));
            if let Some(sampler) = sampler {
                text += &format!("CPU-clock samples {}, ", percent(sampler));
            }
            text += &format!("because it is slower {}", change(value - hooks - sampler.unwrap_or(0.0)));
        }
        format!("{text}; {}", provenance(&cost.paid))
    }

    /// What all others of the machine paid.
    pub fn others_pay(&self) -> String {
        let figure = &self.self_cost.bystanders;
        let Some(pay) = figure.value() else { return provenance(figure) };
        let did = pay.did;
        let calls = did.calls.map_or_else(String::new, |calls| {
            format!("{} calls a second at {} each, ", short(calls as u64), span(did.toll.call))
        });
        let mut text = format!("{} of the machine, {} CPUs", percent(pay.machine), load(pay.cpus));
        if self.window.is_sampled() {
            text += &format!(" ({} while watched)", load(did.cpus()));
        }
        let switches = format!("{} switches a second at {}", short(did.switches as u64), span(did.toll.switch));
        format!("{text}: {calls}{switches}; {}", provenance(figure))
    }

    /// What the profiler took for itself.
    pub fn profiler(&self) -> String {
        format!("{} of CPU, {} of memory at most", self.self_cost.own_cpu, bytes(self.self_cost.own_bytes))
    }

    /// Why the processes' own clocks do not cover the measured time.
    pub fn no_clock(&self) -> &'static str {
        if self.window.is_sampled() {
            "it was measured in windows, and the clocks ran on between them"
        } else {
            "processes came or went: their clocks do not cover the window"
        }
    }

    /// What the ledgers leave over; `None` where there is nothing of which it could be a share.
    pub fn left_over(&self) -> Option<String> {
        let share = |ns: f64, whole: Nanos| residual(ns / whole.as_nanos() as f64);
        let (wall, cpu) = (&self.wall, &self.cpu);
        let left = wall.unknown + wall.excess;
        (wall.total > Nanos::ZERO && cpu.total > Nanos::ZERO).then(|| {
            format!(
                "ledgers: {} of the wall time unknown or counted twice, {} of the CPU left as rest",
                share(left.as_nanos() as f64, wall.total),
                share(cpu.rest, cpu.total)
            )
        })
    }
}
