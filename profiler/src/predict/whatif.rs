//! What if it were async: the same work on event loops, priced.
//!
//! Saving = the direct cost of the blocks that would go, the wake-ups among the target's own
//! threads and their preemptions of each other, less the sleeps that remain (the
//! [`replay`](super::replay) counts them), less the tax of waiting in another way (calibrated on
//! this machine). Scenarios are never mixed: each way of waiting has its own figure.

use super::{
    engine::Engine,
    given::Given,
    interval::Unsure,
    kind::Kind,
    note::{Caveat, Refusal},
    pool::FedPool,
    prices::Prices,
    replay::Assignment,
    scenario::{Ground, Scenario},
    term::{Term, TermBasis, TermKind},
};
use crate::{
    aggregate::Window,
    event::{BlockClass, Family, Sums},
    machine::{Pool, PriceList, RuntimePrices, Source, Way},
    quantity::{Estimate, Quantiles},
};

/// Blocks below which no saving is stated.
pub const MIN_BLOCKS: f64 = 200.0;
/// Where there are too few blocks to count, the answer is 0 if all of them together would cost less
/// than this share of the CPU at the price [`DEAR`].
const NEGLIGIBLE: f64 = 0.01;
/// A price of a block that hardly any block exceeds, ns: about ten times a usual one.
const DEAR: f64 = 20_000.0;

/// What each way of waiting would give back.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// Why there is no prediction; then there are no scenarios.
    pub refused: Option<Refusal>,
    /// The ways that the target could move to.
    pub offered: Vec<Way>,
    /// One for each offered way that this machine has a price for.
    pub scenarios: Vec<Scenario>,
    /// CPU of the target without the hooks, ns.
    pub cpu: f64,
    /// CPU that the hooks added, ns.
    pub hooks: f64,
    /// What the sleeps that remain were counted on.
    pub ground: Ground,
    /// Loops taken for the scenarios: as many CPUs as the target keeps busy.
    pub loops: u32,
    /// CPUs that the target may use: of a quota, the last one in part.
    pub allowed_cpus: u32,
    /// CPUs that the quotas of its cgroups leave to it; `None` where there are none.
    pub quota: Option<f64>,
    /// What a reader has to know with the figures.
    pub caveats: Vec<Caveat>,
    /// What the target paid, and where the calibrated prices come from; `None` where no price was
    /// needed.
    pub priced: Option<Priced>,
}

/// What a prediction was priced with.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// What the target paid for its blocks.
    pub prices: Prices,
    /// Where the prices of other ways of waiting come from.
    pub source: Source,
    /// What its runtime charges, where it has one.
    pub runtime: Option<RuntimePrices>,
}

impl Priced {
    fn new(prices: &Prices, calibration: &PriceList) -> Self {
        let (source, runtime) = (calibration.source.clone(), calibration.runtime.clone());
        Self { prices: prices.clone(), source, runtime }
    }
}

impl WhatIf {
    fn refuse(given: &Given<'_>, why: Option<Refusal>) -> Self {
        Self {
            refused: why,
            offered: given.offered(),
            scenarios: Vec::new(),
            cpu: given.cpu,
            hooks: given.hooks,
            ground: Ground::Histogram,
            loops: 1,
            allowed_cpus: given.allowed_cpus,
            quota: given.quota,
            caveats: caveats(given, None),
            priced: None,
        }
    }

