//! Two measurements side by side: what a unit of work takes in each, and which differences are
//! beyond the noise.
//!
//! The noise is that of each recording's own parts (about a second each), by the bootstrap that the
//! score uses. Two runs of one program differ by more than either varies inside; a difference that
//! matters should be seen in more than one pair.

use std::collections::HashMap;

use super::{
    gain::Decision,
    report::Report,
    verdict::Answer,
    work::{NoUnits, Per, Unit, Which, Why, cpu},
};
use crate::{
    aggregate::Window,
    event::{Family, Place},
    machine::Way,
    predict::Refusal,
    quantity::{Estimate, bootstrap, listed},
};

/// Why a recording predicts nothing for its async version.
#[derive(Clone, Debug, PartialEq)]
pub enum NoPrediction {
    /// It has no prediction at all.
    Refused(Refusal),
    /// Its machine had no price for this way of waiting.
    NoPrice(Way),
}

listed! {
    /// A quantity that two measurements are compared by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Measure {
        /// CPU of the target, ns.
        Cpu,
        /// Direct cost of blocking-IO blocks, ns of CPU.
        Cost,
        /// Blocks on IO, a count.
        Blocks,
        /// Time blocked on IO, ns.
        Blocked,
        RunDelay,
        Voluntary,
        Involuntary,
        Calls,
    }
}

impl Measure {
    /// Whether it is a time, ns; else a count.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Cpu | Self::Cost | Self::Blocked | Self::RunDelay)
    }

    /// Whether more of it is worse, whatever the program does: what `--fail-above` looks at.
    pub fn is_cost(self) -> bool {
        matches!(self, Self::Cpu | Self::Cost | Self::RunDelay)
    }
}

/// One measurement of the two.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The window of the whole measurement.
    pub window: &'a Window,
    /// The report of the whole measurement.
    pub report: &'a Report,
    /// The measurement in parts, in order; their spread gives the intervals.
    pub parts: &'a [&'a Window],
}

/// A line of the comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub measure: Measure,
    /// The figure per unit, in the first measurement.
    pub before: f64,
    /// The figure per unit, in the second measurement.
    pub after: f64,
    /// 90 % interval of the difference; `None`: too few parts to tell.
    pub difference: Option<Estimate>,
}

impl Change {
    /// After less before, as a share of before; `None` where there was nothing before.
    pub fn relative(&self) -> Option<f64> {
        (self.before > 0.0).then(|| (self.after - self.before) / self.before)
    }

    /// Whether the difference is beyond the noise.
    pub fn is_beyond_noise(&self) -> bool {
        self.difference.is_some_and(|d| !d.contains(0.0))
    }
}

/// Two measurements, compared line by line.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// What figures are divided by.
    pub per: Per,
    /// What made it the unit: the user, or what both recordings have most of.
    pub why: Why,
    /// Units in the first and in the second measurement.
    pub units: (f64, f64),
    /// One line per quantity that is compared.
    pub changes: Vec<Change>,
}

/// What one of the two programs took.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// CPU per unit, ns.
    pub cpu_per_unit: f64,
    /// CPU per unit in each part in which there was a unit, ns.
    pub parts: Vec<f64>,
    /// Units in a second.
    pub units_per_second: f64,
    /// CPUs in use, on average.
    pub cores: f64,
}

impl Side {
    fn new(side: &Compared<'_>, per: &Per, units: f64) -> Self {
        let seconds = side.window.measured.as_secs_f64().max(1e-9);
        let of_part = |part: &&Window| {
            let units = per.count(part);
            (units > 0.0).then(|| cpu(part) / units)
        };
        Self {
            cpu_per_unit: cpu(side.window) / units,
            parts: side.parts.iter().filter_map(of_part).collect(),
            units_per_second: units / seconds,
            cores: cpu(side.window) / 1e9 / seconds,
        }
    }
}

/// A prediction and what came.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionCheck {
    /// How the second program waits, judged by its calls.
    pub way: Way,
    /// What the first recording predicts for it; `None`: it predicts nothing, for this reason.
    pub predicted: Result<Estimate, NoPrediction>,
    /// CPU per unit saved, as a share of the first's.
    pub measured: f64,
    /// 90 % interval of it.
    pub interval: Option<Estimate>,
    /// The first program and the second.
    pub sides: (Side, Side),
    /// What CPU was divided by, in each, and why.
    pub unit: Unit,
}

/// Direct cost of a blocked call, ns, by place.
fn prices(report: &Report, window: &Window) -> HashMap<Place, f64> {
    window
        .sites
        .iter()
        .zip(&report.sites)
        .filter(|(s, _)| s.place.class.family() == Family::BlockingIo)
        .filter_map(|(s, view)| Some((s.place.clone(), view.direct?.per_call)))
        .collect()
}

