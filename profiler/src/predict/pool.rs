//! The prediction for a fed pool: an event loop waits for all IO and hands what is ready to a pool
//! of threads. It says what would come back if the loop served requests itself.
//!
//! For machine code that is what the hand-overs cost in the target today; the loop waits as before.
//! For a runtime it is the calibrated price of a message with a pool, less that of a message in the
//! other way. There a queue costs time in the runtime's own code, and no system call shows that.

use super::{
    doubt::{Assumption, Doubt},
    given::Given,
    interval::Found,
    kind::Kind,
    replay::Assignment,
    scenario::{Scenario, Waits},
    sum::{UNSURE_HAND_OVER, UNTOLD_HAND_OVER},
    term::{Term, TermBasis, TermKind},
};
use crate::{
    event::Sums,
    machine::{At, PriceList, Way},
    quantity::Estimate,
};

/// Messages below which no saving is stated.
const MIN_MESSAGES: f64 = 200.0;

/// A program whose event loop hands ready IO to a pool.
pub(super) struct FedPool<'a> {
    given: &'a Given<'a>,
    calibration: &'a PriceList,
    /// Messages that the target reads and answers.
    messages: f64,
    at: At,
}

impl<'a> FedPool<'a> {
    /// `None` where nothing is calibrated, and where too few messages or no loop were seen.
    pub(super) fn new(given: &'a Given<'a>, sums: &Sums) -> Option<Self> {
        let (calibration, prices) = (given.calibration.ok()?, given.prices.as_ref()?);
        let (messages, waits) = (prices.messages, sums.event_calls as f64);
        let at = At {
            events: (messages / waits.max(1.0)).max(1.0),
            work: (given.cpu / messages.max(1.0)).max(0.0),
            timed: prices.waiting_calls.count / messages.max(1.0),
        };
        (messages >= MIN_MESSAGES && waits >= 1.0).then_some(Self { given, calibration, messages, at })
    }