    /// The answer, and the engine that prices the same scenarios on other numbers of loops.
    pub(crate) fn new(window: &Window, sums: &Sums, given: &Given<'_>) -> (Self, Option<Engine>) {
        let refuse = |why| (Self::refuse(given, Some(why)), None);
        if given.cpu < 1e6 {
            return refuse(Refusal::NoCpu);
        }
        let Some(prices) = &given.prices else { return refuse(Refusal::NoBlockPrice) };
        let blocks = prices.all().count;
        if blocks < MIN_BLOCKS && (given.fed || given.births.cpu / given.cpu < NEGLIGIBLE) {
            let handed = given.hand_overs.waits;
            let counts = handed * DEAR / given.cpu >= NEGLIGIBLE;
            // The workers of a busy pool always find work, so they hardly ever wait for it.
            if (counts || given.fed)
                && let Some(answer) = Self::for_fed_pool(given, sums)
            {
                return (answer, None);
            }
            if counts {
                return refuse(Refusal::HandsOver { waits: handed, blocks });
            }
            return (Self::for_few_blocks(given, sums, blocks), None);
        }
        let calibration = match given.calibration {
            Ok(calibration) if !calibration.steps.is_empty() => calibration,
            Ok(_) | Err(None) => return refuse(Refusal::NotCalibrated),
            Err(Some(why)) => return refuse(Refusal::CalibrationFailed { said: why.to_owned() }),
        };
        let engine = Engine::new(window, sums, given, prices.clone(), calibration.clone());
        let busy = given.cpu / 1e9 / given.seconds.max(1e-9);
        // A loop that is a little more than busy is two; measuring is not that exact.
        let loops = ((busy - 0.05).ceil() as u32).clamp(1, given.allowed_cpus.max(1));
        let offered = engine.offered();
        let scenarios: Vec<Scenario> =
            offered.iter().filter_map(|&way| engine.scenario(way, loops, Assignment::Fixed)).collect();
        if let Some(why) = more_than_there_is(&scenarios, engine.most() / given.cpu) {
            return refuse(why);
        }
        let answer = Self {
            refused: None,
            offered,
            scenarios,
            ground: engine.ground(),
            loops,
            caveats: caveats(given, Some(&engine)),
            priced: Some(Priced::new(prices, calibration)),
            ..Self::refuse(given, None)
        };
        (answer, Some(engine))
    }

    /// The answer for a pool whose IO an event loop waits for.
    fn for_fed_pool(given: &Given<'_>, sums: &Sums) -> Option<Self> {
        let scenarios = FedPool::new(given, sums)?.scenarios();
        if let Some(why) = more_than_there_is(&scenarios, 1.0) {
            return Some(Self::refuse(given, Some(why)));
        }
        let priced = Some(Priced::new(given.prices.as_ref()?, given.calibration.ok()?));
        let answer = Self { ground: Ground::OwnLoop, priced, ..Self::refuse(given, None) };
        let offered = scenarios.iter().map(|s| s.way).collect();
        (!scenarios.is_empty()).then_some(Self { scenarios, offered, ..answer })
    }

    /// The answer where too few blocks were seen to count a saving: 0 in every way if so few cannot
    /// matter, else a refusal.
    fn for_few_blocks(given: &Given<'_>, sums: &Sums, blocks: f64) -> Self {
        let bound = blocks * DEAR / given.cpu;
        if bound >= NEGLIGIBLE {
            let rate = (blocks / given.seconds.max(1e-9)).max(0.1);
            let seconds = (MIN_BLOCKS * 1.2 / rate).ceil();
            return Self::refuse(given, Some(Refusal::FewBlocks { blocks, seconds }));
        }
        let locks = given.locks * locks_that_hand_over(sums, blocks);
        let unsure = Unsure::from_bound(bound + locks / given.cpu);
        let kind = |way: Way| if way.is_native() { Kind::Sockets } else { Kind::Runtime };
        let busy = given.cpu / 1e9 / given.seconds.max(1e-9);
        let scenario = |way| {
            let saving = unsure.around(0.0, kind(way), 1.0);
            Scenario {
                way,
                loops: 1,
                assignment: Assignment::Fixed,
                saving,
                kind: kind(way),
                unsure,
                bounds: Estimate { low: -bound, value: 0.0, high: bound },
                doubts: Vec::new(),
                cpu_per_second: saving.scaled(busy),
                open: 0.0,
                full: saving,
                sleeps_per_block: 1.0,
                sleeps_per_second: blocks / given.seconds.max(1e-9),
                events_per_wait: 1.0,
                event_tax: None,
                times: Quantiles::default(),
                terms: vec![Term {
                    kind: TermKind::FewBlocks,
                    count: blocks,
                    each: 0.0,
                    ns: 0.0,
                    basis: TermBasis::NotEvenAt(DEAR),
                }],
            }
        };
        let answer = Self::refuse(given, None);
        Self { scenarios: answer.offered.iter().map(|&way| scenario(way)).collect(), ..answer }
    }

