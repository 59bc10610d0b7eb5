//! IPC after returns in JSON.

use crate::cost::ipc;
use crate::words::{self, InWords};
use crate::{answer, quantity};
use schemars::JsonSchema;
use serde::Serialize;

use super::figure::{Figure, Provenance, Ratio};
use crate::cost::{Effect, ipc::BlockCycles};
use crate::quantity::Estimate;

/// A figure with its 90 % interval. Its unit is in the key that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(extend(
    "if" = { "properties": { "provenance": { "const": "unavailable" } } },
    "then" = { "properties": { "value": { "type": "null" }, "low": { "type": "null" }, "high": { "type": "null" } }, "required": ["note"] },
    "else" = { "properties": { "value": { "not": { "type": "null" } } } }
))]
struct Bounded {
    /// The value; null when, and only when, it is unavailable.
    value: Option<f64>,
    /// Lower end of the 90 % interval.
    low: Option<f64>,
    /// Upper end of the 90 % interval.
    high: Option<f64>,
    /// Whether it was measured or modelled, or cannot be had.
    provenance: Provenance,
    /// The assumption behind it, or why it is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Bounded {
    fn new<T, N: InWords>(figure: &quantity::Figure<T, N>, estimate: impl FnOnce(&T) -> Estimate) -> Self {
        let told = figure.value().map(estimate).filter(|e| [e.value, e.low, e.high].iter().all(|v| v.is_finite()));
        let note = figure.note().map(InWords::in_words);
        match told {
            None => Self {
                value: None,
                low: None,
                high: None,
                provenance: Provenance::Unavailable,
                note: note.or_else(|| Some(words::NO_REASON.to_owned())),
            },
            Some(e) => Self {
                value: Some(e.value),
                low: Some(e.low),
                high: Some(e.high),
                provenance: match figure.provenance() {
                    quantity::Provenance::Measured => Provenance::Measured,
                    quantity::Provenance::Modelled => Provenance::Modelled,
                    quantity::Provenance::Unavailable => Provenance::Unavailable,
                },
                note,
            },
        }
    }

    fn figure(figure: &quantity::Figure<Estimate, ipc::Note>) -> Self {
        Self::new(figure, |e| *e)
    }

    fn maybe(estimate: Option<Estimate>, why_not: &str) -> Self {
        let none = Self {
            value: None,
            low: None,
            high: None,
            provenance: Provenance::Unavailable,
            note: Some(why_not.to_owned()),
        };
        estimate.map_or(none, |estimate| Self::figure(&quantity::Figure::measured(estimate)))
    }
}

/// What hardware counters told of the instructions that follow a return to user mode.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ipc {
    /// Why there is no figure; null where there are some. If it is set, the rest is empty or
    /// unavailable.
    unavailable: Option<String>,
    /// One in so many returns was followed, at the end.
    followed_one_in_count: Figure<u64>,
    /// Instructions from one overflow sample to the next, at the end.
    sample_period_count: Figure<u64>,
    /// Indirect cost of a blocking-IO block in user mode, cycles.
    indirect_cycles_per_block_count: Bounded,
    /// `indirect_cycles_per_block_count` in ns, at the clock rate of the windows.
    indirect_per_block_ns: Figure<f64>,
    /// Indirect cost of all blocking-IO blocks in user mode. Where it is available, the score and
    /// the what-if use it.
    indirect_total_ns: Bounded,
    /// The figure of `indirect_total_ns` by windows of time instead of counters, for comparison.
    indirect_total_by_time_ns: Bounded,
    /// Clock rate in the windows after blocks, cycles per nanosecond.
    cycles_per_nanosecond_ratio: Figure<Ratio>,
    /// All windows of user mode, by what came before the return.
    kinds: Vec<Kind>,
    /// The windows by site: lines cycles = a + b · instructions, and what a block costs.
    sites: Vec<Site>,
    /// Recovery curves, by what came before the return.
    curves: Vec<Curve>,
    /// Windows and samples that count, and those left out, by reason.
    counts: Vec<Count>,
}

