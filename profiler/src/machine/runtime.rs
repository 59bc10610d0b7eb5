//! Prices of a runtime: what other ways of waiting cost a program that is not machine code. A
//! runtime often does many times as much for an event as the kernel.

use serde::{Deserialize, Serialize};

use super::{
    language::Language,
    modelled::{CPYTHON, CPYTHON_SLEEPS, JVM, JVM_SLEEPS, Ratio, SleepRatio, UNSURE, UNSURE_SLEEP},
    origin::Source,
    pace::slower,
    row::Step,
    way::Way,
};
use crate::quantity::Estimate;

/// What a program runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    pub language: Language,
    /// The numbers of its version, for example 3, 11, 2; none where that is not known.
    pub version: Vec<u32>,
    /// The ways of waiting that a program in it could take without being written in another
    /// language.
    pub ways: Vec<Way>,
}

impl Runtime {
    /// The numbers of a version as its maker writes it: 3.11.2, 21.0.5+11, 1.8.0_392.
    pub fn numbers(version: &str) -> Vec<u32> {
        version.split(['.', '+', '-', '_']).map_while(|part| part.parse().ok()).take(4).collect()
    }

    /// Whether a virtual thread that blocks inside `synchronized` keeps its carrier. Virtual
    /// threads are of JDK 21 (JEP 444); JDK 24 ended that (JEP 491).
    pub fn pins_carriers(&self) -> bool {
        self.language == Language::Jvm && matches!(self.version.first(), Some(21..24))
    }
}

/// What an event costs beyond a blocking read and write whose data is there, in the same runtime.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventCost {
    /// How it is waited for.
    pub way: Way,
    /// Events that a wait returns.
    pub events: u32,
    /// The program's own work for an event, ns.
    pub work: f64,
    /// CPU beyond the blocking form, ns.
    pub beyond: Estimate,
    /// What a time-out of each read adds, ns.
    pub timed: f64,
}

/// What an event costs for which a way of waiting sleeps, beyond a blocking read that sleeps too,
/// in the same runtime. Its threads may have to wake each other then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SleepCost {
    /// How it is waited for.
    pub way: Way,
    /// CPU beyond the blocking form, ns. It counts for the same whatever the program's own work for
    /// an event is: it was measured without.
    pub beyond: Estimate,
    /// What a time-out of each read adds, ns.
    pub timed: Estimate,
}

/// What an event costs beyond the blocking form in each of two cases, ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SleptFor {
    /// A way of waiting sleeps until it comes.
    pub slept: Estimate,
    /// It is there when the way looks: what the price of an event has already.
    pub awake: Estimate,
}

impl SleptFor {
    /// What the sleep adds to the event's price, ns.
    pub fn adds(&self) -> f64 {
        self.slept.value - self.awake.value
    }
}

/// The prices of a runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuntimePrices {
    /// The language, and the version that the prices are of.
    pub runtime: Runtime,
    /// By way, work and events.
    pub costs: Vec<EventCost>,
    /// By way. None in recordings of older versions.
    #[serde(default)]
    pub sleeps: Vec<SleepCost>,
    /// Where they come from.
    pub source: Source,
}

impl RuntimePrices {
    /// A price for each number of events that a wait returns, if the program does `work` ns for an
    /// event and a message has `timed` waits with a time-out.
    pub(super) fn at_work(&self, way: Way, work: f64, timed: f64) -> impl Iterator<Item = (u32, Estimate)> {
        let of_way: Vec<&EventCost> = self.costs.iter().filter(|c| c.way == way).collect();
        let mut events: Vec<u32> = of_way.iter().map(|c| c.events).collect();
        events.sort_unstable();
        events.dedup();
        let price = move |c: &EventCost| c.beyond.plus_exactly(c.timed * timed);
        events.into_iter().filter_map(move |events| {
            let mut points: Vec<&EventCost> = of_way.iter().copied().filter(|c| c.events == events).collect();
            points.sort_by(|a, b| a.work.total_cmp(&b.work));
            let (first, last) = (points.first()?, points.last()?);
            let cost = match points.iter().position(|c| c.work >= work) {
                None => price(last),
                Some(0) => price(first),
                Some(i) => {
                    let (a, b) = (points[i - 1], points[i]);
                    Estimate::between(price(a), price(b), (work - a.work) / (b.work - a.work))
                }
            };
            Some((events, cost))
        })
    }