fn value(measure: Measure, window: &Window, prices: &HashMap<Place, f64>) -> f64 {
    let sums = window.sums();
    let in_io = |get: fn(&crate::event::ClassSum) -> u64| -> f64 {
        let classes = crate::event::BlockClass::ALL.iter().filter(|c| c.family() == Family::BlockingIo);
        classes.map(|&c| get(&sums.classes[c as usize])).sum::<u64>() as f64
    };
    match measure {
        Measure::Cpu => cpu(window),
        Measure::Cost => {
            let sites = window.sites.iter().filter_map(|s| Some(prices.get(&s.place)? * s.site.blocked_calls as f64));
            sites.sum::<f64>() + sums.charge_io as f64
        }
        Measure::Blocks => in_io(|c| c.blocks),
        Measure::Blocked => in_io(|c| c.blocked),
        Measure::RunDelay => {
            let classes: u64 = sums.classes.iter().map(|c| c.run_delay).sum();
            (classes + sums.preempted + sums.born_delay) as f64
        }
        Measure::Voluntary => sums.voluntary as f64,
        Measure::Involuntary => sums.involuntary as f64,
        Measure::Calls => sums.calls as f64,
    }
}

/// Half the 90 % interval of a ratio over parts.
fn half(side: &Compared<'_>, measure: Measure, per: &Per, prices: &HashMap<Place, f64>) -> Option<f64> {
    let parts: Vec<(f64, f64)> =
        side.parts.iter().map(|w| (value(measure, w, prices), per.count(w))).filter(|(_, u)| *u > 0.0).collect();
    bootstrap::ratio(&parts).map(Estimate::half_width)
}

impl Diff {
    /// Compares.
    ///
    /// # Errors
    /// The unit that one of the two has none of.
    pub fn new(before: &Compared<'_>, after: &Compared<'_>, unit: &Unit) -> Result<Self, NoUnits> {
        let per = &unit.per.0;
        let first = per.some(before.window, Which::First)?;
        let second = per.some(after.window, Which::Second)?;
        let known = [before, after].map(|side| prices(side.report, side.window));
        let changes = Measure::ALL
            .into_iter()
            .filter(|m| !(*per == Per::CpuSecond && *m == Measure::Cpu))
            .map(|measure| {
                let old = value(measure, before.window, &known[0]) / first;
                let new = value(measure, after.window, &known[1]) / second;
                let halves = half(before, measure, per, &known[0]).zip(half(after, measure, per, &known[1]));
                let difference = halves.map(|(a, b)| Estimate::with_half_width(new - old, a.hypot(b)));
                Change { measure, before: old, after: new, difference }
            })
            .collect();
        Ok(Self { per: per.clone(), why: unit.why, units: (first, second), changes })
    }

    /// The costs that rose by more than this share, beyond the noise.
    pub fn worse_than(&self, share: f64) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |c| c.measure.is_cost() && c.is_beyond_noise() && c.relative().is_some_and(|r| r > share))
    }
}

impl PredictionCheck {
    /// Compares what a blocking program's recording predicts with what its async version took. If
    /// no way is given, it is the one that the second program's calls suggest: `io_uring`, or else
    /// readiness without a runtime.
    ///
    /// # Errors
    /// The unit that one of the two has none of.
    pub fn new(blocking: &Compared<'_>, twin: &Compared<'_>, unit: &Unit, way: Option<Way>) -> Result<Self, NoUnits> {
        let per = &unit.per;
        let first = per.0.some(blocking.window, Which::First)?;
        let second = per.1.some(twin.window, Which::Second)?;
        let calls = |name: &str| -> u64 {
            let sites = twin.window.sites.iter().filter(|s| s.place.syscall.starts_with(name));
            sites.map(|s| s.site.calls).sum()
        };
        let seen = || if calls("io_uring_enter") > calls("epoll_") { Way::Tuned } else { readiness(twin.window) };
        let way = way.unwrap_or_else(seen);
        let what_if = &blocking.report.what_if;
        let predicted = match (&what_if.refused, what_if.scenario(way)) {
            (Some(why), _) => Err(NoPrediction::Refused(why.clone())),
            (None, Some(scenario)) => Ok(scenario.saving),
            (None, None) => Err(NoPrediction::NoPrice(way)),
        };
        let none = HashMap::new();
        let sides = (Side::new(blocking, &per.0, first), Side::new(twin, &per.1, second));
        let (old, new) = (sides.0.cpu_per_unit, sides.1.cpu_per_unit);
        let halves = half(blocking, Measure::Cpu, &per.0, &none).zip(half(twin, Measure::Cpu, &per.1, &none));
        let measured = 1.0 - new / old.max(f64::MIN_POSITIVE);
        let interval = halves.filter(|_| old > 0.0 && new > 0.0).map(|(a, b)| {
            let half = (1.0 - measured).abs() * (a / old).hypot(b / new);
            Estimate::with_half_width(measured, half)
        });
        Ok(Self { way, predicted, measured, interval, sides, unit: unit.clone() })
    }

