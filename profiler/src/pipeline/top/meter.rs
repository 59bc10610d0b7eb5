//! Figures of targets that only grow, for those who fetch them from time to time: measured on a
//! thread of its own, for as long as somebody may come.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, btree_map::Entry},
    sync::{Arc, Mutex},
};

use anyhow::Result;

use super::{
    Key, Roster, programs_of,
    stretch::{Looks, Stretch, measure_on},
};
use crate::{
    aggregate::{Loss, ThreadTotals, Window},
    answer::{By, Caught, EventLoop, Inputs, Metrics, Note, Stalls, Tally, Top, TopRow, Verdict},
    feed::Metered,
    pipeline::{
        background::{Background, Orders},
        facts,
        measurement::{Measurement, Progress, Request},
    },
    process::{self, Process, Target, Wanted},
    quantity::{Estimate, Figure, Nanos, Tgid, Tid},
};

/// How often the figures are renewed, where looking is cheap.
const EVERY: Nanos = Nanos::from_millis(5_000);
/// What is no counter is of at least so long a time, once so long has been measured, and of at most
/// twice that.
const SPAN: Nanos = Nanos::from_millis(15_000);
/// Programs that were started and have no room for their places have no cost, and all else: a
/// measurement that begins anew costs 3 s of CPU, which is too much for every minute.
const FOR_SITES: Nanos = Nanos::from_millis(600_000);
/// What is no counter is told for so long where there is nothing newer.
const STALE: Nanos = Nanos::from_millis(45_000);
/// Whether others have come under a name is asked at one look of so many.
const ASK_EVERY: u32 = 3;
/// A measurement begins anew where it holds so many stalls: beyond 20,000 they are only counted.
const MOST_STALLS: usize = 10_000;

/// What is gathered, and how much of it is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the request was made of: a measurement that begins anew has those who are there then.
    pub wanted: Wanted,
    /// What figures are told of.
    pub by: By,
    /// How many of these have figures of their own.
    pub most: usize,
    /// A measurement begins anew after so long: what it keeps grows with what has ended.
    pub renew: Nanos,
}

impl Plan {
    /// How long a measurement is unless there is a reason for another length.
    pub const RENEW: Nanos = Nanos::from_millis(3_600_000);
}

/// The processes that were measured at the last look.
pub(in crate::pipeline) type Measured = Arc<Mutex<Vec<Process>>>;

/// Targets whose figures are gathered.
pub struct Meter {
    latest: Arc<Mutex<Option<Arc<Metrics>>>>,
    measured: Measured,
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
        let measured = Measured::default();
        let (slot, theirs) = (Arc::clone(&latest), Arc::clone(&measured));
        let background = Background::begin(move |orders| {
            let wanted = plan.wanted.clone();
            measure_on(request, &wanted, orders, &mut Metering::new(plan, (slot, theirs), orders.clone()))
        })?;
        Ok(Self { latest, measured, background })
    }

    /// The processes that were measured at the last look.
    pub(in crate::pipeline) fn measured(&self) -> Measured {
        Arc::clone(&self.measured)
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
    /// What has been told of its event loops.
    loops: BTreeMap<(Tgid, Tid), EventLoop>,
    /// What has been counted of each target that is still there.
    tallies: BTreeMap<Key, Tally>,
    /// What was told last of each target that is no counter.
    told: BTreeMap<Key, Gauges>,
    /// When that was.
    told_at: Nanos,
    /// Processes that are wanted and were not measured when this was asked last, and those for
    /// whom a measurement began anew already.
    missing: BTreeSet<Tgid>,
    begun_for: BTreeSet<Tgid>,
    looks: u32,
    target: Option<Target>,
    measured: Measured,
    /// Threads that lived and had no row at the last look: they were on their way out.
    carried: HashSet<(Tgid, Tid)>,
    /// Stalls of this measurement that found no room.
    stalls_lost: u64,
    sums: Sums,
}

/// What is of a stretch of some length.
#[derive(Clone)]
struct Gauges {
    cost: Figure<f64, Note>,
    saving: Option<Estimate>,
    verdict: Option<Verdict>,
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
            self.lost = lost.iter().map(|(_, what)| (0, *what)).chain([(0, Loss::Stalls)]).collect();
        }
        for ((sum, _), (more, _)) in self.lost.iter_mut().zip(lost) {
            *sum += more;
        }
    }
}

