//! calibrate/runtime: what an event costs in each form that a language offers, measured on the very
//! interpreter that a target runs in.
//!
//! The interpreter runs a small server of ours as a child. This process is its only client, on the
//! same CPU and of a higher rank, so that the child answers when this process waits, and all
//! messages of a batch are there when it looks. What differs between two forms is then what an
//! event costs, at a known number of events for each wait. The CPU is the child's own clock.
//!
//! A rank above others needs a right; without it the child gets the idle policy. That is as good
//! for one thread, and not for a JVM's, among which it changes who preempts whom: the time-outs of
//! virtual threads cost a third of what they do otherwise (3.0 µs each, JDK 25).

mod child;
mod confine;
mod error;
mod kept;
mod program;
mod run;

use std::time::{Duration, Instant};

pub use error::RuntimeError;
pub use kept::RuntimeCalibration;
pub use program::{Place, Program, User};

use self::{child::Child, run::Run};
use super::rig::{clock, host, pace::Pacer};
use crate::{
    machine::{EventCost, Language, Runtime, SleepCost, Way},
    quantity::Estimate,
};

/// Events that a wait returns: one connection with something to read, and more.
const EVENTS: [u32; 3] = [1, 8, 64];
/// The program's own work for an event, ns.
const WORK: [f64; 3] = [0.0, 30e3, 100e3];
/// Messages of a run with and without work, and batches at least. Many short runs are worth more
/// than few long ones: what disturbs one is a small part of them then, and the median leaves it
/// out.
const MESSAGES: u32 = 256;
const WORKING_MESSAGES: u32 = 96;
const FEWEST_BATCHES: u32 = 6;
/// Every form is run at least so often, and no more than so often.
const LEAST: usize = 3;
const MOST: usize = 40;
/// Rounds of the work from which its pace is taken.
const TRIED: u32 = 1_000;
const TRIED_COMPILED: u32 = 50_000;

/// The name of the form that is compared with, in the child's own list.
const BLOCKING: &str = "blocking";

/// A run: so many events for each wait, with so much work for each, with or without a time-out, and
/// with or without a sleep before each wait is over.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    events: u32,
    work: f64,
    timed: bool,
    asleep: bool,
}

impl Cell {
    const fn awake(events: u32, work: f64, timed: bool) -> Self {
        Self { events, work, timed, asleep: false }
    }

    /// One event, for which it sleeps.
    const fn asleep(timed: bool) -> Self {
        Self { asleep: true, ..Self::awake(1, 0.0, timed) }
    }

    /// All that are run, the cheap ones first. A time-out costs as much whatever the work is.
    fn all() -> impl Iterator<Item = Self> {
        let row = |work, timed| EVENTS.map(|events| Self::awake(events, work, timed));
        let without = row(0.0, false).into_iter().chain(row(0.0, true));
        let asleep = [false, true].map(Self::asleep);
        let works = WORK.into_iter().filter(|&work| work > 0.0);
        without.chain(asleep).chain(works.flat_map(move |work| row(work, false)))
    }

    fn batches(self) -> u32 {
        let messages = if self.work > 0.0 { WORKING_MESSAGES } else { MESSAGES };
        (messages / self.events).max(FEWEST_BATCHES)
    }
}

/// Measures a runtime, within about `budget`.
///
/// # Errors
/// The interpreter cannot be started, is none that is known here, hangs, or gives an answer that
/// makes no sense.
pub fn measure(program: &Program, budget: Duration) -> Result<RuntimeCalibration, RuntimeError> {
    std::thread::scope(|scope| {
        // Namespaces, CPU and policy are this thread's own, and end with it.
        let rig = std::thread::Builder::new().name("sia-runtime".into());
        let thread = rig.spawn_scoped(scope, || measured(program, budget));
        let thread = thread.map_err(RuntimeError::system("starting a thread"))?;
        thread.join().unwrap_or(Err(RuntimeError::Said("the thread that measured it panicked".into())))
    })
}

fn measured(program: &Program, budget: Duration) -> Result<RuntimeCalibration, RuntimeError> {
    let begun = Instant::now();
    let before = host::Usage::so_far();
    let cpu = clock::allowed().ok().and_then(|cpus| cpus.last().copied()).unwrap_or(0);
    clock::pin(&[cpu]).map_err(RuntimeError::system("staying on one CPU"))?;
    let most = EVENTS.iter().copied().max().unwrap_or(1);
    let mut child = Child::start(program, most as usize, budget * 2)?;
    let ways = child.ways();
    warm_up(&mut child, &ways, program.language)?;
    let round = round(&mut child, program.language)?;
    let mut pacer = Pacer::new();
    let mut runs = Runs::default();
    'enough: for done in 0..MOST {
        for cell in Cell::all() {
            if done >= LEAST && begun.elapsed() >= budget {
                break 'enough;
            }
            runs.take(&mut child, &ways, (cell, round), &mut pacer)?;
        }
    }
    let child_cpu = child.cpu()?;
    child.end();
    let runtime = Runtime { language: program.language, version: Runtime::numbers(child.version()), ways };
    let (costs, sleeps) = (runs.costs(&runtime.ways), runs.sleeps(&runtime.ways));
    let others = before.others_but(child_cpu);
    let kept = RuntimeCalibration::new(program.build_id.clone(), runtime, pacer.base(), others);
    Ok(RuntimeCalibration { costs, sleeps, ..kept })
}