    /// The saving that the first recording claims: its prediction, or 0 where it has none and its
    /// answer is no. `None` where it claims nothing.
    pub fn claim(&self, answer: Answer) -> Option<Estimate> {
        match &self.predicted {
            Ok(saving) => Some(*saving),
            Err(NoPrediction::Refused(_)) if answer.decision() == Decision::No => Some(Estimate::exact(0.0)),
            Err(_) => None,
        }
    }
}

/// The kind of loop that a program has. A loop that tries again after each read fails as often as
/// it succeeds. So a loop counts as one where at least a quarter of the reads from sockets fail.
fn readiness(window: &Window) -> Way {
    let sockets = window.sites.iter().filter(|s| s.place.receives() && s.place.class.is_socket());
    let (calls, failed) = sockets.fold((0, 0), |(calls, failed), s| (calls + s.site.calls, failed + s.site.errors));
    if 4 * failed > calls { Way::Naive } else { Way::Level }
}

#[cfg(test)]
mod tests {
    use super::{super::inputs::Inputs, *};
    use crate::{
        aggregate::ThreadTotals,
        event::{BlockClass, Place, Site, SiteRecord, Sums},
        quantity::{Addr, Nanos, Tgid},
    };

    /// A window of a second with so much CPU and run-queue delay, in ms.
    fn second(cpu: u64, delay: u64) -> Window {
        let mut sums = Sums { user: cpu * 1_000_000, calls: 1_000, voluntary: 500, ..Sums::ZERO };
        sums.preempted = delay * 1_000_000;
        let thread = ThreadTotals::running(1, 1, Nanos::from_millis(1_000), sums);
        Window {
            end: Nanos::from_millis(1_000),
            measured: Nanos::from_millis(1_000),
            threads: vec![thread],
            ..Window::default()
        }
    }

    fn seconds(each: &[(u64, u64)]) -> (Window, Vec<Window>) {
        let parts: Vec<Window> = each.iter().map(|&(cpu, delay)| second(cpu, delay)).collect();
        let mut whole = parts[0].clone();
        parts[1..].iter().for_each(|part| whole.absorb(part.clone()));
        (whole, parts)
    }

    fn compare(first: &[(u64, u64)], second: &[(u64, u64)], per: &Per) -> Result<Diff, NoUnits> {
        let unit = Unit::given(per.clone(), per.clone());
        let ((a, a_parts), (b, b_parts)) = (seconds(first), seconds(second));
        let reports = [&a, &b].map(|w| Report::new(w, Inputs::default()));
        let (a_parts, b_parts): (Vec<&Window>, Vec<&Window>) = (a_parts.iter().collect(), b_parts.iter().collect());
        Diff::new(
            &Compared { window: &a, report: &reports[0], parts: &a_parts },
            &Compared { window: &b, report: &reports[1], parts: &b_parts },
            &unit,
        )
    }

    const STEADY: [(u64, u64); 6] = [(100, 10), (101, 11), (99, 9), (100, 10), (102, 10), (98, 10)];

    #[test]
    fn the_same_is_no_change() {
        let diff = compare(&STEADY, &STEADY, &Per::Second).unwrap();
        assert!(diff.changes.iter().all(|c| !c.is_beyond_noise() && c.after == c.before), "{diff:?}");
        assert_eq!(diff.worse_than(0.0).count(), 0);
    }

    #[test]
    fn a_cost_that_rose_beyond_the_noise_is_found() {
        let dearer: Vec<(u64, u64)> = STEADY.iter().map(|&(cpu, delay)| (cpu * 12 / 10, delay)).collect();
        let diff = compare(&STEADY, &dearer, &Per::Second).unwrap();
        let worse: Vec<Measure> = diff.worse_than(0.05).map(|c| c.measure).collect();
        assert_eq!(worse, [Measure::Cpu]);
        assert_eq!(diff.worse_than(0.25).count(), 0, "20 % is below 25 %");
        // Per CPU-second the delay has become less, and CPU itself is no figure.
        let diff = compare(&STEADY, &dearer, &Per::CpuSecond).unwrap();
        assert!(diff.changes.iter().all(|c| c.measure != Measure::Cpu));
        assert!(diff.changes.iter().find(|c| c.measure == Measure::RunDelay).unwrap().relative().unwrap() < -0.1);
    }

