//! Prices of this machine for the model: from the cache, or measured now.

use std::{
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    calibrate::{self, DiskRow, Essentials, FileInterface, Full, Medium, Usage},
    event::BlockClass,
    machine::{BlockCost, Calibration, Cost, Crowd, DirectRead, FileCost, ReadCost, Step},
};

/// Where others used more of the CPUs while prices were taken, the line with the prices says so.
const CROWDED: f64 = 0.25;
/// After so long no more prices are begun that nobody has calibrated: what the model can do without is missing then.
const ENOUGH: Duration = Duration::from_secs(15);
/// How long a report waits for them, how long the end of a screen does, and how often they look.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
pub(super) const SHORT_PATIENCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(10);

/// Prices, or why there are none: what it says is for the report.
pub(super) type Priced = Result<Calibration, String>;

/// Prices of this machine and kernel: from the cache, or else the essentials, measured on a thread of their own, because nobody
/// knows how long that takes beside others.
pub(super) struct Pricing {
    known: Option<Priced>,
    coming: Option<JoinHandle<Priced>>,
    /// The machine when they began.
    before: Usage,
}

impl Pricing {
    /// Prices are wanted.
    pub(super) fn begin() -> Self {
        let before = Usage::so_far();
        if let Ok(cached) = calibrate::cache::load() {
            let age = since(cached.essentials.taken_at);
            let source = format!("from `calibrate` of this machine and kernel, {age} old");
            let known = of(&cached.essentials, cached.full.as_ref(), source);
            return Self { known: Some(Ok(known)), coming: None, before };
        }
        match std::thread::Builder::new().name("sia-prices".into()).spawn(on_the_spot) {
            Ok(thread) => Self { known: None, coming: Some(thread), before },
            Err(error) => Self { known: Some(Err(failed(&format!("no thread: {error}")))), coming: None, before },
        }
    }

    /// Whether they are not known yet.
    pub(super) fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// What is known by now.
    pub(super) fn known(&mut self) -> Option<Priced> {
        if let Some(done) = self.coming.take_if(|thread| thread.is_finished()) {
            self.known = Some(done.join().unwrap_or_else(|_| Err(failed("the thread that measured it panicked"))));
        }
        self.known.clone()
    }

    /// What is known soon: nobody is kept for as long as a busy machine may take, nor who is in a hurry.
    pub(super) fn wait(&mut self, patience: Duration, hurry: impl Fn() -> bool) -> Priced {
        let begun = Instant::now();
        loop {
            if let Some(known) = self.known() {
                return known;
            }
            if begun.elapsed() >= patience {
                let others = 100.0 * self.before.others();
                let why = format!("not within {} s, others used {others:.0} % of the CPUs", patience.as_secs());
                return Err(late(&why));
            }
            if hurry() {
                return Err(late("interrupted"));
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// The essentials, measured now.
fn on_the_spot() -> Priced {
    let found = calibrate::measure(ENOUGH).map_err(|error| failed(&error.to_string()))?;
    Ok(of(&found, None, "measured right after the target; `calibrate` measures them better".into()))
}

/// Prices did not come in time.
fn late(why: &str) -> String {
    missing(
        why,
        "run `should-i-async calibrate --quick`, which takes the time that it needs and keeps what it finds, best while the machine is \
         quiet; then check again",
    )
}

/// Prices could not be measured.
fn failed(why: &str) -> String {
    missing(why, "once that is mended, `should-i-async calibrate` measures it and keeps what it finds")
}

fn missing(why: &str, mend: &str) -> String {
    format!("what waiting in other ways costs on this machine could not be measured beside the target ({why}): {mend}")
}

/// The interval of the median, from the spread of the repeats: its standard error is 1.25 times that of the mean, and a 90 %
/// interval of a normal distribution is 3.29 standard deviations wide.
fn cost(cost: calibrate::Cost) -> Cost {
    let repeats = f64::from(cost.repeats.max(1));
    let half = 0.625 * (cost.high - cost.low) * few(repeats) / repeats.sqrt();
    let half = half.max(0.01 * cost.median.abs());
    Cost { median: cost.median, low: cost.median - half, high: cost.median + half }
}

/// What few repeats hide of their spread: the range of n of them is less than 3.29 standard deviations (1.69 of them for 3, 2.33 for 5, 2.97
/// for 9), and that it is an estimate itself makes Student's t of a normal quantile (2.92, 2.13, 1.86 for 1.645). The product is 3.5,
/// 1.8 and 1.25; this is within a tenth of it, and goes to 1.
fn few(repeats: f64) -> f64 {
    1.0 + 22.0 / repeats.powi(2)
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    #[test]
    fn few_repeats_are_not_taken_for_sure() {
        // The product of two tables: of the expected range of n normal values, and of Student's t for 95 %.
        for (n, range, t) in [(3.0, 1.693, 2.920), (5.0, 2.326, 2.132), (9.0, 2.970, 1.860), (11.0, 3.173, 1.812)] {
            let expected = 3.29 / range * t / 1.645;
            assert!((few(n) / expected - 1.0).abs() < 0.1, "{n}: {} for {expected}", few(n));
        }
        let of = |repeats| cost(calibrate::Cost { median: 100.0, low: 90.0, high: 110.0, repeats });
        let half = |cost: Cost| (cost.high - cost.low) / 2.0;
        assert!(half(of(3)) > 20.0 && half(of(400)) < 1.01, "{:?} {:?}", of(3), of(400));
    }

    /// Prices that come when the sender is dropped.
    fn coming(prices: Priced) -> (Pricing, Sender<()>) {
        let (send, wait) = channel::<()>();
        let coming = std::thread::spawn(move || {
            let _ = wait.recv();
            prices
        });
        (Pricing { known: None, coming: Some(coming), before: Usage::so_far() }, send)
    }

    #[test]
    fn prices_that_do_not_come_in_time_are_missing_with_the_way_to_get_them() {
        let (mut pricing, _never) = coming(Ok(Calibration::default()));
        assert!(pricing.is_coming());
        let why = pricing.wait(Duration::ZERO, || false).unwrap_err();
        assert!(why.contains("not within 0 s, others used "), "{why}");
        assert!(why.contains("`should-i-async calibrate --quick`"), "{why}");
    }

    #[test]
    fn prices_that_come_in_time_are_taken() {
        let (mut pricing, now) = coming(Ok(Calibration { source: "here".into(), ..Calibration::default() }));
        assert!(pricing.known().is_none());
        drop(now);
        let found = pricing.wait(Duration::from_secs(60), || false).unwrap();
        assert_eq!(found.source, "here");
        assert!(!pricing.is_coming());
    }

    #[test]
    fn who_asks_to_hurry_is_not_kept() {
        let (mut pricing, _never) = coming(Ok(Calibration::default()));
        let why = pricing.wait(Duration::MAX, || true).unwrap_err();
        assert!(why.contains("(interrupted)"), "{why}");
    }
}