/// Runs all forms until a just-in-time compiler has compiled them.
fn warm_up(child: &mut Child, ways: &[Way], language: Language) -> Result<(), RuntimeError> {
    if language != Language::Jvm {
        return Ok(());
    }
    for (connections, batches, asleep) in [(64, 200, false), (1, 400, true)] {
        for form in [BLOCKING].into_iter().chain(ways.iter().map(|way| way.name())) {
            for timed in [false, true] {
                child.run(&Run { form, connections, rounds: TRIED, batches, timed, asleep })?;
            }
        }
    }
    Ok(())
}

/// What a round of the work takes, ns.
fn round(child: &mut Child, language: Language) -> Result<f64, RuntimeError> {
    let tried = if language == Language::Jvm { TRIED_COMPILED } else { TRIED };
    let with = |rounds| Run { form: BLOCKING, connections: 1, rounds, batches: 60, timed: false, asleep: false };
    let (none, some) = (child.run(&with(0))?, child.run(&with(tried))?);
    Ok(((some - none) / f64::from(tried)).max(0.1))
}

/// CPU for a message beyond the blocking form, ns, by form and cell, from each time that it ran.
#[derive(Default)]
struct Runs(Vec<(Way, Cell, Vec<f64>)>);

impl Runs {
    /// Runs all forms of a cell, one after the other. A round of the work takes `round` ns.
    fn take(
        &mut self,
        child: &mut Child,
        ways: &[Way],
        (cell, round): (Cell, f64),
        pacer: &mut Pacer,
    ) -> Result<(), RuntimeError> {
        let rounds = (cell.work / round).round() as u32;
        let Cell { events: connections, asleep, .. } = cell;
        let mut run =
            |form, timed| child.run(&Run { form, connections, rounds, batches: cell.batches(), timed, asleep });
        // The pace of the machine changes meanwhile: each form is held against the blocking runs
        // before and after it, and stands between two yardsticks.
        let mut before = run(BLOCKING, false)?;
        pacer.mark();
        for &way in ways {
            let own = run(way.name(), cell.timed)?;
            let after = run(BLOCKING, false)?;
            let beyond = pacer.steady(own - f64::midpoint(before, after));
            before = after;
            match self.0.iter_mut().find(|(w, c, _)| (*w, *c) == (way, cell)) {
                Some((.., all)) => all.push(beyond),
                None => self.0.push((way, cell, vec![beyond])),
            }
        }
        Ok(())
    }

    fn beyond(&self, way: Way, cell: Cell) -> Option<Estimate> {
        let (.., all) = self.0.iter().find(|(w, c, _)| (*w, *c) == (way, cell))?;
        Estimate::median_of(all)
    }

    fn costs(&self, ways: &[Way]) -> Vec<EventCost> {
        let cells = || Cell::all().filter(|cell| !cell.timed && !cell.asleep);
        let costs_of = |way: Way| {
            cells().filter_map(move |cell| {
                let timed = self.beyond(way, Cell::awake(cell.events, 0.0, true));
                let plain = self.beyond(way, Cell::awake(cell.events, 0.0, false));
                let more = timed.zip(plain).map_or(0.0, |(timed, plain)| timed.value - plain.value);
                let beyond = with_work(plain?, self.beyond(way, cell)?);
                Some(EventCost { way, events: cell.events, work: cell.work, beyond, timed: more.max(0.0) })
            })
        };
        ways.iter().flat_map(|&way| costs_of(way)).collect()
    }

    fn sleeps(&self, ways: &[Way]) -> Vec<SleepCost> {
        let sleep_of = |&way: &Way| {
            let beyond = self.beyond(way, Cell::asleep(false))?;
            Some(SleepCost { way, beyond, timed: self.beyond(way, Cell::asleep(true))?.beyond(beyond) })
        };
        ways.iter().filter_map(sleep_of).collect()
    }
}

/// A price with work, beside that without: work changes it only where it is seen to.
fn with_work(none: Estimate, some: Estimate) -> Estimate {
    let half = none.half_width().hypot(some.half_width());
    if (some.value - none.value).abs() > half {
        return some;
    }
    Estimate::with_half_width(none.value, some.half_width().max(none.half_width()))
}