    /// One event, slept for and not; see [`Self::at_work`].
    pub(super) fn slept_for(&self, way: Way, work: f64, timed: f64) -> Option<SleptFor> {
        let sleep = self.sleeps.iter().find(|sleep| sleep.way == way)?;
        let (_, awake) = self.at_work(way, work, timed).find(|&(events, _)| events == 1)?;
        Some(SleptFor { slept: sleep.beyond.plus(sleep.timed.scaled(timed)), awake })
    }

    /// The prices, which were measured at the pace `own`, at the pace of the list they are put
    /// into.
    pub fn at_pace(&self, own: f64, list: Option<f64>) -> Self {
        Self { source: self.source.clone(), ..self.scaled(slower(Some(own), list)) }
    }

    /// The prices multiplied by `by`, for another pace.
    pub(super) fn scaled(&self, by: f64) -> Self {
        let cost = |c: &EventCost| EventCost { beyond: c.beyond.scaled(by), timed: c.timed * by, ..*c };
        let sleep = |s: &SleepCost| SleepCost { beyond: s.beyond.scaled(by), timed: s.timed.scaled(by), ..*s };
        Self {
            runtime: self.runtime.clone(),
            costs: self.costs.iter().map(cost).collect(),
            sleeps: self.sleeps.iter().map(sleep).collect(),
            source: self.source.slower(by),
        }
    }

    /// Prices for a runtime that was not measured here. They come from another machine, as
    /// multiples of what a blocking read and write cost there whose data is there; the same cost on
    /// this machine turns them into ns. `None` for machine code.
    pub fn modelled(runtime: &Runtime, steps: &[Step], source: Source) -> Option<Self> {
        let (table, slept): (&[Ratio], &[SleepRatio]) = match runtime.language {
            Language::CPython => (&CPYTHON, &CPYTHON_SLEEPS),
            Language::Jvm => (&JVM, &JVM_SLEEPS),
            _ => return None,
        };
        let ready = steps.iter().find(|s| s.events == 1)?.ready.value;
        let is_offered = |way| runtime.ways.contains(&way);
        let priced = |times: f64, unsure: f64| {
            let value = times * ready;
            Estimate::with_half_width(value, unsure * value.abs().max(ready))
        };
        let costs = table.iter().filter(|row| is_offered(row.way)).map(|row| {
            let (beyond, timed) = (priced(row.times, UNSURE), row.timed * ready);
            EventCost { way: row.way, events: row.events, work: 0.0, beyond, timed }
        });
        let slept_for = |times| priced(times, UNSURE_SLEEP);
        let sleeps = slept.iter().filter(|row| is_offered(row.way));
        let sleeps =
            sleeps.map(|row| SleepCost { way: row.way, beyond: slept_for(row.times), timed: slept_for(row.timed) });
        let (costs, sleeps) = (costs.collect(), sleeps.collect());
        Some(Self { runtime: runtime.clone(), costs, sleeps, source })
    }