/// All windows of one kind.
#[derive(Serialize, JsonSchema)]
struct Kind {
    /// What came before the return: blocked, direct, preempted, unknown.
    after: &'static str,
    /// Windows of this kind.
    windows_count: Figure<u64>,
    /// Mean instructions of a window, user mode.
    instructions_mean_count: Figure<f64>,
    /// Instructions per cycle, user mode.
    user_ipc_ratio: Bounded,
    /// Instructions per cycle, user mode and kernel together.
    with_kernel_ipc_ratio: Figure<Ratio>,
    /// Misses of the last-level cache per instruction, user mode.
    llc_misses_ratio: Figure<Ratio>,
    /// Misses of the data TLB per instruction, user mode.
    dtlb_misses_ratio: Figure<Ratio>,
    /// Branches predicted wrongly per instruction, user mode.
    branch_misses_ratio: Figure<Ratio>,
}

/// The windows after one site's returns.
#[derive(Serialize, JsonSchema)]
struct Site {
    /// The syscall; null: windows that follow no call.
    syscall: Option<String>,
    /// The class of its descriptor, or of the call.
    class: Option<&'static str>,
    /// Address after the syscall instruction, hexadecimal.
    address: Option<String>,
    /// What a block adds to the window after it, cycles.
    indirect_cycles_per_block_count: Bounded,
    /// How the windows after blocks were compared with others, in words.
    compared: Option<String>,
    /// Cycles against instructions, one fitted line for each kind of window.
    lines: Vec<Line>,
}

/// A least-squares line cycles = a + b · instructions.
#[derive(Serialize, JsonSchema)]
struct Line {
    /// What came before the return: a block, or a call that did not block.
    after: &'static str,
    /// Windows that the line is fitted to.
    windows_count: Figure<u64>,
    /// Mean instructions of a window.
    instructions_mean_count: Figure<f64>,
    /// Cycles of a window of no instructions: the line's intercept.
    a_cycles_count: Bounded,
    /// Cycles that each further instruction takes: the line's slope.
    b_cycles_per_instruction_ratio: Bounded,
}

/// A recovery curve.
#[derive(Serialize, JsonSchema)]
struct Curve {
    /// What came before the return: blocked, direct, preempted, unknown.
    after: &'static str,
    /// Overflow samples behind it.
    samples_count: Figure<u64>,
    /// IPC of the last two doublings of the instructions.
    steady_ipc_ratio: Bounded,
    /// Instructions since the return from which on the IPC is 95 % of the steady one.
    recovered_instructions_count: Bounded,
    /// Cycles that the way there took beyond the steady IPC.
    lost_cycles_count: Bounded,
    /// The points, the one nearest to the return first.
    points: Vec<Point>,
}

/// A point of a curve.
#[derive(Serialize, JsonSchema)]
struct Point {
    /// Overflow samples that fell into the point.
    samples_count: Figure<u64>,
    /// Instructions since the return, mean of these samples.
    instructions_count: Figure<f64>,
    /// Cycles since the return, mean of these samples.
    cycles_count: Figure<f64>,
    /// Instructions since the return that the local IPC stands for.
    middle_instructions_count: Figure<f64>,
    /// IPC between the point before, or the return, and this one.
    local_ipc_ratio: Bounded,
    /// IPC from the return to here.
    cumulative_ipc_ratio: Bounded,
}

/// How often something was counted or left out.
#[derive(Serialize, JsonSchema)]
struct Count {
    /// What was counted, in words.
    what: &'static str,
    /// Number of windows or samples.
    seen_count: Figure<u64>,
}

fn total(effect: &Effect) -> Estimate {
    effect.total
}