    #[test]
    fn a_change_inside_the_noise_is_not_told_from_it() {
        let noisy = [(50, 10), (150, 10), (60, 10), (140, 10), (70, 10), (130, 10)];
        let more: Vec<(u64, u64)> = noisy.iter().map(|&(cpu, delay)| (cpu + 8, delay)).collect();
        let diff = compare(&noisy, &more, &Per::Second).unwrap();
        assert_eq!(diff.worse_than(0.05).count(), 0, "{diff:?}");
    }

    #[test]
    fn what_there_is_nothing_of_is_not_divided_by() {
        let per = Per::Call { syscall: "recvfrom".into() };
        let error = compare(&STEADY, &STEADY, &per).unwrap_err();
        assert_eq!(error, NoUnits { per, recording: Which::First });
    }

    #[test]
    fn too_few_parts_have_no_interval() {
        let diff = compare(&STEADY[..2], &STEADY[..2], &Per::Second).unwrap();
        assert!(diff.changes.iter().all(|c| c.difference.is_none()));
    }

    #[test]
    fn a_prediction_is_held_against_what_came() {
        let ((a, a_parts), (b, b_parts)) = (seconds(&STEADY), seconds(&[(80, 10); 6]));
        let reports = [&a, &b].map(|w| Report::new(w, Inputs::default()));
        let (a_parts, b_parts): (Vec<&Window>, Vec<&Window>) = (a_parts.iter().collect(), b_parts.iter().collect());
        let check = PredictionCheck::new(
            &Compared { window: &a, report: &reports[0], parts: &a_parts },
            &Compared { window: &b, report: &reports[1], parts: &b_parts },
            &Unit::given(Per::Second, Per::Second),
            None,
        )
        .unwrap();
        assert_eq!(check.way, Way::Level);
        // No block at all: whatever it waits for, async has nothing to give.
        assert_eq!(check.predicted.as_ref().map(|s| s.value), Ok(0.0));
        assert!((check.measured - 0.2).abs() < 1e-9, "{check:?}");
        assert!((check.sides.0.cores - 0.1).abs() < 1e-9 && check.sides.1.parts == [80e6; 6], "{check:?}");
        let interval = check.interval.unwrap();
        assert!(interval.low < 0.2 && 0.2 < interval.high && interval.high - interval.low < 0.05, "{interval:?}");
    }

    #[test]
    fn a_loop_that_tries_again_after_each_read_is_told_by_the_reads_that_fail() {
        let reads = |class, calls, errors| {
            let place = Place { syscall: "read".into(), class, ip: Addr::from_raw(1), space: 1 };
            let site = Site { calls, errors, ..Site::ZERO };
            SiteRecord::with_one_size(place, (Tgid::from_raw(1), None), 1, site)
        };
        let told = |sites| readiness(&Window { sites, ..Window::default() });
        assert_eq!(told(vec![reads(BlockClass::Tcp, 1_000, 20)]), Way::Level);
        assert_eq!(told(vec![reads(BlockClass::Tcp, 2_000, 1_000)]), Way::Naive);
        // It empties the pipe that wakes it.
        let wakes = reads(BlockClass::Pipe, 2_000, 1_000);
        assert_eq!(told(vec![reads(BlockClass::Tcp, 1_000, 20), wakes]), Way::Level);
    }

    #[test]
    fn a_refusal_claims_nothing_unless_the_answer_is_no() {
        let side = Side { cpu_per_unit: 1.0, parts: Vec::new(), units_per_second: 1.0, cores: 1.0 };
        let check = |predicted| PredictionCheck {
            way: Way::Naive,
            predicted,
            measured: 0.0,
            interval: None,
            sides: (side.clone(), side.clone()),
            unit: Unit::given(Per::Second, Per::Second),
        };
        let refused = check(Err(NoPrediction::Refused(Refusal::NoWayForFiles)));
        assert_eq!(refused.claim(Answer::CpuBound), Some(Estimate::exact(0.0)));
        assert_eq!(refused.claim(Answer::NotEnoughData), None);
        assert_eq!(check(Err(NoPrediction::NoPrice(Way::Naive))).claim(Answer::CpuBound), None);
        assert_eq!(check(Ok(Estimate::exact(0.2))).claim(Answer::Unsure), Some(Estimate::exact(0.2)));
    }
}