    /// Keeps the prices of the ways that this runtime offers. What is missing comes from `rest`.
    pub fn filled(mut self, runtime: &Runtime, rest: Option<Self>) -> Self {
        self.costs.retain(|c| runtime.ways.contains(&c.way));
        self.sleeps.retain(|s| runtime.ways.contains(&s.way));
        let known: Vec<Way> = self.costs.iter().map(|c| c.way).collect();
        let (costs, sleeps) = rest.map(|rest| (rest.costs, rest.sleeps)).unwrap_or_default();
        self.costs.extend(costs.into_iter().filter(|c| !known.contains(&c.way)));
        self.sleeps.extend(sleeps.into_iter().filter(|s| !known.contains(&s.way)));
        self.runtime = runtime.clone();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{At, PriceList};

    fn cost(way: Way, events: u32, work: f64, ns: f64) -> EventCost {
        EventCost { way, events, work, beyond: Estimate::exact(ns), timed: 300.0 }
    }

    fn sleep(way: Way, ns: f64) -> SleepCost {
        SleepCost { way, beyond: Estimate::exact(ns), timed: Estimate::with_half_width(400.0, 80.0) }
    }

    fn python(ways: &[Way]) -> Runtime {
        Runtime { language: Language::CPython, version: vec![3, 11, 2], ways: ways.to_vec() }
    }

    fn list(costs: Vec<EventCost>) -> PriceList {
        let runtime = python(&[Way::Streams, Way::Uvloop]);
        let prices = RuntimePrices { runtime, costs, sleeps: Vec::new(), source: Source::default() };
        PriceList { runtime: Some(prices), ..PriceList::default() }
    }

    #[test]
    fn a_price_depends_on_events_work_and_time_outs() {
        let all = [(1, 0.0, 8_000.0), (64, 0.0, 4_000.0), (1, 30e3, 9_000.0), (64, 30e3, 6_000.0)];
        let list = list(all.iter().map(|&(events, work, ns)| cost(Way::Streams, events, work, ns)).collect());
        let tax = |events, work, timed| list.tax(Way::Streams, At { events, work, timed }).unwrap().value;
        assert_eq!((tax(1.0, 0.0, 0.0), tax(8.0, 0.0, 0.0), tax(900.0, 0.0, 0.0)), (8_000.0, 6_000.0, 4_000.0));
        assert_eq!((tax(64.0, 15e3, 0.0), tax(64.0, 90e3, 0.0)), (5_000.0, 6_000.0), "no further than measured");
        assert_eq!(tax(1.0, 0.0, 0.5), 8_150.0);
        assert_eq!(list.tax(Way::Naive, At::events(1.0)), None, "it is no way of this language");
        assert_eq!(list.offered(), [Way::Streams]);
    }

    #[test]
    fn what_was_measured_leads_and_the_table_fills_in() {
        let both = python(&[Way::Streams, Way::Uvloop]);
        let measured = RuntimePrices {
            runtime: python(&[]),
            costs: vec![cost(Way::Streams, 1, 0.0, 8_000.0), cost(Way::Gevent, 1, 0.0, 1.0)],
            sleeps: vec![sleep(Way::Streams, 9_000.0), sleep(Way::Gevent, 1.0)],
            source: Source::default(),
        };
        let table = RuntimePrices {
            runtime: both.clone(),
            costs: vec![cost(Way::Streams, 1, 0.0, 5.0), cost(Way::Uvloop, 1, 0.0, 7.0)],
            sleeps: vec![sleep(Way::Streams, 5.0), sleep(Way::Uvloop, 7.0)],
            source: Source::default(),
        };
        let filled = measured.filled(&both, Some(table));
        let ways: Vec<_> = filled.costs.iter().map(|c| (c.way, c.beyond.value)).collect();
        assert_eq!(ways, [(Way::Streams, 8_000.0), (Way::Uvloop, 7.0)]);
        let sleeps =
            [Way::Streams, Way::Uvloop, Way::Gevent].map(|way| filled.slept_for(way, 0.0, 0.5).map(|s| s.adds()));
        assert_eq!(sleeps, [Some(9_200.0 - 8_150.0), Some(207.0 - 157.0), None]);
        let slower = filled.scaled(2.0).slept_for(Way::Streams, 0.0, 0.5).unwrap();
        assert_eq!((slower.slept.value, slower.slept.half_width()), (18_400.0, 80.0));
    }
}