impl Metering {
    fn new(plan: Plan, (latest, measured): (Arc<Mutex<Option<Arc<Metrics>>>>, Measured), orders: Orders) -> Self {
        Self {
            plan,
            latest,
            orders,
            roster: Roster::default(),
            stretch: Stretch::of(SPAN, FOR_SITES),
            counted: None,
            loops: BTreeMap::new(),
            tallies: BTreeMap::new(),
            told: BTreeMap::new(),
            told_at: Nanos::ZERO,
            missing: BTreeSet::new(),
            begun_for: BTreeSet::new(),
            looks: 0,
            target: None,
            measured,
            carried: HashSet::new(),
            stalls_lost: 0,
            sums: Sums::default(),
        }
    }

    /// Adds what came since the last look; whether anything was measured in that time.
    fn count(&mut self, window: &Window, inputs: &Inputs) -> bool {
        let mut base = window.clone();
        let newly = match self.counted.take() {
            Some(before) if before.measured == window.measured => {
                self.counted = Some(before);
                return false;
            }
            Some(before) => {
                base.threads.extend(self.on_their_way(&before, window));
                window.since(before)
            }
            None => window.clone(),
        };
        self.counted = Some(base);
        let scale = newly.end.saturating_sub(newly.start).ratio_to(newly.measured).max(1.0);
        self.sums.add(&newly, scale, inputs);
        self.roster.meet(&newly);
        let parts = newly.split(|tgid| self.roster.key(tgid, self.plan.by));
        for (key, part) in parts {
            self.tallies.entry(key).or_default().add(&part, scale);
        }
        true
    }

    /// Adds all that came since the last look; whether anything was measured in that time.
    fn add(&mut self, window: &Window, inputs: &Inputs, caught: Option<Caught>) -> bool {
        let is_new = self.count(window, inputs);
        if let Some(caught) = caught.filter(|_| is_new) {
            self.count_turns(caught, window, inputs);
        }
        is_new
    }

    /// Whether processes are there under a name that is wanted, and were not measured at this look
    /// and the last one.
    fn others_came(&mut self, window: &Window) -> bool {
        self.looks += 1;
        let asks = self.looks.is_multiple_of(ASK_EVERY) && window.quality.threads_lost == 0;
        if self.plan.wanted.is_everyone() || !self.plan.wanted.may_come() || !asks {
            return false;
        }
        let there: BTreeSet<Tgid> = window.threads.iter().map(|thread| thread.tgid).collect();
        let now = self.plan.wanted.now(&self.measured());
        let missing: BTreeSet<Tgid> = now.iter().flat_map(Target::tgids).filter(|tgid| !there.contains(tgid)).collect();
        let still: BTreeSet<Tgid> = missing.intersection(&self.missing).copied().collect();
        self.missing = missing;
        // Who could not be measured once will not be the next time.
        let is_new = !still.is_subset(&self.begun_for);
        self.begun_for.extend(still);
        is_new
    }

    fn keep_measured(&self, processes: Vec<Process>) {
        if let Ok(mut kept) = self.measured.lock() {
            *kept = processes;
        }
    }

    /// How many threads the processes of a row have: those that ended unseen are in the window.
    fn threads_of(&self, row: &TopRow) -> u64 {
        if self.target.as_ref().is_some_and(|target| target.threads_only.is_some()) {
            return row.threads;
        }
        let live = row.members.iter().filter(|member| self.roster.lives(member));
        live.filter_map(|member| process::thread_count(Tgid::from_raw(member.pid))).sum::<usize>() as u64
    }

    /// Those that lived and have no row: a thread that ends while it is looked at is in no list,
    /// and at the next look all that it ever did would be new.
    fn on_their_way(&mut self, before: &Window, now: &Window) -> Vec<ThreadTotals> {
        let who = |thread: &ThreadTotals| (thread.tgid, thread.tid);
        let there: HashSet<(Tgid, Tid)> = now.threads.iter().map(who).collect();
        let gone = before.threads.iter().filter(|thread| !thread.dead && !there.contains(&who(thread)));
        let gone: Vec<ThreadTotals> = gone.filter(|thread| !self.carried.contains(&who(thread))).cloned().collect();
        self.carried = gone.iter().map(who).collect();
        gone
    }

