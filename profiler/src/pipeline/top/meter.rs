//! Figures of targets that only grow, for those who fetch them from time to time: measured on a
//! thread of its own, for as long as somebody may come.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anyhow::Result;

use super::{
    Key, Roster, programs_of,
    stretch::{Looks, Stretch, is_full, measure_on},
};
use crate::{
    aggregate::{Loss, Window},
    answer::{By, Inputs, Metrics, Tally, Top, TopRow},
    feed::Metered,
    pipeline::{
        background::{Background, Orders},
        facts,
        measurement::{Measurement, Progress, Request},
    },
    process::{Target, TargetSpec},
    quantity::Nanos,
};

/// How often the figures are renewed, where looking is cheap.
const EVERY: Nanos = Nanos::from_millis(5_000);
/// What is no counter is of at least so long a time, once so long has been measured, and of at most
/// twice that.
const SPAN: Nanos = Nanos::from_millis(15_000);
/// A measurement begins anew after so long: what it keeps grows with what has ended.
const LONGEST: Nanos = Nanos::from_millis(3_600_000);

/// What is gathered, and how much of it is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the request was made of: a measurement that begins anew has those who are there then.
    pub spec: TargetSpec,
    /// What figures are told of.
    pub by: By,
    /// How many of these have figures of their own.
    pub most: usize,
}

/// Targets whose figures are gathered.
pub struct Meter {
    latest: Arc<Mutex<Option<Arc<Metrics>>>>,
    background: Background,
}

impl Meter {
    /// Starts to measure.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(request: Request, plan: Plan) -> Result<Self> {
        let request = Request { snapshots: true, duration: None, ..request };
        let latest = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&latest);
        let background = Background::begin(move |orders| {
            let spec = plan.spec.clone();
            measure_on(request, &spec, orders, &mut Metering::new(plan, slot, orders.clone()))
        })?;
        Ok(Self { latest, background })
    }

    /// Ends the measurement.
    ///
    /// # Errors
    /// What was wrong with the measurement: see [`crate::pipeline::measure`].
    pub fn end(self) -> Result<()> {
        self.background.end()
    }
}

impl Metered for Meter {
    fn latest(&self) -> Option<Arc<Metrics>> {
        self.latest.lock().ok()?.clone()
    }

    fn is_over(&self) -> bool {
        self.background.is_over()
    }
}

/// What the measuring thread holds.
struct Metering {
    plan: Plan,
    latest: Arc<Mutex<Option<Arc<Metrics>>>>,
    orders: Orders,
    roster: Roster,
    stretch: Stretch,
    /// What has been counted of the measurement under way.
    counted: Option<Window>,
    /// What has been counted of each target that is still there.
    tallies: BTreeMap<Key, Tally>,
    sums: Sums,
}

/// What was counted of all targets together.
#[derive(Clone, Default)]
struct Sums {
    whole: Tally,
    lost: Vec<(u64, Loss)>,
    wall: Nanos,
    measured: Nanos,
    programs: Option<Nanos>,
}

impl Sums {
    fn add(&mut self, window: &Window, scale: f64, inputs: &Inputs) {
        self.whole.add(window, scale);
        self.wall += window.end.saturating_sub(window.start);
        self.measured += window.measured;
        if let Some(programs) = programs_of(&window.sums(), inputs) {
            *self.programs.get_or_insert_default() += programs;
        }
        let lost = window.quality.losses();
        if self.lost.is_empty() {
            self.lost = lost.iter().map(|(_, what)| (0, *what)).collect();
        }
        for ((sum, _), (more, _)) in self.lost.iter_mut().zip(lost) {
            *sum += more;
        }
    }
}

impl Metering {
    fn new(plan: Plan, latest: Arc<Mutex<Option<Arc<Metrics>>>>, orders: Orders) -> Self {
        Self {
            plan,
            latest,
            orders,
            roster: Roster::default(),
            stretch: Stretch::of(SPAN),
            counted: None,
            tallies: BTreeMap::new(),
            sums: Sums::default(),
        }
    }

    /// Adds what came since the last look; whether anything was measured in that time.
    fn count(&mut self, window: &Window, inputs: &Inputs) -> bool {
        let newly = match self.counted.take() {
            Some(before) if before.measured == window.measured => {
                self.counted = Some(before);
                return false;
            }
            Some(before) => window.since(before),
            None => window.clone(),
        };
        self.counted = Some(window.clone());
        let scale = newly.end.saturating_sub(newly.start).ratio_to(newly.measured).max(1.0);
        self.sums.add(&newly, scale, inputs);
        self.roster.meet(&newly);
        let parts = newly.split(|tgid| self.roster.key(tgid, self.plan.by));
        for (key, part) in parts {
            self.tallies.entry(key).or_default().add(&part, scale);
        }
        true
    }

    /// What those who ask are told from now on.
    fn publish(&mut self, keys: Vec<Key>, top: Top) {
        self.tallies.retain(|key, _| keys.contains(key));
        // Nobody knows what those were that have gone: they are in the sums alone.
        let known = |(key, _): &(Key, TopRow)| *key != Key::Gone;
        let rows: Vec<(Key, TopRow)> = keys.into_iter().zip(top.rows).filter(known).collect();
        let targets = rows.len() as u64;
        let told = rows.into_iter().take(self.plan.most).map(|(key, row)| {
            let tally = self.tallies.get(&key).cloned().unwrap_or_default();
            (row, tally)
        });
        let (rows, tallies) = told.unzip();
        let Sums { whole, lost, wall, measured, programs } = self.sums.clone();
        let metrics = Metrics {
            top: Top { rows, ..top },
            tallies,
            whole,
            targets,
            lost,
            wall,
            measured,
            programs,
            own_cpu: facts::own_cpu(),
        };
        if let Ok(mut latest) = self.latest.lock() {
            *latest = Some(Arc::new(metrics));
        }
    }
}

impl Looks for Metering {
    fn begin(&mut self, target: &Target) {
        (self.roster, self.stretch, self.counted) = (Roster::new(target), Stretch::of(SPAN), None);
    }

    fn await_others(&mut self) -> bool {
        let last = self.latest.lock().ok().and_then(|latest| latest.clone());
        if let Some(last) = last {
            self.publish(Vec::new(), Top { rows: Vec::new(), ..last.top.clone() });
        }
        // A PID that comes again is a stranger's.
        !self.plan.spec.names.is_empty()
    }
}

impl Progress for Metering {
    fn tick(&mut self, _elapsed: Nanos, _duration: Option<Nanos>) {}

    fn snapshot_every(&self) -> Option<Nanos> {
        Some(EVERY)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let Measurement { window, inputs, .. } = so_far;
        if is_full(&window) || window.end.saturating_sub(window.start) > LONGEST {
            self.orders.renew();
        }
        if self.count(&window, &inputs) {
            let (shown, stretch) = self.stretch.look(window, &inputs);
            let (keys, top) = self.roster.keyed(shown, &stretch, self.plan.by);
            self.publish(keys, top);
        }
    }
}