    /// The scenario that stands for waiting for readiness: of the ways of the target's language,
    /// the one that gives back most. The naive loop is left out: its extra attempts only cost.
    pub fn leading(&self) -> Option<&Scenario> {
        let speaks = |s: &&Scenario| !s.way.completes() && s.way.pool() == Pool::None && s.way != Way::Naive;
        let loops = self.scenarios.iter().filter(speaks);
        loops.max_by(|a, b| a.saving.value.total_cmp(&b.saving.value))
    }

    /// The scenario of one way; `None` where it has no price.
    pub fn scenario(&self, way: Way) -> Option<&Scenario> {
        self.scenarios.iter().find(|s| s.way == way)
    }
}

/// What goes is much the same in every way, so where one of them gives back more than the `most`
/// that there is, as a share of the target's CPU, none has a price that fits.
fn more_than_there_is(scenarios: &[Scenario], most: f64) -> Option<Refusal> {
    let saving = scenarios.iter().map(|s| s.saving.value).max_by(f64::total_cmp)?;
    (saving > most).then_some(Refusal::MoreThanThereIs { saving, most })
}

/// All that a reader has to know with the figures. Most of it is about scenarios that an engine has
/// replayed and priced; without an engine the target's drift and its quota are left.
fn caveats(given: &Given<'_>, engine: Option<&Engine>) -> Vec<Caveat> {
    let prices = engine.map(Engine::prices);
    let found = [
        prices.filter(|p| p.file.count > 0.0).map(|p| Caveat::FilesBlock(p.file.count)),
        given.drift.map(Caveat::Drifted),
        given.held_back.then_some(Caveat::HeldBack),
        engine.filter(|_| given.filled).map(|_| Caveat::HooksFilledCpu),
        engine.and_then(Engine::incredible_crowd),
        prices.filter(|p| p.covered < 0.95).map(|p| Caveat::NotCovered(1.0 - p.covered)),
        engine.filter(|_| given.offered().into_iter().any(Way::reads_into_large_buffer)).map(|_| Caveat::MappedBuffer),
    ];
    found.into_iter().flatten().collect()
}

/// The share of the waits for locks that can be hand-overs of what IO brought: at most one for each
/// wait for IO, for an event or for a connection. The others are the program's own, and no way of
/// waiting changes them.
fn locks_that_hand_over(sums: &Sums, blocks: f64) -> f64 {
    let of_family = |family: Family| -> f64 {
        let of_it = BlockClass::ALL.into_iter().filter(|class| class.family() == family);
        of_it.map(|class| sums.classes[class as usize].blocks as f64).sum()
    };
    let brought = blocks + of_family(Family::EventWait) + of_family(Family::Accept);
    (brought / of_family(Family::Lock).max(1.0)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_of_a_program_that_waits_for_nothing_else_are_its_own() {
        let mut sums = Sums::ZERO;
        sums.classes[BlockClass::Futex as usize].blocks = 1_000;
        assert_eq!(locks_that_hand_over(&sums, 0.0), 0.0);
        sums.classes[BlockClass::EventWait as usize].blocks = 100;
        assert_eq!(locks_that_hand_over(&sums, 0.0), 0.1);
        assert_eq!(locks_that_hand_over(&sums, 150.0), 0.25);
        assert_eq!(locks_that_hand_over(&sums, 5_000.0), 1.0);
        sums.classes[BlockClass::Accept as usize].blocks = 400;
        assert_eq!(locks_that_hand_over(&sums, 0.0), 0.5);
    }
}
