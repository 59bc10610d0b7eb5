//! Prices of this machine for the model: from the cache, or measured now.

use std::{
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    calibrate::{
        self, Essentials, Medium,
        full::{DiskRow, FileInterface, Full},
    },
    model::{BlockClass, BlockCost, Calibration, Cost, Crowd, DirectRead, FileCost, ReadCost, Step},
};

/// Where others used more of the CPUs while prices were taken, the line with the prices says so.
const CROWDED: f64 = 0.25;
/// How long the end of a screen waits for prices, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(10);

/// The cached calibration of this machine and kernel, or else the essentials, measured on the spot.
pub(super) fn of_this_machine() -> Option<Calibration> {
    if let Some(cached) = calibrate::cached() {
        let age = since(cached.essentials.taken_at);
        let source = format!("from `calibrate` of this machine and kernel, {age} old");
        return Some(of(&cached.essentials, cached.full.as_ref(), source));
    }
    match calibrate::measure() {
        Ok(measured) => {
            Some(of(&measured, None, "measured right after the target; `calibrate` measures them better".into()))
        }
        Err(error) => {
            log::warn!("no calibration: {error}");
            None
        }
    }
}

/// Prices that may still be on their way: a screen does not wait for them.
#[derive(Default)]
pub(super) struct Pricing {
    known: Option<Calibration>,
    coming: Option<JoinHandle<Option<Calibration>>>,
}

impl Pricing {
    /// Prices are wanted: from the cache at once, or else measured on a thread of their own.
    pub(super) fn begin() -> Self {
        if calibrate::cached().is_some() {
            return Self { known: of_this_machine(), coming: None };
        }
        let coming = std::thread::Builder::new().name("sia-prices".into()).spawn(of_this_machine);
        Self { known: None, coming: coming.inspect_err(|error| log::warn!("no calibration: {error}")).ok() }
    }

    /// What is known by now.
    pub(super) fn known(&mut self) -> Option<Calibration> {
        if let Some(done) = self.coming.take_if(|thread| thread.is_finished()) {
            self.known = done.join().unwrap_or_default();
        }
        self.known.clone()
    }

    /// What will be known soon: whoever quits a screen is not kept for as long as a busy machine may take.
    pub(super) fn wait(&mut self) -> Option<Calibration> {
        let begun = Instant::now();
        while self.coming.as_ref().is_some_and(|thread| !thread.is_finished()) && begun.elapsed() < PATIENCE {
            std::thread::sleep(GLANCE);
        }
        self.known()
    }
}

/// The interval of the median, from the spread of the repeats: its standard error is 1.25 times that of the mean, and a 90 %
/// interval of a normal distribution is 3.29 standard deviations wide.
fn cost(cost: calibrate::Cost) -> Cost {
    let half = (0.625 * (cost.high - cost.low) / f64::from(cost.repeats.max(1)).sqrt()).max(0.01 * cost.median.abs());
    Cost { median: cost.median, low: cost.median - half, high: cost.median + half }
}

fn class(medium: Medium) -> BlockClass {
    match medium {
        Medium::Pipe => BlockClass::Pipe,
        Medium::Unix => BlockClass::Unix,
        Medium::Tcp => BlockClass::Tcp,
    }
}

/// How long ago that was, in words.
fn since(unix_seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    match now.saturating_sub(unix_seconds) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

/// Who else used the machine meanwhile, for the line with the prices; nothing where that was next to nobody.
fn company(others: f64) -> String {
    if others < CROWDED {
        return String::new();
    }
    format!("; {:.0} % of the CPUs were in use by others while it was taken", others * 100.0)
}

fn of(found: &Essentials, full: Option<&Full>, source: String) -> Calibration {
    let step = |s: &calibrate::Step| {
        // The model takes `ready` off again: what is left are the differences, with their own intervals.
        let ready = s.ready.median;
        let plus = |beyond: calibrate::Cost| {
            let Cost { median, low, high } = cost(beyond);
            Cost { median: ready + median, low: ready + low, high: ready + high }
        };
        Step {
            events: s.events,
            ready: Cost { median: ready, low: ready, high: ready },
            level: plus(s.beyond.level),
            again: plus(s.beyond.again),
            runtime: s.beyond.runtime.map(plus),
            uring: s.beyond.uring.map(plus),
        }
    };
    let block = |b: &calibrate::BlockCost| BlockCost {
        class: class(b.medium),
        idle: b.via_idle.then_some(b.idle as f64),
        cost: cost(b.cost),
        wake: cost(b.wake),
    };
    let file = |f: &calibrate::FileStep| FileCost {
        depth: f.depth,
        pread: cost(f.pread),
        pool: f.pool.map(cost),
        uring: f.uring.map(cost),
    };
    let crowd = |of: &[calibrate::CrowdCost]| {
        of.iter().map(|c| Crowd { threads: c.threads, cost: cost(c.colder) }).collect::<Vec<_>>()
    };
    Calibration {
        steps: found.steps.iter().map(step).collect(),
        reads: found
            .reads
            .iter()
            .map(|r| ReadCost { class: class(r.medium), bytes: r.bytes, cost: cost(r.cost) })
            .collect(),
        blocks: found.blocks.iter().map(block).collect(),
        files: found.file.iter().map(file).collect(),
        direct: full.map_or_else(Vec::new, |full| {
            let rows = full.disk.iter().filter(|row| row.direct && row.interface == FileInterface::Uring);
            let read = |row: &DiskRow| {
                let &calibrate::Cost { median, low, high, .. } = row.cpu.cost()?;
                Some(DirectRead { batch: row.depth, cost: Cost { median, low, high } })
            };
            rows.filter_map(read).collect()
        }),
        crowd: crowd(&found.crowd),
        relay: crowd(&found.relay),
        pace: Some(found.pace),
        source: source + &company(found.others),
    }
}