impl Ipc {
    pub(super) fn new(report: &answer::Report) -> Self {
        let by_time = Bounded::new(&report.indirect.user, total);
        let Some(ipc) = report.ipc.value() else {
            let why = &words::note(&report.ipc);
            let none = || Bounded::maybe(None, why);
            return Self {
                unavailable: Some(why.to_owned()),
                followed_one_in_count: Figure::unavailable(why),
                sample_period_count: Figure::unavailable(why),
                indirect_cycles_per_block_count: none(),
                indirect_per_block_ns: Figure::unavailable(why),
                indirect_total_ns: none(),
                indirect_total_by_time_ns: by_time,
                cycles_per_nanosecond_ratio: Figure::unavailable(why),
                kinds: Vec::new(),
                sites: Vec::new(),
                curves: Vec::new(),
                counts: Vec::new(),
            };
        };
        let counted =
            [("returns seen", ipc.counts.returns), ("windows", ipc.counts.windows), ("samples", ipc.counts.samples)];
        Self {
            unavailable: None,
            followed_one_in_count: Figure::measured(ipc.every),
            sample_period_count: Figure::maybe(Some(ipc.period).filter(|p| *p > 0), words::NO_SAMPLES),
            indirect_cycles_per_block_count: Bounded::figure(&ipc.cycles),
            indirect_per_block_ns: Figure::new(&ipc.cost.map(|e| e.per_block)),
            indirect_total_ns: Bounded::new(&ipc.cost, total),
            indirect_total_by_time_ns: by_time,
            cycles_per_nanosecond_ratio: Figure::new(&ipc.clock),
            kinds: ipc.kinds.iter().map(Kind::new).collect(),
            sites: ipc.sites.iter().map(Site::new).collect(),
            curves: ipc.curves.iter().map(Curve::new).collect(),
            counts: counted
                .into_iter()
                .chain(ipc.left_out().map(|(what, n)| (what.words(), n)))
                .map(|(what, n)| Count { what, seen_count: Figure::measured(n) })
                .collect(),
        }
    }
}

impl Kind {
    fn new(kind: &ipc::KindIpc) -> Self {
        let misses = kind.misses.map(|m| Figure::maybe(m.map(|m| m / 1e3), words::NOT_COUNTED));
        let [llc_misses_ratio, dtlb_misses_ratio, branch_misses_ratio] = misses;
        Self {
            after: kind.before.key(),
            windows_count: Figure::measured(kind.windows),
            instructions_mean_count: Figure::finite(kind.instructions),
            user_ipc_ratio: Bounded::maybe(kind.user, words::ONE_WINDOW),
            with_kernel_ipc_ratio: Figure::maybe(kind.all, words::KERNEL_NOT_COUNTED),
            llc_misses_ratio,
            dtlb_misses_ratio,
            branch_misses_ratio,
        }
    }
}

impl Site {
    fn new(site: &ipc::SiteFit) -> Self {
        let place = site.place.as_ref();
        Self {
            syscall: place.map(|p| p.syscall.clone()),
            class: place.map(|p| p.class.name()),
            address: place.map(|p| format!("{:#x}", p.ip.as_raw())),
            indirect_cycles_per_block_count: Bounded::new(&site.cost, |c: &BlockCycles| c.cycles),
            compared: site.cost.value().map(|c| c.by.in_words()),
            lines: site
                .kinds
                .iter()
                .map(|kind| Line {
                    after: kind.before.key(),
                    windows_count: Figure::measured(kind.windows),
                    instructions_mean_count: Figure::finite(kind.instructions),
                    a_cycles_count: Bounded::maybe(kind.line.map(|l| l.a), words::NO_LINE),
                    b_cycles_per_instruction_ratio: Bounded::maybe(kind.line.map(|l| l.b), words::NO_LINE),
                })
                .collect(),
        }
    }
}

impl Curve {
    fn new(curve: &ipc::Curve) -> Self {
        Self {
            after: curve.before.key(),
            samples_count: Figure::measured(curve.samples),
            steady_ipc_ratio: Bounded::figure(&curve.steady),
            recovered_instructions_count: Bounded::figure(&curve.recovered),
            lost_cycles_count: Bounded::figure(&curve.lost),
            points: curve
                .points
                .iter()
                .map(|point| Point {
                    samples_count: Figure::measured(point.samples),
                    instructions_count: Figure::finite(point.instructions),
                    cycles_count: Figure::finite(point.cycles),
                    middle_instructions_count: Figure::finite(point.middle),
                    local_ipc_ratio: Bounded::maybe(point.local, words::NOISE),
                    cumulative_ipc_ratio: Bounded::maybe(point.cumulative, words::NOISE),
                })
                .collect(),
        }
    }
}