    /// One scenario for each way that serves requests in the loop.
    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        self.given.offered_to_fed().into_iter().filter_map(|way| self.scenario(way)).collect()
    }

    fn scenario(&self, way: Way) -> Option<Scenario> {
        let given = self.given;
        let tax = self.calibration.tax(way, self.at)?;
        let (terms, half, doubts) = match self.calibration.runtime {
            Some(_) => self.in_its_runtime(way, tax)?,
            None => self.in_machine_code(way, tax)?,
        };
        let kind = if self.calibration.runtime.is_some() { Kind::Runtime } else { Kind::Pools };
        let half = half.hypot(given.unsteady * terms.iter().map(|term| term.ns).sum::<f64>());
        let found = Found::new(kind, given.cpu, terms, half / given.cpu, doubts, 1.0);
        // Its own loop stays, and sleeps as it does.
        let waits =
            Waits { blocks: 0.0, sleeps_per_block: 0.0, events_per_wait: self.at.events, event_tax: Some(tax.value) };
        Some(Scenario::new((way, 1, Assignment::Fixed), found, &waits, (given.cpu, given.seconds)))
    }

    fn in_its_runtime(&self, way: Way, tax: Estimate) -> Option<(Vec<Term>, f64, Vec<Doubt>)> {
        let today = self.calibration.tax(Way::Pooled, self.at)?;
        let waits = |way| TermBasis::Waits(self.at.events, way);
        let goes = Term::gain(TermKind::PoolGoes, self.messages, today.value, waits(Way::Pooled));
        let comes = Term::loss(TermKind::EventsWaited, self.messages, tax.value, waits(way));
        let half = self.messages * today.half_width().hypot(tax.half_width());
        // What the pool costs in the kernel is the least that it costs.
        let lean =
            Doubt { assumption: Assumption::PoolIsLean, change: -(goes.ns - self.given.hand_overs.cpu).max(0.0) };
        Some((vec![goes, comes], half, vec![lean]))
    }

    fn in_machine_code(&self, way: Way, tax: Estimate) -> Option<(Vec<Term>, f64, Vec<Doubt>)> {
        let hand_overs = self.given.hand_overs;
        let each = hand_overs.cpu / hand_overs.waits.max(1.0);
        let goes = Term::gain(TermKind::HandOversGo, hand_overs.waits, each, TermBasis::InPlace);
        let today = self.calibration.tax(Way::Level, self.at)?;
        let basis = TermBasis::Waits(self.at.events, way);
        let other = Term::loss(TermKind::EventsWaited, self.messages, tax.value - today.value, basis);
        let half = (goes.ns * UNSURE_HAND_OVER).hypot(self.messages * tax.half_width());
        let untold = Doubt { assumption: Assumption::QueuesCostMore, change: goes.ns * UNTOLD_HAND_OVER };
        let all = if self.given.bound { -(goes.ns + other.ns).max(0.0) } else { 0.0 };
        let taken = Doubt { assumption: Assumption::RuntimeTakesIt, change: all };
        let doubts = [untold, taken].into_iter().filter(|d| d.change != 0.0).collect();
        let terms = [goes, other].into_iter().filter(|t| t.ns != 0.0).collect();
        Some((terms, half, doubts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::Clients,
        cost::{Births, HandOvers},
        machine::{EventCost, Language, Runtime, RuntimePrices, Step},
    };

    /// 1,000 messages in 100 ms of CPU; its waits for work take 5 ms of that in the kernel.
    fn given(calibration: &PriceList, bound: bool) -> Given<'_> {
        static NO_CLIENTS: std::sync::LazyLock<Clients> = std::sync::LazyLock::new(Clients::default);
        Given {
            clients: &NO_CLIENTS,
            prices: None,
            hand_overs: HandOvers { waits: 500.0, cpu: 5e6 },
            births: Births::default(),
            locks: 5e6,
            fed: true,
            bound,
            calibration: Ok(calibration),
            cpu: 100e6,
            hooks: 0.0,
            direct_interval: None,
            unsteady: 0.0,
            drift: None,
            filled: false,
            indirect: None,
            by_counters: false,
            seconds: 1.0,
            allowed_cpus: 1,
            quota: None,
            held_back: false,
        }
    }

    fn savings(calibration: &PriceList, bound: bool) -> Vec<(Way, f64, Vec<Doubt>)> {
        let given = given(calibration, bound);
        let at = At { events: 4.0, work: 100e3, timed: 0.0 };
        let pool = FedPool { given: &given, calibration, messages: 1_000.0, at };
        pool.scenarios().into_iter().map(|s| (s.way, s.saving.value, s.doubts)).collect()
    }

    fn machine() -> PriceList {
        let sure = Estimate::exact;
        let step = Step {
            events: 1,
            ready: sure(2_000.0),
            level: sure(2_400.0),
            again: sure(2_600.0),
            runtime: Some(sure(3_600.0)),
            uring: None,
        };
        PriceList { steps: vec![step], ..PriceList::default() }
    }

    #[test]
    fn in_machine_code_a_pool_gives_back_what_is_seen_of_it_and_the_loop_waits_as_today() {
        let found = savings(&machine(), false);
        let saving = |way| found.iter().find(|(w, ..)| *w == way).map(|(_, value, _)| *value).unwrap();
        assert!((saving(Way::Level) - 0.05).abs() < 1e-9, "{found:?}");
        // 200 ns more for each message, and 1,200.
        assert!((saving(Way::Naive) - 0.048).abs() < 1e-9, "{found:?}");
        assert!((saving(Way::Runtime) - 0.038).abs() < 1e-9, "{found:?}");
        assert!(found.iter().all(|(way, ..)| *way != Way::Pooled && way.depth().is_none()));
        let doubts = |all: &[(Way, f64, Vec<Doubt>)]| all[0].2.iter().map(|d| d.assumption).collect::<Vec<_>>();
        assert_eq!(doubts(&found), [Assumption::QueuesCostMore]);
        assert_eq!(doubts(&savings(&machine(), true)), [Assumption::QueuesCostMore, Assumption::RuntimeTakesIt]);
    }

    #[test]
    fn in_a_runtime_it_gives_back_what_its_forms_differ_by_and_perhaps_no_more_than_is_seen() {
        let cost = |way, ns| EventCost { way, events: 4, work: 0.0, beyond: Estimate::exact(ns), timed: 0.0 };
        let costs = vec![cost(Way::Pooled, 14_000.0), cost(Way::Gevent, 6_000.0)];
        let runtime = Runtime { language: Language::CPython, version: vec![3, 11], ways: Vec::new() };
        let prices = RuntimePrices { runtime, costs, sleeps: Vec::new(), source: String::new().into() };
        let found = savings(&PriceList { runtime: Some(prices), ..machine() }, false);
        let [(Way::Gevent, value, doubts)] = &found[..] else { panic!("{found:?}") };
        assert!((value - 0.08).abs() < 1e-9, "{value}");
        // 14 ms are taken off, where 5 are seen.
        assert!((doubts[0].change + 0.09).abs() < 1e-9 && doubts[0].assumption == Assumption::PoolIsLean, "{doubts:?}");
    }

    #[test]
    fn in_a_jvm_a_pool_may_become_a_virtual_thread_for_each_task_and_not_for_each_connection() {
        let cost = |way, ns| EventCost { way, events: 4, work: 0.0, beyond: Estimate::exact(ns), timed: 0.0 };
        let costs = vec![cost(Way::Pooled, 5_000.0), cost(Way::Tasks, 9_000.0), cost(Way::Virtual, 1_000.0)];
        let runtime = Runtime { language: Language::Jvm, version: vec![21], ways: Vec::new() };
        let prices = RuntimePrices { runtime, costs, sleeps: Vec::new(), source: String::new().into() };
        let found = savings(&PriceList { runtime: Some(prices), ..machine() }, false);
        let [(Way::Tasks, value, _)] = &found[..] else { panic!("{found:?}") };
        assert!((value + 0.04).abs() < 1e-9, "{value}");
    }
}