    /// Adds what event loops did since the last look.
    fn count_turns(&mut self, caught: Caught, window: &Window, inputs: &Inputs) {
        let lost = (window.quality.stalls_lost + caught.beyond.0).max(self.stalls_lost);
        let more = lost - self.stalls_lost;
        self.stalls_lost = lost;
        if let Some((sum, _)) = self.sums.lost.iter_mut().find(|(_, what)| *what == Loss::Stalls) {
            *sum += more;
        }
        for now in Stalls::new(caught, window, inputs).loops {
            let before = self.loops.get(&(now.tgid, now.tid));
            self.tallies.entry(self.roster.key(now.tgid, self.plan.by)).or_default().turns.add(&now, before);
            self.sums.whole.turns.add(&now, before);
            // A look may know less than the one before it: stalls come through a ring of their own.
            match self.loops.entry((now.tgid, now.tid)) {
                Entry::Occupied(mut known) => known.get_mut().raise(&now),
                Entry::Vacant(place) => drop(place.insert(now)),
            }
        }
    }

    /// Keeps what is of a long enough stretch, and has it told until there is another one: what is
    /// of the first moments of a measurement says little.
    fn settle(&mut self, keys: &[Key], top: &mut Top, end: Nanos) {
        if top.window.wall >= SPAN {
            self.told_at = end;
            let gauges =
                |row: &TopRow| Gauges { cost: row.cost.clone(), saving: row.saving, verdict: row.verdict.clone() };
            self.told = keys.iter().cloned().zip(top.rows.iter().map(gauges)).collect();
            return;
        }
        for (key, row) in keys.iter().zip(&mut top.rows) {
            let known = self.told.get(key).filter(|_| end.saturating_sub(self.told_at) < STALE).cloned();
            let none = || Gauges { cost: Figure::unavailable(Note::NotCounted), saving: None, verdict: None };
            let Gauges { cost, saving, verdict } = known.unwrap_or_else(none);
            (row.cost, row.saving, row.verdict) = (cost, saving, verdict);
        }
    }

    /// What those who ask are told from now on.
    fn publish(&mut self, keys: Vec<Key>, mut top: Top) {
        // The first moments of a measurement do not tell who has gone.
        if keys.is_empty() || top.window.wall >= SPAN {
            let there: BTreeSet<&Key> = keys.iter().collect();
            self.tallies.retain(|key, _| there.contains(key));
        }
        for row in &mut top.rows {
            row.threads = self.threads_of(row);
        }
        // Nobody knows what those were that have gone: they are in the sums alone.
        let known = |(key, _): &(Key, TopRow)| *key != Key::Gone;
        let mut rows: Vec<(Key, TopRow)> = keys.into_iter().zip(top.rows).filter(known).collect();
        rows.sort_by(|(_, a), (_, b)| b.by_cost(a));
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
        self.target = Some(target.clone());
        (self.missing, self.carried, self.stalls_lost) = (BTreeSet::new(), HashSet::new(), 0);
        self.keep_measured(target.processes.clone());
        (self.roster, self.stretch, self.counted) = (Roster::new(target), Stretch::of(SPAN, FOR_SITES), None);
        self.loops.clear();
    }

    fn end(&mut self, measured: Measurement) {
        let Measurement { window, inputs, caught, .. } = measured;
        self.add(&window, &inputs, caught);
    }

    fn measured(&self) -> Vec<Process> {
        self.roster.known.values().map(|known| known.process.clone()).collect()
    }

    fn await_others(&mut self) {
        self.told.clear();
        self.keep_measured(Vec::new());
        let last = self.latest.lock().ok().and_then(|latest| latest.clone());
        if let Some(last) = last {
            let Top { by, ref window, cpus, ref left_out, overhead, ref quality, .. } = last.top;
            let (window, left_out, quality) = (window.clone(), left_out.clone(), quality.clone());
            self.publish(Vec::new(), Top { by, rows: Vec::new(), window, cpus, left_out, overhead, quality });
        }
    }
}

impl Progress for Metering {
    fn snapshot_every(&self) -> Option<Nanos> {
        Some(EVERY)
    }

    fn snapshot(&mut self, so_far: Measurement) {
        let Measurement { window, inputs, caught, .. } = so_far;
        let caught_much = caught.as_ref().is_some_and(|caught| caught.stalls.len() > MOST_STALLS);
        let caught_much = caught_much && Stretch::may_renew(&window);
        let is_old = window.end.saturating_sub(window.start) > self.plan.renew;
        if caught_much || is_old || self.stretch.is_full(&window) || self.others_came(&window) {
            self.orders.renew();
        }
        let end = window.end;
        if self.add(&window, &inputs, caught) {
            let (shown, stretch) = self.stretch.look(window, &inputs);
            let (keys, mut top) = self.roster.keyed(shown, &stretch, self.plan.by);
            self.settle(&keys, &mut top, end);
            self.keep_measured(self.measured());
            self.publish(keys, top);
        }
    }
}
